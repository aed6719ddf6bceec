"""What the engine is tested with, what is expected of it, and how a failure reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from scalewright.golden.composition import Operand, digit_pairs
from scalewright.golden.config import ActivationFunction, EngineConfig, Format, Output
from scalewright.golden.layer import Layer, run_layer
from scalewright.sim.bench import stall
from scalewright.sim.bench.case import Case
from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Mismatch, Phase
from scalewright.sim.execution.tiling import (
    ACTIVATIONS,
    PARAMETERS,
    RESULTS,
    WEIGHTS,
    layer_words,
    result_words,
)
from scalewright.sim.stimulus.composed import compositions
from scalewright.sim.stimulus.layers import random_layer

# Resets in mid-stream: through loading, computing and post-processing of the first tiles.
_RESETS = 12
# Activation vectors of a layer, about.
_LAYER_VECTORS = 200


@dataclass(frozen=True, eq=False)
class _Played:
    """A layer and the results of the stream that are its own."""

    layer: Layer
    activations: Operand
    results: int


def engine_phase(
    name: str,
    design: Design,
    config: EngineConfig,
    layers: Sequence[tuple[Layer, Operand]],
    **options: Any,
) -> tuple[Phase, list[int]]:
    """A phase that runs layers back to back, and how many results each gives."""
    inputs: dict[str, list[Words]] = {WEIGHTS: [], PARAMETERS: [], ACTIVATIONS: []}
    expected: list[Words] = []
    for layer, activations in layers:
        for port, words in layer_words(design, config, layer, activations).items():
            inputs[port].append(words)
        golden = run_layer(layer.padded(config.channels), activations, config)
        expected.append(result_words(design, config, golden))
    phase = Phase(
        name=name,
        inputs={port: np.concatenate(words) for port, words in inputs.items()},
        expected={RESULTS: np.concatenate(expected)},
        **options,
    )
    return phase, [len(words) for words in expected]


def case(
    name: str,
    design: Design,
    config: EngineConfig,
    layers: Sequence[tuple[Layer, Operand]],
    **options: Any,
) -> Case:
    """A phase that runs layers back to back; `options` are those of the phase."""
    phase, counts = engine_phase(name, design, config, layers, **options)
    played = [
        _Played(layer, activations, count)
        for (layer, activations), count in zip(layers, counts, strict=True)
    ]
    covers = covered(design, phase)
    return Case(phase, len(phase.inputs[ACTIVATIONS]), partial(_explain, played), covers=covers)


def covered(design: Design, phase: Phase) -> dict[str, int]:
    """What tiles there are and what becomes of them, and how often."""
    parameters = design.codec(PARAMETERS).unpack(phase.inputs[PARAMETERS])
    results = design.codec(RESULTS).unpack(phase.expected[RESULTS])
    outputs = parameters["output"]
    events = {
        **{f"parameters of {output.name} tiles": outputs == output for output in Output},
        **{
            f"parameters with {function.name}": parameters["activation_function"] == function
            for function in ActivationFunction
        },
        "saturated results": results["saturated"] != 0,
        "results that are not saturated": results["saturated"] == 0,
    }
    if "output_signed" in parameters:
        quantized = outputs == Output.QUANTIZED
        flags = design.codec(ACTIVATIONS).unpack(phase.inputs[ACTIVATIONS])["signed"]
        for name, signed in (("signed", 1), ("unsigned", 0)):
            events[f"parameters of {name} results"] = quantized & (
                parameters["output_signed"] == signed
            )
            events[f"{name} activation vectors"] = flags == signed
    return {name: int(np.count_nonzero(event)) for name, event in events.items()}


def cases(design: Design, config: EngineConfig, vectors: int, seed: int) -> list[Case]:
    """Everything a regression plays on one configuration.

    Args:
        design: The design.
        config: Its configuration.
        vectors: Random activation vectors, in all.
        seed: Seed of everything random.
    """
    rng = np.random.default_rng(seed)
    made: list[Case] = []
    most = config.depth // config.groups

    def add(name: str, layers: Sequence[tuple[Layer, Operand]], **options: Any) -> None:
        made.append(case(name, design, config, layers, **options))

    def draw(
        output: Output, *, longest: int = most, extreme: bool = False
    ) -> tuple[Layer, Operand]:
        length = int(rng.integers(1, min(longest, 40), endpoint=True))
        channels = int(rng.integers(1, 2 * config.channels, endpoint=True))
        tiles = -(-channels // config.channels)
        rows = max(1, _LAYER_VECTORS // (length * tiles * config.groups))
        return random_layer(
            config,
            rng,
            rows=int(rng.integers(1, rows, endpoint=True)),
            channels=channels,
            vectors=length,
            output=output,
            extreme=extreme,
        )

    def mixture(count: int) -> list[tuple[Layer, Operand]]:
        outputs = (Output.QUANTIZED, Output.RESCALED, Output.QUANTIZED, Output.ACCUMULATOR)
        return [draw(outputs[number % 4]) for number in range(count)]

    def shaped(
        rows: int, channels: int, length: int, output: Output, **options: Any
    ) -> tuple[Layer, Operand]:
        return random_layer(
            config, rng, rows=rows, channels=channels, vectors=length, output=output, **options
        )

    def composed(formats: tuple[Format, Format]) -> list[tuple[Layer, Operand]]:
        options: dict[str, Any] = {"formats": formats}
        return [
            shaped(4, config.channels + 1, min(3, most), Output.QUANTIZED, **options),
            shaped(3, config.channels, 1, Output.RESCALED, **options),
            # More digits than the buffer has rows: cut in the middle of a wide vector, often.
            shaped(1, 1, min(config.depth, 75), Output.ACCUMULATOR, **options),
            shaped(2, 1, 8, Output.ACCUMULATOR, extreme=True, **options),
        ]

    for output in (Output.QUANTIZED, Output.RESCALED, Output.ACCUMULATOR):
        add(f"single-vector-{output.name.lower()}", [shaped(5, config.channels, 1, output)])
    add("single-patient-sink", [shaped(1, 1, 1, Output.QUANTIZED)], patient=True)
    add("one-vector-sums", [shaped(40, config.channels + 1, 1, Output.QUANTIZED)])
    add("full-buffer", [shaped(3, 2 * config.channels, most, Output.QUANTIZED)])
    add(
        "longer-than-the-buffer",
        [
            shaped(2, config.channels, most + 1, Output.QUANTIZED),
            shaped(2, config.channels, config.depth + 1, Output.QUANTIZED),
            shaped(2, 1, min(2 * config.depth + 1, 300), Output.ACCUMULATOR),
            shaped(2, 1, 1, Output.RESCALED),
        ],
    )
    add(
        "saturating",
        [draw(output, extreme=True) for output in (Output.QUANTIZED, Output.ACCUMULATOR) * 3],
    )
    short = [shaped(4, config.channels, min(2, most), Output.QUANTIZED), *mixture(2)]
    loading = 2 * config.lanes + 4 * config.channels // config.post_lanes + 16
    for cycle in sorted({int(cycle) for cycle in np.linspace(1, 2 * loading, _RESETS)}):
        add(f"reset-after-{cycle}", short, reset_after=cycle)
    add(
        "reset-while-stalled",
        short,
        reset_after=loading + 40,
        accepts={RESULTS: stall.bursts(rng, 5)},
    )
    # In the second tile of a sum, while its weights come; the sums of the first layer show whether
    # they start from 0 after the reset.
    length = min(2 * config.depth, 300)
    add(
        "reset-in-a-long-sum",
        [
            shaped(3, config.channels, 1, Output.RESCALED),
            shaped(1, 1, length, Output.ACCUMULATOR),
        ],
        reset_after=config.channels + config.lanes * (config.depth + length) // 2 + 8,
    )
    stalls: dict[str, dict[str, Any]] = {
        "random": {},
        "random-stalled-weights": {"offers": {WEIGHTS: stall.scattered(rng, 0.3)}},
        "random-stalled-parameters": {"offers": {PARAMETERS: stall.bursts(rng, 20)}},
        "random-stalled-activations": {"offers": {ACTIVATIONS: stall.scattered(rng, 0.4)}},
        "random-stalled-results": {"accepts": {RESULTS: stall.scattered(rng, 0.2)}},
        "random-stalled-all": {
            "offers": {
                port: stall.bursts(rng, length)
                for port, length in ((WEIGHTS, 4), (PARAMETERS, 7), (ACTIVATIONS, 5))
            },
            "accepts": {RESULTS: stall.bursts(rng, 9)},
        },
        "random-patient-sink": {"patient": True},
    }
    share = max(2, round(vectors / len(stalls) / _LAYER_VECTORS * 2))
    for name, options in stalls.items():
        add(name, mixture(share), **options)
    wide = [layer for formats in compositions(config.datapath) for layer in composed(formats)]
    if wide:
        add("composed", wide)
        add("composed-stalled", wide, **stalls["random-stalled-all"])
    return made


def _explain(played: list[_Played], mismatch: Mismatch) -> list[str]:
    index = mismatch.index
    for number, item in enumerate(played):
        if index < item.results:
            layer, activations = item.layer, item.activations
            return [
                f"result {index} of {item.results} of layer {number + 1} of {len(played)}:",
                f"  {layer.channels} channels, {layer.weights.elements.shape[1]} vectors per sum, "
                f"{len(activations.elements)} activation rows, "
                f"{digit_pairs(layer.weights, activations)} pairs of vectors for each",
                f"  output {layer.output.name}, "
                f"activation function {layer.rescaling.activation_function.name}, "
                f"fraction_bits {layer.fraction_bits}, output_signed {layer.output_signed}, "
                f"activations {activations.format}",
                f"  mantissas {layer.rescaling.mantissas.tolist()}",
                f"  exponents {layer.rescaling.exponents.tolist()}",
                f"  biases {layer.rescaling.biases.tolist()}",
            ]
        index -= item.results
    return ["a surplus result: no layer belongs to it"]
