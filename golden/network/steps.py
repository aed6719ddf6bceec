"""The steps of a quantized network, gathered node by node."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scalewright.golden.activation import OPERATORS
from scalewright.golden.calibration import Clip
from scalewright.golden.config import (
    ActivationFunction,
    EngineConfig,
    OperandFormat,
    WideFormat,
    compose,
)
from scalewright.golden.network import Network, Product, Quantize
from scalewright.golden.network.calibration import Calibration
from scalewright.golden.network.graph import Graph, Node
from scalewright.golden.network.operands import (
    bias_of,
    has_weights,
    is_stack,
    quantize_weights,
)
from scalewright.golden.network.product import Block
from scalewright.golden.network.schedule import Item, schedule
from scalewright.golden.network.units import as_computed, finest_unit
from scalewright.golden.quantize import Scaling
from scalewright.golden.quantized import Quantized
from scalewright.golden.rescale import multiplier

# Along which axis of the right operand of a product of two activations vectors lie.
RIGHT = -2
# They give values that were there before.
_MOVING = ("MaxPool", "Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Slice")


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """What quantization-aware training has settled, by the names of the products.

    Each product then quantizes its own input, as it did in training, so that the engine quantizes
    only results that go straight to a product.

    Attributes:
        weights: Quantized weights, one gamma for each output channel.
        gammas: Coarse scale of the activations that a product takes.
    """

    weights: Mapping[str, Quantized] = field(default_factory=dict)
    gammas: Mapping[str, float] = field(default_factory=dict)


class Steps:
    """Gathers the steps of a network."""

    def __init__(
        self,
        graph: Graph,
        config: EngineConfig,
        calibration: Calibration,
        trained: Trained | None,
        wide: Mapping[str, str],
    ) -> None:
        self._graph = graph
        self._config = config
        self._calibration = calibration
        self._trained = trained
        self._wide = wide
        self._items: list[Item] = []
        # Vectors that there are: names and gammas by tensor, axis, and whether they are weights.
        self._vectors: dict[tuple[str, int, bool | WideFormat], tuple[str, float]] = {}
        self._settled: set[str] = set()  # vectors whose gamma fits the engine's factor
        self._absorbed: set[str] = set()  # results of functions that are a part of a product
        self._used = {*graph.tensors, *graph.constants}

    def network(self) -> Network:
        """The network of all that was added."""
        graph = self._graph
        items, constants = self._items, graph.constants
        if not any(isinstance(item, Product) for item in items):
            raise ValueError(
                "the network has no product that the engine computes: nothing to quantize"
            )
        wanted = {*graph.outputs, *(i.input for i in items if isinstance(i, Quantize))}
        return Network(
            steps=schedule(items, constants, graph.outputs, graph.host),
            constants={name: value for name, value in constants.items() if name in wanted},
            inputs=graph.inputs,
            outputs=graph.outputs,
        )

    def add(self, node: Node, clip: Clip, scaling: Scaling) -> None:
        """Add a node that comes behind those before."""
        if node.output in self._absorbed:
            return
        if has_weights(self._graph, node):
            blocks: tuple[Block, ...]
            if self._trained:
                blocks = (Block(weights=self._trained.weights[node.name]),)
            else:
                grid, _ = self._grids(node)
                blocks = quantize_weights(self._graph, node, self._config, clip, scaling, grid)
            self._add_product(node, blocks)
        elif is_stack(self._graph, node) and all(
            self._calibration.axes(name) >= 2 for name in node.inputs
        ):
            self._add_product(node, ())
        else:
            self._items.append(node)

    def _add_product(self, node: Node, blocks: tuple[Block, ...]) -> None:
        graph, config = self._graph, self._config
        wide, wide_input = self._grids(node)
        name, input_gamma = self._quantized(node.inputs[0], node, axis_of(node), wide=wide_input)
        right, gammas, bias = None, np.zeros(1), np.zeros(0, np.float32)
        if blocks:
            gammas = np.concatenate([block.weights.gamma for block in blocks])
            bias = bias_of(graph, node, len(gammas))
        else:
            right, right_gamma = self._quantized(node.inputs[1], node, RIGHT, right=True)
            gammas = np.asarray([right_gamma])
        function, output = activation_behind(graph, node)
        self._absorbed |= {output} - {node.output}
        following = self._next_product(output, axis_of(node), () if self._trained else _MOVING)
        composed = wide is not None or wide_input is not None
        shift = 0 if composed else config.datapath.scale_product_shift
        largest = float(gammas.max()) * input_gamma * 2.0**shift
        if following is None:
            gamma = signed = None
            unit = self._calibration.unit((output, axis_of(node)), node, bias, largest)
        else:
            gamma = self._gamma(output, following, axis_of(node))
            fmt = self._format(output, axis_of(node))
            signed = fmt.signed
            unit = finest_unit(node.label, gamma, fmt, largest, bias, config)
            self._vectors[output, axis_of(node), False] = output, gamma
        attributes = dict(node.attributes) if node.kind == "Conv" else {}
        group = attributes.pop("group", 1)
        if node.kind == "Conv":
            attributes["kernel_shape"] = graph.constants[node.inputs[1]].shape[2:]
        product = Product(
            name=node.name,
            kind=node.kind,
            input=name,
            output=output,
            blocks=blocks,
            right=right,
            bias=bias,
            attributes=attributes,
            group=group,
            activation_function=function,
            unit=unit,
            gamma=gamma,
            signed=signed,
            wide_input=wide_input is not None,
        )
        if right is not None:
            self._settle(right, product, float(gammas[0]), input_gamma)
        self._items.append(as_computed(product, input_gamma, config))

    def _settle(self, right: str, product: Product, gamma: float, input_gamma: float) -> None:
        """Give the right operand of a product the scale that the engine's factor stands for.

        It changes by 2^-17 at most; one that another product has settled stays.
        """
        if right in self._settled:
            return
        self._settled.add(right)
        worth = product.unit / (input_gamma * 2.0**self._config.datapath.scale_product_shift)
        mantissas, exponents = multiplier(np.asarray([gamma / worth]))
        exact = float(np.float32(np.ldexp(float(mantissas[0]), -int(exponents[0])) * worth))
        for index, item in enumerate(self._items):
            if isinstance(item, Quantize) and item.output == right:
                self._items[index] = replace(item, gamma=exact)
                self._vectors[item.input, item.axis, True] = right, exact

    def _grids(self, node: Node) -> tuple[WideFormat | None, WideFormat | None]:
        """The grids of a node's weights and activations, where they are of wider elements.

        Raises:
            ValueError: The datapath cannot compose them; the message names the node.
        """
        operands = self._wide.get(node.name, "")
        if not operands:
            return None, None
        datapath = self._config.datapath
        activations = self._format(node.inputs[0], axis_of(node))
        try:
            if not has_weights(self._graph, node):
                raise ValueError("products of two activations have no wider elements")
            return compose(
                datapath,
                weights=datapath.weights if "w" in operands else None,
                activations=activations if "a" in operands else None,
            )
        except ValueError as error:
            raise ValueError(f"{node.label}: {error}") from None

    def _gamma(
        self,
        tensor: str,
        node: Node,
        axis: int,
        *,
        right: bool = False,
        wide: WideFormat | None = None,
    ) -> float:
        if self._trained:
            return self._trained.gammas[node.name]
        return self._calibration.gamma((tensor, axis), node, right=right, wide=wide)

    def _format(self, tensor: str, axis: int) -> OperandFormat:
        """The format that a tensor has as activations; training knows one."""
        if self._trained:
            return self._config.datapath.activation_format(
                signed=True if self._config.datapath.either_sign else None
            )
        return self._calibration.format_of((tensor, axis))

    def _quantized(
        self,
        tensor: str,
        node: Node,
        axis: int,
        *,
        right: bool = False,
        wide: WideFormat | None = None,
    ) -> tuple[str, float]:
        """Name and gamma of a tensor's vectors along an axis, which a node takes."""
        key = tensor, axis, wide or right
        gamma = self._gamma(tensor, node, axis, right=right) if self._trained else None
        if gamma is not None and self._vectors.get(key, ("", gamma))[1] != gamma:
            raise ValueError(
                f"{node.label}: its input {tensor} goes to another product, too, with another "
                f"coarse scale: {self._vectors[key][1]:.6g} and {gamma:.6g}"
            )
        if key not in self._vectors:
            gamma = self._gamma(tensor, node, axis, right=right, wide=wide)
            name = f"{tensor}_quantized"
            while name in self._used:
                name += "_"
            self._used.add(name)
            self._items.append(
                Quantize(
                    name=name,
                    input=tensor,
                    output=name,
                    gamma=gamma,
                    axis=axis,
                    right=right,
                    signed=None if right else self._format(tensor, axis).signed,
                    wide=wide,
                )
            )
            self._vectors[key] = name, gamma
        return self._vectors[key]

    def _next_product(self, tensor: str, axis: int | None, moving: tuple[str, ...]) -> Node | None:
        """The product that takes a tensor as activations, moved at most.

        None if anything else takes it first, or if it takes the tensor itself with vectors along
        another axis than this one.
        """
        if tensor in self._graph.outputs:
            return None
        found: Any = None
        for node in self._graph.consumers(tensor):
            if node.kind == "Shape":
                continue
            if self._is_activation(node, tensor) and axis in (None, axis_of(node)):
                found = node
            elif node.kind in moving and node.inputs[0] == tensor:
                found = self._next_product(node.output, None, moving)
            else:
                return None
            if found is None:
                return None
        return found  # type: ignore[no-any-return]

    def _is_activation(self, node: Node, tensor: str) -> bool:
        """Whether a node is a product that takes a tensor as its activations only."""
        if node.inputs.count(tensor) != 1 or node.inputs[0] != tensor:
            return False
        if "a" in self._wide.get(node.name, ""):
            return False  # the engine makes no wider elements
        if has_weights(self._graph, node):
            return True
        return is_stack(self._graph, node) and all(
            self._calibration.axes(name) >= 2 for name in node.inputs
        )


def axis_of(node: Node) -> int:
    """Along which axis of a product's activations, and of its results, vectors lie."""
    return 1 if node.kind == "Conv" else -1


def activation_behind(graph: Graph, node: Node) -> tuple[ActivationFunction, str]:
    """The activation function that alone takes the result of a node; the tensor it gives."""
    consumers = graph.consumers(node.output)
    if len(consumers) == 1 and node.output not in graph.outputs:
        behind = consumers[0]
        if behind.kind in OPERATORS and not behind.domain:
            return OPERATORS[behind.kind], behind.output
    return ActivationFunction.IDENTITY, node.output
