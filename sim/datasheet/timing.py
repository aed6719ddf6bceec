"""Timing diagrams in text, which every viewer of Markdown shows."""

from collections.abc import Sequence

_HIGH, _LOW, _CELL = "###", "___", 3


def wave(rows: Sequence[tuple[str, Sequence[str | bool]]]) -> str:
    """Draw signals, a line each, a column of four characters for each clock cycle.

    Args:
        rows: Names with a value for each cycle: a level, or text of at most three characters.
    """
    names = max(len(name) for name, _ in rows)
    cycles = len(rows[0][1])
    lines = [" ".join([f"{'cycle':<{names}} ", *(f"{at:^{_CELL}}" for at in range(cycles))])]
    for name, values in rows:
        cells = [
            (_HIGH if value else _LOW) if isinstance(value, bool) else f"{value:^{_CELL}}"
            for value in values
        ]
        lines.append(" ".join([f"{name:<{names}} ", *cells]))
    return "\n".join(line.rstrip() for line in lines)


def mac_wave(latency: int) -> str:
    """Sums of a vector MAC, the first of two vector pairs: result B is stalled, and pairs with it.

    Args:
        latency: Cycles from the transfer of `last` to the result, 1 to 3.
    """
    stall = latency + 2
    # Offered without a gap, a pair in each cycle: the pipeline is full, and stalls as a whole.
    pairs = ["A0", "A1", *(f"{name}0" for name in "BCDE"[: latency + 1])]
    offers = pairs[: stall + 1]
    # When each cycle of the pipeline happens: the stall comes between two of them.
    moves = [at for at in range(len(offers) + latency + 1) if at != stall]
    cycles = range(len(offers) + latency + 1)
    offered = ["-"] * len(cycles)
    results = ["-"] * len(cycles)
    for number, pair in enumerate(offers):
        offered[moves[number]] = pair
        if pair != "A0":
            results[moves[number + latency]] = pair[0]
    offered[stall], results[stall] = offers[stall], results[stall + 1]
    ready = [at != stall for at in cycles]
    return wave(
        [
            ("i_valid", [pair != "-" for pair in offered]),
            ("i_ready", ready),
            ("i (pair)", offered),
            ("i_first", [pair not in ("-", "A1") for pair in offered]),
            ("i_last", [pair not in ("-", "A0") for pair in offered]),
            ("o_valid", [name != "-" for name in results]),
            ("o_ready", ready),
            ("o (sum)", results),
        ]
    )


def handshake_wave(path: str) -> str:
    """Transfers of a stream: one at once, one that waits, none."""
    return wave(
        [
            (f"{path}_valid", [False, True, True, True, False, False]),
            (f"{path}_ready", [True, True, False, True, True, False]),
            (f"{path} (payload)", ["-", "A", "B", "B", "-", "-"]),
            ("transfer", ["", "A", "", "B", "", ""]),
        ]
    )
