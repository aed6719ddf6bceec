"""Rescaler and quantizer in Amaranth's simulator: one call of the hardware equals one of golden."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Mux

from scalewright.golden.config import ActivationFunction, EngineConfig, Output
from scalewright.golden.requantize import requantize
from scalewright.hw.post_processor.rescaler import Rescaler
from scalewright.hw.post_processor.vector_quantizer import VectorQuantizer
from scalewright.sim.testbenches import (
    rescaler as tb_rescaler,
)
from scalewright.sim.testbenches.rescaler import Beats
from scalewright.sim.testbenches.vector_quantizer import Vectors, random_vectors
from tests.benches.amaranth import Records, play, records
from tests.benches.faults import seen
from tests.benches.small import STALLS, small_engine


def rescaler(config: EngineConfig, beats: Beats, stalls: float = 0.0) -> Records:
    return play(Rescaler(config), {"i": beats}, stalls=stalls)["o"]


def golden_rescaler(config: EngineConfig, beats: Beats) -> Records:
    return records(tb_rescaler.golden(beats, config))


_RESCALERS = [
    small_engine("3/3U/3/3"),
    small_engine("3/3U/3/3", dsp_multipliers=True),
    small_engine("3/3/3/3", post_lanes=2, result_bits=18, dsp_multipliers=True),
    small_engine("3/3/3/3", result_bits=8, dsp_multipliers=True),
    small_engine("3/3X/3/3", dsp_multipliers=True),
]


# What it draws: biases at their ends, factors of 0, ties, each activation function, and
# accumulators that pass.
@STALLS
@pytest.mark.parametrize("config", _RESCALERS, ids=lambda config: config.slug)
def test_rescaler(config: EngineConfig, stalls: float) -> None:
    beats = tb_rescaler.random_beats(config, 80, np.random.default_rng(0))
    assert rescaler(config, beats, stalls) == golden_rescaler(config, beats)


@pytest.mark.parametrize("config", _RESCALERS[:2], ids=lambda config: config.slug)
def test_rescaler_rounds_ties_to_even(config: EngineConfig) -> None:
    numbers = range(-16, 16)
    beats = tb_rescaler.random_beats(config, len(numbers), np.random.default_rng(0))
    beats |= {
        "accumulators": np.array(numbers)[:, None],
        "mantissas": np.full((len(numbers), 1), 1 << 15),
        "exponents": np.full((len(numbers), 1), 16),  # divides by 2
        "biases": np.zeros((len(numbers), 1), np.int64),
        "output": np.full(len(numbers), Output.RESCALED),
        "activation_function": np.full(len(numbers), ActivationFunction.IDENTITY),
    }
    halves = rescaler(config, beats)
    assert halves == golden_rescaler(config, beats)
    assert [row["values"] for row in halves] == [[round(number / 2)] for number in numbers]


def vector_quantizer(config: EngineConfig, vectors: Vectors, stalls: float) -> Records:
    beats = vectors.y.reshape(-1, config.post_lanes)
    each = len(beats) // len(vectors.y)
    values = {
        "values": beats,
        "fraction_bits": np.repeat(vectors.fraction_bits, each),
        "saturated": np.zeros(len(beats), np.bool_),
    }
    if config.datapath.either_sign:
        values["output_signed"] = np.repeat(vectors.signed, each)
    return play(VectorQuantizer(config), {"i": values}, stalls=stalls)["o"]


def golden_vector_quantizer(config: EngineConfig, vectors: Vectors) -> Records:
    return [
        _golden_vector(config, y, bits, signed)
        for y, bits, signed in zip(*vars(vectors).values(), strict=True)
    ]


def _golden_vector(config: EngineConfig, y: Any, bits: int, signed: bool) -> dict[str, Any]:
    fmt = config.datapath.activation_format(signed=bool(signed))
    size = config.datapath.vector_size
    vector = requantize(y, fmt, vector_size=size, fraction_bits=int(bits))
    elements = vector.elements[0].tolist()
    if config.datapath.either_sign:
        elements = [element % (1 << fmt.element_bits) for element in elements]
    scale = {} if vector.scales is None else {"scale": int(vector.scales[0])}
    return {"elements": elements, **scale, "saturated": 0}


_EITHER_SIGN = small_engine("3/3X/3/3")


@STALLS
@pytest.mark.parametrize(
    "config",
    [
        small_engine("3/3U/3/3"),
        small_engine("3/4/3/4", post_lanes=2),
        small_engine("3/2U/3/-"),
        small_engine("3/5/3/-", lanes=4, post_lanes=4),
        _EITHER_SIGN,
        small_engine("3/2X/3/2", post_lanes=2),
        small_engine("3/4X/3/-", lanes=4, post_lanes=4),
    ],
    ids=lambda config: config.slug,
)
def test_vector_quantizer(config: EngineConfig, stalls: float) -> None:
    vectors = random_vectors(config, 100, np.random.default_rng(0))
    usual = int(np.bincount(vectors.fraction_bits).argmax())
    for bits in ([0], [usual], [23], [0, usual, 23, usual - 1]):
        chosen = replace(vectors, fraction_bits=np.resize(bits, 100))
        quantized = vector_quantizer(config, chosen, stalls)
        assert quantized == golden_vector_quantizer(config, chosen)


def _rounds_ties_up(bad: Any, good: Any) -> Any:
    accumulator = bad.i.payload.accumulators[0]
    # Halves whose even neighbour is below.
    return good.i.payload.accumulators[0].eq(accumulator + (accumulator[:2] == 1))


def _cuts_accumulators_at_zero(bad: Any, good: Any) -> Any:
    result = good.o.payload
    cut = (result.output == Output.ACCUMULATOR) & result.values[0][-1]
    return bad.o.payload.values[0].eq(Mux(cut, 0, result.values[0]))


def _ignores_the_sign(signed: int, _: Any, good: Any) -> Any:
    return good.i.payload.output_signed.eq(signed)


test_sees_a_fault = seen(
    {
        "rescaler-rounds-ties-up": (
            partial(test_rescaler_rounds_ties_to_even, _RESCALERS[1]),
            _rounds_ties_up,
        ),
        "rescaler-cuts-accumulators-at-zero": (
            partial(test_rescaler, _RESCALERS[1], 0.0),
            _cuts_accumulators_at_zero,
        ),
        "vector-quantizer-loses-a-bit-of-the-fraction-bits": (
            partial(test_vector_quantizer, small_engine("3/3U/3/3"), 0.0),
            lambda bad, good: good.i.payload.fraction_bits.eq(bad.i.payload.fraction_bits[:-1]),
        ),
        **{
            f"vector-quantizer-makes-all-elements-{'signed' if signed else 'unsigned'}": (
                partial(test_vector_quantizer, _EITHER_SIGN, 0.0),
                partial(_ignores_the_sign, signed),
            )
            for signed in (0, 1)
        },
    }
)
