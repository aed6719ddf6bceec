import re
import time
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.blocks import design_of
from scalewright.sim.simulators.build import BuildError, build
from tests.tools.command_line import lend_libraries

_CONFIG = DatapathConfig.parse("2/3U/-/-", vector_size=4)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lend_libraries(tmp_path, waves=True)
    monkeypatch.setenv("SCALEWRIGHT_BUILD", str(tmp_path))
    return tmp_path / "sim"


def test_builds_once_for_each_content(cache: Path) -> None:
    design = design_of("vector-mac", _CONFIG)
    first = build(design)
    program = first.folder / design.module
    stamp = program.stat().st_mtime_ns
    started = time.perf_counter()
    assert build(design) == first
    assert time.perf_counter() - started < 1
    assert program.stat().st_mtime_ns == stamp
    changed = design.with_verilog(design.verilog + "// changed\n")
    assert build(changed).folder != first.folder
    assert build(design, waves=True).folder != first.folder
    # Nothing but the builds and the compiled run-time libraries stays behind.
    assert {path.name.partition("-")[0] for path in cache.iterdir()} == {"vector_mac", "runtime"}


def test_a_build_that_fails_leaves_no_program(cache: Path) -> None:
    design = design_of("vector-mac", _CONFIG)
    broken = design.with_verilog(design.verilog.replace("endmodule", ""))
    with pytest.raises(BuildError, match=r"^vector_mac does not build, see \S+failed.log: %Error"):
        build(broken)
    assert not list(cache.glob("vector_mac-*/vector_mac"))


def test_a_lint_warning_fails_the_build(cache: Path) -> None:
    design = design_of("vector-mac", _CONFIG)
    latch = r"\1  reg latch; always @* if (rst) latch = clk;\n\2"
    module = r"(module vector_mac\b.*?)(endmodule)"
    text, count = re.subn(module, latch, design.verilog, flags=re.DOTALL)
    assert count == 1
    warned = design.with_verilog(text)
    with pytest.raises(BuildError, match=r"%Warning-(LATCH|UNUSEDSIGNAL)"):
        build(warned)
