"""Float networks from ONNX files, against ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalewright.golden.network.graph import evaluate
from scalewright.sim.demo.digits.models import CONVOLUTIONAL
from scalewright.sim.demo.digits.network import Digits
from scalewright.sim.models.file import load_model
from scalewright.sim.models.float_model import read_graph
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import Array, Floats, model, uniform

onnx = models.onnx

_CONSTANTS = {
    "g": uniform(1, 5, low=0.5),  # of batch normalization: gain, offset, mean and variance
    "o": uniform(2, 5),
    "m": uniform(3, 5),
    "s": uniform(4, 5, low=0.25),
    "k": uniform(5, 5, 2, 3, 3),  # of convolutions
    "l": uniform(6, 5, 5, 1, 1),
    "w": uniform(7, 7, 5),  # of matrix products
    "v": uniform(8, 5, 5),
    "p_weights": uniform(8, 5, 5),
    "b": uniform(9, 5),
    "b2": uniform(10, 1, 5),
    "b3": uniform(11, 3, 5),
    "half": np.array(0.5, np.float32),
}


def _assert_sums(actual: Array, expected: Array) -> None:
    """Equal but for the rounding of float32 sums in another order, folded factors among them."""
    assert actual.dtype == np.float32
    assert actual.shape == expected.shape
    # Sums of less than 200 terms, which round by 2^-24 of partial sums no larger than a few times
    # the largest result.
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def _input(shape: str) -> Floats:
    return uniform(0, 4, *models.sizes(shape.split("->")[0]))


@pytest.mark.parametrize(
    ("shape", "kinds", "body"),
    [
        ("2,6,6->5,4,4", "Conv", "y = Conv(x, k, b)"),
        ("2,6,6->5,3,4", "Conv", "y = Conv <strides=[2,1], pads=[1,0,0,2], group=1> (x, k, )"),
        ("2,6,6->5,4,2", "Conv", "y = Conv <dilations=[1,2]> (x, k)"),
        ("7->5", "Gemm", "y = Gemm(x, w, b)"),
        ("5->5", "Gemm", "y = Gemm <transB=1, alpha=0.5, beta=2.0> (x, v, b2)"),
        ("7->5", "MatMul", "y = MatMul(x, w)"),
        ("7->5", "MatMul", "a = Identity(w) y = MatMul(x, a)"),
        ("7->5", "MatMul", "a = MatMul(x, w) y = Add(a, b)"),
        ("3,7->3,5", "MatMul", "a = MatMul(x, w) y = Add(b2, a)"),
        ("3,7->3,5", "MatMul Add", "a = MatMul(x, w) y = Add(a, b3)"),
        # Normalization becomes a part of the product.
        ("2,6,6->5,4,4", "Conv", "a = Conv(x, k) y = BatchNormalization(a, g, o, m, s)"),
        (
            "2,6,6->5,4,4",
            "Conv",
            "a = Conv(x, k, b) y = BatchNormalization<epsilon=0.25, momentum=0.5>(a, g, o, m, s)",
        ),
        (
            "5->5",
            "Gemm",
            "a = Gemm(x, v, b2) y = BatchNormalization <epsilon=0.5> (a, g, o, m, s)",
        ),
        (
            "5->5",
            "Gemm",
            "a = Gemm<transB=1>(x, v) y = BatchNormalization<training_mode=0>(a, g, o, m, s)",
        ),
        (
            "7->5",
            "MatMul",
            "a = MatMul(x, w) c = Add(a, b) y = BatchNormalization(c, g, o, m, s)",
        ),
        # The same weights twice, normalized once.
        (
            "5->5",
            "Gemm Gemm",
            "a = Gemm(x, v) c = BatchNormalization(a, g, o, m, s) y = Gemm(c, v)",
        ),
        ("5,4,4->5,4,4", "Conv Relu Add", "a = Conv(x, l) c = Relu(a) y = Add(c, x)"),
        (
            "2,7,7->2,1,1",
            "MaxPool AveragePool GlobalAveragePool",
            "a = MaxPool <kernel_shape=[2,2], ceil_mode=1, storage_order=0> (x)"
            " c = AveragePool <kernel_shape=[2,3], pads=[1,1,0,0]> (a) y = GlobalAveragePool(c)",
        ),
        (
            "2,6->4,3",
            "Reshape Add Add Add",
            "c = Constant <value_ints=[0,4,-1]> () d = Reshape(x, c)"
            " e = Constant <value_float=1.5> () f = Add(d, e)"
            " h = Constant <value_floats=[1.0,2.0,3.0]> () i = Add(f, h)"
            " j = Constant <value=float[4,1] {1.0,2.0,3.0,4.0}> () y = Add(j, i)",
        ),
        (
            "2,3->6",
            "Transpose Flatten Identity",
            "a = Identity(x) c = Transpose <perm=[0,2,1]> (a) d = Dropout(c, half) e = Flatten(d)"
            " y = Identity(e)",
        ),
    ],
)
def test_agrees_with_onnx_runtime(shape: str, kinds: str, body: str, tmp_path: Path) -> None:
    proto, x = model(shape, body, _CONSTANTS), _input(shape)
    graph = models.graph_of(proto, tmp_path)
    assert [node.kind for node in graph.nodes] == kinds.split()
    _assert_sums(evaluate(graph, x)[graph.outputs[0]], models.output_of(proto, x))


@pytest.mark.parametrize(
    ("build", "shape", "folded"),
    [(models.residual_model, "3,9,9", {}), (models.sequence_model, "5,10", {"a": "b", "d": "e"})],
)
def test_every_tensor_agrees_with_onnx_runtime(
    build: Any, shape: str, folded: dict[str, str], tmp_path: Path
) -> None:
    expected = models.tensors_of(build(), _input(shape))
    tensors = evaluate(models.graph_of(build(), tmp_path), _input(shape))
    assert len(tensors) == len(expected) - len(folded)
    for name, value in tensors.items():
        _assert_sums(value, expected[folded.get(name, name)])


def test_digits_network_agrees_with_onnx_runtime() -> None:
    images = Digits.load().images.reshape(-1, 1, 8, 8)
    graph, proto = read_graph(CONVOLUTIONAL), load_model(CONVOLUTIONAL)
    _assert_sums(evaluate(graph, images)[graph.outputs[0]], models.output_of(proto, images))


def test_nodes_without_a_name_get_one(tmp_path: Path) -> None:
    proto = model("5->5", "a = Relu(x) [mine] c = Relu(a) y = Relu(c)", {})
    for node in (proto.graph.node[0], proto.graph.node[2]):
        node.name = ""
    names = [node.name for node in models.graph_of(proto, tmp_path).nodes]
    assert names == ["a", "mine", "y"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "a = Gemm(x, v) y = BatchNormalization<training_mode=1>(a, g, o, m, s)",
            r"y \(BatchNormalization y_node\): training_mode must be 0",
        ),
        (
            'c = Constant <value_string="5"> () y = Relu(x)',
            r"c \(Constant c_node\): cannot be computed: must be numbers, not value_string",
        ),
        (
            "[c] y = MaxPool <kernel_shape=[3,3]> (x)",
            r"y \(MaxPool c\): .*",
        ),
    ],
)
def test_rejects_what_cannot_be_computed(body: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^{tmp_path}/float\.onnx: node {message}$"):
        models.graph_of(model("5->5", body, _CONSTANTS), tmp_path)


def test_an_operator_that_fails_names_its_node(tmp_path: Path) -> None:
    proto = model("4,6,6->5,4,4", "[c] y = Conv <group=2> (x, k)", _CONSTANTS)
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "C"
    graph = models.graph_of(proto, tmp_path)
    with pytest.raises(ValueError, match=r"^node y \(Conv c\): .*C: 3 .*group: 2$"):
        evaluate(graph, uniform(0, 1, 3, 6, 6))


def test_a_result_that_would_not_fit_names_its_node(tmp_path: Path) -> None:
    repeats = {"r": np.array([1, 1 << 31])}
    graph = models.graph_of(model("5->10737418240", "[c] y = Tile(x, r)", repeats), tmp_path)
    message = (
        r"^node y \(Tile c\): its result would have 21,474,836,480 numbers: 1,073,741,824 at most$"
    )
    with pytest.raises(ValueError, match=message):
        evaluate(graph, uniform(0, 2, 5))


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    proto = model("5->5", "a = Gemm(x, v) y = Add(a, z) i = Gather<axis=1>(a, n)", _CONSTANTS)
    info = onnx.helper.make_tensor_value_info
    proto.graph.input.append(info("z", onnx.TensorProto.FLOAT, ["N", 5]))
    proto.graph.input.append(info("n", onnx.TensorProto.INT64, ["N"]))
    proto.graph.output.append(info("i", onnx.TensorProto.FLOAT, ["N", "N"]))
    graph = models.graph_of(proto, tmp_path)
    feeds = {"x": uniform(0, 4, 5), "z": uniform(1, 4, 5), "n": np.array([4, 0, 1, 1])}
    found = evaluate(graph, feeds)
    expected = models.session(proto).run(None, feeds)
    for name, values in zip(("y", "i"), expected, strict=True):
        _assert_sums(found[name], values)
    with pytest.raises(ValueError, match=r"^the inputs must be x, z, n, not x$"):
        evaluate(graph, {"x": feeds["x"]})
    with pytest.raises(ValueError, match=r"^give the 3 inputs x, z, n by name$"):
        evaluate(graph, feeds["x"])
    with pytest.raises(TypeError, match=r"^n must be int64, not float32$"):
        evaluate(graph, {**feeds, "n": uniform(2, 4)})


def test_rejects_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "float.onnx"
    with pytest.raises(FileNotFoundError):
        read_graph(path)
    whole = model("5->5", "y = Relu(x)", {}).SerializeToString()
    for content in (b"no model", b"", whole[:-7]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"^{path}: not a valid ONNX model: .+$"):
            read_graph(path)


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        # A result that is taken again behind what is folded into it, or is the output itself.
        (
            "5,4,4->5,4,4",
            "a = Conv(x, l) c = BatchNormalization(a, g, o, m, s) y = Add(a, c)",
        ),
        ("7->5", "a = MatMul(x, w) c = Add(a, b) y = Add(c, a)"),
        ("5,4,4->5,4,4", "y = Conv(x, l) c = BatchNormalization(y, g, o, m, s)"),
        ("7->5", "a = Gemm<beta=2.0>(x, w, b) y = BatchNormalization(a, g, o, m, s)"),
        # Normalized along axis 1, not the last.
        ("5,7->5,5", "a = MatMul(x, w) y = BatchNormalization(a, g, o, m, s)"),
        # A name that folding gives to constants.
        (
            "5->5",
            "[p] a = Gemm(x, p_weights) c = BatchNormalization(a, g, o, m, s)"
            " y = Gemm(c, p_weights)",
        ),
    ],
)
def test_what_cannot_be_folded_is_right_or_rejected(shape: str, body: str, tmp_path: Path) -> None:
    proto, x = model(shape, body, _CONSTANTS), _input(shape)
    try:
        graph = models.graph_of(proto, tmp_path)
    except ValueError as error:
        assert str(error).startswith(f"{tmp_path}/float.onnx: node ")  # noqa: PT017 - no error is as good
        return
    _assert_sums(evaluate(graph, x)[graph.outputs[0]], models.output_of(proto, x))
