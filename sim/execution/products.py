"""Runs whole matrix products through the RTL and compares every accumulator with golden."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import DatapathConfig
from scalewright.golden.mac import MacResult, matmul
from scalewright.golden.quantized import Quantized
from scalewright.sim.bench.codec import Words
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.element import element_bits
from scalewright.sim.bench.plan import Mismatch, Phase
from scalewright.sim.simulators.build import Build
from scalewright.sim.simulators.simulation import SimulationError, simulate
from scalewright.sim.testbenches.vector_mac import INPUT, OUTPUT, pack_results

# Vector pairs played by one simulation: some seconds, some hundred megabytes.
_VECTORS = 1 << 19


@dataclass(frozen=True, eq=False)
class Comparison:
    """A matrix product as golden and the RTL compute it.

    Attributes:
        golden: Accumulators and flags (N, M) of the golden model.
        rtl: The same from the RTL; where a result is missing, golden's complement.
        vectors: Vector pairs played.
        cycles: Clock cycles they took.
        mismatch_count: Accumulators or flags that differ, are missing or surplus.
        first_mismatch: The first of them, its index as (n, m).
    """

    golden: MacResult
    rtl: MacResult
    vectors: int
    cycles: int
    mismatch_count: int
    first_mismatch: tuple[Mismatch, tuple[int, int]] | None


def compare_matmul(
    built: Build,
    weights: Quantized,
    activations: Quantized,
    config: DatapathConfig,
    *,
    progress: Callable[[int], None] | None = None,
) -> Comparison:
    """Multiply activations (N, K) with weights (M, K) in golden and in the RTL.

    The RTL sees, for each activation row and each weight row, the J vector pairs of their sum.

    Raises:
        ValueError: Operands that do not fit the configuration.
        SimulationError: The simulation broke off, or breached the stream protocol.
    """
    golden = matmul(weights, activations, config)
    codec = built.design.codec(OUTPUT)
    accumulators = ~golden.accumulators
    saturated = ~golden.saturated
    rows, columns = golden.accumulators.shape
    cycles = mismatch_count = 0
    first: tuple[Mismatch, tuple[int, int]] | None = None
    step = max(1, _VECTORS // (columns * weights.elements.shape[1]))
    for start in range(0, rows, step):
        block = slice(start, min(start + step, rows))
        expected = MacResult(
            accumulators=golden.accumulators[block], saturated=golden.saturated[block]
        )
        phase = Phase(
            name=f"activation rows {block.start} to {block.stop - 1}",
            inputs={INPUT: _pair_words(built.design, weights, activations, block, config)},
            expected={OUTPUT: pack_results(codec, expected)},
        )
        outcome = simulate(built, [phase], progress=progress).outcomes[0]
        if outcome.violations:
            raise SimulationError(outcome.violations[0])
        results = codec.unpack(outcome.results[OUTPUT][: expected.accumulators.size])
        arrived = len(results["accumulator"])
        accumulators[block].reshape(-1)[:arrived] = results["accumulator"]
        saturated[block].reshape(-1)[:arrived] = results["saturated"]
        cycles += outcome.cycles
        mismatch_count += outcome.mismatch_count
        if first is None and outcome.mismatches:
            index = outcome.mismatches[0].index
            first = outcome.mismatches[0], (start + index // columns, index % columns)
    return Comparison(
        golden=golden,
        rtl=MacResult(accumulators=accumulators, saturated=saturated),
        vectors=rows * columns * weights.elements.shape[1],
        cycles=cycles,
        mismatch_count=mismatch_count,
        first_mismatch=first,
    )


def real_product(
    result: MacResult, weights: Quantized, activations: Quantized, config: DatapathConfig
) -> npt.NDArray[np.float64]:
    """What accumulators (N, M) stand for: acc * 2^sh * gamma_w * gamma_a, in float64."""
    unit = weights.gamma.astype(np.float64) * activations.gamma.astype(np.float64).reshape(-1, 1)
    return result.accumulators * (unit * 2.0**config.scale_product_shift)


def signal_to_noise_db(signal: npt.NDArray[Any], approximation: npt.NDArray[Any]) -> float:
    """10 log10 of the energy of the signal over that of the error; infinite without error."""
    error = np.sum((signal - approximation) ** 2)
    energy = np.sum(signal**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(10 * np.log10(energy / error))


@dataclass
class Ratio:
    """Signal-to-noise ratio of a tensor that comes batch by batch.

    Attributes:
        energy: Of the signal so far.
        error: Energy of the difference so far.
    """

    energy: float = 0.0
    error: float = 0.0

    def add(self, signal: npt.NDArray[Any], approximation: npt.NDArray[Any]) -> None:
        """Take a batch."""
        exact = signal.astype(np.float64)
        self.energy += float(np.sum(exact**2))
        self.error += float(np.sum((exact - approximation) ** 2))

    @property
    def db(self) -> float:
        """The ratio in dB; infinite without error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(10 * np.log10(np.float64(self.energy) / self.error))


def matmul_words(
    design: Design, weights: Quantized, activations: Quantized, config: DatapathConfig
) -> tuple[Words, Words]:
    """Input words of a whole matrix product, and the result words that golden expects."""
    inputs = _pair_words(design, weights, activations, slice(None), config)
    return inputs, pack_results(design.codec(OUTPUT), matmul(weights, activations, config))


def _pair_words(
    design: Design,
    weights: Quantized,
    activations: Quantized,
    rows: slice,
    config: DatapathConfig,
) -> Words:
    """Words of all vector pairs of some activation rows with all weight rows, sum after sum."""
    codec = design.codec(INPUT)
    count = weights.elements.shape[1]
    w = _operand_words(design, "weights", "weight_scale", weights, slice(None))
    a = _operand_words(design, "activations", "activation_scale", activations, rows)
    if config.either_sign:
        a |= codec.pack({"activation_signed": np.array([activations.format.signed])})
    place = codec.pack({"first": np.arange(count) == 0, "last": np.arange(count) == count - 1})
    # Fields do not overlap: or-ing the words of each operand gives the words of the pairs.
    words = (w | place)[None] | a[:, None]
    return words.reshape(-1, codec.bytes)


def _operand_words(
    design: Design, elements: str, scale: str, operand: Quantized, rows: slice
) -> Words:
    """Words (rows, J, B) with the fields of one operand, the others 0."""
    codec = design.codec(INPUT)
    vectors = operand.elements[rows]
    flat = vectors.reshape(-1, operand.vector_size)
    (field,) = (field for field in codec.fields if field.name == elements)
    if not field.signed:  # activations of either sign lie there as bits, unsigned ones are these
        flat = element_bits(flat, operand.format)
    fields: dict[str, npt.NDArray[Any]] = {elements: flat}
    if operand.scales is not None:
        fields[scale] = operand.scales[rows].ravel()
    return codec.pack(fields).reshape(*vectors.shape[:2], codec.bytes)
