"""Networks of float operators: what a model is before quantization, and what runs it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalewright.golden.network.operators import OPERATORS
from scalewright.golden.quantize import as_finite_float32
from scalewright.golden.quantized import Floats

# Products with constant weights: what the engine computes.
MATRIX_KINDS = ("Conv", "Gemm", "MatMul")


def label(output: str, kind: str, name: str) -> str:
    """How messages call a node: by the tensor that it gives, and by its name if it has another."""
    return f"node {output} ({kind})" if name in ("", output) else f"node {output} ({kind} {name})"


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One operator.

    Attributes:
        name: Shown beside its output, and no other node's; what tells nodes apart is the output.
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

    @property
    def label(self) -> str:
        """How messages call it."""
        return label(self.output, self.kind, self.name)


@dataclass(frozen=True, eq=False, kw_only=True)
class Graph:
    """A network of one input and one output.

    Attributes:
        nodes: Its operators, each after those that it needs.
        constants: Its weights and other constants, by name.
        input: Name of its input tensor, (N, ...).
        output: Name of its output tensor.
        input_shape: Of its input, the batch first, None where any size will do; None if unknown.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Any]
    input: str
    output: str
    input_shape: tuple[int | None, ...] | None = None

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
            f"{node.label}: operator {node.kind} is not supported; these are: "
            f"{', '.join(OPERATORS)}"
        )
    try:
        return OPERATORS[node.kind](*inputs, **node.attributes)
    except MemoryError:
        raise ValueError(f"{node.label}: its result does not fit in memory") from None
    # NumPy's errors about axes and sizes that attributes give.
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"{node.label}: {error}") from None


def evaluate(
    graph: Graph, x: Floats, *, progress: Callable[[int], None] | None = None
) -> dict[str, Floats]:
    """All tensors of a network for an input, in float32.

    Args:
        graph: The network.
        x: Its input.
        progress: Called with 1 for each node that is done.

    Raises:
        ValueError: As `apply_operator` does; NaN or infinity in the input.
    """
    tensors: dict[str, Any] = {**graph.constants, graph.input: as_finite_float32(x)}
    for node in graph.nodes:
        result = apply_operator(node, [tensors[name] for name in node.inputs])
        tensors[node.output] = np.asarray(result, np.float32)
        if progress is not None:
            progress(1)
    return {name: tensors[name] for name in (graph.input, *(n.output for n in graph.nodes))}
