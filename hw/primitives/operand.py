"""How an operand lies in a payload: its elements, and its per-vector scale where it has one."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from scalewright.golden.config import DatapathConfig, EngineConfig, OperandFormat

__all__ = [
    "activation_members",
    "activations_layout",
    "elements_layout",
    "operand_members",
    "output_sign",
    "scale_member",
]


def elements_layout(fmt: OperandFormat, size: int):
    """The layout of the `size` elements of a vector."""
    element = signed(fmt.element_bits) if fmt.signed else unsigned(fmt.element_bits)
    return data.ArrayLayout(element, size)


def scale_member(fmt: OperandFormat, name="scale"):
    """The member of a structure that holds a vector's scale; none where it has no scale."""
    return {} if fmt.scale_bits is None else {name: unsigned(fmt.scale_bits)}


def operand_members(fmt: OperandFormat, size: int):
    """The members of a structure that hold a vector: `elements`, and `scale` where it has one."""
    return {"elements": elements_layout(fmt, size), **scale_member(fmt)}


def activations_layout(config: DatapathConfig):
    """The layout of the elements of a vector of activations; of either sign, they are bits."""
    return elements_layout(config.activation_formats[-1], config.vector_size)


def activation_members(config: DatapathConfig):
    """The members of a structure that hold a vector of activations.

    They are those of any operand, and where activations are of either sign, `signed`.
    """
    members = operand_members(config.activation_formats[-1], config.vector_size)
    return {**members, "signed": 1} if config.either_sign else members


def output_sign(config: EngineConfig):
    """The member of a structure that says whether quantized results are signed.

    There is none where they have one format only.
    """
    return {"output_signed": 1} if config.datapath.either_sign else {}
