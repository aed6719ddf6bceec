"""The ONNX nodes and initializers of a quantized network; quantized_model.py says which."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from scalewright.golden.activation import OPERATORS
from scalewright.golden.config import ActivationFunction, EngineConfig, OperandFormat
from scalewright.golden.network import Network, Product, Quantize
from scalewright.sim.models.functions import DOMAIN


def channel_axis(kind: str) -> int:
    """Axis of the output channels in ONNX's weights of a product; of 0 and 1, K is the other."""
    return 1 if kind == "MatMul" else 0


class ModelWriter:
    """Gathers the nodes and initializers of a network.

    Attributes:
        nodes: The nodes, in order.
        initializers: The constants.
    """

    def __init__(self, network: Network, config: EngineConfig) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self._config = config
        self._used = {network.input, *network.constants}
        for step in network.steps:
            self._used |= {step.name, step.output}
        consumers = {product.input: product for product in network.products}
        for name, value in network.constants.items():
            self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        for step in network.steps:
            if isinstance(step, Product):
                self._product(step)
            elif isinstance(step, Quantize):
                product = consumers[step.output]
                length = product.weights.length
                self._quantize(step.name, step.input, step.output, step, length, product.kind)
            else:
                self._node(step.kind, step.inputs, step.output, step.name, **step.attributes)

    def _node(
        self, kind: str, inputs: tuple[str, ...], output: str, name: str, **attributes: Any
    ) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], name, **attributes))

    def _fresh(self, name: str) -> str:
        """A name that nothing has: of a node or a tensor beside those of the network."""
        while name in self._used:
            name += "_"
        self._used.add(name)
        return name

    def _constant(self, name: str, value: npt.ArrayLike) -> str:
        name = self._fresh(name)
        array = np.ascontiguousarray(value).reshape(np.shape(value))
        self.initializers.append(numpy_helper.from_array(array, name))
        return name

    def _product(self, product: Product) -> None:
        name = product.name
        weights = self._weights(product)
        total = self._fresh(f"{name}_sum")
        attributes = {"transB": 1} if product.kind == "Gemm" else product.attributes
        self._node(product.kind, (product.input, weights), total, name, **attributes)
        units = np.rint(product.bias.astype(np.float64) / product.unit).astype(np.int32)
        axes = (-1, 1, 1) if product.kind == "Conv" else (-1,)
        # The last of the chain gives the product's output.
        chain = ["rescaled"]
        activates = product.activation_function is not ActivationFunction.IDENTITY
        if activates:
            chain.append("activated")
        if product.gamma is not None:
            chain.append("quantized")
        outputs = [self._fresh(f"{name}_{part}") for part in chain[:-1]] + [product.output]
        limit = 1 << (self._config.result_bits - 1)
        self._node(
            "Rescale",
            (
                total,
                self._constant(f"{name}_unit", np.float32(product.unit)),
                self._constant(f"{name}_bias", units.reshape(axes)),
            ),
            outputs[0],
            self._fresh(f"{name}_rescale"),
            domain=DOMAIN,
            low=float(-limit),
            high=float(limit - 1),
        )
        if activates:
            (kind,) = (k for k, f in OPERATORS.items() if f is product.activation_function)
            self._node(kind, (outputs[0],), outputs[1], self._fresh(f"{name}_activation"))
        if product.gamma is not None:
            channels = len(product.weights.gamma)
            node = self._fresh(f"{name}_quantize")
            self._quantize(node, outputs[-2], outputs[-1], product, channels, product.kind)

    def _quantize(
        self, name: str, source: str, target: str, step: Quantize | Product, length: int, kind: str
    ) -> None:
        """Quantize `length` channels that lie as those of a product of some kind do.

        The step says with what coarse scale, and whether to signed or unsigned elements.
        """
        fmt = self._config.datapath.activation_format(signed=step.signed)
        assert step.gamma is not None
        size = self._config.datapath.vector_size
        vectors = -(-length // size)
        attributes: dict[str, Any] = {"qmin": float(fmt.qmin), "qmax": float(fmt.qmax)}
        if fmt.scale_bits is not None:
            attributes |= {
                "matrix": [-1, length, 1] if kind == "MatMul" else [0, length, -1],
                "padding": [0, 0, 0, 0, vectors * size - length, 0],
                "split": [0, vectors, size, -1],
                "joined": [0, vectors * size, -1],
                "length": [length],
                "negative": -1.0 if fmt.signed else 0.0,
                "scale_max": float(fmt.scale_max),
            }
        self._node(
            "QuantizeElements" if fmt.scale_bits is None else "QuantizeVectors",
            (source, self._constant(f"{name}_gamma", np.float32(step.gamma))),
            target,
            name,
            domain=DOMAIN,
            **attributes,
        )

    def _weights(self, product: Product) -> str:
        """The name of a product's dequantized weights."""
        name, weights = product.name, product.weights
        axis = channel_axis(product.kind)

        def arrange(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            # (M, ..., K) with K behind M, or before it.
            return np.moveaxis(values, -1, 1) if axis == 0 else values.T

        flat = weights.elements.reshape(*weights.elements.shape[:-2], -1)[..., : weights.length]
        elements = self._elements(f"{name}_elements", arrange(flat), weights.format)
        gamma = self._constant(f"{name}_gamma", weights.gamma)
        target = self._fresh(f"{name}_weights")
        node = self._fresh(f"{name}_dequantize")
        if weights.scales is None:
            self._node("DequantizeLinear", (elements, gamma), target, node, axis=axis)
            return target
        dtype = np.uint8 if weights.format.scale_max < 1 << 8 else np.uint16
        scales = self._constant(f"{name}_scales", arrange(weights.scales).astype(dtype))
        scale = self._fresh(f"{name}_scale")
        inner = self._fresh(f"{name}_dequantize_scales")
        self._node("DequantizeLinear", (scales, gamma), scale, inner, axis=axis)
        self._node(
            "DequantizeLinear",
            (elements, scale),
            target,
            node,
            axis=1 - axis,
            block_size=weights.vector_size,
        )
        return target

    def _elements(self, name: str, values: npt.NDArray[Any], fmt: OperandFormat) -> str:
        if fmt.element_bits > 4:
            return self._constant(name, values)
        name = self._fresh(name)
        flat = values.ravel().astype(np.uint8) & 15
        flat = np.append(flat, np.zeros(flat.size % 2, np.uint8))
        packed = (flat[::2] | flat[1::2] << 4).tobytes()  # low nibble first, as ONNX has them
        self.initializers.append(
            helper.make_tensor(name, TensorProto.INT4, values.shape, packed, raw=True)
        )
        return name
