"""The ONNX nodes and initializers of a quantized network; quantized_model.py says which."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from scalewright.golden.activation import OPERATORS
from scalewright.golden.composition import Operand
from scalewright.golden.config import ActivationFunction, EngineConfig, Format, WideFormat
from scalewright.golden.network import Network, Product, Quantize, Region
from scalewright.golden.network.blocks import gather
from scalewright.golden.quantized import Quantized
from scalewright.sim.models.functions import DOMAIN
from scalewright.sim.models.host import protos_of


def channel_axis(kind: str) -> int:
    """Axis of the output channels in ONNX's weights of a product; of 0 and 1, K is the other."""
    return 1 if kind == "MatMul" else 0


def scale_block(inputs: int, group: int, vector_size: int) -> int:
    """How many channels of a group of C always have the same scale, from the first one on."""
    if group == 1 or inputs % vector_size == 0:
        return vector_size
    return inputs if vector_size % inputs == 0 else 1


def _flattened(weights: Operand, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values (m, ..., J, V) of a block as (m, ..., K)."""
    return values.reshape(*values.shape[:-2], -1)[..., : weights.length]


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
        constants = dict(network.constants)
        self._used = {each.name for each in network.inputs} | set(network.outputs)
        for step in network.steps:
            if isinstance(step, Region):
                constants |= step.constants
                for node in step.nodes:
                    self._used |= {node.name, *node.given, *node.taken}
            else:
                self._used |= {step.name, step.output}
        self._used |= constants.keys()
        for name, value in constants.items():
            self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        lengths = {product.input: product for product in network.products if product.blocks}
        for step in network.steps:
            if isinstance(step, Product):
                self._product(step)
            elif isinstance(step, Quantize):
                taker = lengths.get(step.output)
                length = taker.inputs * taker.group if taker else None
                self._quantize(step.name, step.input, step.output, step, step.axis, length)
            else:
                for node in step.nodes:
                    self.nodes += protos_of(node)

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
        right = product.right or self._weights(product)
        total = self._fresh(f"{name}_sum")
        attributes: dict[str, Any] = {"transB": 1} if product.kind == "Gemm" else {}
        if product.kind == "Conv":
            attributes = dict(product.attributes)
            if product.group != 1:
                attributes["group"] = product.group
        self._node(product.kind, (product.input, right), total, name, **attributes)
        units = np.rint(product.bias.astype(np.float64) / product.unit).astype(np.int32)
        if product.right:
            units = np.zeros(1, np.int32)
        axes = (-1, *[1] * (len(attributes.get("kernel_shape", ()))))
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
            self._quantize(
                self._fresh(f"{name}_quantize"),
                outputs[-2],
                outputs[-1],
                product,
                product.axis,
                product.channels or None,
            )

    def _quantize(
        self,
        name: str,
        source: str,
        target: str,
        step: Quantize | Product,
        axis: int,
        length: int | None,
    ) -> None:
        """Quantize a tensor along an axis of some length; of any length where it is None.

        The step says with what coarse scale, and whether to signed or unsigned elements.
        """
        right = axis == -2
        fmt: Format = self._config.datapath.activation_format(signed=step.signed)
        if isinstance(step, Quantize):
            fmt = step.format(self._config)
        assert step.gamma is not None
        size = self._config.datapath.vector_size
        attributes: dict[str, Any] = {"qmin": float(fmt.qmin), "qmax": float(fmt.qmax)}
        kind = "QuantizeElements"
        if fmt.scale_bits is not None:
            attributes["negative"] = -1.0 if fmt.signed else 0.0
            attributes["scale_max"] = float(fmt.scale_max)
        if fmt.scale_bits is not None and length is None:
            kind = "QuantizeColumns" if right else "QuantizeRows"
            attributes["vector_size"] = [size]
        elif fmt.scale_bits is not None:
            kind = "QuantizeVectors"
            assert length is not None
            vectors = -(-length // size)
            attributes |= {
                "matrix": [-1, length, 1] if axis == -1 else [0, length, -1],
                "padding": [0, 0, 0, 0, vectors * size - length, 0],
                "split": [0, vectors, size, -1],
                "joined": [0, vectors * size, -1],
                "length": [length],
            }
        constant = self._constant(f"{name}_gamma", np.float32(step.gamma))
        self._node(kind, (source, constant), target, name, domain=DOMAIN, **attributes)

    def _weights(self, product: Product) -> str:
        """The name of a product's dequantized weights."""
        name, fmt = product.name, product.blocks[0].weights.format
        size = product.blocks[0].weights.vector_size
        axis = channel_axis(product.kind)
        spatial = len(product.attributes.get("kernel_shape", ()))

        def arrange(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            # (M, ..., K) with K behind M, or before it.
            if spatial == 1:
                values = values[:, 0]
            return np.moveaxis(values, -1, 1) if axis == 0 else values.T

        def gathered(values: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
            firsts = [block.first for block in product.blocks]
            return gather(zip(values, firsts, strict=True), product.inputs, product.group, size)

        flat = [_flattened(block.weights, block.weights.elements) for block in product.blocks]
        elements = self._elements(f"{name}_elements", arrange(gathered(flat)), fmt)
        gamma = self._constant(f"{name}_gamma", product.gammas)
        target = self._fresh(f"{name}_weights")
        node = self._fresh(f"{name}_dequantize")
        if fmt.scale_bits is None:  # nor have wider elements scales of vectors
            self._node("DequantizeLinear", (elements, gamma), target, node, axis=axis)
            return target
        # Those of channels, of which each block of channels has one.
        repeated = [
            _flattened(block.weights, np.repeat(block.weights.scales[..., None], size, axis=-1))
            for block in product.blocks
            if isinstance(block.weights, Quantized) and block.weights.scales is not None
        ]
        block_size = scale_block(product.inputs, product.group, size)
        values = arrange(gathered(repeated)[..., ::block_size])
        dtype = np.uint8 if fmt.scale_max < 1 << 8 else np.uint16
        scales = self._constant(f"{name}_scales", values.astype(dtype))
        scale = self._fresh(f"{name}_scale")
        inner = self._fresh(f"{name}_dequantize_scales")
        self._node("DequantizeLinear", (scales, gamma), scale, inner, axis=axis)
        self._node(
            "DequantizeLinear",
            (elements, scale),
            target,
            node,
            axis=1 - axis,
            block_size=block_size,
        )
        return target

    def _elements(self, name: str, values: npt.NDArray[Any], fmt: Format) -> str:
        if isinstance(fmt, WideFormat):
            return self._constant(name, values.astype(np.int8 if fmt.qmax < 128 else np.int16))
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
