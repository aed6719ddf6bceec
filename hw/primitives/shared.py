"""Components that a platform may elaborate once for all that are equal."""

from functools import wraps

__all__ = ["shared"]


def shared(elaborate):
    """Let a platform with `instance_of` elaborate one of all equal components.

    For components with an attribute `identity`: what, with the class, decides what hardware they
    are; hashable. Decorates their `elaborate`: `platform.instance_of(component)` returns an
    Instance to put in its place, or None where the component itself is to be elaborated.
    hw/verilog/ is such a platform: it writes a module once, however often it is used. Everywhere
    else, as in amaranth.sim, each component is elaborated by itself, like any other.
    """

    @wraps(elaborate)
    def elaborated(self, platform):
        instance_of = getattr(platform, "instance_of", None)
        instance = None if instance_of is None else instance_of(self)
        return elaborate(self, platform) if instance is None else instance

    return elaborated
