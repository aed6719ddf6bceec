"""Brings matrix products to the forms that the engine computes.

A Gemm with constant weights has neither factors nor a transposed left operand, any other Gemm is a
MatMul, and a constant matrix stands on the right.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from scalewright.golden.network.graph import Node


class Names:
    """Names that no tensor has yet, and the constants that get some of them."""

    def __init__(self, used: Collection[str], constants: dict[str, Any]) -> None:
        self._used = set(used)
        self._constants = constants

    def fresh(self, name: str) -> str:
        """This name, or a similar one."""
        while name in self._used:
            name += "_"
        self._used.add(name)
        return name

    def store(self, name: str, values: Any) -> str:
        """Add a constant; the name it got."""
        name = self.fresh(name)
        self._constants[name] = values
        return name


def canonical(
    node: Node, constants: Mapping[str, Any], axes: Mapping[str, int], names: Names
) -> list[Node]:
    """A node, or those that do the same in another form.

    Args:
        node: The node.
        constants: Constants by name.
        axes: How many axes tensors have, by name, as far as it is known.
        names: Of all tensors; takes new constants.
    """
    if node.domain:
        return [node]
    if node.kind == "Gemm":
        fixed = node.inputs[1] in constants and node.inputs[0] not in constants
        if fixed and (len(node.inputs) < 3 or _is_bias(node, constants)):
            return _weighted_gemm(node, constants, names)
        return _open_gemm(node, names)
    if node.kind == "MatMul" and len(node.inputs) == 2:
        left, right = node.inputs
        if left in constants and right not in constants and constants[left].ndim == 2:
            count = axes.get(right, 0)
            if count >= 2:
                return _mirrored(node, constants[left], count, names)
    return [node]


def _is_bias(node: Node, constants: Mapping[str, Any]) -> bool:
    """Whether the third input of a Gemm is constant, with a number for each channel or for all."""
    if not node.inputs[2]:
        return True
    if node.inputs[2] not in constants:
        return False
    shape = constants[node.inputs[2]].shape
    return int(np.prod(shape)) == (shape[-1] if shape else 1)


def _weighted_gemm(node: Node, constants: Mapping[str, Any], names: Names) -> list[Node]:
    attributes = dict(node.attributes)
    alpha, beta = attributes.pop("alpha", 1.0), attributes.pop("beta", 1.0)
    nodes, inputs = [], list(node.inputs)
    if attributes.pop("transA", 0):
        inputs[0] = names.fresh(f"{node.output}/transposed")
        nodes.append(_node("Transpose", (node.inputs[0],), inputs[0], perm=[1, 0]))
    with np.errstate(over="ignore", invalid="ignore"):  # infinite then, and refused as that
        for place, factor in ((1, alpha), (2, beta)):
            if len(inputs) > place and inputs[place] and factor != 1:
                values = (constants[inputs[place]] * np.float64(factor)).astype(np.float32)
                inputs[place] = names.store(f"{inputs[place]}/scaled", values)
    nodes.append(
        Node(
            name=node.name,
            kind="Gemm",
            inputs=tuple(inputs),
            outputs=node.outputs,
            attributes=attributes,
        )
    )
    return nodes


def _open_gemm(node: Node, names: Names) -> list[Node]:
    """Transpose, MatMul, Mul and Add in the place of a Gemm."""
    nodes, operands = [], []
    for name, which in zip(node.inputs[:2], ("transA", "transB"), strict=True):
        operand = name
        if node.attributes.get(which, 0):
            operand = names.fresh(f"{node.output}/{which}")
            nodes.append(_node("Transpose", (name,), operand, perm=[1, 0]))
        operands.append(operand)
    # What comes of the product, and what is added: the last of the chain gives the node's output.
    chain: list[tuple[str, tuple[str, ...]]] = [("MatMul", tuple(operands))]
    alpha, beta = node.attributes.get("alpha", 1.0), node.attributes.get("beta", 1.0)
    if alpha != 1:
        chain.append(("Mul", (names.store(f"{node.output}/alpha", np.float32(alpha)),)))
    if len(node.inputs) > 2 and node.inputs[2]:
        addend = node.inputs[2]
        if beta != 1:
            addend = names.fresh(f"{node.output}/addend")
            factor = names.store(f"{node.output}/beta", np.float32(beta))
            nodes.append(_node("Mul", (node.inputs[2], factor), addend))
        chain.append(("Add", (addend,)))
    before = ""
    for index, (kind, inputs) in enumerate(chain):
        last = index == len(chain) - 1
        output = node.output if last else names.fresh(f"{node.output}/{kind}")
        name = node.name if kind == "MatMul" else f"{output}/{kind}"
        inputs = (before, *inputs) if before else inputs
        nodes.append(Node(name=name, kind=kind, inputs=inputs, outputs=(output,)))
        before = output
    return nodes


def _mirrored(node: Node, weights: Any, axes: int, names: Names) -> list[Node]:
    """W @ x as the transpose of x^T @ W^T."""
    _, right = node.inputs
    swap = [*range(axes - 2), axes - 1, axes - 2]
    turned, product = (names.fresh(f"{node.output}/{part}") for part in ("turned", "product"))
    constant = names.store(f"{node.inputs[0]}/turned", np.ascontiguousarray(weights.T))
    return [
        _node("Transpose", (right,), turned, perm=swap),
        Node(name=node.name, kind="MatMul", inputs=(turned, constant), outputs=(product,)),
        _node("Transpose", (product,), node.output, perm=swap),
    ]


def _node(kind: str, inputs: tuple[str, ...], output: str, **attributes: Any) -> Node:
    """A node of the name of its output."""
    return Node(
        name=f"{output}/{kind}", kind=kind, inputs=inputs, outputs=(output,), attributes=attributes
    )
