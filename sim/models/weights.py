"""The weights of products, from ONNX nodes that dequantize them; quantized_model.py says which."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from scalewright.golden.config import DatapathConfig, OperandFormat, compose
from scalewright.golden.network import Block
from scalewright.golden.network.blocks import spread
from scalewright.golden.quantized import Quantized
from scalewright.golden.wide import Wide
from scalewright.sim.models.file import label_of
from scalewright.sim.models.float_model import node_attributes
from scalewright.sim.models.writer import channel_axis, scale_block


class WeightReader:
    """Reads weights as `ModelWriter` wrote them."""

    def __init__(
        self,
        givers: Mapping[str, onnx.NodeProto],
        constant: Callable[[str], Any],
        datapath: DatapathConfig,
    ) -> None:
        self._givers = givers
        self._constant = constant
        self._datapath = datapath

    def blocks(
        self, product: onnx.NodeProto, group: int, digits: OperandFormat | None
    ) -> tuple[Block, ...]:
        """Weights of a product, in the layout of scalewright.golden.network.product.

        Args:
            product: Its node.
            group: Groups of a convolution.
            digits: Format of its activations' digits, where these are of wider elements.

        Raises:
            ValueError: What `ModelWriter` does not write.
        """
        node = self._dequantize(product.input[1])
        axis = channel_axis(product.op_type)
        fmt = self._datapath.weights
        size = self._datapath.vector_size
        axes = (3, 4) if product.op_type == "Conv" else (2,)

        def arrange(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            if values.ndim not in axes or values.size == 0 or values.dtype.kind == "f":
                raise ValueError(
                    f"its weights must be integers of {axes[-1]} axes, not {values.shape}"
                )
            values = values[:, :, None] if values.ndim == 3 else values
            return np.ascontiguousarray(np.moveaxis(values, 1, -1) if axis == 0 else values.T)

        elements = arrange(self._constant(node.input[0]))
        if type(group) is not int or group < 1 or len(elements) % group:
            raise ValueError(f"its groups must divide {len(elements)} channels, not {group}")
        if fmt.scale_bits is not None and "block_size" not in node_attributes(node):
            return self._wide_blocks(node, elements, group, digits)
        if abs(elements.astype(np.int64)).max() > -fmt.element_min:
            raise ValueError(f"its weights do not fit {fmt.element_bits} bits")
        inputs, source = elements.shape[-1], node.input[1]
        scales: npt.NDArray[Any] | None = None
        if fmt.scale_bits is not None:
            block_size = scale_block(inputs, group, size)
            require_attribute(node, "block_size", block_size)
            inner = self._dequantize(node.input[1])
            scales = arrange(self._constant(inner.input[0]))
            if scales.shape != (*elements.shape[:-1], -(-inputs // block_size)):
                raise ValueError(f"{inner.input[0]} must have a scale for each vector")
            scales = np.repeat(scales, block_size, axis=-1)[..., :inputs].astype(np.uint16)
            source = inner.input[1]
        gamma = self._gamma(source, len(elements))
        blocks, start = [], 0
        spread_scales = None if scales is None else list(spread(scales, group, size))
        for index, (block, first) in enumerate(spread(elements.astype(np.int8), group, size)):
            vector_scales = None
            if spread_scales is not None:
                # Those of other groups' channels are 0, and those of a group's alike.
                vector_scales = _vectors(spread_scales[index][0], size).max(axis=-1)
            blocks.append(
                Block(
                    weights=Quantized(
                        elements=_vectors(block, size),
                        scales=vector_scales,
                        gamma=gamma[start : start + len(block)],
                        format=fmt,
                        length=block.shape[-1],
                        coarse_axis=0,
                    ),
                    first=first,
                )
            )
            start += len(block)
        return tuple(blocks)

    def _wide_blocks(
        self,
        node: onnx.NodeProto,
        elements: npt.NDArray[Any],
        group: int,
        digits: OperandFormat | None,
    ) -> tuple[Block, ...]:
        """Weights of wider elements, for activations of some digits, or of none."""
        datapath = self._datapath
        fmt, _ = compose(datapath, weights=datapath.weights, activations=digits)
        assert fmt is not None
        gamma = self._gamma(node.input[1], len(elements))
        blocks, start = [], 0
        for block, first in spread(elements.astype(np.int32), group, datapath.vector_size):
            weights = Wide(
                elements=_vectors(block, datapath.vector_size),
                gamma=gamma[start : start + len(block)],
                format=fmt,
                length=block.shape[-1],
                coarse_axis=0,
            )
            blocks.append(Block(weights=weights, first=first))
            start += len(block)
        return tuple(blocks)

    def _gamma(self, name: str, channels: int) -> npt.NDArray[np.float32]:
        gamma: npt.NDArray[np.float32] = self._constant(name)
        if gamma.shape != (channels,) or not (np.isfinite(gamma) & (gamma >= 0)).all():
            raise ValueError(f"{name} must be {channels} scales, not {gamma.shape}")
        return gamma

    def _dequantize(self, tensor: str) -> onnx.NodeProto:
        node: onnx.NodeProto | None = self._givers.get(tensor)
        if node is None or node.op_type != "DequantizeLinear" or len(node.input) < 2:
            raise ValueError(f"its weights {tensor} must come from DequantizeLinear")
        return node


def require_attribute(node: onnx.NodeProto, name: str, value: int) -> None:
    """What a node does must be what the configuration says."""
    found = node_attributes(node).get(name)
    if found != value:
        raise ValueError(f"{name} of {label_of(node)} must be {value}, not {found}")


def _vectors(values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Values (..., K) as vectors (..., J, V), the last one padded with zeros."""
    padding = [(0, 0)] * (values.ndim - 1) + [(0, -values.shape[-1] % size)]
    return np.pad(values, padding).reshape(*values.shape[:-1], -1, size)
