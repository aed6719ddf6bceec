"""Quantizes networks: weights once and for all, coarse scales of activations by calibration.

Each product becomes a layer of the engine, with an activation function behind it a part of it: one
with constant weights, or one of two activations, of which the right one is quantized in the
weights' format. Where all that follows merely moves or selects values until the next product, its
result is quantized; else it is a rescaled number, exact to the engine's result bits. Everything
else is the host's.

The coarse scale of activations is static: with M-bit per-vector scales,

    gamma = threshold / (qmax * (2^M - 1))        threshold: the largest of the vectors' thresholds
    unit  = gamma * 2^-f                           f as large as results of R bits allow

rounded up to a few significant bits (golden/network/calibration.py).
"""

from collections.abc import Callable, Mapping

from scalewright.golden.calibration import Clip
from scalewright.golden.config import EngineConfig
from scalewright.golden.network import Network
from scalewright.golden.network.calibration import Calibration
from scalewright.golden.network.feeds import Values
from scalewright.golden.network.graph import Graph
from scalewright.golden.network.observation import observe
from scalewright.golden.network.operands import has_weights, is_stack
from scalewright.golden.network.steps import RIGHT, Steps, Trained, activation_behind, axis_of
from scalewright.golden.quantize import Scaling


def quantize_network(
    graph: Graph,
    inputs: Values,
    config: EngineConfig,
    clip: Clip,
    *,
    scaling: Scaling = Scaling.NEAREST,
    trained: Trained | None = None,
    wide: Mapping[str, str] | None = None,
    batch: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Network:
    """Quantize a network for the engine.

    Args:
        graph: The network in floats.
        inputs: Calibration inputs (N, ...), as it will see them, or all by name.
        config: The engine.
        clip: How clipping thresholds are chosen, of weights and of activations.
        scaling: How the per-vector scales of weights are rounded.
        trained: Integers and scales that stand already; of every product, or None.
        wide: Which operands of which products have wider elements: `w`, `a` or `wa`, by the name of
            the product.
        batch: How many inputs are computed at once; all by default.
        progress: Called with the number of inputs that are evaluated since the last call.

    Raises:
        ValueError: A network without products, inputs that do not suit it, negative activations
            where the configuration's are unsigned, factors out of range; the message names the
            node.
    """
    products = [node for node in graph.nodes if has_weights(graph, node) or is_stack(graph, node)]
    if not products:
        raise ValueError("the network has no product that the engine computes: nothing to quantize")
    wanted: dict[str, set[int]] = {}
    for node in products:
        wanted.setdefault(node.inputs[0], set()).add(axis_of(node))
        if not has_weights(graph, node):
            wanted.setdefault(node.inputs[1], set()).add(RIGHT)
        for tensor in (node.output, activation_behind(graph, node)[1]):
            wanted.setdefault(tensor, set()).add(axis_of(node))
    seen = observe(graph, inputs, wanted, batch=batch, progress=progress)
    for node in products:
        if not seen[node.output, axis_of(node)].finite:
            raise ValueError(f"{node.label}: its result on the inputs has NaN or infinity")
    calibration = Calibration(seen, config, clip)
    quantization = Steps(graph, config, calibration, trained, wide or {})
    for node in graph.nodes:
        quantization.add(node, clip, scaling)
    return quantization.network()
