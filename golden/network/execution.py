"""Whole networks on integers: matrix products on the engine, other operators in floats beside it.

A quantized network is a list of steps. `Quantize` turns real numbers into vectors with scales: the
network's input, and what the host's operators give. `Product` is a layer of the engine: it takes
such vectors, and gives either vectors again or real numbers on a fixed grid. `Region` is all that
the host computes in floats between them, from what vectors stand for.

Vectors lie along the reduction axis: an image's (N, C, H, W) along its channels, other activations'
along the last axis, and those of a right operand that is no constant along its rows. A convolution
is a product with the vectors under its window, tap by tap (im2col).
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from scalewright.golden.config import EngineConfig, Format, WideFormat
from scalewright.golden.layer import LayerResult, run_layer
from scalewright.golden.network.feeds import Input, Values, feeds_of, in_batches, join
from scalewright.golden.network.graph import Compute, Host, Node, label
from scalewright.golden.network.product import Part, Product
from scalewright.golden.network.vectors import Tensor, Vectors, as_real, quantize_along
from scalewright.golden.quantize import as_finite_float32

# Runs the layers that make up a product, each with its rows; golden, or the hardware.
Run: TypeAlias = Callable[[Product, list[Part]], list[LayerResult]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantize:
    """Quantize real numbers on the host.

    Attributes:
        name: Its name.
        input: Name of the tensor.
        output: Name of the vectors.
        gamma: Coarse scale.
        axis: Along which axis of the tensor vectors lie: 1, or -1 or -2.
        right: Whether they take the place of weights, and have their format.
        signed: Whether activations are; None for what they always are.
        wide: The grid of wider elements, or None.
    """

    name: str
    input: str
    output: str
    gamma: float
    axis: int
    right: bool = False
    signed: bool | None = None
    wide: WideFormat | None = None

    @property
    def label(self) -> str:
        """How messages call it."""
        return label(self.output, "Quantize", self.name)

    def format(self, config: EngineConfig) -> Format:
        """What it quantizes to."""
        if self.right:
            return config.datapath.weights
        return self.wide or config.datapath.activation_format(signed=self.signed)


@dataclass(frozen=True, eq=False, kw_only=True)
class Region:
    """Operators that the host computes at once.

    Attributes:
        nodes: Its operators.
        constants: Their constants, by name.
        outputs: Names of those of its results that are taken outside.
        host: What computes them.
    """

    nodes: tuple[Node, ...]
    constants: Mapping[str, Any]
    outputs: tuple[str, ...]
    host: Host

    @property
    def label(self) -> str:
        """How messages call it."""
        return self.nodes[0].label

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors that it takes from outside."""
        inside = {name for node in self.nodes for name in node.given}
        taken = {name: None for node in self.nodes for name in node.taken}
        return tuple(name for name in taken if name not in inside and name not in self.constants)

    @cached_property
    def compute(self) -> Compute:
        """What computes it."""
        return self.host.compile(self.nodes, self.constants, self.inputs, self.outputs)


Step: TypeAlias = Quantize | Product | Region


@dataclass(frozen=True, eq=False, kw_only=True)
class Network:
    """A quantized network.

    Attributes:
        steps: What it does, in order.
        constants: Constants that are quantized, or are its outputs, by name.
        inputs: Its input tensors.
        outputs: Names of its output tensors.
    """

    steps: tuple[Step, ...]
    constants: Mapping[str, Any]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]

    @property
    def products(self) -> list[Product]:
        """The layers of the engine."""
        return [step for step in self.steps if isinstance(step, Product)]

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of its inputs and of all results."""
        given = (name for step in self.steps for name in outputs_of(step))
        return (*(each.name for each in self.inputs), *given)


def inputs_of(step: Step) -> tuple[str, ...]:
    """Names of the tensors that a step takes."""
    if isinstance(step, Region):
        return step.inputs
    if isinstance(step, Product) and step.right is not None:
        return step.input, step.right
    return (step.input,)


def outputs_of(step: Step) -> tuple[str, ...]:
    """Names of the tensors that a step gives."""
    return step.outputs if isinstance(step, Region) else (step.output,)


def run_network(
    network: Network,
    x: Values,
    config: EngineConfig,
    *,
    run: Run | None = None,
    keep: Collection[str] | None = None,
    batch: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Tensor]:
    """Tensors of a network for inputs.

    Args:
        network: The network.
        x: Its input (N, ...), or its inputs by name.
        config: The engine.
        run: What runs the layers of a product; golden by default.
        keep: Names of the tensors that are returned, others are freed as soon as they may; all by
            default.
        batch: How many inputs are computed at once; all by default.
        progress: Called with 1 for each step that is done, with each batch.

    Raises:
        ValueError: Inputs that do not suit the network, or what follows from them an operator; NaN
            or infinity in what is quantized. The message names the node.
    """
    tensors = (*network.tensors, *(name for name in network.constants if name in network.outputs))
    names = [name for name in tensors if keep is None or name in keep]
    run = run or run_golden(config)
    last_use = last_uses(network, names)

    def run_batch(feeds: Mapping[str, Any]) -> dict[str, Any]:
        tensors: dict[str, Any] = {**network.constants, **feeds}
        for index, step in enumerate(network.steps):
            run_step(step, tensors, config, run)
            for name in last_use.get(index, ()):
                del tensors[name]
            if progress is not None:
                progress(1)
        return {name: tensors[name] for name in names}

    feeds = feeds_of(network.inputs, x)
    return in_batches(run_batch, feeds, network.inputs, batch, joining=join_tensors)


def join_tensors(parts: list[tuple[Tensor, int]], name: str) -> Tensor:
    """A tensor's batches, each with its number of inputs, along the first axis.

    Raises:
        ValueError: Results without an axis for the inputs.
    """
    if not any(isinstance(values, Vectors) for values, _ in parts):
        joined: Tensor = join(parts, name)
        return joined
    vectors = [(values.values, count) for values, count in parts if isinstance(values, Vectors)]
    first = parts[0][0]
    assert isinstance(first, Vectors)
    return first.joined([values for values, _ in vectors])


def run_step(step: Step, tensors: dict[str, Any], config: EngineConfig, run: Run) -> None:
    """Compute what a step gives, and put it beside the others."""
    if isinstance(step, Quantize):
        try:
            tensors[step.output] = quantize_along(
                as_finite_float32(as_real(tensors[step.input])),
                step.axis,
                step.format(config),
                vector_size=config.datapath.vector_size,
                gamma=step.gamma,
            )
        except (ValueError, TypeError) as error:
            raise ValueError(f"{step.label}: {error}") from None
    elif isinstance(step, Product):
        right = None if step.right is None else tensors[step.right]
        parts, outer = step.parts(tensors[step.input], right, config)
        tensors[step.output] = step.tensor(run(step, parts), outer)
    else:
        tensors |= step.compute({name: as_real(tensors[name]) for name in step.inputs})


def run_golden(config: EngineConfig) -> Run:
    """What runs layers in golden."""
    return lambda _, parts: [run_layer(part.layer, part.activations, config) for part in parts]


def last_uses(network: Network, kept: Iterable[str]) -> dict[int, list[str]]:
    """For each step, by number, the tensors that are not needed after it."""
    last: dict[str, int] = {}
    for index, step in enumerate(network.steps):
        for name in (*inputs_of(step), *outputs_of(step)):
            last[name] = index
    uses: dict[int, list[str]] = {}
    for name in last.keys() - set(kept):
        uses.setdefault(last[name], []).append(name)
    return uses
