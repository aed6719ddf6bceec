"""Wider elements by composition: the grids of integers x = r*h + l, sent as two digits.

Each digit is a legal element of the operand's own format; the two go through the datapath as two
vectors with the scales r*u and u, so that the scale hardware makes their sum. With q the largest
element, M the bits of the operand's scales, and u a power of two (1 unless products of scales are
rounded):

    signed      r = min(2q + 1, floor((2^M - 1) / u))     x from -R to R, R = r*q + q
    unsigned    r = min(q + 1, floor((2^M - 1) / u))      x from 0 to R

Where sh > 0 bits of the product of scales are rounded off, both operands have to be composed, with
u_w = 2^k and u_a = 2^(sh-k): then every product of digit scales is a multiple of 2^sh, and rounding
is exact. k is the smallest that makes the smaller of R_w / q_w and R_a / q_a largest.
"""

from dataclasses import dataclass
from typing import TypeAlias

from scalewright.golden.config.datapath import DatapathConfig, OperandFormat


@dataclass(frozen=True, kw_only=True)
class WideFormat:
    """The grid of a composed operand: to quantization, a format without per-vector scales.

    Attributes:
        digits: Format of the two digits: that of the operand, signed or not as the operand is.
        ratio: r, 2 to 2q + 1 (odd) for signed digits, 2 to q + 1 for unsigned ones.
        unit: u, the scale of the digit l: a power of two. That of h is r*u, at most 2^M - 1.

    Raises:
        TypeError, ValueError: Another type, digits without scales, or a value out of range.
    """

    digits: OperandFormat
    ratio: int
    unit: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.digits, OperandFormat):
            raise TypeError(f"digits must be an OperandFormat, not {self.digits!r}")
        if self.digits.scale_bits is None:
            raise ValueError(f"digits must have per-vector scales, not the format {self.digits}")
        for name in ("ratio", "unit"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"{name} must be an integer, not {value!r}")
        if self.unit < 1 or self.unit & (self.unit - 1):
            raise ValueError(f"unit must be a power of two, not {self.unit}")
        largest = _largest_ratio(self.digits, self.unit)
        if not 2 <= self.ratio <= largest or self.signed > self.ratio % 2:
            requirement = f"{'odd and ' if self.signed else ''}from 2 to {largest}"
            raise ValueError(
                f"ratio must be {requirement} for digits {self.digits} with a unit of {self.unit}, "
                f"not {self.ratio}"
            )

    @property
    def signed(self) -> bool:
        """Whether x may be negative."""
        return self.digits.signed

    @property
    def qmax(self) -> int:
        """R = r*q + q, the largest x; at most 2^16 - 1."""
        return (self.ratio + 1) * self.digits.qmax

    @property
    def qmin(self) -> int:
        """The smallest x: -R signed, 0 unsigned."""
        return -self.qmax if self.signed else 0

    @property
    def scale_bits(self) -> None:
        """There are no per-vector scales: the two digits' take their place."""
        return None

    @property
    def scale_max(self) -> int:
        """1, as for any format without a per-vector scale."""
        return 1

    @property
    def digit_scales(self) -> tuple[int, int]:
        """The scales that h and l are sent with."""
        return self.ratio * self.unit, self.unit

    def __str__(self) -> str:
        high, low = self.digit_scales
        return f"{self.digits} digits at {high} and {low}, {self.qmin} to {self.qmax}"


# What a tensor may be quantized to.
Format: TypeAlias = OperandFormat | WideFormat


def require_format(fmt: object) -> None:
    """Raise unless it is a format.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(fmt, OperandFormat | WideFormat):
        raise TypeError(f"fmt must be an OperandFormat or a WideFormat, not {fmt!r}")


def compose(
    config: DatapathConfig,
    *,
    weights: OperandFormat | None = None,
    activations: OperandFormat | None = None,
) -> tuple[WideFormat | None, WideFormat | None]:
    """The grids of the operands that are composed.

    Args:
        config: The datapath; of its formats the bits of the scales count only.
        weights: Format of the weights where they are composed, else None.
        activations: Format of the activations where they are composed, else None: signed or
            unsigned as they are.

    Returns:
        The grid of the weights and that of the activations; None for one that is not composed.

    Raises:
        TypeError: Another type.
        ValueError: A composition that the datapath cannot do; the message says why.
    """
    if not isinstance(config, DatapathConfig):
        raise TypeError(f"config must be a DatapathConfig, not {config!r}")
    for name, fmt in (("weights", weights), ("activations", activations)):
        if fmt is None:
            continue
        if not isinstance(fmt, OperandFormat):
            raise TypeError(f"{name} must be an OperandFormat or None, not {fmt!r}")
        if fmt.scale_bits is None:
            raise ValueError(
                f"{name} of {config} cannot be composed: a format with per-vector scales is "
                f"needed, for the scales of two digits, not {fmt}"
            )
    shift = config.scale_product_shift
    if shift and weights is not None and activations is not None:
        return _compose_both(config, weights, activations)
    if shift and (weights is not None or activations is not None):
        alone = "activations" if weights is None else "weights"
        raise ValueError(
            f"{alone} of {config} cannot be composed alone where the scale product keeps "
            f"{config.rounded_scale_product_bits} of {config.full_scale_product_bits} bits: "
            "products of digit scales with the other operand's would be rounded; compose both, or "
            "keep all bits"
        )
    return _widest(weights), _widest(activations)


def _widest(fmt: OperandFormat | None) -> WideFormat | None:
    return None if fmt is None else WideFormat(digits=fmt, ratio=_largest_ratio(fmt, 1))


def _largest_ratio(digits: OperandFormat, unit: int) -> int:
    """min(2q + 1, floor((2^M - 1) / u)), or min(q + 1, ...) for unsigned digits."""
    next_digit = digits.qmax - digits.qmin + 1  # every x has digits up to this ratio
    return min(next_digit, digits.scale_max // unit)


def _compose_both(
    config: DatapathConfig, weights: OperandFormat, activations: OperandFormat
) -> tuple[WideFormat, WideFormat]:
    """The grids of two composed operands where sh > 0 bits of scale products are rounded off."""
    shift = config.scale_product_shift
    best: tuple[int, int] | None = None
    for k in range(shift + 1):
        ratios = _largest_ratio(weights, 1 << k), _largest_ratio(activations, 1 << (shift - k))
        # R / q = r + 1.
        if min(ratios) >= 2 and (best is None or min(ratios) > best[0]):
            best = min(ratios), k
    if best is None:
        raise ValueError(
            f"operands of {config} cannot be composed where the scale product keeps "
            f"{config.rounded_scale_product_bits} of {config.full_scale_product_bits} bits: no two "
            f"pairs of digit scales have products that are all multiples of {1 << shift}; keep "
            "4 bits at least"
        )
    units = 1 << best[1], 1 << (shift - best[1])
    wide_weights, wide_activations = (
        WideFormat(digits=fmt, ratio=_largest_ratio(fmt, unit), unit=unit)
        for fmt, unit in zip((weights, activations), units, strict=True)
    )
    return wide_weights, wide_activations
