"""Which nodes of a network become products of the engine, and the weights that these have."""

import numpy as np

from scalewright.golden.calibration import (
    Clip,
    Granularity,
    clipping_threshold,
    quantize_clipped,
)
from scalewright.golden.config import EngineConfig, WideFormat
from scalewright.golden.network.blocks import spread
from scalewright.golden.network.graph import MATRIX_KINDS, Graph, Node
from scalewright.golden.network.product import Block
from scalewright.golden.quantize import Scaling
from scalewright.golden.quantized import Floats
from scalewright.golden.wide import Wide, quantize_wide


def has_weights(graph: Graph, node: Node) -> bool:
    """Whether a node is a product with constant weights that the engine computes.

    That is a convolution of one or two dimensions, or a product with a constant matrix on its
    right, each with a constant bias or none.
    """
    if node.kind not in MATRIX_KINDS or node.domain or len(node.inputs) < 2:
        return False
    if any(name not in graph.constants for name in filter(None, node.inputs[1:])):
        return False
    if node.inputs[0] in graph.constants:
        return False
    axes = np.ndim(graph.constants[node.inputs[1]])
    return axes in ((3, 4) if node.kind == "Conv" else (2,))


def is_stack(graph: Graph, node: Node) -> bool:
    """Whether a node may be a product of two activations, or of one with a stack of matrices."""
    return (
        node.kind == "MatMul"
        and not node.domain
        and len(node.inputs) == 2
        and not has_weights(graph, node)
        and not all(name in graph.constants for name in node.inputs)
        and all(np.ndim(graph.constants.get(name, np.zeros((1, 1)))) >= 2 for name in node.inputs)
    )


def weight_matrix(node: Node, weights: Floats) -> Floats:
    """Weights of a node with output channels first and the reduction last: (M, ..., K).

    A convolution's are (M, kh, kw, C), of height 1 in one dimension.

    Raises:
        ValueError: Weights of a shape that the node cannot have; the message names it.
    """
    if node.kind == "Conv":
        group = node.attributes.get("group", 1)
        if weights.ndim not in (3, 4) or not 1 <= group <= len(weights) or len(weights) % group:
            raise ValueError(
                f"{node.label}: must have one or two dimensions, and groups that divide its "
                f"channels, not weights {weights.shape} and {group} groups"
            )
        if weights.ndim == 3:
            weights = weights[:, :, None]
        return weights.transpose(0, 2, 3, 1)
    if weights.ndim != 2:
        raise ValueError(f"{node.label}: weights must be a matrix, not {weights.shape}")
    return weights if node.attributes.get("transB", 0) else weights.T


def bias_of(graph: Graph, node: Node, channels: int) -> Floats:
    """Bias (M,) of a node with constant weights; zeros where it has none.

    Raises:
        ValueError: One of another shape.
    """
    if len(node.inputs) < 3 or not node.inputs[2]:
        return np.zeros(channels, np.float32)
    bias = np.asarray(graph.constants[node.inputs[2]], np.float32)
    if bias.size not in (1, channels) or bias.shape[-1:] not in ((), (bias.size,)):
        raise ValueError(
            f"{node.label}: its bias must have one number for each of "
            f"{channels} channels, not shape {bias.shape}"
        )
    return np.ascontiguousarray(np.broadcast_to(bias.reshape(-1), channels))


def quantize_weights(
    graph: Graph,
    node: Node,
    config: EngineConfig,
    clip: Clip,
    scaling: Scaling,
    wide: WideFormat | None = None,
) -> tuple[Block, ...]:
    """Quantized weights of a node, in the blocks of its groups; of wider elements on a grid."""
    matrix = weight_matrix(node, graph.constants[node.inputs[1]])
    size = config.datapath.vector_size
    if wide is not None:
        return tuple(
            Block(weights=_quantize_wide(block, wide, clip, size), first=first)
            for block, first in spread(matrix, node.attributes.get("group", 1), size)
        )
    return tuple(
        Block(
            weights=quantize_clipped(
                block,
                config.datapath.weights,
                clip,
                vector_size=size,
                coarse_axis=0,
                scaling=scaling,
            ),
            first=first,
        )
        for block, first in spread(matrix, node.attributes.get("group", 1), size)
    )


def _quantize_wide(block: Floats, fmt: WideFormat, clip: Clip, vector_size: int) -> Wide:
    """Weights of wider elements, clipped channel by channel."""
    threshold = None
    if clip.method != "max":
        threshold = clipping_threshold(
            block, fmt, clip, granularity=Granularity.CHANNEL, vector_size=vector_size
        )
    return quantize_wide(block, fmt, vector_size=vector_size, coarse_axis=0, threshold=threshold)


def product_problems(graph: Graph) -> list[str]:
    """Why products of a network cannot be quantized, whatever the inputs; each names its node."""
    problems = []
    for node in graph.nodes:
        if not has_weights(graph, node):
            continue
        for name in filter(None, node.inputs[1:]):
            values = graph.constants[name]
            if values.dtype != np.float32:
                problems.append(
                    f"{node.label}: its constant {name} must have floats, not {values.dtype}"
                )
                continue
            if values.size == 0 or not np.isfinite(values).all():
                what = "no elements" if values.size == 0 else "NaN or infinity"
                problems.append(f"{node.label}: its constant {name} {values.shape} has {what}")
        try:
            weights = weight_matrix(node, graph.constants[node.inputs[1]])
            bias_of(graph, node, len(weights))
        except ValueError as error:
            problems.append(str(error))
    return problems
