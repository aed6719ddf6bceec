"""The steps of a quantized network from its ONNX nodes; quantized_model.py says which.

Nodes are told apart by their outputs: names may be missing, or changed since they were written.
"""

import math
from collections import defaultdict
from contextlib import suppress
from typing import Any

import numpy as np
import onnx

from scalewright.golden.activation import OPERATORS as ACTIVATIONS
from scalewright.golden.config import (
    OUTPUT_FRACTION_BITS,
    ActivationFunction,
    EngineConfig,
    Format,
    WideFormat,
    compose,
)
from scalewright.golden.network import Network, Product, Quantize
from scalewright.golden.network.graph import MATRIX_KINDS, Node
from scalewright.golden.network.schedule import Item, schedule, taken_by
from scalewright.sim.models.file import label_of
from scalewright.sim.models.float_model import (
    array_of,
    inputs_of,
    node_attributes,
    node_of,
    unique_names,
)
from scalewright.sim.models.functions import DOMAIN
from scalewright.sim.models.host import OnnxHost
from scalewright.sim.models.weights import WeightReader, require_attribute

_QUANTIZING = ("QuantizeVectors", "QuantizeRows", "QuantizeColumns", "QuantizeElements")
# Along which axis vectors lie that take the place of weights.
_RIGHT = -2


class ModelReader:
    """Reads the nodes that `ModelWriter` wrote."""

    def __init__(self, model: onnx.ModelProto, config: EngineConfig) -> None:
        self._graph = graph = model.graph
        self._config = config
        self._host = OnnxHost(
            {each.domain: each.version for each in model.opset_import if each.domain != DOMAIN}
        )
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._names = {
            node.output[0]: name
            for node, name in zip(graph.node, unique_names(graph.node), strict=True)
        }
        self._givers = {name: node for node in graph.node for name in node.output if name}
        self._takers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._takers[name].append(node)
        self._outputs = [value.name for value in graph.output]
        self._read: set[str] = set()
        self._weights = WeightReader(self._givers, self._constant, config.datapath)

    def network(self) -> Network:
        """The network.

        Raises:
            ValueError: What `ModelWriter` does not write; the message names the node.
        """
        inputs = inputs_of(self._graph)
        if not inputs or not self._outputs:
            raise ValueError("must have an input and an output")
        for node in self._graph.node:
            if self._is_product(node):
                self._mark_weights(node.input[1])
        items: list[Item] = []
        for node in self._graph.node:
            if node.output[0] in self._read:
                continue
            try:
                items.append(self._item(node))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{label_of(node)}: {error}") from None
        if not any(isinstance(item, Product) for item in items):
            raise ValueError("has no product that the engine computes: quantize again")
        nodes = [item for item in items if isinstance(item, Node)]
        taken = {name for node in nodes for name in node.taken}
        taken |= {item.input for item in items if isinstance(item, Quantize)} | {*self._outputs}
        constants = {n: array_of(self._stored[n]) for n in sorted(taken & self._stored.keys())}
        self._require_given(items, {*(each.name for each in inputs), *constants})
        return Network(
            steps=schedule(items, constants, self._outputs, self._host),
            constants={
                name: value
                for name, value in constants.items()
                if name in self._outputs
                or any(isinstance(item, Quantize) and item.input == name for item in items)
            },
            inputs=inputs,
            outputs=tuple(self._outputs),
        )

    def _is_product(self, node: onnx.NodeProto) -> bool:
        """Whether a node is a product of the engine: Rescale takes its result."""
        if node.domain not in ("", "ai.onnx") or node.op_type not in MATRIX_KINDS:
            return False
        return any(
            taker.domain == DOMAIN and taker.op_type == "Rescale"
            for taker in self._takers[node.output[0]]
        )

    def _mark_weights(self, name: str) -> None:
        """Count the nodes that dequantize weights as read."""
        node = self._givers.get(name)
        while node is not None and node.op_type == "DequantizeLinear" and len(node.input) > 1:
            self._read.add(node.output[0])
            node = self._givers.get(node.input[1])

    def _item(self, node: onnx.NodeProto) -> Item:
        name, target = self._names[node.output[0]], node.output[0]
        if node.domain == DOMAIN and node.op_type in _QUANTIZING:
            axes = self._axes(node)
            if len(axes) != 1:
                raise ValueError("products alike must take its result")
            (axis,) = axes
            gamma = self._scale(node, axis == _RIGHT)  # which counts the inputs
            return Quantize(
                name=name,
                input=node.input[0],
                output=target,
                gamma=gamma,
                axis=axis,
                right=axis == _RIGHT,
                signed=None if axis == _RIGHT else self._format(node).signed,
                wide=self._wide_format(node) if axis != _RIGHT else None,
            )
        if self._is_product(node):
            return self._product(node)
        if node.domain == DOMAIN:
            raise ValueError(f"{node.op_type} must stand behind a product")
        return node_of(node, name)

    def _axes(self, node: onnx.NodeProto) -> set[int]:
        """Along which axes the products that take a node's result want its vectors."""
        tensor, axes = node.output[0], set()
        for taker in self._takers[tensor]:
            if taker.op_type in MATRIX_KINDS:
                right = list(taker.input).index(tensor) == 1
                axes.add(_RIGHT if right else 1 if taker.op_type == "Conv" else -1)
        return axes

    def _require_given(self, items: list[Item], known: set[str]) -> None:
        """Vectors go to products, and whatever a step takes another gives."""
        vectors: set[str] = set()
        for item in items:
            where = label_of(self._givers[item.output])
            for name in taken_by(item):
                if name not in known:
                    raise ValueError(f"{where}: no step gives its input {name}")
                if isinstance(item, Product) and name not in vectors:
                    raise ValueError(f"{where}: its input {name} is not quantized")
            known |= set(item.given) if isinstance(item, Node) else {item.output}
            if isinstance(item, Quantize) or (isinstance(item, Product) and item.gamma is not None):
                vectors.add(item.output)
        for name in self._outputs:
            if name not in known:
                raise ValueError(f"no step gives the output {name}")

    def _product(self, node: onnx.NodeProto) -> Product:
        behind = self._behind(node)
        if len(node.input) != 2:
            raise ValueError("must have two inputs: its bias is that of Rescale")
        if behind is None or (behind.domain, behind.op_type) != (DOMAIN, "Rescale"):
            raise ValueError("must have Rescale behind it")
        limit = 1 << (self._config.result_bits - 1)
        require_attribute(behind, "low", -limit)
        require_attribute(behind, "high", limit - 1)
        unit, output = self._scale(behind), behind.output[0]
        attributes = node_attributes(node) if node.op_type == "Conv" else {}
        group = attributes.pop("group", 1)
        giver = self._givers.get(node.input[1])
        right = giver is not None and giver.domain == DOMAIN
        source = self._givers.get(node.input[0])
        wide = self._wide_format(source) if source is not None and not right else None
        blocks = () if right else self._weights.blocks(node, group, wide.digits if wide else None)
        channels = sum(len(block.weights.gamma) for block in blocks)
        units = self._constant(behind.input[2]).reshape(-1)
        if units.dtype != np.int32 or units.shape != (channels or 1,):
            raise ValueError(f"its bias must be {channels or 1} INT32, not {units.shape}")
        if right and (node.op_type != "MatMul" or np.any(units)):
            raise ValueError("a product of two activations must be a MatMul without bias")
        behind = self._take(behind)
        function = ActivationFunction.IDENTITY
        if behind is not None and behind.op_type in ACTIVATIONS:
            function = ACTIVATIONS[behind.op_type]
            output, behind = behind.output[0], self._take(behind)
        gamma = signed = None
        if behind is not None and self._is_part(behind, -1 if node.op_type != "Conv" else 1, unit):
            output, gamma = behind.output[0], self._scale(behind)
            signed = self._format(behind).signed
            self._take(behind)
        return Product(
            name=self._names[node.output[0]],
            kind=node.op_type,
            input=node.input[0],
            output=output,
            blocks=blocks,
            right=node.input[1] if right else None,
            bias=(units[:channels].astype(np.int64) * unit).astype(np.float32),
            attributes=attributes,
            group=group,
            activation_function=function,
            unit=unit,
            gamma=gamma,
            signed=signed,
            wide_input=wide is not None,
        )

    def _is_wide(self, tensor: str) -> bool:
        """Whether a tensor has wider elements: vectors without scales, where there are such."""
        giver = self._givers.get(tensor)
        if giver is None or giver.domain != DOMAIN or giver.op_type != "QuantizeElements":
            return False
        return self._config.output.scale_bits is not None

    def _wide_format(self, node: onnx.NodeProto) -> WideFormat | None:
        """The grid of a node that quantizes to wider elements; None for another one.

        Raises:
            ValueError: No grid of the datapath.
        """
        if not self._is_wide(node.output[0]):
            return None
        ends = tuple(node_attributes(node).get(name) for name in ("qmin", "qmax"))
        datapath = self._config.datapath
        for activations in datapath.activation_formats:
            for weights in (None, datapath.weights):
                with suppress(ValueError):
                    _, grid = compose(datapath, weights=weights, activations=activations)
                    if grid is not None and (grid.qmin, grid.qmax) == ends:
                        return grid
        raise ValueError(f"qmin and qmax must be those of a grid of {datapath}, not {ends}")

    def _format(self, node: onnx.NodeProto) -> Format:
        """The format that a node quantizes to; of either sign, `qmin` says which."""
        if (wide := self._wide_format(node)) is not None:
            return wide
        formats = self._config.datapath.activation_formats
        qmin = node_attributes(node).get("qmin")
        return next((fmt for fmt in formats if fmt.qmin == qmin), formats[0])

    def _is_part(self, node: onnx.NodeProto, axis: int, unit: float) -> bool:
        """Whether a node quantizes results of some unit as the engine does, vectors along an axis.

        If not, it is the host's.
        """
        if node.domain != DOMAIN or node.op_type not in _QUANTIZING or self._axes(node) - {axis}:
            return False
        if self._is_wide(node.output[0]):
            return False
        fraction_bits = math.log2(self._scale(node) / unit)
        return fraction_bits % 1 == 0 and fraction_bits in OUTPUT_FRACTION_BITS

    def _constant(self, name: str) -> Any:
        if name not in self._stored:
            raise ValueError(f"its input {name} must be constant")
        return array_of(self._stored[name])

    def _scale(self, node: onnx.NodeProto, right: bool = False) -> float:
        """The scale that a node has second."""
        fmt: Format = self._config.datapath.weights if right else self._format(node)
        if len(node.input) < 2 or (node.op_type == "Rescale" and len(node.input) != 3):
            raise ValueError(f"{label_of(node)} must have more inputs")
        if node.op_type in _QUANTIZING:
            require_attribute(node, "qmin", fmt.qmin)
            require_attribute(node, "qmax", fmt.qmax)
        values = self._constant(node.input[1])
        # Subnormal scales have lost bits; none is written.
        if values.size != 1 or not np.finfo(np.float32).tiny <= values.flat[0] < np.inf:
            raise ValueError(f"{node.input[1]} must be one positive scale, not {values.shape}")
        return float(values.flat[0])

    def _behind(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """The node that alone takes the result of another."""
        tensor = node.output[0]
        found = self._takers[tensor]
        return found[0] if len(found) == 1 and tensor not in self._outputs else None

    def _take(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Count a node as read; what alone comes behind it."""
        self._read.add(node.output[0])
        return self._behind(node)
