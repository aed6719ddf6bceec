"""Folds batch normalization and biases into the products before them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.network.graph import MATRIX_KINDS, Node


class Folding:
    """The nodes of a graph without its batch normalizations, and with biases in their products.

    Only the result of a product that nothing else takes is changed. `ranks` are the axes of
    tensors, as far as they are known.

    Attributes:
        nodes: The nodes that are left.
        problems: Why batch normalizations cannot be folded; each names its node.
    """

    def __init__(
        self, nodes: list[Node], constants: dict[str, Any], output: str, ranks: Mapping[str, int]
    ) -> None:
        self.nodes: list[Node] = []
        self.problems: list[str] = []
        self._constants = constants
        self._ranks = ranks
        self._taken = [name for node in nodes for name in node.inputs] + [output]
        self._products: dict[str, int] = {}  # places of the products by the tensors they now give
        for node in nodes:
            self._add(node)

    def _add(self, node: Node) -> None:
        if node.kind == "BatchNormalization":
            try:
                self._fold_normalization(node)
            except ValueError as error:
                self.problems.append(f"{node.label}: {error}")
            return
        if node.kind == "Add" and self._fold_bias(node):
            return
        if node.kind in MATRIX_KINDS and all(name in self._constants for name in node.inputs[1:]):
            self._products[node.output] = len(self.nodes)
        self.nodes.append(node)

    def _product(self, tensor: str) -> Node | None:
        """The product that gives a tensor which only one node takes."""
        if self._taken.count(tensor) != 1 or tensor not in self._products:
            return None
        return self.nodes[self._products[tensor]]

    def _fold_normalization(self, node: Node) -> None:
        product = self._product(node.inputs[0])
        # A MatMul's result has its channels at axis 1 only if it is a matrix.
        if product is None or (product.kind == "MatMul" and self._ranks.get(product.output) != 2):
            raise ValueError(
                "BatchNormalization is supported only directly behind a product whose result "
                "nothing else takes, and not of three axes"
            )
        if any(product.attributes.get(name, 1.0) != 1.0 for name in ("alpha", "beta")):
            raise ValueError(
                "BatchNormalization is supported only behind a Gemm with alpha and beta 1, not "
                f"behind {product.label}"
            )
        if any(name not in self._constants for name in node.inputs[1:]):
            raise ValueError("must have constants")
        weights = self._constants[product.inputs[1]]
        channels_first = product.kind == "Conv" or bool(product.attributes.get("transB", 0))
        channels = weights.shape[0 if channels_first else -1] if weights.ndim > 1 else None
        for name in node.inputs[1:5]:
            if self._constants[name].shape != (channels,):
                raise ValueError(
                    f"its constant {name} must have one number for each of {channels} channels, "
                    f"not shape {self._constants[name].shape}"
                )
        gain, offset, mean, variance = (
            self._constants[name].astype(np.float64) for name in node.inputs[1:5]
        )
        variance = variance + node.attributes.get("epsilon", 1e-5)
        if not (variance > 0).all():
            raise ValueError(
                f"its variance {node.inputs[4]} with epsilon must be positive, not {variance.min()}"
            )
        factor = gain / np.sqrt(variance)
        shape = (-1, *[1] * (weights.ndim - 1)) if channels_first else (-1,)
        bias = self._constants[product.inputs[2]] if len(product.inputs) > 2 else np.zeros(1)
        if bias.shape not in ((1,), (channels,), (1, channels)):
            raise ValueError(f"the bias before it must have {channels} numbers, not {bias.shape}")
        bias = (bias - mean) * factor + offset
        self._replace(node, node.inputs[0], weights * factor.reshape(shape), bias)

    def _fold_bias(self, node: Node) -> bool:
        """Whether an Add was that of a constant vector to a MatMul, and is now a part of it."""
        fixed = [name for name in node.inputs if name in self._constants]
        moving = [name for name in node.inputs if name not in self._constants]
        if len(fixed) != 1 or len(moving) != 1:
            return False
        product = self._product(moving[0])
        if product is None or product.kind != "MatMul" or len(product.inputs) > 2:
            return False
        weights, bias = self._constants[product.inputs[1]], self._constants[fixed[0]]
        # A bias of more axes could give the result more axes.
        if (
            weights.ndim != 2
            or bias.ndim > 2
            or bias.shape[-1:] != weights.shape[-1:]
            or bias.size != bias.shape[-1]
        ):
            return False
        self._replace(node, moving[0], weights, bias)
        return True

    def _replace(
        self, node: Node, tensor: str, weights: npt.NDArray[Any], bias: npt.NDArray[Any]
    ) -> None:
        """Give the product of a tensor new constants, and the output of a node that it replaces."""
        place = self._products[tensor]
        product = self.nodes[place]
        names = [self._fresh(f"{product.name}_{part}") for part in ("weights", "bias")]
        for name, values in zip(names, (weights, bias), strict=True):
            with np.errstate(over="ignore"):  # infinite then, and refused as that
                self._constants[name] = values.astype(np.float32)
        inputs = (product.inputs[0], *names)
        self.nodes[place] = _with(product, inputs=inputs, output=node.output)
        self._products[node.output] = place

    def _fresh(self, name: str) -> str:
        while name in self._constants or name in self._taken:
            name += "_"
        return name


def _with(node: Node, *, inputs: tuple[str, ...], output: str) -> Node:
    return Node(
        name=node.name,
        kind=node.kind,
        inputs=inputs,
        output=output,
        attributes=node.attributes,
    )
