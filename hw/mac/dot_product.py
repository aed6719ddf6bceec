"""The dot product by itself: what a vector MAC multiplies with its scale product."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from scalewright.golden.config import DatapathConfig
from scalewright.hw.arithmetic.compressor import Compressor
from scalewright.hw.arithmetic.either_sign import add_products_of_either_sign
from scalewright.hw.primitives.operand import activations_layout, elements_layout
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
    activation_signed : In(1), the activations are signed; only where they are of either sign
    dot : Out(signed, W + A + log2(V) bits)
    """

    def __init__(self, config: DatapathConfig, *, fused=True):
        self._fused = fused
        self.identity = (config, fused)
        self._either_sign = config.either_sign
        super().__init__(
            {
                "weights": In(elements_layout(config.weights, config.vector_size)),
                "activations": In(activations_layout(config)),
                **({"activation_signed": In(1)} if config.either_sign else {}),
                "dot": Out(signed(config.dot_bits)),
            }
        )

    @shared
    def elaborate(self, platform):
        m = Module()
        weights, activations = list(self.weights), list(self.activations)
        if self._fused:
            compressor = Compressor(m, len(self.dot), name="dot")
            if self._either_sign:
                add_products_of_either_sign(
                    m, compressor, weights, activations, self.activation_signed, name="dot"
                )
            else:
                compressor.add_products(weights, activations)
            total = compressor.sum()
        else:
            terms = []
            if self._either_sign:
                activations = [
                    Mux(self.activation_signed, activation.as_signed(), activation)
                    for activation in activations
                ]
            for number, (weight, activation) in enumerate(zip(weights, activations, strict=True)):
                product = weight * activation
                terms.append(Signal.like(product, name=f"product_{number}"))
                m.d.comb += terms[-1].eq(product)
            while len(terms) > 1:
                terms = [left + right for left, right in zip(terms[::2], terms[1::2], strict=True)]
            (total,) = terms
        m.d.sync += self.dot.eq(total)
        return m
