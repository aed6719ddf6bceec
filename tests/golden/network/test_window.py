"""The window that slides over images, against loops."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scalewright.golden.network.graph import Node
from scalewright.golden.network.window import Window, window_of
from scalewright.sim.models.host import OnnxHost

Array = npt.NDArray[Any]


@st.composite
def windows(draw: st.DrawFn) -> tuple[list[int], dict[str, Any]]:
    """A spatial size, and attributes of a window that fits it."""

    def pair(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)), draw(st.integers(low, high))]

    size, kernel = pair(3, 9), pair(1, 4)
    attributes: dict[str, Any] = {"kernel_shape": kernel}
    auto_pad = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if draw(st.booleans()):
        # A stride beyond the kernel may make SAME's padding negative. Below -1 ONNX Runtime crops
        # the input (not always), which ONNX's shape inference does not.
        largest = [4, 4]
        if auto_pad.startswith("SAME"):
            largest = [taps + 1 for taps in kernel]
        attributes["strides"] = [draw(st.integers(1, limit)) for limit in largest]
    if auto_pad in ("NOTSET", "VALID") and draw(st.booleans()):
        attributes["dilations"] = pair(1, 3)
    if auto_pad != "NOTSET":
        attributes["auto_pad"] = auto_pad
    elif draw(st.booleans()):
        largest = [taps + 1 for taps in kernel]
        attributes["pads"] = [draw(st.integers(0, limit)) for limit in largest * 2]
    dilations, pads = attributes.get("dilations", (1, 1)), attributes.get("pads", [0] * 4)
    for axis in range(2):
        extent = (kernel[axis] - 1) * dilations[axis] + 1
        assume(auto_pad.startswith("SAME") or extent <= size[axis] + pads[axis] + pads[axis + 2])
    return size, attributes


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
@given(window=windows())
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


@given(window=windows(), axes=st.integers(1, 2))
def test_convolutions_are_those_of_onnx_runtime(
    window: tuple[list[int], dict[str, Any]], axes: int
) -> None:
    size, attributes = window[0][:axes], dict(window[1])
    for name in ("kernel_shape", "strides", "dilations"):
        if name in attributes:
            attributes[name] = attributes[name][:axes]
    if axes == 1 and "pads" in attributes:
        attributes["pads"] = attributes["pads"][::2]
    random = np.random.default_rng(1)
    x = random.integers(-9, 9, (2, 3, *size)).astype(np.float32)
    w = random.integers(-9, 9, (4, 3, *attributes["kernel_shape"])).astype(np.float32)
    node = Node(name="y", kind="Conv", inputs=("x", "w"), outputs=("y",), attributes=attributes)
    expected = OnnxHost().compile([node], {"w": w}, ["x"], ["y"])({"x": x})["y"]
    images = np.moveaxis(x, 1, -1)
    seen = window_of(size, **attributes).slide(images if axes == 2 else images[:, None])
    kernels = np.moveaxis(w if axes == 2 else w[:, :, None], 1, -1)
    sums = np.moveaxis(np.tensordot(seen, kernels, axes=((3, 4, 5), (1, 2, 3))), -1, 1)
    np.testing.assert_array_equal(sums if axes == 2 else sums[:, :, 0], expected)


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


@pytest.mark.parametrize("kernel", [(5, 1), (1, 6)])
def test_a_window_rejects_an_input_that_it_does_not_fit(kernel: tuple[int, int]) -> None:
    window = Window(kernel=kernel, pads=(1, 1, 0, 1))
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
