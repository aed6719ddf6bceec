"""A vector MAC datapath: its notation and every width that follows from it.

The notation `W/A/ws/as` is that of VS-Quant (Dai et al., MLSys 2021).
"""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from scalewright.golden.config.parameter import require_in_range, require_power_of_two

ELEMENT_BITS = range(2, 9)
SCALE_BITS = range(2, 11)
VECTOR_SIZES = (4, 8, 16, 32, 64)
ACCUMULATOR_BITS = range(16, 49)
PIPELINE_DEPTHS = range(1, 4)
PIPELINE_DEPTH = 2

_NOTATION = re.compile(r"(\d+)/(\d+)([UX]?)/(\d+|-)/(\d+|-)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class OperandFormat:
    """How one operand is quantized: its elements and, where it has them, its per-vector scales.

    Attributes:
        element_bits: Width of an element in bits, 2 to 8.
        signed: Two's complement elements on the narrow, symmetric grid (-qmax to qmax), or
            unsigned ones (0 to qmax).
        scale_bits: Width of the unsigned per-vector scale in bits, 2 to 10, or None without one.
    """

    element_bits: int
    signed: bool = True
    scale_bits: int | None = None

    def __post_init__(self) -> None:
        require_in_range("element_bits", self.element_bits, ELEMENT_BITS)
        if not isinstance(self.signed, bool):
            raise TypeError(f"signed must be True or False, not {self.signed!r}")
        if self.scale_bits is not None:
            require_in_range("scale_bits", self.scale_bits, SCALE_BITS)

    @property
    def qmax(self) -> int:
        """Largest element of the grid: 2^(N-1) - 1 signed, 2^N - 1 unsigned."""
        return (1 << (self.element_bits - self.signed)) - 1

    @property
    def qmin(self) -> int:
        """Smallest element of the grid: -qmax signed (narrow), 0 unsigned."""
        return -self.qmax if self.signed else 0

    @property
    def element_min(self) -> int:
        """Smallest bit pattern of an element: -2^(N-1) signed (outside the grid), 0 unsigned."""
        return -self.qmax - 1 if self.signed else 0

    @property
    def scale_max(self) -> int:
        """Largest per-vector scale, 2^M - 1; 1 without a per-vector scale."""
        return 1 if self.scale_bits is None else (1 << self.scale_bits) - 1

    def __str__(self) -> str:
        scale = "-" if self.scale_bits is None else self.scale_bits
        return f"{self.element_bits}{'' if self.signed else 'U'}/{scale}"


@dataclass(frozen=True, kw_only=True)
class DatapathConfig:
    """A vector MAC datapath.

    Attributes:
        weights: Format of the weights; their elements are signed.
        activations: Format of the activations; the signed one where they are of either sign.
        vector_size: Elements of one vector = lanes of one dot product: 4, 8, 16, 32 or 64.
        scale_product_bits: Bits kept of the product of the two scales, 1 to `ws + as`; None, the
            default, keeps all of them.
        accumulator_bits: Width of the saturating accumulator in bits, 16 to 48.
        pipeline_depth: Clock cycles from a vector to its accumulator, 1 to 3; no number depends
            on it.
        either_sign: A flag of each vector of activations says whether its elements are signed or
            unsigned, of the same bits.
    """

    weights: OperandFormat
    activations: OperandFormat
    vector_size: int = 16
    scale_product_bits: int | None = None
    accumulator_bits: int = 24
    pipeline_depth: int = PIPELINE_DEPTH
    either_sign: bool = False

    def __post_init__(self) -> None:
        for name in ("weights", "activations"):
            if not isinstance(getattr(self, name), OperandFormat):
                raise TypeError(f"{name} must be an OperandFormat, not {getattr(self, name)!r}")
        if not self.weights.signed:
            raise ValueError("weights must be signed: only activations may be unsigned")
        if not isinstance(self.either_sign, bool):
            raise TypeError(f"either_sign must be True or False, not {self.either_sign!r}")
        if self.either_sign and not self.activations.signed:
            raise ValueError(
                "activations of either sign must be given by their signed format, "
                f"not {self.activations}"
            )
        require_power_of_two("vector_size", self.vector_size, VECTOR_SIZES)
        if self.scale_product_bits is not None:
            if self.full_scale_product_bits == 0:
                raise ValueError(
                    f"scale_product_bits must be left out where no operand has a per-vector scale "
                    f"({self}), not {self.scale_product_bits}"
                )
            require_in_range(
                "scale_product_bits",
                self.scale_product_bits,
                range(1, self.full_scale_product_bits + 1),
            )
            if self.scale_product_bits == self.full_scale_product_bits:
                # One datapath, one configuration: equal hardware compares equal.
                object.__setattr__(self, "scale_product_bits", None)
        require_in_range("accumulator_bits", self.accumulator_bits, ACCUMULATOR_BITS)
        require_in_range("pipeline_depth", self.pipeline_depth, PIPELINE_DEPTHS)

    @classmethod
    def parse(
        cls,
        notation: str,
        *,
        vector_size: int = 16,
        scale_product_bits: int | None = None,
        accumulator_bits: int | Literal["exact"] = 24,
        vectors: int | None = None,
    ) -> Self:
        """Read a configuration from its notation, such as `4/4U/4/6`.

        `W/A/ws/as`: element bits of weights and activations, then bits of their per-vector
        scales; `-` for no per-vector scale, `U` behind `A` for unsigned activations, `X` for
        activations of either sign.

        Args:
            notation: The notation.
            vector_size: Elements of one vector.
            scale_product_bits: Bits kept of the scale product; None keeps all.
            accumulator_bits: Width in bits, or `exact` for the width at which `vectors`
                accumulated vectors cannot overflow.
            vectors: Vectors accumulated into one result; needed for `exact`, and only there.

        Raises:
            ValueError: Malformed notation or a value out of range.
        """
        if not isinstance(notation, str):
            raise TypeError(f"notation must be a string such as '4/4U/4/6', not {notation!r}")
        match = _NOTATION.fullmatch(notation)
        if match is None:
            raise ValueError(
                f"notation must be W/A/ws/as, such as 4/4U/4/6 or 8/8/-/-, not {notation!r}"
            )
        weight_bits, activation_bits, suffix, weight_scale, activation_scale = match.groups()
        formats: dict[str, Any] = {}
        for name, bits, signed, scale in (
            ("weights", weight_bits, True, weight_scale),
            ("activations", activation_bits, suffix != "U", activation_scale),
        ):
            try:
                formats[name] = OperandFormat(
                    element_bits=int(bits),
                    signed=signed,
                    scale_bits=None if scale == "-" else int(scale),
                )
            except ValueError as error:
                raise ValueError(f"{notation}: {name}: {error}") from None
        exact = accumulator_bits == "exact"
        if exact and vectors is None:
            raise ValueError(
                "accumulator_bits 'exact' needs the number of vectors accumulated into one result"
            )
        if not exact and vectors is not None:
            raise ValueError(f"vectors is for accumulator_bits 'exact', not for {accumulator_bits}")
        config = cls(
            **formats,
            vector_size=vector_size,
            scale_product_bits=scale_product_bits,
            accumulator_bits=ACCUMULATOR_BITS[-1]
            if accumulator_bits == "exact"
            else accumulator_bits,
            either_sign=suffix == "X",
        )
        return config.with_exact_accumulator(vectors) if vectors is not None else config

    def with_exact_accumulator(self, vectors: int) -> Self:
        """Return this datapath with an accumulator that `vectors` vectors cannot overflow.

        Raises:
            ValueError: It would need more bits than supported.
        """
        bits = max(self.exact_accumulator_bits(vectors), ACCUMULATOR_BITS[0])
        if bits > ACCUMULATOR_BITS[-1]:
            raise ValueError(
                f"an exact accumulator of {vectors} vectors needs {bits} bits, more than "
                f"{ACCUMULATOR_BITS[-1]}"
            )
        return type(self)(**{**self.__dict__, "accumulator_bits": bits})

    def __str__(self) -> str:
        weight_elements, weight_scale = str(self.weights).split("/")
        activation_elements, activation_scale = str(self.activations).split("/")
        suffix = "X" if self.either_sign else ""
        return f"{weight_elements}/{activation_elements}{suffix}/{weight_scale}/{activation_scale}"

    @property
    def activation_formats(self) -> tuple[OperandFormat, ...]:
        """Every format that activations may have: the signed one first where there are two."""
        if not self.either_sign:
            return (self.activations,)
        return self.activations, replace(self.activations, signed=False)

    def activation_format(self, *, signed: bool | None = None) -> OperandFormat:
        """The format of signed or of unsigned activations.

        Args:
            signed: Which; None where they have one format only.

        Raises:
            ValueError: Activations cannot be so, or may be either way.
        """
        fitting = [fmt for fmt in self.activation_formats if signed in (None, fmt.signed)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise ValueError(f"activations of {self} are signed or unsigned: say which")
        raise ValueError(f"activations of {self} are never {'signed' if signed else 'unsigned'}")

    def activation_format_for(self, smallest: float) -> OperandFormat:
        """The format for activations whose smallest value this is.

        Where they are of either sign, it is unsigned unless there are negative ones.
        """
        return self.activation_formats[-1 if smallest >= 0 else 0]

    @property
    def summary(self) -> str:
        """The whole configuration in words."""
        return (
            f"{self} (W/A/ws/as), vectors of {self.vector_size}, scale product of "
            f"{self.rounded_scale_product_bits} bits, accumulator of {self.accumulator_bits} bits"
        )

    @property
    def slug(self) -> str:
        """The whole configuration as one word, for file names: `4_4U_4_6_v16_p6_c24`."""
        product = "" if self.scale_product_bits is None else f"_p{self.scale_product_bits}"
        notation = str(self).replace("/", "_").replace("-", "x")
        depth = "" if self.pipeline_depth == PIPELINE_DEPTH else f"_d{self.pipeline_depth}"
        return f"{notation}_v{self.vector_size}{product}_c{self.accumulator_bits}{depth}"

    def as_dict(self) -> dict[str, Any]:
        """The configuration and its derived widths (bits), ready for JSON."""
        return {
            "notation": str(self),
            **asdict(self),
            "widths": {
                "dot_product": self.dot_bits,
                "full_scale_product": self.full_scale_product_bits,
                "scale_product": self.rounded_scale_product_bits,
                "partial_sum": self.partial_sum_bits,
                "accumulator": self.accumulator_bits,
            },
        }

    @property
    def vector_size_log2(self) -> int:
        """Logarithm of the vector size."""
        return self.vector_size.bit_length() - 1

    @property
    def dot_bits(self) -> int:
        """Width of the signed dot product: W + A + log2(V) bits."""
        return self.weights.element_bits + self.activations.element_bits + self.vector_size_log2

    @property
    def full_scale_product_bits(self) -> int:
        """Width of the exact scale product: ws + as bits; an absent scale counts 0."""
        return (self.weights.scale_bits or 0) + (self.activations.scale_bits or 0)

    @property
    def rounded_scale_product_bits(self) -> int:
        """Bits kept of the scale product: P; 0 where no operand has a scale (the factor is 1)."""
        if self.scale_product_bits is None:
            return self.full_scale_product_bits
        return self.scale_product_bits

    @property
    def scale_product_shift(self) -> int:
        """Bits rounded off the scale product: sh = ws + as - P. Results count in units of 2^sh."""
        return self.full_scale_product_bits - self.rounded_scale_product_bits

    @property
    def partial_sum_bits(self) -> int:
        """Width of the signed product of dot product and scale product: dot + P bits."""
        return self.dot_bits + self.rounded_scale_product_bits

    def exact_accumulator_bits(self, vectors: int) -> int:
        """Width at which `vectors` partial sums cannot overflow: psum + ceil(log2(J)) bits."""
        if isinstance(vectors, bool) or not isinstance(vectors, int) or vectors < 1:
            raise ValueError(f"vectors must be a positive integer, not {vectors!r}")
        return self.partial_sum_bits + (vectors - 1).bit_length()

    @property
    def accumulator_min(self) -> int:
        """Smallest accumulator value, -2^(C-1): where it saturates below."""
        return -(1 << (self.accumulator_bits - 1))

    @property
    def accumulator_max(self) -> int:
        """Largest accumulator value, 2^(C-1) - 1: where it saturates above."""
        return (1 << (self.accumulator_bits - 1)) - 1


PRESETS: dict[str, DatapathConfig] = {
    # The 5 nm chip (Keller et al., JSSC 2023): its INT4 mode with per-vector scales.
    "chip-5nm": DatapathConfig.parse(
        "4/4/8/8", vector_size=64, scale_product_bits=8, accumulator_bits=24
    ),
    # VS-Quant's points (Dai et al., MLSys 2021), with full-width scale products as measured there.
    # The paper gives no accumulator widths: wide enough here for the longest reduction of each
    # network (ResNet50: 3 * 3 * 512 = 288 vectors; BERT-large: 4096 = 256 vectors).
    "vs-quant-resnet50": DatapathConfig.parse("4/4/4/6", accumulator_bits="exact", vectors=288),
    "vs-quant-bert": DatapathConfig.parse("4/8/6/10", accumulator_bits="exact", vectors=256),
    # What they are measured against: 8-bit integers with per-channel scales.
    "int8": DatapathConfig.parse("8/8/-/-", accumulator_bits=32),
}
