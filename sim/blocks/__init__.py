"""The blocks of hardware that are generated and tested, by name: a record for each.

A new block is a file in hw/, one in golden/, a testbench, and a record here.
"""

from scalewright.hw.verilog import PortStyle
from scalewright.sim.bench.design import Design
from scalewright.sim.blocks.block import Block, Config
from scalewright.sim.blocks.engine import ENGINE
from scalewright.sim.blocks.octav import OCTAV
from scalewright.sim.blocks.rescaler import RESCALER
from scalewright.sim.blocks.vector_mac import VECTOR_MAC
from scalewright.sim.blocks.vector_quantizer import VECTOR_QUANTIZER
from scalewright.sim.simulators.cache import kept_text, written_text

__all__ = ["BLOCKS", "Block", "Config", "design_of"]

BLOCKS: dict[str, Block] = {
    block.name: block for block in (VECTOR_MAC, OCTAV, RESCALER, VECTOR_QUANTIZER, ENGINE)
}


def design_of(
    block: str,
    config: Config,
    *,
    name: str | None = None,
    style: PortStyle = PortStyle.PAYLOAD,
    kept: bool = True,
) -> Design:
    """The design of a block; its module is called `name`, or like the block.

    Testbenches send packed words, hence the style of its ports. Its Verilog is kept in the build
    folder, unless `kept` is false.

    Raises:
        ValueError: There is no such block, or the name cannot be that of a module.
    """
    if block not in BLOCKS:
        raise ValueError(f"block must be one of {', '.join(BLOCKS)}, not {block}")
    record = BLOCKS[block]
    return Design.of(
        lambda: record.component(config),
        identity=(block, repr(config)),
        name=record.module if name is None else name,
        style=style,
        keep=kept_text if kept else written_text,
    )
