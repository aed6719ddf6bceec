"""Groups, one dimension, and products of two activations: golden, their files, ONNX Runtime."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import Region, as_real, run_network
from scalewright.golden.network.graph import evaluate
from scalewright.golden.network.quantization import quantize_network
from scalewright.sim.models.quantized_model import read_model
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import assert_same, model, uniform

onnx = models.onnx

_MODELS: dict[str, tuple[str, str, dict[str, tuple[int, ...]]]] = {
    "groups": (
        "6,5,5->9,5,5",
        """a = Conv <group=6, pads=[1,1,1,1]> (x, depthwise)
           b = Relu(a)
           c = Conv <group=2> (b, halves, bias)
           y = Conv <group=3> (c, thirds)""",
        {
            "depthwise": (6, 1, 3, 3),
            "halves": (12, 3, 1, 1),
            "bias": (12,),
            "thirds": (9, 4, 1, 1),
        },
    ),
    "one dimension": (
        "5,9->7,3",
        """a = Conv <pads=[1,2], dilations=[2]> (x, k)
           b = Conv <group=10, strides=[3], pads=[1,1]> (a, depthwise)
           y = Conv(b, l)""",
        {"k": (10, 5, 3), "depthwise": (10, 1, 4), "l": (7, 10, 1)},
    ),
    "attention": (
        "7,10->7,6",
        """q = MatMul(x, wq)
           k = MatMul(x, wk)
           v = MatMul(x, wv)
           t = Transpose <perm=[0,2,1]> (k)
           s = MatMul(q, t)
           p = Softmax <axis=-1> (s)
           o = MatMul(p, v)
           y = MatMul(o, wo)""",
        {"wq": (10, 10), "wk": (10, 10), "wv": (10, 10), "wo": (10, 6)},
    ),
    "a stack of matrices": ("3,4,6->3,4,5", "y = MatMul(x, w)", {"w": (3, 6, 5)}),
    "squares": (
        "3,6->3,3",
        "t = Transpose <perm=[0,2,1]> (x) s = MatMul(x, t) y = Relu(s)",
        {},
    ),
}


@pytest.mark.parametrize("size", [4, 16])
@pytest.mark.parametrize("notation", ["8/8/-/-", "4/4/4/6", "3/5/-/8", "6/4/7/-"])
@pytest.mark.parametrize("name", _MODELS)
def test_steps_agree_with_onnx_runtime(name: str, notation: str, size: int, tmp_path: Path) -> None:
    shape, body, shapes = _MODELS[name]
    constants = {key: uniform(i, *each) for i, (key, each) in enumerate(shapes.items())}
    graph = models.graph_of(model(shape, body, constants), tmp_path)
    config = EngineConfig(datapath=DatapathConfig.parse(notation, vector_size=size))
    x = uniform(20, 12, *models.sizes(shape.split("->")[0]))
    network = quantize_network(graph, x, config, Clip("max"))
    proto = models.write(network, config, shape)
    models.compare_steps(network, config, proto, x)
    onnx.save(proto, tmp_path / "quantized.onnx")
    assert_same(read_model(tmp_path / "quantized.onnx"), (network, config))
    result = as_real(run_network(network, x, config)["y"])
    expected = models.output_of(proto, x)
    # A few, where the rounding of a float32 sum flips that of a result.
    assert np.mean(result == expected) >= 0.95
    np.testing.assert_allclose(result, expected, rtol=0, atol=0.05 * np.abs(expected).max())
    if notation == "8/8/-/-":  # each step of 8 bits
        exact = evaluate(graph, x)["y"]
        np.testing.assert_allclose(result, exact, rtol=0, atol=0.05 * np.abs(exact).max())


def test_batches_give_what_all_inputs_give_at_once(tmp_path: Path) -> None:
    shape, body, shapes = _MODELS["groups"]
    constants = {key: uniform(i, *each) for i, (key, each) in enumerate(shapes.items())}
    graph = models.graph_of(model(shape, body, constants), tmp_path)
    config = EngineConfig(datapath=DatapathConfig.parse("4/4/4/6", vector_size=4))
    x = uniform(20, 11, *models.sizes(shape.split("->")[0]))
    for clip in (Clip("max"), Clip("octav"), Clip("percentile", 99)):
        whole = quantize_network(graph, x, config, clip)
        # Host operators may round sums otherwise in other batches; here there is none before.
        assert_same(quantize_network(graph, x, config, clip, batch=3), whole)
    assert_same(run_network(whole, x, config, batch=4), run_network(whole, x, config))
    assert_same(run_network(whole, x, config, keep=["y"]).keys(), {"y": 0}.keys())


def test_operators_between_the_same_products_are_one_region(tmp_path: Path) -> None:
    body = """
        a = Sigmoid(x) b = Gemm(a, w) c = Tanh(b) d = Sigmoid(b) e = Add(c, d) s = Neg(x)
        f = Gemm(e, w) g = Add(f, s) y = Tanh(g) unused = Tanh(x)
    """
    graph = models.graph_of(model("6->6", body, {"w": uniform(0, 6, 6)}), tmp_path)
    config = EngineConfig(datapath=DatapathConfig.parse("8/8/-/-"))
    network = quantize_network(graph, uniform(1, 9, 6), config, Clip("max"))
    regions = [
        ([node.output for node in step.nodes], step.outputs)
        for step in network.steps
        if isinstance(step, Region)
    ]
    assert regions == [
        (["a", "s", "unused"], ("a", "s")),
        (["c", "d", "e"], ("e",)),
        (["g", "y"], ("y",)),
    ]


@pytest.mark.parametrize(
    ("body", "engine"),
    [
        ("y = MatMul(x, w)", ["y"]),
        ("c = Gemm(x, w) y = Gemm(c, c)", ["c", "y"]),
        ("y = MatMul(w, x)", ["y"]),
        ("z = Sigmoid(x) y = MatMul(z, x)", ["y"]),
    ],
)
def test_every_matrix_product_is_the_engine_s(body: str, engine: list[str], tmp_path: Path) -> None:
    proto = model("6->6", body, {"w": uniform(0, 6, 6)})
    del proto.graph.input[0].type.tensor_type.shape.dim[0]
    proto.graph.input[0].type.tensor_type.shape.dim.add(dim_value=6)
    graph = models.graph_of(proto, tmp_path)
    config = EngineConfig(datapath=DatapathConfig.parse("8/8/-/-"))
    network = quantize_network(graph, uniform(1, 6, 6), config, Clip("max"))
    names: list[Any] = [product.output.split("/")[0] for product in network.products]
    assert names == engine


def test_operands_that_do_not_fit_name_the_product(tmp_path: Path) -> None:
    shape, body, shapes = _MODELS["attention"]
    constants = {key: uniform(i, *each) for i, (key, each) in enumerate(shapes.items())}
    graph = models.graph_of(model(shape, body, constants), tmp_path)
    config = EngineConfig(datapath=DatapathConfig.parse("8/8/-/-", vector_size=4))
    x = uniform(20, 3, 7, 10)
    network = quantize_network(graph, x, config, Clip("max"))
    tensors = run_network(network, x, config)
    (product,) = (p for p in network.products if p.output == "s")
    left, right = tensors[product.input], tensors["v_quantized"]
    with pytest.raises(ValueError, match=r"^node s .*: operands must have one length .* 10 and 7$"):
        product.parts(left, right, config)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^node s .*: scale must be below 65536"):
        replace(product, unit=1e-30).parts(left, tensors[product.right or ""], config)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("notation", "options"),
    [
        ("4/4/4/6", {}),
        ("4/4X/4/6", {}),
        ("3/5U/6/4", {}),
        ("4/4/8/8", {"scale_product_bits": 8}),
        ("4/4X/8/8", {"scale_product_bits": 10}),
    ],
)
@pytest.mark.parametrize("operands", ["w", "a", "wa"])
def test_wider_elements_agree_with_onnx_runtime(
    operands: str, notation: str, options: dict[str, int], tmp_path: Path
) -> None:
    body = """
        a = Conv <pads=[1,1,1,1]> (x, k, b) c = Relu(a) d = Conv <group=2> (c, l) e = Relu(d)
        f = Flatten(e) y = Gemm(f, w)
    """
    shapes: dict[str, tuple[int, ...]] = {"k": (6, 3, 3, 3), "b": (6,), "l": (8, 3, 1, 1)}
    shapes["w"] = (8 * 25, 5)
    constants = {key: uniform(i, *each) for i, (key, each) in enumerate(shapes.items())}
    graph = models.graph_of(model("3,5,5->5", body, constants), tmp_path)
    datapath = DatapathConfig.parse(notation, vector_size=4, accumulator_bits=48, **options)
    config = EngineConfig(datapath=datapath)
    x = uniform(20, 12, 3, 5, 5, low=0 if "U" in notation else -1)
    wide = {"a_node": operands, "d_node": operands[:1], "y_node": operands}
    if options:  # rounded scale products: both or none
        if operands != "wa":
            with pytest.raises(ValueError, match=r"^node a \(Conv a_node\): .*"):
                quantize_network(graph, x, config, Clip("max"), wide={"a_node": operands})
            return
        wide["d_node"] = "wa"  # ONNX Runtime rounds no products of scales
    network = quantize_network(graph, x, config, Clip("max"), wide=wide)
    pairs = [product.digit_pairs for product in network.products]
    assert pairs[::2] == [2 ** len(operands)] * 2
    proto = models.write(network, config, "3,5,5->5")
    models.compare_steps(network, config, proto, x)
    onnx.save(proto, tmp_path / "quantized.onnx")
    assert_same(read_model(tmp_path / "quantized.onnx"), (network, config))
    # Closer than without.
    plain = quantize_network(graph, x, config, Clip("max"))
    exact = evaluate(graph, x)["y"]
    errors = [
        float(np.sum((as_real(run_network(each, x, config)["y"]) - exact) ** 2))
        for each in (network, plain)
    ]
    assert errors[0] < errors[1]
