"""Names in the generated Verilog: plain identifiers, no keyword of any tool's language."""

import re

__all__ = ["MARKER", "Names", "check_name"]

# Between the name of a file's top and what its other modules are: `engine_sub_sequencer`. No top
# has it in its name, so files whose tops have different names share no module name.
MARKER = "_sub_"

_LONGEST = 200

# IEEE 1364-2005 and IEEE 1800-2017, Annex B of either.
_VERILOG = """
accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before
begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class
clocking cmos config const constraint context continue cover covergroup coverpoint cross deassign
default defparam design disable dist do edge else end endcase endchecker endclass endclocking
endconfig endfunction endgenerate endgroup endinterface endmodule endpackage endprimitive endprogram
endproperty endspecify endsequence endtable endtask enum event eventually expect export extends
extern final first_match for force foreach forever fork forkjoin function generate genvar global
highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir include
initial inout input inside instance int integer interconnect interface intersect join join_any
join_none large let liblist library local localparam logic longint macromodule matches medium
modport module nand negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null or
output package packed parameter pmos posedge primitive priority program property protected pull0
pull1 pulldown pullup pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence
rcmos real realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0
rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal
showcancelled signed small soft solve specify specparam static std string strong strong0 strong1
struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout time
timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef union
unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait wait_order
wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
# Verilator writes C++ and warns of these (SYMRSVDWORD).
_CPLUSPLUS = """
alignas alignof and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor bool catch
char char16_t char32_t char8_t co_await co_return co_yield compl concept const_cast consteval
constexpr constinit decltype delete double dynamic_cast explicit false float friend goto inline long
main mutable namespace noexcept not_eq nullptr operator or_eq override private public
reinterpret_cast requires short sizeof static_assert static_cast switch synchronized template
thread_local throw true try typeid typename using volatile wchar_t xor_eq
"""
_RESERVED = frozenset((_VERILOG + _CPLUSPLUS).split())


def check_name(name):
    """Check the name of a top-level module.

    Raises:
    ------
    ValueError
        It is no identifier, a keyword, too long, or one of those kept for a file's other modules.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"name must be an identifier of ASCII letters, digits and _, not {name!r}")
    if name in _RESERVED:
        raise ValueError(f"name must not be a keyword of Verilog, SystemVerilog or C++: {name}")
    if len(name) > _LONGEST:
        raise ValueError(f"name must have at most {_LONGEST} characters, not {len(name)}: {name}")
    if name.endswith("_"):
        raise ValueError(f"name must not end in _: {name}")
    for part, reason in (
        ("__", "tools mangle it"),
        (MARKER, "it is for the modules beside the top of a file"),
    ):
        if part in name:
            raise ValueError(f"name must not contain {part} ({reason}): {name}")


class Names:
    """Gives names in one scope, each once."""

    def __init__(self):
        self._used = set()

    def add(self, wanted):
        """Return an identifier like the wanted one, and unlike all before."""
        plain = re.sub(r"[^A-Za-z0-9]+|__+", "_", wanted.partition("$")[0]).strip("_") or "n"
        if plain[0].isdigit():
            plain = f"n{plain}"
        plain += "_" * (plain in _RESERVED)
        name, number = plain, 1
        while name in self._used:
            number += 1
            name = f"{plain.rstrip('_')}_{number}"
        self._used.add(name)
        return name
