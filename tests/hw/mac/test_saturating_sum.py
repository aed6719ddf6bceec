"""Saturating sums on every accumulator, addend and control."""

from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from scalewright.hw.mac import saturating_sum
from tests.benches.faults import Fault, insert_fault
from tests.benches.gates import Gates


class _Sum(wiring.Component):
    def __init__(self, bits: int, size: int) -> None:
        super().__init__(
            {
                "accumulator": In(signed(bits)),
                "addend": In(signed(size)),
                "load": In(1),
                "keep": In(1),
                "value": Out(bits),
                "saturates": Out(1),
            }
        )

    def elaborate(self, _: object) -> Module:
        m = Module()
        value, saturates = saturating_sum.saturating_sum(
            m,
            self.accumulator,
            lambda compressor: compressor.add(self.addend),
            len(self.addend),
            load=self.load,
            keep=self.keep,
        )
        m.d.comb += [self.value.eq(value), self.saturates.eq(saturates)]
        return m


def _is_right(bits: int, size: int, folder: Path) -> bool:
    ports = Gates.of(_Sum(bits, size), folder).evaluate()
    assert len(ports["value"]) == 1 << bits + size + 2
    accumulator, addend = (
        number - (number >> width - 1 << width)
        for number, width in ((ports["accumulator"], bits), (ports["addend"], size))
    )
    total = accumulator * ports["keep"] + addend
    limit = 1 << bits - 1
    value = np.where(ports["load"], np.clip(total, -limit, limit - 1), accumulator)
    saturates = (total < -limit) | (total >= limit)
    # Whether a sum that is not taken saturates does not matter.
    return np.array_equal(ports["value"], value % (1 << bits)) and bool(
        (~ports["load"].astype(bool) | (ports["saturates"] == saturates)).all()
    )


@pytest.mark.parametrize("size", [2, 3, 6, 8])
@pytest.mark.parametrize("bits", [2, 3, 4, 6, 7, 8])
def test_is_the_nearest_number_to_the_sum(bits: int, size: int, tmp_path: Path) -> None:
    assert _is_right(bits, size, tmp_path)


_NARROW, _WIDE = (7, 4), (4, 5)
_FAULTS: dict[str, tuple[tuple[int, int], Fault]] = {
    "high-bits-not-cleared": (
        _NARROW,
        (saturating_sum._narrow, "Mux(load & ~keep, 0, high)", "high"),
    ),
    "high-bits-cleared-without-load": (
        _NARROW,
        (saturating_sum._narrow, "Mux(load & ~keep, 0, high)", "Mux(keep, high, 0)"),
    ),
    "low-bits-not-cleared": (
        _NARROW,
        (saturating_sum._narrow, "low & keep.replicate(size)", "low"),
    ),
    "counts-beyond-the-largest": (_NARROW, (saturating_sum._narrow, " & ~is_largest", "")),
    "counts-beyond-the-smallest": (_NARROW, (saturating_sum._narrow, " & ~is_smallest", "")),
    "counts-without-load": (
        _NARROW,
        (saturating_sum._narrow, "up.eq(load & ", "up.eq("),
    ),
    "low-bits-not-at-their-largest": (
        _NARROW,
        (saturating_sum._narrow, " | load & above", ""),
    ),
    "low-bits-not-at-their-smallest": (
        _NARROW,
        (saturating_sum._narrow, "load & ~above & ~below", "load & ~above"),
    ),
    "a-bit-that-does-not-count-down": (
        _NARROW,
        (saturating_sum._narrow, "zeros[-1] & ~bit", "zeros[-1] & ~bit & ~kept[1]"),
    ),
    "wide-not-held": (_WIDE, (saturating_sum._wide, "Mux(load, ", "Mux(1, ")),
    "wide-saturates-one-too-low": (_WIDE, (saturating_sum._wide, "~smallest)", "~smallest - 1)")),
}


@pytest.mark.parametrize(("widths", "fault"), _FAULTS.values(), ids=_FAULTS)
def test_proof_refuses_a_fault(
    widths: tuple[int, int], fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _is_right(*widths, tmp_path)
    insert_fault(fault, monkeypatch)
    assert not _is_right(*widths, tmp_path)
