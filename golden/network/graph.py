"""Networks of float operators: what a model is before quantization, and what runs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalewright.golden.network.operators import OPERATORS
from scalewright.golden.quantize import Floats, as_finite_float32

# Products with constant weights: what the engine computes.
MATRIX_KINDS = ("Conv", "Gemm", "MatMul")


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One operator.

    Attributes:
        name: Names it in messages.
        kind: Its operator, as ONNX calls it.
        inputs: Names of its tensors, constants among them; products have their weights second and
            their bias third.
        output: Name of its result.
        attributes: Its attributes, with ONNX's names.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Graph:
    """A network of one input and one output.

    Attributes:
        nodes: Its operators, each after those that it needs.
        constants: Its weights and other constants, by name.
        input: Name of its input tensor, (N, ...).
        output: Name of its output tensor.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Any]
    input: str
    output: str

    def consumers(self, tensor: str) -> list[Node]:
        """The nodes that take a tensor."""
        return [node for node in self.nodes if tensor in node.inputs]


def apply_operator(node: Node, inputs: list[Any]) -> Floats:
    """Result of one operator in float32.

    Raises:
        ValueError: There is no such operator, or its inputs do not suit it; the message names it.
    """
    if node.kind not in OPERATORS:
        raise ValueError(
            f"node {node.name}: operator {node.kind} is not supported; these are: "
            f"{', '.join(OPERATORS)}"
        )
    try:
        return OPERATORS[node.kind](*inputs, **node.attributes)
    except (TypeError, ValueError) as error:
        raise ValueError(f"node {node.name} ({node.kind}): {error}") from None


def evaluate(graph: Graph, x: Floats) -> dict[str, Floats]:
    """All tensors of a network for an input, in float32.

    Raises:
        ValueError: As `apply_operator` does; NaN or infinity in the input.
    """
    tensors: dict[str, Any] = {**graph.constants, graph.input: as_finite_float32(x)}
    for node in graph.nodes:
        result = apply_operator(node, [tensors[name] for name in node.inputs])
        tensors[node.output] = np.asarray(result, np.float32)
    return {name: tensors[name] for name in (graph.input, *(n.output for n in graph.nodes))}
