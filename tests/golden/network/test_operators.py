"""The float operators against ONNX Runtime, one node at a time."""

import itertools
from typing import Any

import hypothesis.extra.numpy as hnp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.golden.network.operators import OPERATORS
from tests.oracles.operators import (
    DIMENSIONS,
    FLOATS,
    SEEDS,
    Array,
    assert_exact,
    assert_sums,
    both,
    uniform,
    windows,
)


@given(window=windows(pool=False), n=DIMENSIONS, c=DIMENSIONS, m=DIMENSIONS, bias=st.booleans())
def test_conv_agrees_with_onnx_runtime(
    window: tuple[list[int], dict[str, Any]], n: int, c: int, m: int, bias: bool
) -> None:
    (h, w), attributes = window
    kh, kw = attributes["kernel_shape"]
    inputs = [uniform(0, n, c, h, w), uniform(1, m, c, kh, kw)]
    if bias:
        inputs.append(uniform(2, m))
        del attributes["kernel_shape"]  # the default is the weights'
    assert_sums(c * kh * kw + bias, "Conv", *inputs, **attributes)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "pad"), [(1, 0), (3, 1), (7, 3)])
def test_conv_of_a_common_network_agrees_with_onnx_runtime(
    kernel: int, pad: int, stride: int
) -> None:
    x, w, b = uniform(0, 2, 3, 32, 32), uniform(1, 16, 3, kernel, kernel), uniform(2, 16)
    terms = 3 * kernel * kernel + 1
    assert_sums(terms, "Conv", x, w, b, pads=[pad] * 4, strides=[stride] * 2, group=1)


@given(window=windows(pool=True), n=DIMENSIONS, c=DIMENSIONS, seed=SEEDS)
def test_max_pool_agrees_with_onnx_runtime(
    window: tuple[list[int], dict[str, Any]], n: int, c: int, seed: int
) -> None:
    size, attributes = window
    x = uniform(seed, n, c, *size)
    x -= 1  # all negative: padding with zeros would win
    assert_exact("MaxPool", x, **attributes)


@given(
    window=windows(pool=True),
    n=DIMENSIONS,
    c=DIMENSIONS,
    seed=SEEDS,
    include=st.sampled_from([None, 0, 1]),
)
def test_average_pool_agrees_with_onnx_runtime(
    window: tuple[list[int], dict[str, Any]], n: int, c: int, seed: int, include: int | None
) -> None:
    size, attributes = window
    if include is not None:
        attributes["count_include_pad"] = include
    taps = int(np.prod(attributes["kernel_shape"]))
    assert_sums(taps, "AveragePool", uniform(seed, n, c, *size), **attributes)


@pytest.mark.parametrize(
    ("include_pad", "expected"), [(0, [1.5, 4.0, 7.0, 9.0]), (1, [1.0, 4.0, 7.0, 4.5])]
)
def test_an_average_counts_padding_on_request_and_never_what_lies_beyond(
    include_pad: int, expected: list[float]
) -> None:
    x = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 1, 9)
    golden, runtime = both(
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
    golden, runtime = both(
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


@given(n=DIMENSIONS, c=DIMENSIONS, h=st.integers(1, 9), w=st.integers(1, 9), seed=SEEDS)
def test_global_average_pool_agrees_with_onnx_runtime(
    n: int, c: int, h: int, w: int, seed: int
) -> None:
    assert_sums(h * w, "GlobalAveragePool", uniform(seed, n, c, h, w))


@given(
    sizes=st.tuples(DIMENSIONS, st.integers(1, 16), DIMENSIONS),
    seed=SEEDS,
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
    a = uniform(seed, *((k, m) if attributes.get("transA") else (m, k)))
    b = uniform(seed + 1, *((n, k) if attributes.get("transB") else (k, n)))
    inputs = [a, b]
    if bias is not None:
        named = {"m": m, "n": n}
        shape = [named[size] if isinstance(size, str) else size for size in bias]
        inputs.append(np.asarray(uniform(seed + 2, *shape), np.float32))
    assert_sums(k + 1, "Gemm", *inputs, **attributes)


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
    assert_sums(a[-1], "MatMul", uniform(0, *a), uniform(1, *b))


@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4), data=st.data())
def test_add_agrees_with_onnx_runtime(shapes: hnp.BroadcastableShapes, data: st.DataObject) -> None:
    a, b = (data.draw(hnp.arrays(np.float32, shape, elements=FLOATS)) for shape in shapes[0])
    assert_exact("Add", a, b)


@given(x=hnp.arrays(np.float32, hnp.array_shapes(max_dims=4), elements=st.floats(width=32)))
def test_relu_agrees_with_onnx_runtime(x: npt.NDArray[np.float32]) -> None:
    assert_exact("Relu", x)


@pytest.mark.parametrize("axis", [None, *range(-4, 5)])
def test_flatten_agrees_with_onnx_runtime(axis: int | None) -> None:
    attributes = {} if axis is None else {"axis": axis}
    assert_exact("Flatten", uniform(0, 2, 3, 4, 5), **attributes)


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
    assert_exact("Reshape", uniform(0, *x), np.array(shape, np.int64), **attributes)


@pytest.mark.parametrize("perm", [None, *itertools.permutations(range(3)), (0, 2, 3, 1)])
def test_transpose_agrees_with_onnx_runtime(perm: tuple[int, ...] | None) -> None:
    shape = (2, 3, 4, 5)[: len(perm or "abc")]
    assert_exact("Transpose", uniform(0, *shape), **({} if perm is None else {"perm": perm}))


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
        golden, runtime = both(operator, *arrays)
        np.testing.assert_array_equal(golden, runtime)
        assert np.isinf(golden).all()
    assert np.isinf(OPERATORS["AveragePool"](huge, kernel_shape=(2, 2))).all()


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
    x = uniform(0, 1, 2, 5, 5)
    with pytest.raises(ValueError, match=message):
        OPERATORS["Conv"](x, uniform(1, *w), uniform(2, *b), **attributes)


@pytest.mark.parametrize("operator", ["MaxPool", "AveragePool"])
def test_a_pool_rejects_a_window_of_padding(operator: str) -> None:
    x = np.ones((1, 1, 1, 1), np.float32)
    with pytest.raises(
        ValueError, match=r"^every window must hold more than .* unlike Window\(.*$"
    ):
        OPERATORS[operator](x, kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 1, 1, 1])


def test_gemm_rejects_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match=r"^a and b must be matrices, not \(2,\) and \(2, 2\)$"):
        OPERATORS["Gemm"](uniform(0, 2), uniform(1, 2, 2))


@pytest.mark.parametrize("c", [(2, 2), (3,), (1, 1, 2)])
def test_gemm_rejects_a_sum_that_changes_the_shape(c: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^.*(broadcast|more dimensions than allowed).*$"):
        OPERATORS["Gemm"](uniform(0, 1, 3), uniform(1, 3, 2), uniform(2, *c))


@pytest.mark.parametrize("axis", [-4, 4])
def test_flatten_rejects_an_axis_that_is_not_there(axis: int) -> None:
    with pytest.raises(ValueError, match=rf"^axis must be from -3 to 3, not {axis}$"):
        OPERATORS["Flatten"](uniform(0, 2, 3, 4), axis=axis)


def test_reshape_rejects_another_number_of_elements() -> None:
    for shape, allowzero in (((5,), 0), ((2, 3, 0), 0), ((0, 3), 1)):
        with pytest.raises(ValueError, match=r"^cannot reshape array of size 6 into shape .*$"):
            OPERATORS["Reshape"](uniform(0, 2, 3), shape, allowzero=allowzero)


@pytest.mark.parametrize("perm", [(0, 1), (0, 0, 1), (0, 1, 3)])
def test_transpose_rejects_what_is_no_permutation(perm: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^(axes|repeated axis|axis 3) .*$"):
        OPERATORS["Transpose"](uniform(0, 2, 3, 4), perm=perm)


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_unknown_attribute_is_a_type_error(operator: str) -> None:
    x = uniform(0, 1, 1, 2, 2)
    two = operator in ("Add", "Conv", "Gemm", "MatMul", "Reshape")
    attributes = {"kernel_shape": [1, 1]} if operator in ("MaxPool", "AveragePool") else {}
    with pytest.raises(TypeError, match=r"^.*unexpected keyword argument 'storage_order'$"):
        OPERATORS[operator](*[x] * (1 + two), **attributes, storage_order=0)


def test_conv_has_no_ceil_mode_and_a_pool_needs_its_kernel_shape() -> None:
    x = uniform(0, 1, 1, 2, 2)
    with pytest.raises(TypeError, match=r"^.*multiple values for keyword argument 'ceil_mode'$"):
        OPERATORS["Conv"](x, x, ceil_mode=1)
    with pytest.raises(TypeError, match=r"^.*missing 1 required .* 'kernel_shape'$"):
        OPERATORS["MaxPool"](x)
