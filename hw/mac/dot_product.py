"""The dot product by itself: what a vector MAC multiplies with its scale product."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import DatapathConfig
from scalewright.hw.arithmetic.compressor import Compressor
from scalewright.hw.primitives.operand import elements_layout
from scalewright.hw.primitives.shared import shared

__all__ = ["DotProduct"]


class DotProduct(wiring.Component):
    """The sum of the products of two vectors, one per clock cycle, in a register.

    Its latency is one clock cycle.

    Parameters
    ----------
    config : DatapathConfig
    fused : one compressor tree for all products, as in the vector MAC; else multipliers and a
        balanced tree of adders, `*` and `+`, to be proven equal and to be measured against

    Members
    -------
    weights : In(V elements, W bits signed)
    activations : In(V elements, A bits)
    dot : Out(signed, W + A + log2(V) bits)
    """

    def __init__(self, config: DatapathConfig, *, fused=True):
        self._fused = fused
        self.identity = (config, fused)
        super().__init__(
            {
                "weights": In(elements_layout(config.weights, config.vector_size)),
                "activations": In(elements_layout(config.activations, config.vector_size)),
                "dot": Out(signed(config.dot_bits)),
            }
        )

    @shared
    def elaborate(self, platform):
        m = Module()
        weights, activations = list(self.weights), list(self.activations)
        if self._fused:
            compressor = Compressor(m, len(self.dot), name="dot")
            compressor.add_products(weights, activations)
            total = compressor.sum()
        else:
            terms = []
            for number, (weight, activation) in enumerate(zip(weights, activations, strict=True)):
                product = weight * activation
                terms.append(Signal.like(product, name=f"product_{number}"))
                m.d.comb += terms[-1].eq(product)
            while len(terms) > 1:
                terms = [left + right for left, right in zip(terms[::2], terms[1::2], strict=True)]
            (total,) = terms
        m.d.sync += self.dot.eq(total)
        return m
