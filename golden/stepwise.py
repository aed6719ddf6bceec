"""Matrix products vector by vector: rounded scale products, and sums that saturate on their way.

The equations are those of golden/mac.py. Every value is an integer in a float, which holds it
exactly; what cannot happen (a scale product too large, a sum out of range) is found out from bounds
and not looked for.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import DatapathConfig
from scalewright.golden.quantized import Quantized

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]

# Sums that are kept in the level-2 cache together.
_BLOCK = 1 << 16
# Products of a matrix product that OpenBLAS does on one core: threads of ours use the others.
_ONE_CORE = 1 << 18
# Running sums times vectors from which on a thread for each core is worth it.
_THREADED = 1 << 20


@dataclass(frozen=True, eq=False)
class _Operand:
    """An operand by vectors, in the type that all is computed in.

    Attributes:
        elements: (J, rows, V).
        scales: (J, rows); 1 where there are none.
    """

    elements: Floats
    scales: Floats

    def largest_norms(self) -> npt.NDArray[np.float64]:
        """The largest Euclidean norm of each of the J vectors, (J,)."""
        wide = self.elements.astype(np.float64, copy=False)
        norms: npt.NDArray[np.float64] = np.sqrt(np.vecdot(wide, wide).max(axis=1))
        return norms


def accumulate(
    weights: Quantized, activations: Quantized, config: DatapathConfig
) -> tuple[Integers, Flags]:
    """Accumulators and saturation flags (N, M) of activations (N, J, V) with weights (M, J, V)."""
    # |acc + psum| <= 2^(C-1) + 2^(psum-1) and sp + 2^(sh-1) < 2^21 are exact in this type.
    fits = max(config.accumulator_bits, config.partial_sum_bits) <= 24
    dtype: type[np.floating[Any]] = np.float32 if fits else np.float64
    w, a = _operand(weights, dtype), _operand(activations, dtype)
    shape = a.elements.shape[1], w.elements.shape[1]
    accumulators, saturated = np.empty(shape, np.int64), np.zeros(shape, np.bool_)

    def run(start: int) -> None:
        rows = slice(start, start + step)
        block = _Operand(a.elements[:, rows], a.scales[:, rows])
        accumulators[rows] = _accumulate_block(w, block, config, saturated[rows])

    step = max(1, _ONE_CORE // max(1, w.elements[0].size))
    starts = range(0, shape[0], step)
    if len(starts) > 1 and accumulators.size * len(w.elements) >= _THREADED:
        # NumPy lets others run while it computes.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(run, starts))
    else:
        for start in starts:
            run(start)
    return accumulators, saturated


def _operand(operand: Quantized, dtype: type[np.floating[Any]]) -> _Operand:
    elements = np.ascontiguousarray(operand.elements.transpose(1, 0, 2), dtype)
    if operand.scales is None:
        return _Operand(elements, np.ones(elements.shape[:2], dtype))
    return _Operand(elements, np.ascontiguousarray(operand.scales.T, dtype))


def _accumulate_block(w: _Operand, a: _Operand, config: DatapathConfig, saturated: Flags) -> Floats:
    """Sums (N, M) of a block of activations; sets the flags of those that saturate."""
    dtype = w.elements.dtype.type
    shift = config.scale_product_shift
    largest = max(1, (1 << config.rounded_scale_product_bits) - 1)  # 1 without scales
    factors = np.floor(w.scales.max(axis=1) * a.scales.max(axis=1) * 2.0**-shift + 0.5)
    # Cauchy-Schwarz, and more than these roundings can lose.
    bounds = w.largest_norms() * a.largest_norms() * np.minimum(factors, largest) + 1
    low, high = dtype(config.accumulator_min), dtype(config.accumulator_max)
    may_saturate = np.cumsum(bounds) > config.accumulator_max
    # With a second column of 1 and 1/2, the product of scales is ready to be rounded by floor.
    half = dtype(0.5 if shift else 0)
    sw = np.stack([w.scales * dtype(2.0**-shift), np.full_like(w.scales, half)], axis=1)
    sa = np.stack([a.scales, np.ones_like(a.scales)], axis=2)

    shape = a.elements.shape[1], w.elements.shape[1]
    group = max(1, _BLOCK // (shape[0] * shape[1]))
    total = np.zeros(shape, dtype)
    terms, factor = np.empty((group, *shape), dtype), np.empty((group, *shape), dtype)
    for start in range(0, len(w.elements), group):
        steps = slice(start, start + group)
        count = len(w.elements[steps])
        term, f = terms[:count], factor[:count]
        np.matmul(a.elements[steps], w.elements[steps].transpose(0, 2, 1), out=term)
        np.matmul(sa[steps], sw[steps], out=f)
        if shift:
            np.floor(f, out=f)
            if factors[steps].max() > largest:
                np.minimum(f, dtype(largest), out=f)
        term *= f
        if not may_saturate[steps].any():
            total += term.sum(axis=0)
            continue
        for step in term:
            total += step
            if total.max() > high or total.min() < low:
                np.clip(total, low, high, out=step)
                saturated |= step != total
                total[...] = step
    return total
