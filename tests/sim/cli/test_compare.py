"""`compare` in process: sweeps, weights alone, checkpoints, and errors that say what to do."""

import json
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import save_file

from scalewright.golden.config import DatapathConfig
from scalewright.golden.quantize import quantize
from scalewright.sim.cli.compare import compare
from scalewright.sim.execution.products import signal_to_noise_db

Tensors = dict[str, np.ndarray]


@pytest.fixture
def tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tensors:
    """Tensors in the files of the working folder, their vectors of very different sizes."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    spread = np.repeat(np.exp(rng.standard_normal((8, 6))), 16, axis=1)
    found = {
        "w": (rng.standard_normal((8, 96)) * spread).astype(np.float32),
        "x": np.abs(rng.standard_normal((12, 96))).astype(np.float32),
    }
    for name, tensor in found.items():
        np.save(f"{name}.npy", tensor)
    return found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(compare, arguments, standalone_mode=False, catch_exceptions=True)


def done(*arguments: str) -> Result:
    result = run(*arguments)
    assert result.exception is None, result.exception
    return result


def test_without_rtl_nothing_is_built(tensors: Tensors, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("built")

    monkeypatch.setattr("scalewright.sim.cli.compare.build_player", refuse)
    result = done("w.npy", "x.npy", "--config", "4/4U/4/6", "--json", "out.json")
    assert result.return_value == 0
    summary = json.loads(Path("out.json").read_text())
    assert (summary["rtl"], summary["mismatches"]) == (False, None)
    assert summary["config"]["notation"] == "4/4U/4/6"  # of one alone, on top as ever
    assert summary["comparisons"][0]["signal_to_noise_db"] == summary["signal_to_noise_db"]
    assert "--rtl" in result.stderr.splitlines()[-1]
    assert isinstance(
        run("w.npy", "x.npy", "--config", "4/4U/4/6", "--rtl").exception, AssertionError
    )


def test_sweep_is_one_table_and_one_plot(tensors: Tensors) -> None:
    result = done(
        *("w.npy", "x.npy", "--config", "4/4U/4/6,4/4U/-/-", "--config", "8/8U/-/-"),
        *("--vector-size", "4,16", "--scale-product-bits", "6,10", "--scaling", "nearest,ceil"),
        *("--plot", "snr.svg", "--json", "out.json"),
    )
    rows = json.loads(Path("out.json").read_text())["comparisons"]
    # 2 sizes, 2 products and 2 roundings with scales; each baseline once.
    assert len(rows) == 8 + 1 + 1
    bits = {(row["config"]["notation"], row["config"]["vector_size"]): row for row in rows}
    assert bits["4/4U/4/6", 16]["stored_bits"] == {"weights": 4.25, "activations": 4.375}
    assert bits["4/4U/-/-", 4]["stored_bits_mean"] == 4
    for row in rows:
        assert f"{row['signal_to_noise_db']:.2f}" in result.stdout
    picture = Path("snr.svg").read_text()
    for text in ("4/4U/4/6 V=16 P=10 ceil", "8/8U/-/-", "no per-vector scales", "(dB)", "V = 4"):
        assert text in picture
    assert "SNR of the products (dB)" in result.stdout


def test_weights_alone_are_compared_by_their_own_noise(tensors: Tensors) -> None:
    done("w.npy", "--config", "4/4/4/6", "--json", "out.json")
    (row,) = json.loads(Path("out.json").read_text())["comparisons"]
    fmt = DatapathConfig.parse("4/4/4/6").weights
    real = quantize(tensors["w"], fmt, vector_size=16, coarse_axis=0).dequantize()
    exact = tensors["w"].astype(np.float64)
    assert row["signal_to_noise_db"] == pytest.approx(signal_to_noise_db(exact, real))
    assert row["stored_bits"] == 4.25


def test_checkpoint_goes_layer_by_layer(tensors: Tensors) -> None:
    rng = np.random.default_rng(1)
    kernel = rng.standard_normal((4, 32, 3, 3)).astype(np.float32)
    save_file({"fc": tensors["w"], "conv": kernel, "bias": np.ones(8, np.float32)}, "m.safetensors")
    result = done("m.safetensors", "--all", "--config", "4/4/4/6,8/8/-/-", "--json", "out.json")
    document = json.loads(Path("out.json").read_text())
    assert document["left_out"] == ["bias"]
    assert "bias" in result.stderr
    first, second = document["comparisons"]
    assert set(first["layers"]) == {"fc", "conv"}
    assert first["layers"]["conv"]["shape"] == [4, 32, 3, 3]
    assert first["elements"] == tensors["w"].size + kernel.size
    assert second["signal_to_noise_db"] > first["signal_to_noise_db"]
    # Vectors lie along the input channels.
    fmt = DatapathConfig.parse("4/4/4/6").weights
    last = np.ascontiguousarray(kernel.transpose(0, 2, 3, 1))
    real = quantize(last, fmt, vector_size=16, coarse_axis=0).dequantize()
    want = signal_to_noise_db(last.astype(np.float64), real)
    assert first["layers"]["conv"]["signal_to_noise_db"] == pytest.approx(want)


def test_saturated_sums_suggest_a_wide_accumulator(tensors: Tensors) -> None:
    words = ("w.npy", "x.npy", "--config", "8/8U/-/-", "--accumulator-bits", "16")
    suggested = done(*words).stderr.splitlines()[-1]
    assert suggested.startswith("Next: scalewright compare w.npy x.npy")
    assert "--accumulator-bits exact --vectors-per-sum 6" in suggested


def test_no_error_has_no_place_but_a_name(tensors: Tensors) -> None:
    np.save("zeros.npy", np.zeros((8, 96), np.float32))
    done("zeros.npy", "x.npy", "--config", "4/4U/4/6", "--plot", "out.svg", "--json", "out.json")
    assert "not drawn: 4/4U/4/6" in Path("out.svg").read_text()
    assert json.loads(Path("out.json").read_text())["signal_to_noise_db"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("turned.npy", "x.npy"), r"transpose the weights, to \(8, 96\)"),
        (("w.npy", "turned_x.npy"), r"transpose the activations, to \(12, 96\)"),
        (("turned.npy", "turned_x.npy"), r"transpose both, to \(8, 96\) and \(12, 96\)"),
        (("w.npy", "x.npy", "--all"), r"--all compares weights alone: leave out x\.npy"),
        (("w.npy", "--rtl"), r"--rtl needs ACTIVATIONS"),
        (("w.npy", "--out", "out.npz"), r"--out needs ACTIVATIONS"),
        (("w.npy", "x.npy", "--vector-size", "4,5"), r"power of two .* not 5"),
        (("w.npy", "x.npy", "--vector-size", "4,"), r"'' is not a valid integer"),
        (("w.npy", "x.npy", "--vector-size", "4,8", "--out", "o.npz"), r"one configuration, not 2"),
        (("w.npy", "x.npy", "--plot", "x.txt"), r"must end in \.png, \.svg or \.pdf"),
        (("vector.npy",), r"has no matrix of floats"),
    ],
)
def test_error_says_what_to_do(arguments: tuple[str, ...], message: str, tensors: Tensors) -> None:
    np.save("turned.npy", tensors["w"].T)
    np.save("turned_x.npy", tensors["x"].T)
    np.save("vector.npy", np.ones(4, np.float32))
    error = run(*arguments, "--config", "4/4U/4/6").exception
    assert isinstance(error, ValueError | click.ClickException)
    text = error.format_message() if isinstance(error, click.ClickException) else str(error)
    assert "\n" not in text
    with pytest.raises(ValueError, match=message):
        raise ValueError(text)
