"""Small models that exporters write: constants behind nodes, names that clash, old opsets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import as_real, run_network
from scalewright.golden.network.graph import Graph, evaluate
from scalewright.golden.network.quantization import quantize_network
from scalewright.sim.models.quantized_model import read_model, write_model
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import Floats, uniform

onnx = models.onnx
helper = onnx.helper
node = helper.make_node

_CONFIG = EngineConfig(datapath=DatapathConfig.parse("8/8/-/-"))


def _model(
    shape: str, nodes: list[Any], *, opset: int = 17, ir_version: int = 8, **constants: Any
) -> Any:
    source, target = (models.sizes(each) for each in shape.split("->"))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "small",
        [info("x", onnx.TensorProto.FLOAT, ["N", *source])],
        [info("y", onnx.TensorProto.FLOAT, ["N", *target])],
        [onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    if ir_version < 4:  # initializers were inputs, too
        graph.input.extend(info(t.name, t.data_type, t.dims) for t in graph.initializer)
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def _quantized(proto: Any, x: Floats, folder: Path) -> Graph:
    """The graph of a model, which is quantized, written, read and run as it should be."""
    graph = models.graph_of(proto, folder)
    network = quantize_network(graph, x, _CONFIG, Clip("max"))
    result = as_real(run_network(network, x, _CONFIG)["y"])
    expected = evaluate(graph, x)["y"]
    np.testing.assert_allclose(result, expected, rtol=0, atol=0.05 * np.abs(expected).max())
    written = write_model(network, _CONFIG, {"y": expected})
    models.output_of(written, x)  # ONNX Runtime takes it
    onnx.save(written, folder / "quantized.onnx")
    read, _ = read_model(folder / "quantized.onnx")
    np.testing.assert_array_equal(as_real(run_network(read, x, _CONFIG)["y"]), result)
    return graph


_FOLDED: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "weights transposed": (
        "16->12",
        [
            node("Transpose", ["w"], ["wt"], perm=[1, 0]),
            node("MatMul", ["x", "wt"], ["h"]),
            node("Add", ["h", "b"], ["y"]),
        ],
        {"w": uniform(0, 12, 16), "b": uniform(1, 12)},
    ),
    "weights of float16": (
        "3,4,4->6,4,4",
        [
            node("Cast", ["w"], ["wf"], to=onnx.TensorProto.FLOAT),
            node("Conv", ["x", "wf"], ["h"]),
            node("BatchNormalization", ["h", "g", "o", "m", "v"], ["y"]),
        ],
        {
            "w": uniform(0, 6, 3, 1, 1).astype(np.float16),
            **{name: uniform(i, 6) for i, name in enumerate("gom")},
            "v": uniform(3, 6, low=0.5),
        },
    ),
    "weights on the left": (
        "6,4->5,4",
        [node("MatMul", ["w", "x"], ["y"])],
        {"w": uniform(0, 5, 6)},
    ),
    "factors of a Gemm": (
        "6->5",
        [node("Gemm", ["x", "w", "b"], ["y"], transB=1, alpha=0.5, beta=-2.0)],
        {"w": uniform(0, 5, 6), "b": uniform(1, 5)},
    ),
    "a transposed Gemm": (
        "6->6",
        [
            node("Transpose", ["x"], ["t"], perm=[1, 0]),
            node("Gemm", ["t", "w"], ["y"], transA=1),
        ],
        {"w": uniform(0, 6, 6)},
    ),
    "a Gemm of two activations": (
        "6->8",
        [node("Gemm", ["x", "x", "b"], ["y"], transB=1, alpha=2.0, beta=0.5)],
        {"b": uniform(0, 1, 8)},
    ),
    "attention": (
        "4,6->4,6",
        [
            node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
            node("MatMul", ["x", "t"], ["s"]),
            node("Softmax", ["s"], ["p"]),
            node("MatMul", ["p", "x"], ["y"]),
        ],
        {},
    ),
    "a stack of matrices": (
        "3,4,6->3,4,5",
        [node("MatMul", ["x", "w"], ["y"])],
        {"w": uniform(0, 3, 6, 5)},
    ),
    "groups": (
        "6,5,5->4,5,5",
        [node("Conv", ["x", "w"], ["y"], group=2, pads=[1, 1, 1, 1])],
        {"w": uniform(0, 4, 3, 3, 3)},
    ),
    "a depthwise convolution of one dimension": (
        "20,9->20,5",
        [node("Conv", ["x", "w"], ["y"], group=20, strides=[2], pads=[1, 1])],
        {"w": uniform(0, 20, 1, 3)},
    ),
    "normalization behind no product": (
        "3,4,4->3,4,4",
        [
            node("Relu", ["x"], ["r"]),
            node("BatchNormalization", ["r", "g", "g", "g", "g"], ["n"]),
            node("Conv", ["n", "w"], ["y"]),
        ],
        {"g": uniform(0, 3, low=0.5), "w": uniform(1, 3, 3, 1, 1)},
    ),
    "a shape in pieces": (
        "4,4->5",
        [
            node("Concat", ["minus", "sixteen"], ["s"], axis=0),
            node("Reshape", ["x", "s"], ["h"]),
            node("MatMul", ["h", "w"], ["y"]),
        ],
        {"minus": np.array([-1]), "sixteen": np.array([16]), "w": uniform(0, 16, 5)},
    ),
}


@pytest.mark.parametrize("name", _FOLDED)
def test_constants_are_computed_first(name: str, tmp_path: Path) -> None:
    shape, nodes, constants = _FOLDED[name]
    proto = _model(shape, nodes, **constants)
    x = uniform(5, 8, *models.sizes(shape.split("->")[0]))
    graph = _quantized(proto, x, tmp_path)
    np.testing.assert_allclose(evaluate(graph, x)["y"], models.output_of(proto, x), atol=1e-5)


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("Gemm_1", ""), ["Gemm_1", "y"]),
        (("same", "same"), ["h", "y"]),
        (("", ""), ["h", "y"]),
        (("y", ""), ["y", "y_"]),
        (("h_bias", "y_sum"), ["h_bias", "y_sum"]),
    ],
)
def test_nodes_are_known_by_their_outputs(
    names: tuple[str, str], shown: list[str], tmp_path: Path
) -> None:
    nodes = [
        node("Gemm", ["x", "w1"], ["h"], name=names[0]),
        node("Gemm", ["h", "w2"], ["y"], name=names[1]),
    ]
    proto = _model("12->12", nodes, w1=uniform(0, 12, 12), w2=uniform(1, 12, 12))
    graph = _quantized(proto, uniform(2, 8, 12), tmp_path)
    assert [each.name for each in graph.nodes] == shown


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12, 13, 15, 18, 20, 22, 24])
def test_opsets_from_7_are_converted(opset: int, tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "k"], ["a"], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", "g", "g", "g", "g"], ["b"]),
        node("Relu", ["b"], ["c"]),
        node("MaxPool", ["c"], ["d"], kernel_shape=[2, 2]),
        node("AveragePool", ["d"], ["e"], kernel_shape=[2, 2]),
        node("Flatten", ["e"], ["f"]),
        node("Dropout", ["f"], ["h"]),
        node("Gemm", ["h", "w", "b5"], ["y"]),
    ]
    constants = {"k": uniform(0, 3, 2, 3, 3), "g": uniform(1, 3, low=0.5), "w": uniform(2, 12, 5)}
    constants["b5"] = uniform(3, 5)
    ir_version = 3 if opset < 9 else 8
    proto = _model("2,4,4->5", nodes, opset=opset, ir_version=ir_version, **constants)
    x = uniform(4, 4, 2, 4, 4)
    graph = _quantized(proto, x, tmp_path)
    np.testing.assert_allclose(evaluate(graph, x)["y"], models.output_of(proto, x), atol=1e-5)


_NORMALIZED = [
    node("Conv", ["x", "w"], ["h"]),
    node("BatchNormalization", ["h", "g", "g", "g", "v"], ["y"], name="bn", epsilon=0.0),
]


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            _model("5->5", [node("Relu", ["x"], ["y"])], opset=6, ir_version=4),
            "opset 6 is not supported: must be 7 or newer; export it again",
        ),
        *(
            (
                _model("3,4,4->2,4,4", _NORMALIZED, w=uniform(0, 2, 3, 1, 1), g=uniform(1, 2), v=v),
                rf"node y \(BatchNormalization bn\): its variance v .* positive, not {v[0]}",
            )
            for v in (np.array([-1, 1], np.float32), np.array([0, 1], np.float32))
        ),
    ],
)
def test_what_is_not_supported_names_the_cause(proto: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^{tmp_path}/float\.onnx: {message}$"):
        models.graph_of(proto, tmp_path)


def test_scales_that_underflow_are_refused(tmp_path: Path) -> None:
    weights = uniform(0, 16, 12) * np.float32(1e-42)
    proto = _model("16->12", [node("Gemm", ["x", "w"], ["y"], name="fc")], w=weights)
    message = r"^node y \(Gemm fc\): its result, .* needs a scale of .* float32 does not hold: "
    with pytest.raises(ValueError, match=message):
        quantize_network(models.graph_of(proto, tmp_path), uniform(1, 20, 16), _CONFIG, Clip("max"))
