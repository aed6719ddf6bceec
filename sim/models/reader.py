"""The steps of a quantized network from its ONNX nodes; quantized_model.py says which."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from scalewright.golden.config import EngineConfig
from scalewright.golden.network import Network, Product, Quantize, Step
from scalewright.golden.network.graph import MATRIX_KINDS, Node
from scalewright.golden.quantize import Quantized
from scalewright.sim.models.float_model import node_attributes
from scalewright.sim.models.functions import DOMAIN
from scalewright.sim.models.writer import channel_axis


class ModelReader:
    """Reads the nodes that `ModelWriter` wrote."""

    def __init__(self, graph: onnx.GraphProto, config: EngineConfig) -> None:
        self._graph = graph
        self._config = config
        self._constants = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
        }
        self._weights = {
            node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"
        }
        self._read: set[str] = set()

    def network(self) -> Network:
        """The network.

        Raises:
            ValueError: A product without Rescale behind it.
        """
        steps: list[Step] = []
        for node in self._graph.node:
            if node.name in self._read or node.op_type == "DequantizeLinear":
                continue
            if node.op_type in MATRIX_KINDS:
                steps.append(self._product(node))
            elif node.domain == DOMAIN:
                gamma = float(self._constants[node.input[1]])
                source, target = node.input[0], node.output[0]
                steps.append(Quantize(name=node.name, input=source, output=target, gamma=gamma))
            else:
                steps.append(
                    Node(
                        name=node.name,
                        kind=node.op_type,
                        inputs=tuple(node.input),
                        output=node.output[0],
                        attributes=node_attributes(node),
                    )
                )
        used = {name for step in steps if isinstance(step, Node) for name in step.inputs}
        return Network(
            steps=tuple(steps),
            constants={name: self._constants[name] for name in used & self._constants.keys()},
            input=self._graph.input[0].name,
            output=self._graph.output[0].name,
        )

    def _product(self, node: onnx.NodeProto) -> Product:
        biased, behind = node, self._behind(node)
        if node.op_type == "MatMul" and behind is not None:
            biased, behind = behind, self._take(behind)
        if behind is None or behind.op_type != "Rescale":
            raise ValueError(f"node {node.name} ({node.op_type}): must have Rescale behind it")
        unit, output = float(self._constants[behind.input[1]]), behind.output[0]
        behind = self._take(behind)
        relu = behind is not None and behind.op_type == "Relu"
        if behind is not None and relu:
            output, behind = behind.output[0], self._take(behind)
        gamma = None
        if behind is not None and behind.domain == DOMAIN:
            output, gamma = behind.output[0], float(self._constants[behind.input[1]])
            self._take(behind)
        return Product(
            name=node.name,
            kind=node.op_type,
            input=node.input[0],
            output=output,
            weights=self._quantized(node),
            bias=self._constants[biased.input[-1]],
            attributes=node_attributes(node) if node.op_type == "Conv" else {},
            relu=relu,
            unit=unit,
            gamma=gamma,
        )

    def _behind(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """The node that alone takes the result of another."""
        tensor = node.output[0]
        found = [other for other in self._graph.node if tensor in other.input]
        outputs = [value.name for value in self._graph.output]
        return found[0] if len(found) == 1 and tensor not in outputs else None

    def _take(self, node: onnx.NodeProto) -> onnx.NodeProto | None:
        """Count a node as read; what alone comes behind it."""
        self._read.add(node.name)
        return self._behind(node)

    def _quantized(self, product: onnx.NodeProto) -> Quantized:
        """Weights of a product, in the layout of scalewright.golden.network.execution."""
        node = self._weights[product.input[1]]
        axis = channel_axis(product.op_type)
        fmt = self._config.datapath.weights
        size = self._config.datapath.vector_size

        def arrange(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.ascontiguousarray(np.moveaxis(values, 1, -1) if axis == 0 else values.T)

        elements = arrange(self._constants[node.input[0]].astype(np.int8))
        length = elements.shape[-1]
        padding = [(0, 0)] * (elements.ndim - 1) + [(0, -length % size)]
        elements = np.pad(elements, padding).reshape(*elements.shape[:-1], -1, size)
        scales, gamma = None, node.input[1]
        if fmt.scale_bits is not None:
            inner = self._weights[node.input[1]]
            scales = arrange(self._constants[inner.input[0]].astype(np.uint16))
            gamma = inner.input[1]
        return Quantized(
            elements=elements,
            scales=scales,
            gamma=self._constants[gamma],
            format=fmt,
            length=length,
            coarse_axis=0,
        )
