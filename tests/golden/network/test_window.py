"""The window that slides over images, against loops."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from scalewright.golden.network.window import Window, window_of
from tests.oracles.operators import (
    Array,
    both,
    windows,
)


def _slide_naively(window: Window, x: Array, fill: int) -> Array:
    """One tap at a time, by the positions that `window` says there are."""
    height, width = window.output_size((x.shape[1], x.shape[2]))
    result = np.full((x.shape[0], height, width, *window.kernel, *x.shape[3:]), fill, x.dtype)
    for i, j, u, v in np.ndindex(height, width, *window.kernel):
        row = i * window.strides[0] + u * window.dilations[0] - window.pads[0]
        column = j * window.strides[1] + v * window.dilations[1] - window.pads[1]
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
            result[:, i, j, u, v] = x[:, row, column]
    return result


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.float32])
@pytest.mark.parametrize("trailing", [(), (3,), (2, 4)])
@given(window=windows(pool=True))
def test_a_window_slides_over_any_dtype_and_trailing_axes(
    dtype: npt.DTypeLike, trailing: tuple[int, ...], window: tuple[list[int], dict[str, Any]]
) -> None:
    size, attributes = window
    shape = (2, *size, *trailing)
    x = np.random.default_rng(0).integers(0, 127, shape).astype(dtype)
    slid = window_of(size, **attributes)
    seen = slid.slide(x, fill=7)
    assert seen.dtype == x.dtype
    np.testing.assert_array_equal(seen, _slide_naively(slid, x, 7))
    np.testing.assert_array_equal(slid.slide(x), _slide_naively(slid, x, 0))


def test_a_window_without_padding_is_a_view() -> None:
    x = np.zeros((1, 5, 5, 2), np.int8)
    seen = Window(kernel=(3, 3), strides=(2, 2)).slide(x)
    assert np.shares_memory(seen, x)
    assert not seen.flags.writeable


@pytest.mark.parametrize(
    ("length", "window", "positions"),
    [
        (7, Window(kernel=(1, 2), strides=(1, 2)), 3),
        (7, Window(kernel=(1, 2), strides=(1, 2), ceil_mode=True), 4),
        (7, Window(kernel=(1, 3), strides=(1, 3), pads=(0, 1, 0, 1), ceil_mode=True), 3),
        (6, Window(kernel=(1, 2), strides=(1, 3), pads=(0, 0, 0, 1), ceil_mode=True), 2),
        (5, Window(kernel=(1, 2), strides=(1, 2), pads=(0, 0, 0, 1), dilations=(1, 2)), 2),
        (3, Window(kernel=(1, 3)), 1),
    ],
)
def test_a_window_that_would_start_in_the_padding_is_dropped(
    length: int, window: Window, positions: int
) -> None:
    assert window.output_size((1, length)) == (1, positions)
    x = np.zeros((1, 1, 1, length), np.float32)
    names = ("strides", "pads", "dilations")
    _, runtime = both(
        "MaxPool",
        x,
        kernel_shape=window.kernel,
        ceil_mode=int(window.ceil_mode),
        **{name: getattr(window, name) for name in names},
    )
    assert runtime.shape == (1, 1, 1, positions)


@pytest.mark.parametrize(
    ("auto_pad", "pads"),
    [
        ("NOTSET", (0, 0, 0, 0)),
        ("VALID", (0, 0, 0, 0)),
        ("SAME_UPPER", (0, 1, 1, 1)),
        ("SAME_LOWER", (1, 1, 0, 1)),
    ],
)
def test_auto_pad_puts_an_odd_row_at_the_bottom_or_at_the_top(
    auto_pad: str, pads: tuple[int, int, int, int]
) -> None:
    window = window_of((6, 5), kernel_shape=[3, 3], strides=[2, 2], auto_pad=auto_pad)
    assert window == Window(kernel=(3, 3), strides=(2, 2), pads=pads)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
def test_auto_pad_never_crops(auto_pad: str) -> None:
    window = window_of((4, 9), kernel_shape=[1, 2], strides=[4, 5], auto_pad=auto_pad)
    assert window.pads == (0, 0, 0, 0)
    assert window.output_size((4, 9)) == (1, 2)


@pytest.mark.parametrize("values", [(3,), (3, 3, 3), (0, 1), (1, -1), (1.5, 1)])
@pytest.mark.parametrize("name", ["kernel", "strides", "dilations"])
def test_a_window_rejects_all_but_two_positive_integers(name: str, values: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be 2 integers >= 1, not \(.*\)$") as info:
        Window(**{"kernel": (1, 1), name: values})
    assert str(info.value).endswith(f", not {values}")


@pytest.mark.parametrize("pads", [(0, 0), (0, 0, 0, -1), (0, 0.5, 0, 0), ()])
def test_a_window_rejects_all_but_four_non_negative_pads(pads: Any) -> None:
    with pytest.raises(ValueError, match=r"^pads must be 4 integers >= 0, not \(.*\)$"):
        Window(kernel=(1, 1), pads=pads)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("kernel", [(5, 1), (1, 6)])
def test_a_window_rejects_an_input_that_it_does_not_fit(
    kernel: tuple[int, int], ceil_mode: bool
) -> None:
    window = Window(kernel=kernel, pads=(1, 1, 0, 1), ceil_mode=ceil_mode)
    message = r"^Window\(.*\) must fit its padded input, not \(3, 3\)$"
    with pytest.raises(ValueError, match=message):
        window.output_size((3, 3))
    with pytest.raises(ValueError, match=message):
        window.slide(np.zeros((1, 3, 3)))


def test_a_window_rejects_an_input_without_spatial_axes() -> None:
    with pytest.raises(ValueError, match=r"^x must be \(N, H, W, \.\.\.\), not \(3, 3\)$"):
        Window(kernel=(1, 1)).slide(np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"auto_pad": "SAME"}, "auto_pad must be NOTSET, VALID or SAME_*, not 'SAME'"),
        (
            {"auto_pad": "VALID", "pads": [0, 0, 0, 1]},
            "pads must be 0 with auto_pad VALID, not (0, 0, 0, 1)",
        ),
        (
            {"auto_pad": "SAME_LOWER", "dilations": [1, 2]},
            "dilations must be 1 with auto_pad SAME_LOWER, not (1, 2)",
        ),
    ],
)
def test_auto_pad_rejects_what_contradicts_it(attributes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r"^(auto_pad|pads|dilations) must be .*$") as info:
        window_of((4, 4), kernel_shape=(2, 2), **attributes)
    assert str(info.value) == message
