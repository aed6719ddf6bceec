"""The regression of the vector MAC: it must see every fault put into its arithmetic."""

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.hw.arithmetic.compressor import Compressor, FullAdders, add_rows
from scalewright.hw.mac import VectorMac, saturating_sum
from scalewright.sim.regression.regress import Regression, regress
from tests.benches.faults import Fault, insert_fault

_ROUNDED = DatapathConfig.parse("4/4U/4/6", vector_size=4, scale_product_bits=6)
_NARROW = DatapathConfig.parse("8/8/10/10", vector_size=4, accumulator_bits=16)

_FAULTS: dict[str, tuple[DatapathConfig, Fault]] = {
    "product-cut-to-the-accumulator-before-the-sum": (
        _NARROW,
        (
            VectorMac._accumulate,
            'compressor.add_products([stage["dot"]], [stage["scale_product"]])',
            'product = stage["dot"] * stage["scale_product"]; '
            "compressor.add(product[: self.config.accumulator_bits].as_signed())",
        ),
    ),
    "sum-cut-to-the-accumulator-and-a-bit": (
        _NARROW,
        (
            saturating_sum._wide,
            "_sum(m, add, kept, size + 1, by_level)",
            "_sum(m, add, kept, bits + 1, by_level)",
        ),
    ),
    "rounding-constant-missing": (
        _ROUNDED,
        (VectorMac._rounded_scale_product, "half = 1 << shift >> 1", "half = 0"),
    ),
    "rounding-half-down": (
        _ROUNDED,
        (
            VectorMac._rounded_scale_product,
            "half = 1 << shift >> 1",
            "half = (1 << shift >> 1) - 1",
        ),
    ),
    "lane-slip": (
        _ROUNDED,
        (
            VectorMac.elaborate,
            "list(self.i.payload.activations)",
            "[self.i.payload.activations[lane] for lane in (0, 1, 1, 3)]",
        ),
    ),
    "unsigned-lane-taken-as-signed": (
        _ROUNDED,
        (
            VectorMac.elaborate,
            "compressor.add_products("
            "list(self.i.payload.weights), list(self.i.payload.activations))",
            "weights, activations = self.i.payload.weights, self.i.payload.activations; "
            "compressor.add_products(list(weights)[:3], list(activations)[:3]); "
            "compressor.add_products([weights[3]], [activations[3].as_signed()])",
        ),
    ),
    "negative-bits-not-complemented": (
        _ROUNDED,
        (Compressor._add_bits, "bits = ~bits", "pass"),
    ),
    "one-negative-bit-not-complemented": (
        _ROUNDED,
        (Compressor._add_bits, "bits = ~bits", "bits = ~bits ^ (1 << len(bits) >> 1)"),
    ),
    "constant-of-the-negative-bits-missing": (
        _ROUNDED,
        (Compressor._add_bits, "self._constant -= len(bits) << position", "pass"),
    ),
    "full-adders-lose-a-carry": (
        _ROUNDED,
        (FullAdders.elaborate, " | (half & self.c)", ""),
    ),
    "last-carry-between-the-adders-lost": (
        _ROUNDED,
        (add_rows, "left + right + carry", "left + right"),
    ),
}


@pytest.mark.parametrize(("config", "fault"), _FAULTS.values(), ids=_FAULTS)
def test_sees_a_fault(
    config: DatapathConfig, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert_fault(fault, monkeypatch)
    verdict = regress(Regression("vector-mac", config, transactions=1000, seed=0))
    assert verdict.failure is not None
