"""Soaks: the same for the same seed, resumed where they were, and ended by a failure."""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.sim.bench.design import Design
from scalewright.sim.blocks import BLOCKS, design_of
from scalewright.sim.regression.regress import Regression, regress
from scalewright.sim.soak import task as soak_task
from scalewright.sim.soak.log import LogError, SoakLog
from scalewright.sim.soak.task import SOAKED, Done, play, tasks
from tests.benches.small import small_engine
from tests.tools.command_line import run, use_build_folder

_MAC = DatapathConfig.parse("2/3U/-/-", vector_size=4)
_DONE = Done(0, "vector-mac", "2_3U_x_x_v4_c24", 1, 1, 1, 4, 1, 1, 0, 0.5, None)
_COMMAND = ("soak", "2/3U/-/-", "--vector-size", "4", "--block", "vector-mac", "--share", "60000")


def test_tasks_are_the_same_for_the_same_seed() -> None:
    choices = dict.fromkeys(SOAKED, ())
    first, again = (list(islice(tasks(5, choices, 100), 12)) for _ in range(2))
    assert first == again
    assert first[7:] == list(islice(tasks(5, choices, 100), 7, 12))
    assert [task.block for task in first[:4]] == ["vector-mac", "engine"] * 2
    others = list(islice(tasks(6, choices, 100), 12))
    assert len({task.config for task in first + others}) > 20


@pytest.mark.parametrize(
    ("block", "config", "lanes"),
    [
        ("vector-mac", _MAC, 1),
        ("engine", small_engine("3/4U/4/4"), 2),
        ("vector-mac", DatapathConfig.parse("2/3X/-/-", vector_size=4), 1),
        ("engine", small_engine("3/4X/4/4"), 2),
    ],
)
def test_equals_golden_and_counts(block: str, config: object, lanes: int) -> None:
    (task,) = islice(tasks(1, {block: [config]}, 40_000), 1)  # type: ignore[list-item]
    done = play(task)
    assert done.failure is None
    assert done.mismatches == 0
    assert done.pairs >= 40_000
    assert done.pairs % lanes == 0
    assert done.products == 4 * done.pairs
    assert done.results > 1000
    assert replace(play(task), seconds=0) == replace(done, seconds=0)


@pytest.mark.parametrize("block", SOAKED)
def test_phases_have_stalls_and_resets(block: str) -> None:
    config = _MAC if block == "vector-mac" else small_engine("3/4U/4/4")
    design = design_of(block, config)
    phases = [BLOCKS[block].soak_case(design, config, 3, number).phase for number in range(40)]
    assert any(phase.offers for phase in phases)
    assert any(phase.accepts for phase in phases)
    assert any(phase.reset_after is not None for phase in phases)
    assert any(not (phase.offers or phase.accepts) for phase in phases)


def test_a_failure_can_be_replayed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    good = design_of("vector-mac", _MAC)
    # One element is wrong beside certain others: one vector pair in a thousand.
    rare = "(i_payload[18] ^ (i_payload[17:8] == 10'd731))"
    bad = good.verilog.replace("{i_payload[18]", f"{{{rare}", 1)
    assert bad != good.verilog

    def broken(block: str, config: object) -> Design:
        del block, config
        return good.with_verilog(bad)

    monkeypatch.setattr(soak_task, "design_of", broken)
    (task,) = islice(tasks(1, {"vector-mac": [_MAC]}, 200_000), 1)
    done = play(task)
    assert done.failure is not None
    assert done.mismatches > 0
    phase = f"soak-{done.phases - 1}"
    assert f"--seed {task.seed} --phase {phase} --waves" in done.failure
    # The same with cocotb, and its waves.
    (tmp_path / "bad.v").write_text(bad)
    verdict = regress(
        Regression("vector-mac", _MAC, 1, task.seed, phase, waves=True, verilog=tmp_path / "bad.v")
    )
    assert verdict.failure is not None
    assert verdict.failure.splitlines()[:3] == done.failure.splitlines()[:3]
    assert verdict.waves is not None


def test_goes_on_where_it_was(tmp_path: Path) -> None:
    use_build_folder(tmp_path)
    whole = run(*_COMMAND, "--vectors", "180000", "--log", "whole.jsonl", cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    for vectors in ("60000", "180000"):
        done = run(*_COMMAND, "--vectors", vectors, "--log", "parts.jsonl", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        with (tmp_path / "parts.jsonl").open("a") as file:
            file.write('{"number": 1, "blo')  # killed while it wrote
    assert "vector-mac" in done.stdout
    logs = [
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()[:4]]
        for name in ("whole.jsonl", "parts.jsonl")
    ]
    for log in logs:
        for line in log[1:]:
            line["seconds"] = 0
    assert logs[0] == logs[1]
    assert [line["number"] for line in logs[0][1:]] == [0, 1, 2]
    assert sum(line["pairs"] for line in logs[0][1:]) >= 180_000


def test_another_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "soak.jsonl"
    with SoakLog(path, {"seed": 1}):
        pass
    with pytest.raises(LogError, match=r"is the log of a soak with seed 1, not 2: choose another"):
        SoakLog(path, {"seed": 2})
    for text in ("no log\n", "no log", '{"soak": {"seed": 2}}\n{"number": 1}\n', "[1]\n"):
        path.write_text(text)
        with pytest.raises(LogError, match=r"is no log of a soak: choose another --log$"):
            SoakLog(path, {"seed": 2})
        assert path.read_text() == text


def test_the_log_may_be_a_link_or_a_device(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    done = replace(_DONE, number=0)
    for _ in range(2):
        with SoakLog(tmp_path / "link", {"seed": 1}) as log:
            log.add(done)
    assert (tmp_path / "link").is_symlink()
    assert len((tmp_path / "target").read_text().splitlines()) == 3
    with SoakLog(Path("/dev/null"), {"seed": 1}) as log:
        log.add(done)
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        SoakLog(Path("/dev/full"), {"seed": 1})


def test_other_files_are_not_touched(tmp_path: Path) -> None:
    use_build_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("mine\n")
    done = run(*_COMMAND, "--vectors", "1", "--log", "notes.txt", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "scalewright: notes.txt is no log of a soak: choose another --log\n"
    done = run(*_COMMAND, "--log", "a.jsonl", "--json", "./a.jsonl", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "notes.txt").read_text()) == (2, "mine\n")
    assert "another output goes to a.jsonl already" in done.stderr


def test_random_pairs_are_legal() -> None:
    for config in (_MAC, DatapathConfig.parse("8/8U/10/10"), DatapathConfig.parse("5/6/-/3")):
        case = BLOCKS["vector-mac"].soak_case(design_of("vector-mac", config), config, 9, 0)
        fields = design_of("vector-mac", config).codec("i").unpack(case.phase.inputs["i"])
        weights, activations = fields["weights"], fields["activations"]
        assert weights.min() == config.weights.element_min
        assert weights.max() == config.weights.qmax
        assert activations.min() == config.activations.element_min
        assert activations.max() == config.activations.qmax
