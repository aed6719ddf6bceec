"""Gains and offsets of channels: what they mend, and that none does harm."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import Network, as_real, run_network
from scalewright.golden.network.correction import Method, correct
from scalewright.golden.network.graph import Graph, evaluate
from scalewright.golden.network.quantization import quantize_network
from scalewright.sim.demo.digits.models import calibration_images, convolutional
from scalewright.sim.demo.digits.network import Digits
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import Floats, assert_same, model, uniform


def _config(notation: str, size: int = 16) -> EngineConfig:
    return EngineConfig(datapath=DatapathConfig.parse(notation, vector_size=size))


def _ratio(network: Network, graph: Graph, x: Floats, config: EngineConfig) -> float:
    (name,) = network.outputs
    exact = evaluate(graph, x, keep=[name])[name].astype(np.float64)
    error = exact - as_real(run_network(network, x, config, keep=[name])[name])
    return float(10 * np.log10(np.sum(exact**2) / np.sum(error**2)))


def _broken(network: Network, gain: float, offset: float) -> Network:
    """The network with the weights and the bias of its first product changed."""
    product = network.products[0]
    blocks = tuple(
        replace(
            block,
            weights=replace(block.weights, gamma=block.weights.gamma * np.float32(gain)),
        )
        for block in product.blocks
    )
    changed = replace(product, blocks=blocks, bias=product.bias + np.float32(offset))
    steps = tuple(changed if step is product else step for step in network.steps)
    return replace(network, steps=steps)


@pytest.mark.parametrize("body", ["y = Gemm(x, w, b)", "a = Gemm(x, w, b) y = Relu(a)"])
def test_a_gain_and_an_offset_are_found(body: str, tmp_path: Path) -> None:
    constants = {"w": uniform(0, 24, 16), "b": uniform(1, 16)}
    graph = models.graph_of(model("24->16", body, constants), tmp_path)
    config, x = _config("8/8/-/-"), uniform(2, 200, 24)
    network = quantize_network(graph, x, config, Clip("max"))
    broken = _broken(network, 0.8, 0.3)
    assert _ratio(broken, graph, x, config) < 20
    found = correct(broken, graph, x, config, method=Method.AFFINE).network
    assert _ratio(found, graph, x, config) > _ratio(network, graph, x, config) - 1
    (old,), (new,) = network.products, found.products
    np.testing.assert_allclose(new.gammas, old.gammas, rtol=0.02)
    np.testing.assert_allclose(new.bias, old.bias, atol=0.05)


def test_gains_stay_between_a_half_and_two(tmp_path: Path) -> None:
    graph = models.graph_of(model("24->16", "y = Gemm(x, w)", {"w": uniform(0, 24, 16)}), tmp_path)
    config, x = _config("8/8/-/-"), uniform(2, 50, 24)
    network = quantize_network(graph, x, config, Clip("max"))
    for factor, expected in ((0.25, 0.5), (4.0, 2.0)):
        found = correct(_broken(network, factor, 0), graph, x, config, method=Method.AFFINE)
        (new,), (old,) = found.network.products, network.products
        np.testing.assert_allclose(new.gammas, old.gammas * expected, rtol=0.02)


def test_offsets_follow_from_the_weights(tmp_path: Path) -> None:
    weights = uniform(0, 6, 3, 3, 3)
    graph = models.graph_of(model("3,8,8->6,6,6", "y = Conv(x, w)", {"w": weights}), tmp_path)
    config, x = _config("3/8/-/-"), uniform(2, 20, 3, 8, 8, low=0)
    network = quantize_network(graph, x, config, Clip("max"))
    found = correct(network, graph, x, config, method=Method.OFFSET).network
    (old,), (new,) = network.products, found.products
    error = weights.transpose(0, 2, 3, 1) - old.weights()
    wanted = np.einsum("mijc,c->m", error, x.mean(axis=(0, 2, 3)))
    np.testing.assert_allclose(new.bias - old.bias, wanted, atol=2 * new.unit)
    np.testing.assert_array_equal(new.gammas, old.gammas)
    # The mean of the error is gone, but for what the border makes of it.
    exact = evaluate(graph, x)["y"]
    before, after = (
        np.abs((as_real(run_network(n, x, config)["y"]) - exact).mean(axis=(0, 2, 3))).max()
        for n in (network, found)
    )
    assert after < before / 4


@pytest.mark.parametrize(("notation", "gain"), [("4/4U/4/6", 4), ("3/3U/4/6", 2), ("8/8U/-/-", 0)])
def test_digits_get_better_on_images_that_were_not_seen(notation: str, gain: float) -> None:
    config, graph = _config(notation), convolutional()
    images = Digits.load().images.reshape(-1, 1, 8, 8)
    network = quantize_network(graph, calibration_images(), config, Clip("max"))
    found = correct(network, graph, calibration_images(), config)
    before, after = (_ratio(each, graph, images, config) for each in (network, found.network))
    assert after >= before + gain
    assert found.medians[found.method] == max(found.medians.values())
    assert set(found.medians) == set(Method)


def test_an_outlier_does_not_ruin_a_network(tmp_path: Path) -> None:
    body = "a = Gemm(x, w) b = Relu(a) y = Gemm(b, v)"
    constants = {"w": uniform(0, 24, 32), "v": uniform(1, 32, 8)}
    graph = models.graph_of(model("24->8", body, constants), tmp_path)
    config, x = _config("8/8/-/-"), uniform(2, 24, 24)
    # It clips what calibration without it has seen.
    network = quantize_network(graph, x, config, Clip("max"))
    spoilt = x.copy()
    spoilt[5] *= 50
    found = correct(network, graph, spoilt, config)
    unseen = uniform(3, 50, 24)
    worst = _ratio(
        correct(network, graph, spoilt, config, method=Method.AFFINE).network, graph, unseen, config
    )
    kept = _ratio(found.network, graph, unseen, config)
    assert worst < _ratio(network, graph, unseen, config) - 6  # the guard is needed here
    assert kept > _ratio(network, graph, unseen, config) - 1


def test_without_inputs_to_hold_out_nothing_changes(tmp_path: Path) -> None:
    graph = models.graph_of(model("6->6", "y = Gemm(x, w)", {"w": uniform(0, 6, 6)}), tmp_path)
    config, x = _config("4/4/4/6"), uniform(2, 3, 6)
    network = quantize_network(graph, x, config, Clip("max"))
    found = correct(network, graph, x, config)
    assert (found.method, found.medians) == (Method.NONE, {})
    assert_same(found.network, network)


@pytest.mark.parametrize("batch", [1, 2])
def test_networks_of_a_fixed_batch_are_corrected_as_others(batch: int, tmp_path: Path) -> None:
    body = "a = Conv(x, k) b = Relu(a) c = Reshape(b, shape) y = Gemm(c, w)"
    constants = {"k": uniform(0, 8, 3, 3, 3), "w": uniform(1, 8 * 16, 5)}
    config, x = _config("3/8/-/-"), uniform(2, 16, 3, 6, 6, low=0)
    found = []
    for size in (0, batch):
        shape = {"shape": np.array([size or -1, 8 * 16])}
        proto = model("3,6,6->5", body, {**constants, **shape})
        if size:
            for value in (proto.graph.input[0], proto.graph.output[0]):
                value.type.tensor_type.shape.dim[0].dim_value = size
        graph = models.graph_of(proto, tmp_path)
        network = quantize_network(graph, x, config, Clip("max"))
        found.append(correct(network, graph, x, config, method=Method.AFFINE).network)
    for free, fixed in zip(found[0].products, found[1].products, strict=True):
        np.testing.assert_allclose(fixed.gammas, free.gammas, rtol=1e-3)
        np.testing.assert_allclose(fixed.bias, free.bias, atol=1e-3)


def test_what_the_file_says_is_what_was_corrected(tmp_path: Path) -> None:
    graph = models.graph_of(models.residual_model(), tmp_path)
    config, x = _config("4/4U/4/6", 4), uniform(0, 20, 3, 9, 9, low=0)
    network = quantize_network(graph, x, config, Clip("max"))
    found = correct(network, graph, x, config, method=Method.AFFINE).network
    models.compare_steps(found, config, models.write(found, config, "3,9,9->6"), x)
