"""The float operators against ONNX Runtime, one node at a time, and their window against loops."""

import itertools
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from golden.operators import OPERATORS, Window, window_of

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel here")
onnx = pytest.importorskip("onnx", reason="needed to make onnxruntime's model")

Array = npt.NDArray[Any]


def _both(operator: str, *inputs: Array, **attributes: Any) -> tuple[Array, Array]:
    """The same operator, inputs and attributes here and in ONNX Runtime."""
    helper, names = onnx.helper, [f"input{i}" for i in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["output"], **attributes)],
        operator,
        [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape
            )
            for name, value in zip(names, inputs, strict=True)
        ],
        [helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # starting threads would take longer than the operator
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, dict(zip(names, inputs, strict=True)))
    for value in inputs:
        value.flags.writeable = False  # an operator that writes to its input fails
    actual = OPERATORS[operator](*inputs, **attributes)
    assert actual.dtype == expected.dtype == np.float32
    assert actual.shape == expected.shape
    return actual, expected


def _assert_exact(operator: str, *inputs: Array, **attributes: Any) -> None:
    np.testing.assert_array_equal(*_both(operator, *inputs, **attributes))


def _assert_sums(terms: int, operator: str, *inputs: Array, **attributes: Any) -> None:
    """Sums of `terms` numbers, each at most 1 in magnitude, agree but for their rounding."""
    # Where terms cancel, the error exceeds any fraction of the sum: each of two orders rounds
    # `terms` partial sums, none above `terms`, by at most 2^-24 of it.
    atol = 2 * terms * terms * 2.0**-24
    np.testing.assert_allclose(*_both(operator, *inputs, **attributes), rtol=1e-5, atol=atol)


def _uniform(seed: int, *shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


_SEEDS = st.integers(0, 2**32 - 1)
_DIMENSIONS = st.integers(1, 5)
_FLOATS = st.floats(width=32, allow_nan=False)


@st.composite
def _windows(draw: st.DrawFn, *, pool: bool) -> tuple[list[int], dict[str, Any]]:
    """A spatial size, and attributes of a window that fits it."""

    def pair(low: int, high: int) -> list[int]:
        return [draw(st.integers(low, high)), draw(st.integers(low, high))]

    size, kernel = pair(3, 9), pair(1, 4)
    attributes: dict[str, Any] = {"kernel_shape": kernel}
    auto_pad = draw(st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if draw(st.booleans()):
        # A stride beyond the kernel may make SAME's padding negative. Then ONNX Runtime's MaxPool
        # fails, and below -1 its AveragePool and Conv crop the input (not always), which ONNX's
        # shape inference does not.
        largest = [4, 4]
        if auto_pad.startswith("SAME"):
            largest = [taps if pool else taps + 1 for taps in kernel]
        attributes["strides"] = [draw(st.integers(1, limit)) for limit in largest]
    if auto_pad in ("NOTSET", "VALID") and draw(st.booleans()):
        attributes["dilations"] = pair(1, 3)
    if auto_pad != "NOTSET":
        attributes["auto_pad"] = auto_pad
    elif draw(st.booleans()):
        # ONNX Runtime refuses to pool with pads as large as the kernel.
        largest = [taps - 1 if pool else taps + 1 for taps in kernel]
        attributes["pads"] = [draw(st.integers(0, limit)) for limit in largest * 2]
    if pool and draw(st.booleans()):
        attributes["ceil_mode"] = draw(st.integers(0, 1))
    dilations, pads = attributes.get("dilations", (1, 1)), attributes.get("pads", [0] * 4)
    for axis in range(2):
        extent = (kernel[axis] - 1) * dilations[axis] + 1
        assume(auto_pad.startswith("SAME") or extent <= size[axis] + pads[axis] + pads[axis + 2])
    return size, attributes


@given(window=_windows(pool=False), n=_DIMENSIONS, c=_DIMENSIONS, m=_DIMENSIONS, bias=st.booleans())
def test_conv_agrees_with_onnx_runtime(
    window: tuple[list[int], dict[str, Any]], n: int, c: int, m: int, bias: bool
) -> None:
    (h, w), attributes = window
    kh, kw = attributes["kernel_shape"]
    inputs = [_uniform(0, n, c, h, w), _uniform(1, m, c, kh, kw)]
    if bias:
        inputs.append(_uniform(2, m))
        del attributes["kernel_shape"]  # the default is the weights'
    _assert_sums(c * kh * kw + bias, "Conv", *inputs, **attributes)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "pad"), [(1, 0), (3, 1), (7, 3)])
def test_conv_of_a_common_network_agrees_with_onnx_runtime(
    kernel: int, pad: int, stride: int
) -> None:
    x, w, b = _uniform(0, 2, 3, 32, 32), _uniform(1, 16, 3, kernel, kernel), _uniform(2, 16)
    terms = 3 * kernel * kernel + 1
    _assert_sums(terms, "Conv", x, w, b, pads=[pad] * 4, strides=[stride] * 2, group=1)


@given(window=_windows(pool=True), n=_DIMENSIONS, c=_DIMENSIONS, seed=_SEEDS)
def test_max_pool_agrees_with_onnx_runtime(
    window: tuple[list[int], dict[str, Any]], n: int, c: int, seed: int
) -> None:
    size, attributes = window
    x = _uniform(seed, n, c, *size)
    x -= 1  # all negative: padding with zeros would win
    _assert_exact("MaxPool", x, **attributes)


@given(
    window=_windows(pool=True),
    n=_DIMENSIONS,
    c=_DIMENSIONS,
    seed=_SEEDS,
    include=st.sampled_from([None, 0, 1]),
)
def test_average_pool_agrees_with_onnx_runtime(
    window: tuple[list[int], dict[str, Any]], n: int, c: int, seed: int, include: int | None
) -> None:
    size, attributes = window
    if include is not None:
        attributes["count_include_pad"] = include
    taps = int(np.prod(attributes["kernel_shape"]))
    _assert_sums(taps, "AveragePool", _uniform(seed, n, c, *size), **attributes)


@pytest.mark.parametrize(
    ("include_pad", "expected"), [(0, [1.5, 4.0, 7.0, 9.0]), (1, [1.0, 4.0, 7.0, 4.5])]
)
def test_an_average_counts_padding_on_request_and_never_what_lies_beyond(
    include_pad: int, expected: list[float]
) -> None:
    x = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 1, 9)
    golden, runtime = _both(
        "AveragePool",
        x,
        kernel_shape=[1, 3],
        strides=[1, 3],
        pads=[0, 1, 0, 1],
        ceil_mode=1,
        count_include_pad=include_pad,
    )
    np.testing.assert_array_equal(runtime, golden)
    assert golden.ravel().tolist() == expected


def test_an_average_with_padding_has_no_window_that_starts_in_it() -> None:
    x = np.arange(1, 7, dtype=np.float32).reshape(1, 1, 1, 6)
    golden, runtime = _both(
        "AveragePool",
        x,
        kernel_shape=[1, 2],
        strides=[1, 3],
        pads=[0, 0, 0, 1],
        ceil_mode=1,
        count_include_pad=1,
    )
    np.testing.assert_array_equal(runtime, golden)
    assert golden.ravel().tolist() == [1.5, 4.5]


@given(n=_DIMENSIONS, c=_DIMENSIONS, h=st.integers(1, 9), w=st.integers(1, 9), seed=_SEEDS)
def test_global_average_pool_agrees_with_onnx_runtime(
    n: int, c: int, h: int, w: int, seed: int
) -> None:
    _assert_sums(h * w, "GlobalAveragePool", _uniform(seed, n, c, h, w))


@given(
    sizes=st.tuples(_DIMENSIONS, st.integers(1, 16), _DIMENSIONS),
    seed=_SEEDS,
    attributes=st.fixed_dictionaries(
        {},
        optional={
            "alpha": st.floats(-1, 1, width=32),
            "beta": st.floats(-1, 1, width=32),
            "transA": st.integers(0, 1),
            "transB": st.integers(0, 1),
        },
    ),
    bias=st.sampled_from([None, (), (1,), ("n",), ("m", 1), (1, "n"), ("m", "n")]),
)
def test_gemm_agrees_with_onnx_runtime(
    sizes: tuple[int, int, int],
    seed: int,
    attributes: dict[str, Any],
    bias: tuple[int | str, ...] | None,
) -> None:
    m, k, n = sizes
    a = _uniform(seed, *((k, m) if attributes.get("transA") else (m, k)))
    b = _uniform(seed + 1, *((n, k) if attributes.get("transB") else (k, n)))
    inputs = [a, b]
    if bias is not None:
        named = {"m": m, "n": n}
        shape = [named[size] if isinstance(size, str) else size for size in bias]
        inputs.append(np.asarray(_uniform(seed + 2, *shape), np.float32))
    _assert_sums(k + 1, "Gemm", *inputs, **attributes)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((3, 4), (4, 5)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((4,), (4,)),
        ((2, 3, 4), (4, 5)),
        ((3, 4), (2, 4, 5)),
        ((7, 1, 3, 4), (2, 4, 5)),
        ((1, 64), (64, 100)),
    ],
)
def test_matmul_agrees_with_onnx_runtime(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    _assert_sums(a[-1], "MatMul", _uniform(0, *a), _uniform(1, *b))


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4), data=st.data())
def test_add_agrees_with_onnx_runtime(shapes: hnp.BroadcastableShapes, data: st.DataObject) -> None:
    a, b = (data.draw(hnp.arrays(np.float32, shape, elements=_FLOATS)) for shape in shapes[0])
    _assert_exact("Add", a, b)


@given(x=hnp.arrays(np.float32, hnp.array_shapes(max_dims=4), elements=st.floats(width=32)))
def test_relu_agrees_with_onnx_runtime(x: npt.NDArray[np.float32]) -> None:
    _assert_exact("Relu", x)


@pytest.mark.parametrize("axis", [None, *range(-4, 5)])
def test_flatten_agrees_with_onnx_runtime(axis: int | None) -> None:
    attributes = {} if axis is None else {"axis": axis}
    _assert_exact("Flatten", _uniform(0, 2, 3, 4, 5), **attributes)


@pytest.mark.parametrize(
    ("x", "shape", "attributes"),
    [
        ((2, 3, 4), (4, 6), {}),
        ((2, 3, 4), (-1,), {}),
        ((2, 3, 4), (0, -1), {}),
        ((2, 3, 4), (0, 0, 2, 2), {}),
        ((2, 3, 4), (1, 3, -1, 2), {}),
        ((2, 3, 4), (4, 6), {"allowzero": 1}),
        ((0, 3), (3, 0), {"allowzero": 1}),
        ((0, 3), (0, 1, 3), {"allowzero": 0}),
        ((1,), (), {}),
    ],
)
def test_reshape_agrees_with_onnx_runtime(
    x: tuple[int, ...], shape: tuple[int, ...], attributes: dict[str, int]
) -> None:
    _assert_exact("Reshape", _uniform(0, *x), np.array(shape, np.int64), **attributes)


@pytest.mark.parametrize("perm", [None, *itertools.permutations(range(3)), (0, 2, 3, 1)])
def test_transpose_agrees_with_onnx_runtime(perm: tuple[int, ...] | None) -> None:
    shape = (2, 3, 4, 5)[: len(perm or "abc")]
    _assert_exact("Transpose", _uniform(0, *shape), **({} if perm is None else {"perm": perm}))


def test_overflow_is_infinite_and_silent() -> None:
    huge = np.full((1, 1, 2, 2), np.finfo(np.float32).max, np.float32)
    inputs: dict[str, tuple[Array, ...]] = {
        "Add": (huge, huge.copy()),
        "Conv": (huge, huge.copy()),
        "Gemm": (huge[0, 0], huge[0, 0].copy()),
        "GlobalAveragePool": (huge,),
        "MatMul": (huge, huge.copy()),
    }
    for operator, arrays in inputs.items():
        golden, runtime = _both(operator, *arrays)
        np.testing.assert_array_equal(golden, runtime)
        assert np.isinf(golden).all()
    assert np.isinf(OPERATORS["AveragePool"](huge, kernel_shape=(2, 2))).all()


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
@given(window=_windows(pool=True))
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
    _, runtime = _both(
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


@pytest.mark.parametrize("shape", [(2, 3, 4), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("operator", ["Conv", "MaxPool", "AveragePool", "GlobalAveragePool"])
def test_only_two_spatial_dimensions_are_supported(operator: str, shape: tuple[int, ...]) -> None:
    inputs = [np.zeros(shape, np.float32)] * (2 if operator == "Conv" else 1)
    pool = operator in ("MaxPool", "AveragePool")
    attributes = {"kernel_shape": [1] * (len(shape) - 2)} if pool else {}
    message = r"^x must be \(N, C, H, W\), with two spatial dimensions, not \(.*\)$"
    with pytest.raises(ValueError, match=message):
        OPERATORS[operator](*inputs, **attributes)


@pytest.mark.parametrize(
    ("w", "b", "attributes", "message"),
    [
        ((4, 1, 2, 2), (4,), {"group": 2}, r"^group must be 1, not 2$"),
        ((4, 3, 2, 2), (4,), {}, r"^w must be \(M, 2, kh, kw\), not \(4, 3, 2, 2\)$"),
        ((4, 2, 2), (4,), {}, r"^w must be \(M, 2, kh, kw\), not \(4, 2, 2\)$"),
        ((4, 2, 2, 2), (1,), {}, r"^b must be \(4,\), not \(1,\)$"),
        (
            (4, 2, 2, 2),
            (4,),
            {"kernel_shape": [2, 3]},
            r"^kernel_shape must be w's \(2, 2\), not \(2, 3\)$",
        ),
    ],
)
def test_conv_rejects_weights_that_do_not_match(
    w: tuple[int, ...], b: tuple[int, ...], attributes: dict[str, Any], message: str
) -> None:
    x = _uniform(0, 1, 2, 5, 5)
    with pytest.raises(ValueError, match=message):
        OPERATORS["Conv"](x, _uniform(1, *w), _uniform(2, *b), **attributes)


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_a_pool_rejects_a_window_of_padding(operator: str) -> None:
    x = np.ones((1, 1, 1, 1), np.float32)
    with pytest.raises(
        ValueError, match=r"^every window must hold more than .* unlike Window\(.*$"
    ):
        OPERATORS[operator](x, kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 1, 1, 1])


def test_gemm_rejects_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match=r"^a and b must be matrices, not \(2,\) and \(2, 2\)$"):
        OPERATORS["Gemm"](_uniform(0, 2), _uniform(1, 2, 2))


@pytest.mark.parametrize("c", [(2, 2), (3,), (1, 1, 2)])
def test_gemm_rejects_a_sum_that_changes_the_shape(c: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^.*(broadcast|more dimensions than allowed).*$"):
        OPERATORS["Gemm"](_uniform(0, 1, 3), _uniform(1, 3, 2), _uniform(2, *c))


@pytest.mark.parametrize("axis", [-4, 4])
def test_flatten_rejects_an_axis_that_is_not_there(axis: int) -> None:
    with pytest.raises(ValueError, match=rf"^axis must be from -3 to 3, not {axis}$"):
        OPERATORS["Flatten"](_uniform(0, 2, 3, 4), axis=axis)


def test_reshape_rejects_another_number_of_elements() -> None:
    for shape, allowzero in (((5,), 0), ((2, 3, 0), 0), ((0, 3), 1)):
        with pytest.raises(ValueError, match=r"^cannot reshape array of size 6 into shape .*$"):
            OPERATORS["Reshape"](_uniform(0, 2, 3), shape, allowzero=allowzero)


@pytest.mark.parametrize("perm", [(0, 1), (0, 0, 1), (0, 1, 3)])
def test_transpose_rejects_what_is_no_permutation(perm: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^(axes|repeated axis|axis 3) .*$"):
        OPERATORS["Transpose"](_uniform(0, 2, 3, 4), perm=perm)


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_unknown_attribute_is_a_type_error(operator: str) -> None:
    x = _uniform(0, 1, 1, 2, 2)
    two = operator in ("Add", "Conv", "Gemm", "MatMul", "Reshape")
    attributes = {"kernel_shape": [1, 1]} if operator in ("MaxPool", "AveragePool") else {}
    with pytest.raises(TypeError, match=r"^.*unexpected keyword argument 'storage_order'$"):
        OPERATORS[operator](*[x] * (1 + two), **attributes, storage_order=0)


def test_conv_has_no_ceil_mode_and_a_pool_needs_its_kernel_shape() -> None:
    x = _uniform(0, 1, 1, 2, 2)
    with pytest.raises(TypeError, match=r"^.*multiple values for keyword argument 'ceil_mode'$"):
        OPERATORS["Conv"](x, x, ceil_mode=1)
    with pytest.raises(TypeError, match=r"^.*missing 1 required .* 'kernel_shape'$"):
        OPERATORS["MaxPool"](x)
