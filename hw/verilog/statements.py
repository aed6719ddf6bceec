"""What the statements of a process are like, and how chunks of a value join."""

from scalewright.hw.verilog.rtlil import Assign, Const, Slice

__all__ = ["edges_of", "is_exclusive", "is_tree", "merged_chunks"]


def merged_chunks(value):
    """Chunks with neighbouring constants, and neighbouring bits of a wire, as one."""
    merged = []
    for chunk in value:
        last = merged[-1] if merged else None
        if isinstance(chunk, Const) and isinstance(last, Const):
            merged[-1] = Const(last.width + chunk.width, last.value | chunk.value << last.width)
        elif (
            isinstance(chunk, Slice)
            and isinstance(last, Slice)
            and (last.wire, last.low + last.width) == (chunk.wire, chunk.low)
        ):
            merged[-1] = Slice(last.wire, last.low, last.width + chunk.width)
        else:
            merged.append(chunk)
    return merged


def is_exclusive(switch):
    """Whether the patterns of a switch are different numbers."""
    patterns = [pattern for patterns, _ in switch.cases for pattern in patterns]
    return not any("-" in pattern for pattern in patterns) and len(set(patterns)) == len(patterns)


def is_tree(body, width):
    """Whether there is one statement for each case: an assignment of all bits, or a switch.

    Only these are written as statements. Yosys 0.70 loses some of those that others override.
    """
    if len(body) != 1:
        return not body
    (statement,) = body
    if isinstance(statement, Assign):
        return statement.target.width == width
    return all(is_tree(inner, width) for _, inner in statement.cases)


def edges_of(body, width):
    """Bits at which the targets of statements begin or end, below a width."""
    for statement in body:
        if isinstance(statement, Assign):
            for edge in (statement.target.low, statement.target.low + statement.target.width):
                if edge < width:
                    yield edge
        else:
            for _, inner in statement.cases:
                yield from edges_of(inner, width)
