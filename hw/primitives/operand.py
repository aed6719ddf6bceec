"""How an operand lies in a payload: its elements, and its per-vector scale where it has one."""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from scalewright.golden.config import OperandFormat

__all__ = ["elements_layout", "operand_members", "scale_member"]


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
