"""Plays a workload through a netlist: its stimulus, and its responses against golden's."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.mac import trace_stream
from scalewright.hw.post_processor.rescaler import Rescaler
from scalewright.sim.bench.codec import Codec, Words
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.element import as_fields
from scalewright.sim.blocks import design_of
from scalewright.sim.ppa.activity import Activity, Bits
from scalewright.sim.ppa.workload import Array
from scalewright.sim.testbenches.rescaler import golden as golden_results

# Before the first vector pair.
RESET_CYCLES = 3


@cache
def vector_mac(config: DatapathConfig) -> Design:
    """A vector MAC; generated once."""
    return design_of("vector-mac", config)


def engine(config: DatapathConfig) -> EngineConfig:
    """The engine whose rescaler is measured: one lane."""
    return EngineConfig(datapath=config, post_lanes=1)


@cache
def rescaler(config: DatapathConfig) -> Design:
    """A rescaler of one lane; generated once."""
    return design_of("rescaler", engine(config))


class GateLevelError(Exception):
    """The netlist does not compute what golden does."""


def stimulus(block: str, config: DatapathConfig, work: dict[str, Array]) -> dict[str, Bits]:
    """Bits (T, width) of every input port but the clock: reset, then a transfer in each cycle.

    Args:
        block: `vector-mac`, `dot-product` or `rescaler`.
        config: The datapath.
        work: As workload.py's `vector_pairs` or, for a rescaler, `accumulator_beats` gives it.
    """
    if block == "dot-product":
        return _dot_stimulus(work, config)
    design = vector_mac(config) if block == "vector-mac" else rescaler(config)
    if block == "vector-mac":
        work = as_fields(work, config)
    return _stream_stimulus(design.codec("i").pack(work))


def require_golden(
    block: str, config: DatapathConfig, work: dict[str, Array], activity: Activity
) -> None:
    """Compare every response to that stimulus with golden's.

    Raises:
        GateLevelError: One differs, is unknown, missing or too many.
    """
    if block == "vector-mac":
        _check_mac(activity, work, config)
    elif block == "rescaler":
        _check_rescaler(activity, work, config)
    else:
        _check_dot(activity, work)


def _stream_stimulus(words: Words) -> dict[str, Bits]:
    """Reset, then a transfer in each cycle, and every result taken."""
    payload = np.unpackbits(words, axis=1, bitorder="little")
    idle = np.zeros((RESET_CYCLES, payload.shape[1]), np.uint8)
    running = np.repeat([[0], [1]], [RESET_CYCLES, len(words)], axis=0).astype(np.uint8)
    return {
        "rst": 1 - running,
        "i_payload": np.concatenate([idle, payload]),
        "i_valid": running,
        "o_ready": np.ones_like(running),
    }


def _dot_stimulus(pairs: dict[str, Array], config: DatapathConfig) -> dict[str, Bits]:
    stimulus = {"rst": np.zeros((RESET_CYCLES + len(pairs["weights"]), 1), np.uint8)}
    for name in ("weights", "activations"):
        places = np.arange(getattr(config, name).element_bits)
        bits = ((pairs[name][..., None] >> places) & 1).astype(np.uint8)
        bits = bits.reshape(len(bits), -1)
        stimulus[name] = np.concatenate([np.zeros((RESET_CYCLES, bits.shape[1]), np.uint8), bits])
    if config.either_sign:
        flags = np.concatenate([np.zeros(RESET_CYCLES), pairs["activation_signed"]])
        stimulus["activation_signed"] = flags[:, None].astype(np.uint8)
    return stimulus


def _results(activity: Activity, codec: Codec) -> dict[str, Array]:
    there = activity.responses["o_valid"][RESET_CYCLES + 1 :, 0] == 1
    bits = activity.responses["o_payload"][RESET_CYCLES + 1 :][there]
    _require_known(bits)
    return codec.unpack(np.packbits(bits, axis=1, bitorder="little"))


def _check_mac(activity: Activity, pairs: dict[str, Array], config: DatapathConfig) -> None:
    result, _ = trace_stream(**pairs, config=config)
    values = _results(activity, vector_mac(config).codec("o"))
    # Those of the last vectors are still inside.
    out = int(pairs["last"][: -config.pipeline_depth].sum())
    _require_equal(values["accumulator"], result.accumulators[:out])
    _require_equal(values["saturated"], result.saturated[:out])


def _check_rescaler(activity: Activity, beats: dict[str, Array], config: DatapathConfig) -> None:
    expected = golden_results(beats, engine(config))
    values = _results(activity, rescaler(config).codec("o"))
    for name, wanted in expected.items():
        # Those of the last beats are still inside.
        _require_equal(values[name], wanted[: -Rescaler.latency])


def _check_dot(activity: Activity, pairs: dict[str, Array]) -> None:
    """Each dot product stands in the register in the cycle after its vectors."""
    expected = np.einsum("tv,tv->t", pairs["weights"], pairs["activations"])
    bits = activity.responses["dot"][RESET_CYCLES + 1 :].astype(np.int64)
    _require_known(bits)
    places = np.arange(bits.shape[1])
    values = (bits << places).sum(axis=1) - (bits[:, -1] << bits.shape[1])
    _require_equal(values, expected[:-1])


def _require_known(bits: npt.NDArray[np.integer]) -> None:
    if (bits > 1).any():
        raise GateLevelError("a result has unknown bits")


def _require_equal(actual: Array, expected: npt.NDArray[Any]) -> None:
    if len(actual) != len(expected):
        raise GateLevelError(f"{len(actual)} results in place of {len(expected)}")
    if not len(expected):
        raise GateLevelError("too few vectors for a result: nothing was compared")
    wrong = np.flatnonzero(actual != expected)
    if len(wrong):
        at = wrong[0]
        raise GateLevelError(
            f"{len(wrong)} of {len(actual)} results differ from golden's; "
            f"the first is result {at}: {actual[at]} in place of {expected[at]}"
        )
