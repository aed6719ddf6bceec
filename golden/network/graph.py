"""Networks of float operators: what a model is before quantization, and what runs it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from scalewright.golden.network.feeds import Input, Values, feeds_of, in_batches

# Matrix products: what the engine computes, where their operands suit it.
MATRIX_KINDS = ("Conv", "Gemm", "MatMul")

# From tensors by name to tensors by name.
Compute: TypeAlias = Callable[[Mapping[str, Any]], dict[str, Any]]


def label(output: str, kind: str, name: str) -> str:
    """How messages call a node: by the tensor that it gives, and by its name if it has another."""
    return f"node {output} ({kind})" if name in ("", output) else f"node {output} ({kind} {name})"


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One operator.

    Attributes:
        name: Shown beside its output, and no other node's; what tells nodes apart is the output.
        kind: Its operator, as ONNX calls it.
        inputs: Names of its tensors, constants among them, empty where one is left out; products
            have their weights second and their bias third.
        outputs: Names of its results, empty where one is left out; the first never is.
        attributes: Its attributes, with ONNX's names.
        domain: Whose operator it is; ONNX's own by default.
        captures: Names of tensors that its branches and bodies take from around them.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    domain: str = ""
    captures: tuple[str, ...] = ()

    @property
    def output(self) -> str:
        """Name of its first result."""
        return self.outputs[0]

    @property
    def given(self) -> tuple[str, ...]:
        """Names of all its results."""
        return tuple(filter(None, self.outputs))

    @property
    def taken(self) -> tuple[str, ...]:
        """Names of all tensors that it needs."""
        return (*filter(None, self.inputs), *self.captures)

    @property
    def label(self) -> str:
        """How messages call it."""
        return label(self.output, self.kind, self.name)


class Host(Protocol):
    """What computes operators in floats, beside the engine."""

    def compile(
        self,
        nodes: Sequence[Node],
        constants: Mapping[str, Any],
        inputs: Collection[str],
        outputs: Sequence[str],
    ) -> Compute:
        """What computes some nodes, from their inputs to some of their outputs.

        What it returns raises ValueError, which names the node, where an input does not suit it.
        """


@dataclass(frozen=True, eq=False, kw_only=True)
class Graph:
    """A network in floats.

    Attributes:
        nodes: Its operators, each after those that it needs.
        constants: Its weights and other constants, by name.
        inputs: Its input tensors.
        outputs: Names of its output tensors.
        host: What computes its operators.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Any]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    host: Host

    def consumers(self, tensor: str) -> list[Node]:
        """The nodes that take a tensor."""
        return [node for node in self.nodes if tensor in node.taken]

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of all tensors that are not constant."""
        return (
            *(each.name for each in self.inputs),
            *(name for node in self.nodes for name in node.given),
        )


def evaluate(
    graph: Graph,
    x: Values,
    *,
    keep: Collection[str] | None = None,
    batch: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Tensors of a network for inputs, in floats.

    Args:
        graph: The network.
        x: Its input (N, ...), or its inputs by name.
        keep: Names of the tensors that are returned; all by default.
        batch: How many inputs are computed at once; all by default.
        progress: Called with the number of inputs that are done since the last call.

    Raises:
        ValueError: Inputs that do not suit the network or its operators.
    """
    run = evaluator(graph, graph.tensors if keep is None else keep)
    return in_batches(run, feeds_of(graph.inputs, x), graph.inputs, batch, progress)


def evaluator(graph: Graph, keep: Collection[str]) -> Compute:
    """What computes some tensors of a network from its inputs, by name, as they are."""
    names = [name for name in graph.tensors if name in keep]
    given = {each.name for each in graph.inputs}
    computed = [name for name in names if name not in given]
    compute = graph.host.compile(graph.nodes, graph.constants, given, computed)
    constant = {name: graph.constants[name] for name in keep if name in graph.constants}

    def run(feeds: Mapping[str, Any]) -> dict[str, Any]:
        found = {**feeds, **compute(feeds)}
        return {**{name: found[name] for name in names}, **constant}

    return run
