"""A design of a dozen lines, a register of a stream, for tests of what plays designs."""

import hashlib
from dataclasses import replace

import numpy as np

from scalewright.sim.bench import stall
from scalewright.sim.bench.design import Design
from scalewright.sim.bench.plan import Phase

# A register of a stream. What is not defined by a reset starts unknown.
_VERILOG = """
module stage(input clk, input rst,
    input [7:0] i_payload, input i_valid, output i_ready,
    output [7:0] o_payload, output o_valid, input o_ready);
  reg [7:0] data;
  reg full;
  reg never;
  assign i_ready = !full | o_ready;
  assign o_valid = full;
  assign o_payload = data;
  always @(posedge clk) begin
    if (i_ready) full <= i_valid;
    if (i_ready) data <= i_payload;
    if (rst) full <= 0;
  end
endmodule
"""
WORDS = np.arange(100, 220, dtype=np.uint8)[:, None]
_IDLE = np.array([False, True, False])


def stage(*replacements: tuple[str, str]) -> Design:
    """The design, with pieces of its text replaced."""
    verilog = _VERILOG
    for sound, faulty in replacements:
        assert verilog.count(sound) == 1
        verilog = verilog.replace(sound, faulty)
    field = {"name": "byte", "offset": 0, "width": 8, "signed": False, "elements": None}
    streams = {
        name: {"direction": direction, "width": 8, "fields": [field]}
        for name, direction in (("i", "input"), ("o", "output"))
    }
    description = {"module": "stage", "port_style": "payload", "streams": streams}
    return Design(description, hashlib.sha256(verilog.encode()).hexdigest(), lambda: verilog)


def phases() -> list[Phase]:
    """Words through it: at once, to a patient sink, after a reset, and with stalls."""
    plain = Phase(name="plain", inputs={"i": WORDS}, expected={"o": WORDS})
    stalled = replace(plain, offers={"i": _IDLE}, accepts={"o": stall.alternating()})
    return [
        plain,
        replace(plain, name="patient", patient=True),
        replace(plain, name="reset", reset_after=7),
        replace(stalled, name="stalled"),
    ]
