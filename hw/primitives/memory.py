"""A memory of rows with one port to write and one to read, as block RAMs have."""

from amaranth.hdl import Module, Shape
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from scalewright.hw.primitives.shared import shared

__all__ = ["RowMemory"]

_VERILOG = """\
module {{module}} (
  input clk,
  input write_enable,
  input {address} write_address,
  input {row} write_data,
{ports}
);
{attribute}  reg {row} storage [0:{last}];
  always @(posedge clk)
    if (write_enable) storage[write_address] <= write_data;
{read}
endmodule
"""
# Without it Yosys puts a register beside the block RAM, for a row that is written when it is read.
_ATTRIBUTE = "  (* no_rw_check *)\n"
_REGISTERED_PORTS = """\
  input read_enable,
  input {address} read_address,
  output reg {row} read_data"""
_REGISTERED_READ = """\
  always @(posedge clk)
    if (read_enable) read_data <= storage[read_address];"""
_DIRECT_PORTS = """\
  input {address} read_address,
  output {row} read_data"""
_DIRECT_READ = "  assign read_data = storage[read_address];"


class RowMemory(wiring.Component):
    """Keep `depth` rows. They contain anything at power-on, and reset does not change them.

    A registered read of a row that is being written gives its old content in a simulation, and
    anything in a block RAM: nothing may depend on it. In Verilog the memory is a module of its own,
    `<top>_sub_memory_<depth>x<width>`, for a tool to infer block RAM from, or for a macro to take
    its place.

    Parameters
    ----------
    shape : shape of a row
    depth : rows
    registered : what is read comes in the next cycle and stays until the next read; else it comes
        in the same cycle, which block RAMs cannot do

    Members
    -------
    write_enable : In(1)
    write_address : In(range(depth))
    write_data : In(shape)
    read_enable : In(1); only where registered
    read_address : In(range(depth))
    read_data : Out(shape)
    """

    def __init__(self, *, shape, depth, registered=True):
        self._shape, self._depth, self._registered = shape, depth, registered
        self.identity = (Shape.cast(shape).width, depth, registered)
        address = max(1, ceil_log2(depth))
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(address),
                "write_data": In(shape),
                **({"read_enable": In(1)} if registered else {}),
                "read_address": In(address),
                "read_data": Out(shape),
            }
        )

    @property
    def verilog_name(self):
        width = self.identity[0]
        return f"memory_{self._depth}x{width}{'' if self._registered else '_direct'}"

    @property
    def verilog(self):
        """Its module, of the name `{module}`; its length does not depend on the depth."""
        sizes = {
            "address": f"[{len(self.read_address) - 1}:0]",
            "row": f"[{self.identity[0] - 1}:0]",
        }
        ports = _REGISTERED_PORTS if self._registered else _DIRECT_PORTS
        return _VERILOG.format(
            **sizes,
            ports=ports.format(**sizes),
            last=self._depth - 1,
            attribute=_ATTRIBUTE if self._registered else "",
            read=_REGISTERED_READ if self._registered else _DIRECT_READ,
        )

    @shared
    def elaborate(self, platform):
        m = Module()
        m.submodules.rows = rows = memory.Memory(shape=self._shape, depth=self._depth, init=[])
        write = rows.write_port()
        read = rows.read_port(domain="sync" if self._registered else "comb")
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.addr.eq(self.read_address),
            self.read_data.eq(read.data),
        ]
        if self._registered:
            m.d.comb += read.en.eq(self.read_enable)
        return m
