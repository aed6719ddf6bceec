"""Folds batch normalization and biases into the products before them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.network.graph import MATRIX_KINDS, Node


class Folding:
    """The nodes of a graph with batch normalizations and biases in the products before them.

    Only the result of a product that nothing else takes is changed. What is not behind such a
    product stays as it is.

    Attributes:
        nodes: The nodes that are left.
        problems: What is wrong with normalizations; each names its node.
    """

    def __init__(
        self,
        nodes: Iterable[Node],
        constants: dict[str, Any],
        outputs: Iterable[str],
        axes: Mapping[str, int],
    ) -> None:
        nodes = list(nodes)
        self.nodes: list[Node] = []
        self.problems: list[str] = []
        self._constants = constants
        self._axes = axes
        self._taken = Counter([name for node in nodes for name in node.taken] + list(outputs))
        self._products: dict[str, int] = {}  # places of the products by the tensors they now give
        for node in nodes:
            self._add(node)

    def _add(self, node: Node) -> None:
        if node.kind == "BatchNormalization" and self._fold_normalization(node):
            return
        if node.kind == "Add" and self._fold_bias(node):
            return
        weighted = len(node.inputs) > 1 and all(n in self._constants for n in node.inputs[1:])
        if node.kind in MATRIX_KINDS and not node.domain and weighted:
            self._products[node.output] = len(self.nodes)
        self.nodes.append(node)

    def _product(self, tensor: str) -> Node | None:
        """The product that gives a tensor which only one node takes."""
        if self._taken[tensor] != 1 or tensor not in self._products:
            return None
        return self.nodes[self._products[tensor]]

    def _fold_normalization(self, node: Node) -> bool:
        """Whether a normalization is now a part of the product before it."""
        product = self._product(node.inputs[0])
        if product is None or len(node.inputs) != 5 or len(node.given) != 1 or node.domain:
            return False
        # A MatMul's result has its channels at axis 1 only if it is a matrix.
        if product.kind == "MatMul" and self._axes.get(product.output) != 2:
            return False
        if node.attributes.get("training_mode", 0):
            return False
        weights = self._constants[product.inputs[1]]
        channels_first = product.kind == "Conv" or bool(product.attributes.get("transB", 0))
        channels = weights.shape[0 if channels_first else -1] if weights.ndim > 1 else None
        moments = [self._constants.get(name) for name in node.inputs[1:]]
        if any(each is None or each.shape != (channels,) for each in moments):
            return False
        gain, offset, mean, variance = (
            each.astype(np.float64) for each in moments if each is not None
        )
        variance = variance + node.attributes.get("epsilon", 1e-5)
        if not (variance > 0).all():
            self.problems.append(
                f"{node.label}: its variance {node.inputs[4]} with epsilon must be positive, not "
                f"{variance.min()}"
            )
            return True
        bias = self._constants[product.inputs[2]] if len(product.inputs) > 2 else np.zeros(1)
        if bias.shape not in ((1,), (channels,), (1, channels)):
            return False
        factor = gain / np.sqrt(variance)
        shape = (-1, *[1] * (weights.ndim - 1)) if channels_first else (-1,)
        bias = (bias - mean) * factor + offset
        self._replace(node, node.inputs[0], weights * factor.reshape(shape), bias)
        return True

    def _fold_bias(self, node: Node) -> bool:
        """Whether an Add was that of a constant vector to a MatMul, and is now a part of it."""
        fixed = [name for name in node.inputs if name in self._constants]
        moving = [name for name in node.inputs if name not in self._constants]
        if len(fixed) != 1 or len(moving) != 1:
            return False
        product = self._product(moving[0])
        if product is None or product.kind != "MatMul" or len(product.inputs) > 2 or node.domain:
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
        self.nodes[place] = replace(product, inputs=inputs, outputs=(node.output,))
        self._products[node.output] = place

    def _fresh(self, name: str) -> str:
        while name in self._constants or name in self._taken:
            name += "_"
        return name
