"""Saturating sums on every accumulator, addend and control."""

from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from scalewright.hw.mac import saturating_sum
from tests.benches.faults import Fault
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


def _is_right(bits: int, size: int, folder: Path, fault: Fault | None = None) -> bool:
    ports = Gates.of(_Sum(bits, size), folder, fault).evaluate()
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
_FAULTS = {
    "high-bits-not-cleared": (_NARROW, {"(load & ~keep) ? 3'd0 : accumulator": "accumulator"}),
    "high-bits-cleared-without-load": (_NARROW, {"load & ~keep": "~keep"}),
    "low-bits-not-cleared": (_NARROW, {" & {4{keep}}": ""}),
    "counts-beyond-the-largest": (
        _NARROW,
        {" & (~(((1'b1 & high[0]) & high[1]) & (~high[2])))": ""},
    ),
    "counts-beyond-the-smallest": (
        _NARROW,
        {" & (~(((1'b1 & (~high[0])) & (~high[1])) & high[2]))": ""},
    ),
    "counts-without-load": (_NARROW, {"up = (load & ": "up = ("}),
    "low-bits-not-at-their-largest": (_NARROW, {" | (load & above)": ""}),
    "low-bits-not-at-their-smallest": (
        _NARROW,
        {"((load & ~above) & ~below)": "(load & ~above)"},
    ),
    "a-bit-that-does-not-count-down": (_NARROW, {"(down & (1'b1 & (~high[0])))": "1'b0"}),
    "wide-not-held": (_WIDE, {"load ? n_* : accumulator": "n_*"}),
    "wide-saturates-one-too-low": (_WIDE, {"4'd8 : 4'd7": "4'd8 : 4'd6"}),
}


@pytest.mark.parametrize(("widths", "changes"), _FAULTS.values(), ids=_FAULTS)
def test_proof_refuses_a_fault(
    widths: tuple[int, int], changes: dict[str, str], tmp_path: Path
) -> None:
    assert not _is_right(*widths, tmp_path, Fault("top", changes))
