"""The steps of a quantized network from its ONNX nodes; quantized_model.py says which.

Nodes are told apart by their outputs: names may be missing, or changed since they were written.
"""

import math
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from scalewright.golden.activation import OPERATORS as ACTIVATIONS
from scalewright.golden.config import ActivationFunction, EngineConfig, OperandFormat
from scalewright.golden.network import Network, Product, Quantize, Step
from scalewright.golden.network.graph import MATRIX_KINDS, Node
from scalewright.golden.network.operators import OPERATORS
from scalewright.golden.quantized import Quantized
from scalewright.sim.models.file import label_of
from scalewright.sim.models.float_model import array_of, node_attributes, shape_of, unique_names
from scalewright.sim.models.functions import DOMAIN
from scalewright.sim.models.writer import channel_axis

_TYPES = (
    *(TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64),
    *(TensorProto.INT4, TensorProto.INT8, TensorProto.UINT8, TensorProto.UINT16),
)
_QUANTIZING = ("QuantizeVectors", "QuantizeElements")


class ModelReader:
    """Reads the nodes that `ModelWriter` wrote."""

    def __init__(self, graph: onnx.GraphProto, config: EngineConfig) -> None:
        self._graph = graph
        self._config = config
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._names = {
            node.output[0]: name
            for node, name in zip(graph.node, unique_names(graph.node), strict=True)
        }
        self._givers: dict[str, onnx.NodeProto] = {node.output[0]: node for node in graph.node}
        self._takers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._takers[name].append(node)
        self._outputs = [value.name for value in graph.output]
        self._read: set[str] = set()

    def network(self) -> Network:
        """The network.

        Raises:
            ValueError: What `ModelWriter` does not write; the message names the node.
        """
        inputs = [value for value in self._graph.input if value.name not in self._stored]
        if len(inputs) != 1 or len(self._outputs) != 1:
            raise ValueError("must have one input and one output")
        steps: list[Step] = []
        for node in self._graph.node:
            if node.output[0] in self._read or node.op_type == "DequantizeLinear":
                continue
            try:
                steps.append(self._step(node))
            except (ValueError, TypeError) as error:
                raise ValueError(f"{label_of(node)}: {error}") from None
        constants = self._host_constants(steps)
        self._require_given(steps, {inputs[0].name, *constants})
        return Network(
            steps=tuple(steps),
            constants=constants,
            input=inputs[0].name,
            output=self._outputs[0],
            input_shape=shape_of(inputs[0]),
        )

    def _step(self, node: onnx.NodeProto) -> Step:
        name, target = self._names[node.output[0]], node.output[0]
        if any(node.output[1:]):
            raise ValueError("must have one output")
        if node.domain == DOMAIN and node.op_type in _QUANTIZING:
            gamma = self._scale(node)  # which counts the inputs
            signed = self._format(node).signed
            return Quantize(
                name=name, input=node.input[0], output=target, gamma=gamma, signed=signed
            )
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            raise ValueError(f"operator {node.op_type} is not supported here")
        if node.op_type in MATRIX_KINDS:
            return self._product(node)
        return Node(
            name=name,
            kind=node.op_type,
            inputs=tuple(filter(None, node.input)),
            output=target,
            attributes=node_attributes(node),
        )

    def _host_constants(self, steps: list[Step]) -> dict[str, Any]:
        used = {name for step in steps if isinstance(step, Node) for name in step.inputs}
        return {name: self._constant(name) for name in sorted(used & self._stored.keys())}

    def _require_given(self, steps: list[Step], known: set[str]) -> None:
        """Vectors go to products, and whatever a step takes another gives."""
        vectors: set[str] = set()
        for step in steps:
            where = label_of(self._givers[step.output])
            for name in step.inputs if isinstance(step, Node) else (step.input,):
                if name not in known:
                    raise ValueError(f"{where}: no step gives its input {name}")
            if isinstance(step, Product) and step.input not in vectors:
                raise ValueError(f"{where}: its input {step.input} is not quantized")
            known.add(step.output)
            if isinstance(step, Quantize) or (isinstance(step, Product) and step.gamma is not None):
                vectors.add(step.output)
        if self._outputs[0] not in known:
            raise ValueError(f"no step gives the output {self._outputs[0]}")

    def _product(self, node: onnx.NodeProto) -> Product:
        behind = self._behind(node)
        if len(node.input) != 2:
            raise ValueError("must have two inputs: its bias is that of Rescale")
        if behind is None or (behind.domain, behind.op_type) != (DOMAIN, "Rescale"):
            raise ValueError("must have Rescale behind it")
        limit = 1 << (self._config.result_bits - 1)
        _require_attribute(behind, "low", -limit)
        _require_attribute(behind, "high", limit - 1)
        unit, output = self._scale(behind), behind.output[0]
        weights = self._quantized(node)
        units = self._constant(behind.input[2]).reshape(-1)
        if units.dtype != np.int32 or units.shape != weights.gamma.shape:
            raise ValueError(f"its bias must be {len(weights.gamma)} INT32, not {units.shape}")
        behind = self._take(behind)
        function = ActivationFunction.IDENTITY
        if behind is not None and behind.op_type in ACTIVATIONS:
            function = ACTIVATIONS[behind.op_type]
            output, behind = behind.output[0], self._take(behind)
        gamma = signed = None
        if behind is not None and behind.domain == DOMAIN and behind.op_type in _QUANTIZING:
            output, gamma = behind.output[0], self._scale(behind)
            signed = self._format(behind).signed
            self._take(behind)
            if abs(math.log2(gamma / unit) - 12) > 12 or math.log2(gamma / unit) % 1:
                raise ValueError(f"gamma {gamma} must be its unit {unit} times 2^0 to 2^23")
        return Product(
            name=self._names[node.output[0]],
            kind=node.op_type,
            input=node.input[0],
            output=output,
            weights=weights,
            bias=(units.astype(np.int64) * unit).astype(np.float32),
            attributes=node_attributes(node) if node.op_type == "Conv" else {},
            activation_function=function,
            unit=unit,
            gamma=gamma,
            signed=signed,
        )

    def _constant(self, name: str) -> Any:
        if name not in self._stored:
            raise ValueError(f"its input {name} must be constant")
        return array_of(self._stored[name], _TYPES)

    def _scale(self, node: onnx.NodeProto) -> float:
        """The scale that a node has second."""
        if len(node.input) < 2 or (node.op_type == "Rescale" and len(node.input) != 3):
            raise ValueError(f"{label_of(node)} must have more inputs")
        if node.op_type in _QUANTIZING:
            fmt = self._format(node)
            _require_attribute(node, "qmin", fmt.qmin)
            _require_attribute(node, "qmax", fmt.qmax)
        values = self._constant(node.input[1])
        # Subnormal scales have lost bits; none is written.
        if values.size != 1 or not np.finfo(np.float32).tiny <= values.flat[0] < np.inf:
            raise ValueError(f"{node.input[1]} must be one positive scale, not {values.shape}")
        return float(values.flat[0])

    def _format(self, node: onnx.NodeProto) -> OperandFormat:
        """The format that a node quantizes to; of either sign, `qmin` says which."""
        formats = self._config.datapath.activation_formats
        qmin = node_attributes(node).get("qmin")
        return next((fmt for fmt in formats if fmt.qmin == qmin), formats[0])

    def _behind(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """The node that alone takes the result of another."""
        tensor = node.output[0]
        found = self._takers[tensor]
        return found[0] if len(found) == 1 and tensor not in self._outputs else None

    def _take(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Count a node as read; what alone comes behind it."""
        self._read.add(node.output[0])
        return self._behind(node)

    def _dequantize(self, tensor: str) -> onnx.NodeProto:
        node: onnx.NodeProto | None = self._givers.get(tensor)
        if node is None or node.op_type != "DequantizeLinear" or len(node.input) < 2:
            raise ValueError(f"its weights {tensor} must come from DequantizeLinear")
        return node

    def _quantized(self, product: onnx.NodeProto) -> Quantized:
        """Weights of a product, in the layout of scalewright.golden.network.execution."""
        node = self._dequantize(product.input[1])
        axis = channel_axis(product.op_type)
        fmt = self._config.datapath.weights
        size = self._config.datapath.vector_size
        axes = 4 if product.op_type == "Conv" else 2

        def arrange(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            if values.ndim != axes or values.size == 0 or values.dtype.kind == "f":
                raise ValueError(f"its weights must be integers of {axes} axes, not {values.shape}")
            return np.ascontiguousarray(np.moveaxis(values, 1, -1) if axis == 0 else values.T)

        elements = arrange(self._constant(node.input[0]))
        if abs(elements.astype(np.int64)).max() > -fmt.element_min:
            raise ValueError(f"its weights do not fit {fmt.element_bits} bits")
        elements = elements.astype(np.int8)
        length = elements.shape[-1]
        padding = [(0, 0)] * (elements.ndim - 1) + [(0, -length % size)]
        elements = np.pad(elements, padding).reshape(*elements.shape[:-1], -1, size)
        scales, source = None, node.input[1]
        if fmt.scale_bits is not None:
            _require_attribute(node, "block_size", size)
            inner = self._dequantize(node.input[1])
            scales = arrange(self._constant(inner.input[0])).astype(np.uint16)
            source = inner.input[1]
        gamma = self._constant(source)
        if gamma.shape != elements.shape[:1] or not (np.isfinite(gamma) & (gamma >= 0)).all():
            raise ValueError(f"{source} must be {len(elements)} scales, not {gamma.shape}")
        return Quantized(
            elements=elements,
            scales=scales,
            gamma=gamma,
            format=fmt,
            length=length,
            coarse_axis=0,
        )


def _require_attribute(node: onnx.NodeProto, name: str, value: int) -> None:
    """What a node does must be what the configuration says."""
    found = node_attributes(node).get(name)
    if found != value:
        raise ValueError(f"{name} of {label_of(node)} must be {value}, not {found}")
