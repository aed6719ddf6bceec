"""The activation function of rescaled results."""

from amaranth.hdl import Signal

from scalewright.golden.config import ActivationFunction

__all__ = ["activate"]


def activate(m, y, function, *, name):
    """A function of a signed signal y of R bits, again of R bits, without a register.

    `function` is the code of an `ActivationFunction`.
    """
    activated = Signal.like(y, name=name)
    with m.If((function == ActivationFunction.RELU) & y[-1]):
        m.d.comb += activated.eq(0)
    with m.Else():
        m.d.comb += activated.eq(y)
    return activated
