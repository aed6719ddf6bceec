"""Compressor trees on every input: of small sums, and of dot products of four lanes."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from amaranth.hdl import Fragment, Module, Shape, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import DatapathConfig
from scalewright.hw.arithmetic.compressor import Compressor
from scalewright.hw.mac.dot_product import DotProduct
from scalewright.hw.primitives.operand import activations_layout, elements_layout
from scalewright.hw.verilog import convert
from tests.benches.faults import Fault
from tests.benches.gates import Gates


class _Sum(wiring.Component):
    """Numbers, products (shapes of both sides, and how many) and a constant in one compressor."""

    def __init__(
        self,
        width: int,
        numbers: tuple[Shape, ...] = (),
        products: tuple[tuple[Shape, Shape, int], ...] = (),
        constant: int = 0,
        by_level: bool = False,
    ) -> None:
        self.by_level = by_level
        self.numbers = {f"number_{at}": shape for at, shape in enumerate(numbers)}
        self.products = [
            [(f"left_{at}_{pair}", f"right_{at}_{pair}") for pair in range(pairs)]
            for at, (_, _, pairs) in enumerate(products)
        ]
        self.constant = constant
        self.shapes = dict(self.numbers)
        for pairs, (left, right, _) in zip(self.products, products, strict=True):
            for names in pairs:
                self.shapes.update(zip(names, (left, right), strict=True))
        ports = {name: In(shape) for name, shape in self.shapes.items()}
        super().__init__({**ports, "sum": Out(width)})

    def elaborate(self, _: object) -> Module:
        m = Module()
        compressor = Compressor(m, len(self.sum), name="sum")
        for name in self.numbers:
            compressor.add(getattr(self, name))
        for pairs in self.products:
            lefts, rights = zip(*pairs, strict=True)
            compressor.add_products(
                [getattr(self, left) for left in lefts], [getattr(self, right) for right in rights]
            )
        compressor.add_constant(self.constant)
        m.d.comb += self.sum.eq(compressor.sum(by_level=self.by_level))
        return m

    def expected(self, ports: dict[str, npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
        """The sum by integers."""
        values = {
            name: ports[name] - ((ports[name] >> shape.width - 1 & shape.signed) << shape.width)
            for name, shape in self.shapes.items()
        }
        total = np.full(len(ports["sum"]), self.constant)
        for name in self.numbers:
            total += values[name]
        for pairs in self.products:
            for left, right in pairs:
                total += values[left] * values[right]
        return total % (1 << len(self.sum))


_SUMS: dict[str, dict[str, Any]] = {
    "signed-number-alone": {"width": 8, "numbers": (signed(3),)},
    "unsigned-number-alone": {"width": 5, "numbers": (unsigned(3),), "constant": 11},
    "numbers": {"width": 7, "numbers": (signed(3), unsigned(4), signed(5), unsigned(1))},
    "bits": {"width": 4, "numbers": (unsigned(1),) * 12},
    "signs": {"width": 5, "numbers": (signed(1),) * 12},
    "unsigned-products": {"width": 7, "products": ((unsigned(3), unsigned(4), 2),)},
    "signed-products": {"width": 8, "products": ((signed(4), signed(3), 2),)},
    "signed-by-unsigned": {"width": 8, "products": ((signed(3), unsigned(4), 2),)},
    "unsigned-by-signed": {"width": 9, "products": ((unsigned(4), signed(3), 2),)},
    "wide-products": {"width": 12, "products": ((signed(7), unsigned(5), 1),)},
    "by-one-bit": {
        "width": 6,
        "products": ((signed(1), signed(3), 2), (unsigned(1), signed(2), 2)),
    },
    "modulo": {
        "width": 4,
        "numbers": (signed(6),),
        "products": ((signed(4), unsigned(4), 1),),
        "constant": -1000,
    },
    "everything-and-a-constant": {
        "width": 10,
        "numbers": (signed(4), unsigned(3)),
        "products": ((signed(2), unsigned(2), 1), (signed(3), signed(2), 1)),
        "constant": 345,
    },
    "everything-less-a-constant": {
        "width": 10,
        "numbers": (signed(4), unsigned(3)),
        "products": ((unsigned(2), unsigned(2), 1), (signed(3), signed(2), 1)),
        "constant": -87,
    },
}  # fmt: skip


@pytest.mark.parametrize("by_level", [False, True], ids=["by-column", "by-level"])
@pytest.mark.parametrize("terms", _SUMS.values(), ids=_SUMS)
def test_sums_every_input_like_integers(
    terms: dict[str, Any], by_level: bool, tmp_path: Path
) -> None:
    summed = _Sum(**terms, by_level=by_level)
    ports = Gates.of(summed, tmp_path).evaluate()
    assert len(ports["sum"]) == 1 << sum(shape.width for shape in summed.shapes.values())
    assert np.array_equal(ports["sum"], summed.expected(ports))


class _Comparison(wiring.Component):
    """Whether the dot product in one tree is that of multipliers and adders."""

    def __init__(self, config: DatapathConfig) -> None:
        self._config = config
        operands = {
            "weights": In(elements_layout(config.weights, config.vector_size)),
            "activations": In(activations_layout(config)),
            **({"activation_signed": In(1)} if config.either_sign else {}),
        }
        self._operands = tuple(operands)
        super().__init__({**operands, "same": Out(1)})

    def elaborate(self, _: object) -> Module:
        m = Module()
        m.submodules.fused = fused = DotProduct(self._config)
        m.submodules.plain = plain = DotProduct(self._config, fused=False)
        for dot_product in (fused, plain):
            for name in self._operands:
                m.d.comb += getattr(dot_product, name).eq(getattr(self, name))
        m.d.comb += self.same.eq(fused.dot == plain.dot)
        return m


def _find_difference(
    notation: str, folder: Path, fault: Fault | None = None
) -> dict[str, int] | None:
    # Too different for a SAT solver: Yosys's takes minutes for elements of 3 bits.
    config = DatapathConfig.parse(notation, vector_size=4)
    return Gates.of(_Comparison(config), folder, fault).find_failure("same", folder)


@pytest.mark.parametrize("sign", ["", "U", "X"])
@pytest.mark.parametrize("activation_bits", [2, 3, 4])
@pytest.mark.parametrize("weight_bits", [2, 3, 4])
def test_dot_product_is_proven_equal_to_multipliers_and_adders(
    weight_bits: int, activation_bits: int, sign: str, tmp_path: Path
) -> None:
    assert _find_difference(f"{weight_bits}/{activation_bits}{sign}/-/-", tmp_path) is None


_FAULTS = {
    "full-adders-lose-a-carry": Fault("full_adders_1", {" | (half & c)": ""}),
    "sum-and-carry-swapped": Fault(
        "full_adders_1",
        {
            "sum = half ^ c": "sum = (a & b) | (half & c)",
            "assign carry = (a & b) | (half & c)": "assign carry = half ^ c",
        },
    ),
    "carries-of-two-columns-exchanged": Fault(
        "dot_product",
        {".b(dot_bits_4_7)": ".b(dot_bits_5_3)", ".a(dot_bits_5_3)": ".a(dot_bits_4_7)"},
    ),
    "one-partial-product-not-complemented": Fault(
        "dot_product", {"~(dot_left & dot_right_3)": "~(dot_left & dot_right_3) ^ 4'd1"}
    ),
    "constant-of-the-complements-missing": Fault(
        "dot_product", {"{1'b1, dot_bits_6": "{1'b0, dot_bits_6"}
    ),
    "constant-one-lost-beside-two-bits": Fault("dot_product", {"dot_odd = ~(^": "dot_odd = (^"}),
    "carry-into-the-last-adder-lost": Fault("dot_product", {"n_* + {4'd0, carry}": "n_*"}),
}


@pytest.mark.parametrize("fault", _FAULTS.values(), ids=_FAULTS)
def test_proof_refuses_a_fault(fault: Fault, tmp_path: Path) -> None:
    assert _find_difference("3/3/-/-", tmp_path, fault) is not None


# Of a sum, reduced level by level.
_LEVEL_FAULTS = {
    "constant-one-lost-beside-one-bit": (
        "signs",
        Fault("top", {"{2'd0, ~sum_carry_5, 1'b0}": "{2'd0, sum_carry_5, 1'b0}"}),
    ),
    "half-adders-lose-a-carry": (
        "wide-products",
        Fault("top", {"sum_carry_13 = &{...}": "sum_carry_13 = 1'b0"}),
    ),
    "carries-of-two-columns-exchanged": (
        "wide-products",
        Fault(
            "top",
            {
                ".b(sum_carry_7)": ".b(sum_carry_9)",
                ".b(sum_carry_9), .c(sum_8)": ".b(sum_carry_7), .c(sum_8)",
            },
        ),
    ),
    "carry-into-the-last-adder-lost": (
        "wide-products",
        Fault("top", {"{8'd0, &{&{sum_bits_1_2, sum_bits_1}, sum_14}}": "9'd0"}),
    ),
}


@pytest.mark.parametrize(("name", "fault"), _LEVEL_FAULTS.values(), ids=_LEVEL_FAULTS)
def test_some_input_shows_a_fault_level_by_level(name: str, fault: Fault, tmp_path: Path) -> None:
    summed = _Sum(**_SUMS[name], by_level=True)
    ports = Gates.of(summed, tmp_path, fault).evaluate()
    assert not np.array_equal(ports["sum"], summed.expected(ports))


@pytest.mark.parametrize(("wide", "narrow", "levels"), [(24, 16, 6), (32, 16, 6), (15, 8, 4)])
def test_level_by_level_a_product_takes_the_fewest_levels(
    wide: int, narrow: int, levels: int
) -> None:
    # Rows as many as the bits of the narrow side: 16 in 6 levels, 8 in 4 (Dadda's table).
    times = {}
    for by_level in (False, True):
        compressor = Compressor(m := Module(), wide + narrow, name="product")
        compressor.add_products([Signal(signed(wide))], [Signal(narrow)])
        times[by_level] = max(time for time, _ in compressor.rows(by_level=by_level))
        Fragment.get(m, None)  # or Amaranth warns of a module without a use
    assert times[True] == levels < times[False]


def test_proof_refuses_a_single_wrong_input(tmp_path: Path) -> None:
    class Rare(_Comparison):
        def elaborate(self, platform: object) -> Module:
            m = super().elaborate(platform)
            weights, activations = self.weights.as_value(), self.activations.as_value()
            with m.If((weights == 0x9A5C) & (activations == 0x1248)):
                m.d.comb += self.same.eq(0)
            return m

    config = DatapathConfig.parse("4/4/-/-", vector_size=4)
    failure = Gates.of(Rare(config), tmp_path).find_failure("same", tmp_path)
    assert failure == {"weights": 0x9A5C, "activations": 0x1248}


@pytest.mark.parametrize(
    ("notation", "vector_size"), [("4/4U/-/-", 64), ("4/4/-/-", 64), ("8/8U/-/-", 16)]
)
def test_dot_product_has_no_more_full_adders_than_bits_to_get_rid_of(
    notation: str, vector_size: int
) -> None:
    config = DatapathConfig.parse(notation, vector_size=vector_size)
    verilog = convert(DotProduct(config), name="dot_product")
    sizes = [
        int(size)
        for size in re.findall(r"^  dot_product_sub_full_adders_(\d+) ", verilog, re.MULTILINE)
    ]
    # Of three bits a full adder leaves two, and of those of the products the sum's are left.
    bits = vector_size * config.weights.element_bits * config.activations.element_bits
    assert 0.9 * bits < sum(sizes) <= bits - config.dot_bits
    # Defined once each, however many there are.
    defined = re.findall(r"^module dot_product_sub_full_adders_(\d+) \(", verilog, re.MULTILINE)
    assert sorted(map(int, defined)) == sorted(set(sizes))
