import tracemalloc
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pytest

from scalewright.golden.config import OperandFormat
from scalewright.sim.reports.clipping import Keep, compare_methods
from scalewright.sim.reports.clipping_picture import draw

_FMT = OperandFormat(element_bits=4)


def _peak(x: npt.NDArray[np.float32], keep: Keep) -> int:
    tracemalloc.start()
    compare_methods(x, _FMT, keep=keep)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_needs_little_more_than_one_copy_of_a_large_group() -> None:
    x = np.random.default_rng(0).standard_normal((1, 1 << 22)).astype(np.float32)
    assert _peak(x, Keep.EVERYTHING) < 1.5 * x.nbytes


@pytest.mark.parametrize(("keep", "copies"), [(Keep.FIRST, 0.1), (Keep.THRESHOLDS, 2.0)])
def test_needs_little_of_many_short_vectors(
    keep: Keep, copies: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scalewright.sim.reports.clipping._SAMPLES", 1 << 15)
    x = np.random.default_rng(0).standard_normal((1 << 17, 4)).astype(np.float32)
    few, many = _peak(x[: 1 << 14], keep), _peak(x, keep)
    assert many - few < copies * x.nbytes


def test_tells_its_progress_in_blocks_of_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((100, 16)).astype(np.float32)
    whole = compare_methods(x, _FMT)
    monkeypatch.setattr("scalewright.sim.reports.clipping._SAMPLES", 32 * 16)
    done: list[int] = []
    parts = compare_methods(x, _FMT, progress=done.append)
    assert len(done) == 4 * len(parts)
    assert sum(done) == len(parts) * x.size
    for keep in (Keep.FIRST, Keep.THRESHOLDS):
        for one, other in zip(compare_methods(x, _FMT, keep=keep), whole, strict=True):
            assert len(one.mse) == 32
            assert one.mean_mse == pytest.approx(other.mean_mse, rel=1e-12)
            kept = 32 if keep is Keep.FIRST else 100
            np.testing.assert_array_equal(
                one.thresholds, other.thresholds[:kept].astype(one.thresholds.dtype)
            )
            assert (one.lowest, one.highest) == (other.thresholds.min(), other.thresholds.max())
            if one.recursion is not None and other.recursion is not None:
                assert one.recursion.end_counts == other.recursion.end_counts
                assert one.recursion.mean_iterations == pytest.approx(
                    other.recursion.iterations.mean()
                )
    for one, other in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(one.thresholds, other.thresholds)
        np.testing.assert_array_equal(one.mse, other.mse)
        assert (one.recursion is None) == (other.recursion is None)


@pytest.mark.parametrize("signed", [True, False])
def test_picture_says_what_it_draws(signed: bool, tmp_path: Path) -> None:
    fmt = OperandFormat(element_bits=4, signed=signed)
    x = np.random.default_rng(0).standard_normal((3, 400)).astype(np.float32)
    path = tmp_path / "x.svg"
    with mpl.rc_context({"svg.fonttype": "none"}):
        draw(path, "svg", x, fmt, compare_methods(x, fmt), group=1, title="channel 1 of 3")
    text = path.read_text()
    assert f"channel 1 of 3: 400 samples at 4 bits, {'signed' if signed else 'unsigned'}" in text
    assert f"{15 if signed else 16} representable values" in text
    assert "units of the tensor" in text
    assert "squared units" in text


@pytest.mark.parametrize("value", [0.0, 3.0, 3.4e38, 1e-45])
def test_draws_groups_of_one_value(value: float, tmp_path: Path) -> None:
    x = np.full((1, 16), value, np.float32)
    path = tmp_path / "x.png"
    draw(path, "png", x, _FMT, compare_methods(x, _FMT), group=0, title="one value")
    assert path.stat().st_size > 0
