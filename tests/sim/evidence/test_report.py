"""The evidence on training: its statistics, its data, and all experiments in a small form."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracles.training import torch

pytest.importorskip("sklearn", reason="scikit-learn has the digits")

from scalewright.sim.evidence import data, networks, page
from scalewright.sim.evidence import report as evidence
from scalewright.sim.evidence.experiment import (
    FAILS,
    HOLDS,
    OPEN,
    Experiment,
    Measured,
    Row,
    compare,
    interval,
    steps,
    verdict,
)
from scalewright.sim.evidence.fitting import fit, score
from scalewright.sim.evidence.tempered_noise import largest_eigenvalue


def test_interval_is_that_of_students_t() -> None:
    mean, low, high = interval(np.array([1.0, 2.0, 3.0, 6.0]))
    # Standard error sqrt(14 / 3) / 2, and t of 3 degrees of freedom is 3.182446.
    half = 3.182446305284263 * math.sqrt(14 / 3) / 2
    assert mean == 3
    assert math.isclose(low, 3 - half, rel_tol=1e-9)
    assert math.isclose(high, 3 + half, rel_tol=1e-9)


def test_one_seed_resolves_nothing() -> None:
    mean, low, high = interval(np.array([1.0]))
    assert mean == 1
    assert verdict(low, high) == OPEN


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.1, 1, HOLDS), (-1, -0.1, FAILS), (-1, 1, OPEN), (0, 1, OPEN)]
)
def test_claim_holds_where_the_interval_leaves_out_0(
    low: float, high: float, expected: str
) -> None:
    assert verdict(low, high) == expected


@pytest.mark.parametrize(("lower_is_better", "expected"), [(True, HOLDS), (False, FAILS)])
def test_comparison_is_paired_by_seed(lower_is_better: bool, expected: str) -> None:
    # Far apart from seed to seed, yet one better than the other by the same in each.
    results: list[Measured] = [
        {"one": {"nll": seed}, "other": {"nll": seed + gain}}
        for seed, gain in ((1, 0.1), (10, 0.11), (100, 0.105))
    ]
    row = compare(results, "c", "s", better="one", worse="other", lower_is_better=lower_is_better)
    assert row.interval is not None
    assert math.isclose(abs(row.interval[0]), 0.105, rel_tol=1e-9)
    assert row.verdict == expected


def test_steps_are_two_at_least() -> None:
    assert steps(300, 1) == 300
    assert steps(300, 0.5) == 150
    assert steps(300, 1e-6) == 2


def test_test_half_is_not_trained_on() -> None:
    digits = data.digits()
    assert len(digits.images) + len(digits.test_images) // 4 == 1797
    assert (digits.images >= 0).all()
    assert (digits.test_images >= 0).all()
    first, second = next(digits.batches(1)), next(digits.batches(1))
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[0], next(digits.batches(2))[0])


def test_text_is_followed_by_its_next_character() -> None:
    text = data.text()
    x, y = next(text.batches(0, 16, 4))
    assert x.shape == y.shape == (4, 16)
    assert torch.equal(x[:, 1:], y[:, :-1])
    x, y = text.test_pieces(16, 5)
    assert torch.equal(x.flatten()[1:], y.flatten()[:-1])
    assert int(text.training.max()) < len(text.characters)


def test_training_lowers_the_loss() -> None:
    torch.manual_seed(0)
    digits = data.digits()
    model = networks.residual_cnn(16, 1)
    before = score(model, digits.test_images, digits.test_labels)
    fit(model, digits.batches(0), 250, 3e-3)
    after = score(model, digits.test_images, digits.test_labels)
    assert after["nll"] < 0.8 * before["nll"]
    assert after["accuracy"] > before["accuracy"] + 10
    assert not model.training


def test_eigenvalue_is_that_of_the_hessian() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    x, y = torch.randn(20, 3), torch.randint(2, (20,))

    def loss(flat: Any) -> Any:
        weight, bias = flat[:6].reshape(2, 3), flat[6:]
        return torch.nn.functional.cross_entropy(x @ weight.T + bias, y)

    start = torch.cat([model.weight.detach().flatten(), model.bias.detach()])
    hessian = torch.autograd.functional.hessian(loss, start)
    largest = float(torch.linalg.eigvalsh(hessian)[-1])
    assert math.isclose(largest_eigenvalue(model, x, y, 200), largest, rel_tol=1e-3)


@pytest.mark.parametrize("experiment", evidence.EXPERIMENTS, ids=lambda item: item.name)
def test_experiment_runs_and_its_rows_are_complete(experiment: Experiment) -> None:
    results = [experiment.run(0, 0.002)]
    rows = experiment.rows(results + results)
    assert rows
    for row in rows:
        assert row.verdict in (HOLDS, FAILS, OPEN)
        assert all((row.claim, row.source, row.metric, row.result))
    lines = page._arms({experiment.name: results})
    assert len(lines) == len(results[0])


def test_results_are_reproducible_and_kept(tmp_path: Path) -> None:
    name = "noise_tempering"
    first = evidence.run_job(name, 0, 0.001, tmp_path / "other")
    assert evidence.run_job(name, 0, 0.001, tmp_path) == first
    (file,) = tmp_path.glob("*.json")
    stored = json.loads(file.read_text())
    assert stored == first
    stored["3: plain"]["nll"] = -1.0
    file.write_text(json.dumps(stored))
    assert evidence.run_job(name, 0, 0.001, tmp_path)["3: plain"]["nll"] == -1


def test_page_has_every_row_and_says_what_share_of_the_steps(tmp_path: Path) -> None:
    rows = [
        Row("a | b", "s", "NLL, n", "1 against 2", HOLDS, (1.0, 0.5, 1.5)),
        Row("c", "s", "m", "r", OPEN),
    ]
    measured: list[Measured] = [{"plain": {"nll": 1.0, "accuracy": 50.0, "other": 3.0}}]
    facts = {"python": "3", "torch": "2", "seeds": 1, "share": 0.5}
    page.write(tmp_path / "page.md", rows, {"e": measured}, facts)
    text = (tmp_path / "page.md").read_text()
    assert "| c | s | m | r | not resolvable here |" in text
    assert "| e | plain | 1.0000 | 50.00 | other 3 |" in text
    assert "share of 0.5 of the steps" in text
    assert "Of 1 comparisons" in text
    assert (tmp_path / "page.svg").read_text().startswith("<?xml")


def test_command_writes_page_and_json(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    arguments = ["--seeds", "2", "--share", "0.001", "--only", "oscillations"]
    files = ["--page", str(tmp_path / "page.md"), "--json", str(out)]
    command = [sys.executable, "-m", "scalewright.sim.evidence.report", *arguments, *files]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    written = json.loads(out.read_text())
    assert written["seeds"] == 2
    assert len(written["measured"]["oscillations"]) == 2
    assert {row["verdict"] for row in written["rows"]} <= {HOLDS, FAILS, OPEN}
    assert (tmp_path / "page.md").exists()
