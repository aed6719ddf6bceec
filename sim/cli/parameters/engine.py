"""What commands that run networks share: the engine's size, and the table of its layers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import wraps
from typing import Any

import click

from scalewright.golden.config import EngineConfig
from scalewright.golden.network import Network
from scalewright.sim.cli.program.table import Table
from scalewright.sim.execution.networks import NetworkRun
from scalewright.sim.files.names import printable


@dataclass(frozen=True)
class EngineSize:
    """What the options say of the engine; None where they say nothing."""

    lanes: int | None
    depth: int | None
    post_lanes: int | None

    def apply(self, config: EngineConfig) -> EngineConfig:
        """Put what was given into a configuration.

        Raises:
            ValueError: A value out of range.
        """
        given = {name: value for name, value in vars(self).items() if value is not None}
        return replace(config, **given)


def engine_size_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the engine's size; the command gets them as `size`."""

    @wraps(command)
    def gathered(**arguments: Any) -> Any:
        names = [field.name for field in fields(EngineSize)]
        size = EngineSize(**{name: arguments.pop(name) for name in names})
        return command(**arguments, size=size)

    for name, text in (
        (
            "--post-lanes",
            f"Results post-processed per cycle.  [default: {EngineConfig.post_lanes}]",
        ),
        ("--depth", f"Rows of the weight buffer.  [default: {EngineConfig.depth}]"),
        ("--lanes", f"Output channels at a time.  [default: {EngineConfig.lanes}]"),
    ):
        gathered = click.option(name, type=int, metavar="N", help=text)(gathered)
    return gathered


def layer_table(ran: NetworkRun, noise: Mapping[str, float | None]) -> Table:
    """One row for each layer; `noise` is the signal-to-noise ratio of the results of some."""
    table = Table(
        "layer",
        "operator",
        "rows",
        "cycles",
        "MACs busy %",
        "useful %",
        "SNR dB",
        "results",
        "saturated",
        "mismatches",
    )
    for layer in ran.layers:
        table.add(
            printable(layer.name),
            layer.kind,
            layer.rows,
            layer.cycles,
            100 * layer.utilisation,
            100 * layer.efficiency,
            shown(noise.get(layer.name)),
            layer.results,
            layer.saturated,
            layer.mismatch_count,
        )
    return table


def golden_table(
    network: Network, noise: Mapping[str, float | None], saturated: Mapping[str, int]
) -> Table:
    """One row for each layer that golden ran."""
    table = Table("layer", "operator", "SNR dB", "saturated")
    for product in network.products:
        table.add(
            printable(product.name),
            product.kind,
            shown(noise.get(product.name)),
            saturated[product.name],
        )
    return table


def shown(value: float | None) -> float | str:
    """A cell of a table."""
    return "-" if value is None else value


def layers_line(ran: NetworkRun, config: EngineConfig, inputs: int) -> str:
    """All layers in one sentence; and where there are mismatches, where the first is."""
    text = (
        f"{inputs} inputs on {config.lanes} x {config.datapath.vector_size} MACs: "
        f"{ran.cycles / inputs:,.0f} cycles each, busy in {100 * ran.busy / ran.cycles:.1f} % of "
        f"them; {ran.mismatch_count} mismatches between RTL and golden"
    )
    for layer in ran.layers:
        for mismatch in layer.mismatches[:1]:
            text += (
                f"\nlayer {printable(layer.name)}: result {mismatch.index}: got {mismatch.got:#x}, "
                f"want {mismatch.want:#x}"
                if mismatch.got is not None and mismatch.want is not None
                else f"\nlayer {printable(layer.name)}: result {mismatch.index} is missing or "
                "surplus"
            )
    return text


def reloading_line(network: Network, config: EngineConfig) -> str | None:
    """Which layers load their weights again for every row, and what would help; None if none do."""
    rows = {
        product.name: product.vectors * product.digit_pairs * config.groups
        for product in network.products
    }
    longer = [name for name, needed in rows.items() if needed > config.depth]
    if not longer:
        return None
    return (
        f"the weights of {printable(', '.join(longer))} do not fit the buffer and come again for "
        f"every row: --depth {max(rows.values())} would hold them"
    )
