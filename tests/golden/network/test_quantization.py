"""What networks can be quantized: unusual ones are, and others rejected, with the node's name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import Region, Vectors, as_real, run_network
from scalewright.golden.network.feeds import Input
from scalewright.golden.network.graph import Graph, evaluate
from scalewright.golden.network.quantization import quantize_network
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import model, uniform


def _config(notation: str, size: int = 4) -> EngineConfig:
    return EngineConfig(datapath=DatapathConfig.parse(notation, vector_size=size))


_SIGNED = _config("4/4/4/6")
_CONSTANTS = {
    "w": uniform(30, 6, 6),
    "b": uniform(31, 6),
    "f_bias": uniform(32, 1, 6),  # of a name that the writer has for others
    "k": uniform(33, 6, 6, 1, 1),
    "dead": uniform(30, 6, 6) * np.array([1, 1, 0, 0, 1, 1], np.float32),
    "mixed": np.array([-50] * 5 + [0], np.float32),
    "low": np.full(6, -1e6, np.float32),
}


def _graph(body: str, folder: Path, shape: str = "6->6") -> Graph:
    return models.graph_of(model(shape, body, _CONSTANTS), folder)


def test_results_are_quantized_where_only_a_product_follows(tmp_path: Path) -> None:
    graph = models.graph_of(models.residual_model(), tmp_path)
    network = quantize_network(graph, uniform(0, 20, 3, 9, 9), _SIGNED, Clip("max"))
    found = {
        product.output: (product.activation_function, product.gamma) for product in network.products
    }
    rectified = [name for name, (function, _) in found.items() if function]
    assert rectified == ["b", "h", "j"]
    assert list(found) == ["b", "c", "h", "j", "y"]
    assert [name for name, (_, gamma) in found.items() if gamma is not None] == ["h", "j"]
    # 441 << 8 is less than 2^17.
    assert [p.fraction_bits for p in network.products if p.gamma is not None] == [8, 8]
    tensors = evaluate(graph, uniform(0, 20, 3, 9, 9))
    for name, (_, gamma) in found.items():
        largest = np.abs(tensors[name]).max()
        if gamma is None:
            unit = next(p.unit for p in network.products if p.output == name)
            assert 2 * largest <= unit * (1 << 17) < 2 * largest * (1 + 2.0**-6)
        else:
            assert largest <= gamma * 441 * (1 + 2.0**-20)  # thresholds are float32
            assert gamma * 441 < largest * (1 + 2.0**-6)


def test_thresholds_are_those_of_vectors_along_the_channels(tmp_path: Path) -> None:
    graph, x = models.graph_of(models.residual_model(), tmp_path), uniform(0, 20, 3, 9, 9)
    network = quantize_network(graph, x, _SIGNED, Clip("percentile", 50))
    (product,) = (product for product in network.products if product.output == "h")
    pixels = np.moveaxis(evaluate(graph, x)["h"], 1, -1)
    vectors = np.pad(pixels, [(0, 0)] * 3 + [(0, 1)]).reshape(-1, 4)
    threshold = np.percentile(np.abs(vectors), 50, axis=1).max()
    assert product.gamma is not None
    # Rounded up from float32 to seven bits.
    assert threshold * (1 - 2.0**-20) <= product.gamma * 441 < threshold * (1 + 2.0**-6)


@pytest.mark.parametrize(
    "body",
    [
        "y = Gemm(x, w) a = Relu(y)",
        "y = Gemm(x, w) a = Gemm(y, w)",
        "a = Gemm(x, w) y = Relu(a) c = Gemm(y, w)",
        "a = Gemm(x, w) y = Identity(a) c = Relu(y)",
    ],
)
def test_the_output_is_real_also_where_others_take_it(body: str, tmp_path: Path) -> None:
    graph, x = _graph(body, tmp_path), uniform(0, 4, 6)
    network = quantize_network(graph, x, _config("8/8/-/-"), Clip("max"))
    result = run_network(network, x, _config("8/8/-/-"))[network.outputs[0]]
    assert isinstance(result, np.ndarray)
    # Steps of 8 bits, and a unit or two of results.
    np.testing.assert_allclose(result, evaluate(graph, x)[graph.outputs[0]], rtol=0, atol=0.05)
    config = _config("8/8/-/-")
    models.compare_steps(network, config, models.write(network, config, "6->6"), x)


def test_unsigned_activations_must_not_be_negative(tmp_path: Path) -> None:
    x, config = uniform(0, 4, 6, low=0), _config("4/4U/4/6")
    graph = _graph("a = Gemm(x, w) [second] y = Gemm(a, w)", tmp_path)
    message = (
        r"^node {}: 4/4U/4/6 has unsigned activations, but its input {} has values down to "
        r"-\d\.\d+: leave out the U, or take X$"
    )
    with pytest.raises(ValueError, match=message.format(r"y \(Gemm second\)", "a")):
        quantize_network(graph, x, config, Clip("max"))
    with pytest.raises(ValueError, match=message.format(r"a \(Gemm a_node\)", "x")):
        quantize_network(graph, -x, config, Clip("max"))


@pytest.mark.parametrize("notation", ["4/4X/4/6", "8/8X/-/-", "3/5X/-/2"])
def test_of_either_sign_is_what_calibration_has_seen(notation: str, tmp_path: Path) -> None:
    config = _config(notation)
    graph = _graph(
        "p = Gemm(x, w) q = Relu(p) r = Gemm(q, w) s = Gemm(r, w) t = Relu(s) u = Add(t, t) "
        "y = Gemm(u, w)",
        tmp_path,
    )
    x = uniform(0, 40, 6)
    network = quantize_network(graph, x, config, Clip("max"))
    signs = {step.output: step.signed for step in network.steps if not isinstance(step, Region)}
    # The input; behind a ReLU; as it is; on the host, of numbers that are never negative.
    assert signs == {
        "x_quantized": True, "q": False, "r": True, "t": None, "u_quantized": False, "y": None
    }  # fmt: skip
    models.compare_steps(network, config, models.write(network, config, "6->6"), x)
    tensors = run_network(network, x, config)
    for name, signed in signs.items():
        tensor = tensors[name]
        assert isinstance(tensor, Vectors) == (signed is not None)
        if isinstance(tensor, Vectors):
            assert tensor.values.format == config.datapath.activation_format(signed=signed)


def test_of_either_sign_an_input_that_was_never_negative_loses_what_is(tmp_path: Path) -> None:
    config = _config("4/4X/4/6")
    graph, x = _graph("y = Gemm(x, w)", tmp_path), uniform(0, 40, 6, low=0)
    network = quantize_network(graph, x, config, Clip("max"))
    zeros, negative = (
        as_real(run_network(network, values, config)["y"]) for values in (np.maximum(-x, 0), -x)
    )
    np.testing.assert_array_equal(zeros, negative)


def test_a_network_without_products_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"^the network has no product that the engine computes: nothing to quantize$",
    ):
        quantize_network(_graph("y = Relu(x)", tmp_path), uniform(0, 4, 6), _SIGNED, Clip("max"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_inputs_must_be_finite(bad: float, tmp_path: Path) -> None:
    graph, x = _graph("y = Gemm(x, w)", tmp_path), uniform(0, 4, 6)
    network = quantize_network(graph, x, _SIGNED, Clip("max"))
    x[2, 3] = bad
    message = rf"^a tensor must be finite in float32, .* first at \[2, 3\]: {bad}$"
    with pytest.raises(ValueError, match=message):
        quantize_network(graph, x, _SIGNED, Clip("max"))
    with pytest.raises(ValueError, match=message):
        run_network(network, x, _SIGNED)


@pytest.mark.parametrize("method", ["max", "octav"])
def test_zeros_are_enough_to_calibrate_with(method: str, tmp_path: Path) -> None:
    body = "a = Gemm(x, w) c = Relu(a) d = Gemm(c, w) y = Gemm(d, w, b)"
    zeros = np.zeros((3, 6), np.float32)
    network = quantize_network(_graph(body, tmp_path), zeros, _SIGNED, Clip(method))
    result = run_network(network, zeros, _SIGNED)["y"]
    (product,) = (step for step in network.products if step.output == "y")
    np.testing.assert_array_equal(result, np.broadcast_to(product.bias, (3, 6)))
    np.testing.assert_allclose(product.bias, _CONSTANTS["b"], rtol=0, atol=product.unit / 2)
    assert product.unit < 1e-4
    expected = models.output_of(models.write(network, _SIGNED, "6->6"), zeros)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("notation", ["8/8U/-/-", "4/4U/4/6", "3/5/-/8", "6/4/7/-"])
def test_dead_channels_give_their_bias(notation: str, tmp_path: Path) -> None:
    config, x = _config(notation, 4), uniform(0, 4, 6, low=0)
    graph = _graph("y = Gemm(x, dead, b)", tmp_path)
    network = quantize_network(graph, x, config, Clip("max"))
    result = run_network(network, x, config)["y"]
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result[:, 2:4], np.tile(network.products[0].bias[2:4], (4, 1)))
    assert np.ptp(result[:, [0, 1, 4, 5]], axis=0).min() > 0
    models.compare_steps(network, config, models.write(network, config, "6->6"), x)


def test_what_cannot_be_quantized_names_its_node(tmp_path: Path) -> None:
    graph = _graph("[first] a = Gemm(x, w, low) c = Relu(a) y = Gemm(c, w)", tmp_path)
    message = (
        r"^node a \(Gemm first\): its bias, 1e.06, does not fit results of 18 bits in units .*$"
    )
    with pytest.raises(ValueError, match=message):
        quantize_network(graph, uniform(0, 4, 6), _SIGNED, Clip("max"))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("9,4,4", "6 channels, not 9"),
        ("7,4,4", "6 channels, not 7"),  # as many vectors, some with more padding
    ],
)
def test_inputs_must_have_the_channels_of_the_weights(
    shape: str, message: str, tmp_path: Path
) -> None:
    graph = _graph("y = Conv(x, k)", tmp_path, "6,4,4->6,4,4")
    network = quantize_network(graph, uniform(0, 4, 6, 4, 4), _SIGNED, Clip("max"))
    network = replace(network, inputs=(Input(name="x"),))
    with pytest.raises(
        ValueError, match=rf"^node y \(Conv y_node\): activations must have {message}$"
    ):
        run_network(network, uniform(0, 4, *models.sizes(shape)), _SIGNED)


def test_infinity_is_rejected_before_any_operator(tmp_path: Path) -> None:
    graph, x = _graph("a = Relu(x) y = Gemm(a, w)", tmp_path), uniform(0, 4, 6)
    network = quantize_network(graph, x, _SIGNED, Clip("max"))
    x[2, 3] = -np.inf
    with pytest.raises(ValueError, match=r"^a tensor must be finite in float32, .*: -inf$"):
        run_network(network, x, _SIGNED)


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        # Names that the writer gives to constants, nodes and tensors of its own.
        ("6->6", "[f] a = Gemm(x, w) y = Add(a, f_bias)"),
        ("6->6", "[f] a = MatMul(x, w) [f_add] y = Add(a, x)"),
        ("6->6", "[f] f_sum = Gemm(x, w) y = Add(f_sum, x)"),
        # Results that are much smaller than their biases, behind the ReLU.
        ("6->6", "a = Gemm(x, w, mixed) y = Relu(a)"),
    ],
)
def test_these_networks_can_be_quantized(shape: str, body: str, tmp_path: Path) -> None:
    graph = _graph(body, tmp_path, shape)
    x = uniform(0, 4, *models.sizes(shape.split("->")[0]))
    network = quantize_network(graph, x, _SIGNED, Clip("max"))
    result = as_real(run_network(network, x, _SIGNED)[network.outputs[0]])
    expected = evaluate(graph, x)[graph.outputs[0]]
    np.testing.assert_allclose(result, expected, rtol=0, atol=0.25 * np.abs(expected).max())
    models.compare_steps(network, _SIGNED, models.write(network, _SIGNED, shape), x)
