"""Elastic pipeline stages: valid and ready from one to the next, values beside them."""

from amaranth.hdl import Signal, Value

__all__ = ["Stage"]


class Stage:
    """What stands at one place of a pipeline.

    Attributes:
    ----------
    valid : whether there is something
    ready : whether it goes on in this cycle; driven by whoever takes it
    values : what is there, by name
    """

    def __init__(self, valid, ready, values):
        self.valid = valid
        self.ready = ready
        self.values = values

    def __getitem__(self, name):
        return self.values[name]

    def __contains__(self, name):
        return name in self.values

    def with_values(self, **values):
        """The same place, with more values or others."""
        return Stage(self.valid, self.ready, {**self.values, **values})

    def registered(self, m, prefix):
        """The place behind a register: one cycle later, unless it stalls.

        Registers load on a transfer only, so that what stands behind them does not toggle else.
        """
        valid, ready = Signal(name=f"{prefix}_valid"), Signal(name=f"{prefix}_ready")
        registers = {
            name: Signal(Value.cast(value).shape(), name=f"{prefix}_{name}", reset_less=True)
            for name, value in self.values.items()
        }
        m.d.comb += self.ready.eq(~valid | ready)
        with m.If(self.ready):
            m.d.sync += valid.eq(self.valid)
        with m.If(self.valid & self.ready):
            for name, value in self.values.items():
                m.d.sync += registers[name].eq(value)
        return Stage(valid, ready, registers)
