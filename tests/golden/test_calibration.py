from typing import Any

import numpy as np
import pytest

from scalewright.golden.calibration import (
    Calibrator,
    Clip,
    Granularity,
    clipping_threshold,
    split_groups,
)
from scalewright.golden.clipping import octav_threshold
from scalewright.golden.config import OperandFormat
from scalewright.golden.quantize import quantize

_FMT = OperandFormat(element_bits=4)


@pytest.mark.parametrize("text", ["max", "octav", "mse", "percentile:99.9", "percentile:100"])
def test_method_survives_a_round_trip(text: str) -> None:
    assert str(Clip.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "Max", "percentile", "percentile:", "percentile:x", "octav:4"]
)
def test_rejects_other_methods(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"^clipping method must be max, percentile:P, octav or mse, not "
    ):
        Clip.parse(text)


@pytest.mark.parametrize(("method", "percent"), [("percentile", None), ("max", 99.0)])
def test_percent_belongs_to_percentile(method: str, percent: float | None) -> None:
    with pytest.raises(ValueError, match=r"^percent is for percentile, not "):
        Clip(method, percent)


@pytest.mark.parametrize("text", ["percentile:0", "percentile:101"])
def test_rejects_percentiles_out_of_range(text: str) -> None:
    with pytest.raises(ValueError, match=r"^percentile must be above 0 and at most 100, not "):
        Clip.parse(text)


@pytest.mark.parametrize("text", ["max", "percentile:90", "octav", "mse"])
@pytest.mark.parametrize(
    ("granularity", "shape"),
    [
        (Granularity.TENSOR, ()),
        (Granularity.CHANNEL, (6, 1, 1)),
        (Granularity.VECTOR, (6, 3, 2)),
    ],
)
def test_thresholds_fit_the_quantizer(
    text: str, granularity: Granularity, shape: tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).standard_normal((6, 3, 20)).astype(np.float32)
    clip = Clip.parse(text)
    threshold = clipping_threshold(x, _FMT, clip, granularity=granularity, vector_size=16)
    assert threshold.shape == shape
    assert threshold.dtype == np.float32
    quantize(x, _FMT, vector_size=16, coarse_axis=0, threshold=threshold)
    # Each is the threshold of its own samples.
    groups = split_groups(x, granularity, 16)
    np.testing.assert_array_equal(threshold.ravel(), clip.choose(groups, _FMT).astype(np.float32))


def test_groups_are_the_tensor_its_rows_or_its_vectors() -> None:
    x = np.arange(10, dtype=np.float32).reshape(2, 5)
    assert split_groups(x, Granularity.TENSOR, 4).tolist() == [list(range(10))]
    assert split_groups(x, Granularity.CHANNEL, 4).tolist() == x.tolist()
    assert split_groups(x, Granularity.VECTOR, 4).tolist() == [
        [0, 1, 2, 3],
        [4, 0, 0, 0],
        [5, 6, 7, 8],
        [9, 0, 0, 0],
    ]


def test_octav_lowers_the_noise_of_coarse_scales() -> None:
    x = np.random.default_rng(0).standard_normal((32, 512)).astype(np.float32)
    noise = {}
    for text in ("max", "octav", "mse"):
        threshold = clipping_threshold(
            x, _FMT, Clip.parse(text), granularity=Granularity.CHANNEL, vector_size=16
        )
        real = quantize(x, _FMT, vector_size=16, coarse_axis=0, threshold=threshold).dequantize()
        noise[text] = float(np.sum((x - real) ** 2))
    assert noise["mse"] < noise["octav"] < 0.7 * noise["max"]


def test_calibrator_averages_batches() -> None:
    rng = np.random.default_rng(0)
    batches = [rng.standard_normal((4, 64)).astype(np.float32) * scale for scale in (1, 2, 5)]
    calibrator = Calibrator(_FMT, Clip.parse("octav"))
    for batch in batches:
        calibrator.collect(batch)
    each = [octav_threshold(batch.reshape(1, -1), _FMT).thresholds[0] for batch in batches]
    want = np.mean(np.array(each, np.float32), dtype=np.float64)
    assert calibrator.compute_amax() == np.float32(want)


def test_calibrator_needs_a_batch_and_batches_of_one_shape() -> None:
    calibrator = Calibrator(_FMT, Clip.parse("max"), granularity=Granularity.CHANNEL)
    with pytest.raises(ValueError, match=r"^compute_amax needs at least one batch"):
        calibrator.compute_amax()
    calibrator.collect(np.ones((3, 8)))
    with pytest.raises(ValueError, match=r"one shape, \(3, 1\), not \(4, 1\)$"):
        calibrator.collect(np.ones((4, 8)))


@pytest.mark.parametrize("granularity", Granularity)
def test_rejects_what_the_quantizer_rejects(granularity: Granularity) -> None:
    options: dict[str, Any] = {"granularity": granularity, "vector_size": 16}
    with pytest.raises(ValueError, match=r"^a tensor must be finite in float32, but 1 of 3 "):
        clipping_threshold(np.array([[1, np.nan, 2]]), _FMT, Clip("max"), **options)
    with pytest.raises(TypeError, match=r"^a tensor must have real numbers"):
        clipping_threshold(np.ones((2, 2), complex), _FMT, Clip("max"), **options)
