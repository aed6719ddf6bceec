"""Matrix products: what each choice makes of them, in golden or in the RTL."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden.mac import MacResult, matmul
from scalewright.golden.quantized import Quantized
from scalewright.sim.execution.products import Comparison, real_product, signal_to_noise_db
from scalewright.sim.research.choice import Choice

OPERANDS = ("weights", "activations")

Play: TypeAlias = Callable[[Quantized, Quantized], Comparison]


@dataclass(frozen=True, eq=False)
class Product:
    """A product of quantized matrices.

    Attributes:
        choice: What it was quantized for.
        weights: (M, K).
        activations: (N, K).
        result: Accumulators and flags (N, M): the RTL's where it was played, else golden's.
        real: What they stand for.
        signal_to_noise_db: Of `real` against the product of the floats.
        seconds: Time the multiplication took.
        played: The comparison of the RTL with golden; None where it was not played.
    """

    choice: Choice
    weights: Quantized
    activations: Quantized
    result: MacResult
    real: npt.NDArray[np.float64]
    signal_to_noise_db: float
    seconds: float
    played: Comparison | None

    @property
    def vectors(self) -> int:
        """Vector pairs of the product."""
        return self.result.accumulators.size * int(self.weights.elements.shape[1])

    @property
    def saturated(self) -> int:
        """Sums that were clipped on their way."""
        return int(self.result.saturated.sum())

    def as_dict(self) -> dict[str, Any]:
        """The figures, ready for JSON; those of the RTL are None where it was not played."""
        played = self.played
        return {
            **self.choice.as_dict(),
            "stored_bits": {name: self.choice.stored_bits(name) for name in OPERANDS},
            "stored_bits_mean": self.choice.stored_bits(*OPERANDS),
            "vector_pairs": self.vectors,
            "accumulators": self.result.accumulators.size,
            "saturated": self.saturated,
            "signal_to_noise_db": self.signal_to_noise_db,
            "seconds": self.seconds,
            "rtl": played is not None,
            "mismatches": None if played is None else played.mismatch_count,
            "cycles": None if played is None else played.cycles,
        }

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Integers, scales and results, by name, to be kept in a file."""
        tensors: dict[str, npt.NDArray[Any]] = {
            "accumulators": self.result.accumulators,
            "saturated": self.result.saturated.astype(np.uint8),
            "product": self.real.astype(np.float32),
        }
        for name, operand in (("weights", self.weights), ("activations", self.activations)):
            tensors[f"{name}.elements"] = operand.elements
            tensors[f"{name}.gamma"] = operand.gamma
            if operand.scales is not None:
                tensors[f"{name}.scales"] = operand.scales
        return tensors


def multiply(
    choice: Choice,
    weights: Quantized,
    activations: Quantized,
    exact: npt.NDArray[np.float64],
    play: Play | None = None,
) -> Product:
    """Multiply in golden, or in golden and the RTL.

    Args:
        choice: What the operands are quantized for.
        weights: (M, K).
        activations: (N, K).
        exact: The product of the floats, (N, M).
        play: Plays the product in the RTL of the choice's datapath, and compares; None not to.
    """
    started = perf_counter()
    played: Comparison | None = None if play is None else play(weights, activations)
    result = matmul(weights, activations, choice.config) if played is None else played.rtl
    seconds = perf_counter() - started
    real = real_product(result, weights, activations, choice.config)
    return Product(
        choice=choice,
        weights=weights,
        activations=activations,
        result=result,
        real=real,
        signal_to_noise_db=signal_to_noise_db(exact, real),
        seconds=seconds,
        played=played,
    )
