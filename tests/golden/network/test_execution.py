"""Quantized networks: golden, their ONNX files, and what ONNX Runtime makes of these."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalewright.golden.calibration import Clip, quantize_clipped
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.layer import LayerResult, run_layer
from scalewright.golden.network import Network, Part, Product, Quantize, as_real, run_network
from scalewright.golden.network.graph import Graph, evaluate
from scalewright.golden.network.quantization import quantize_network
from scalewright.sim.demo.digits.models import calibration_images, convolutional
from scalewright.sim.demo.digits.network import Digits
from scalewright.sim.models.quantized_model import read_model
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import Array, Floats, assert_same, model, uniform

onnx = models.onnx

_NOTATIONS = ["8/8U/-/-", "4/4U/4/6", "4/4/4/6", "3/5/-/8", "6/4/7/-"]
_SHAPES = {"digits": "1,8,8->10", "residual": "3,9,9->6", "sequence": "5,10->5,6"}


def _config(notation: str, size: int = 16, **datapath: Any) -> EngineConfig:
    return EngineConfig(datapath=DatapathConfig.parse(notation, vector_size=size, **datapath))


@dataclass(frozen=True, eq=False)
class _Case:
    """A quantized network, its file, and inputs, some of them beyond what it was calibrated on."""

    graph: Graph
    network: Network
    config: EngineConfig
    clip: Clip
    proto: Any
    path: Path
    x: Floats


@pytest.fixture(
    scope="module",
    params=itertools.product(_NOTATIONS, [4, 16], _SHAPES, ["max", "octav"]),
    ids=lambda parts: "-".join(map(str, parts)),
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> _Case:
    notation, size, name, method = request.param
    config, clip, folder = _config(notation, size), Clip(method), tmp_path_factory.mktemp("case")
    if name == "digits":
        graph, inputs = convolutional(), calibration_images()[:40]
        x = Digits.load().images[:12].reshape(-1, 1, 8, 8)
    else:
        proto = models.residual_model() if name == "residual" else models.sequence_model()
        graph = models.graph_of(proto, folder)
        shape = models.sizes(_SHAPES[name].split("->")[0])
        low = -1 if config.output.signed else 0
        inputs, x = uniform(20, 40, *shape, low=low), uniform(21, 12, *shape, low=low)
    x = x * np.linspace(0, 2, len(x), dtype=np.float32).reshape(-1, *[1] * (x.ndim - 1))
    network = quantize_network(graph, inputs, config, clip)
    path = folder / "quantized.onnx"
    onnx.save(models.write(network, config, _SHAPES[name]), path)
    return _Case(graph, network, config, clip, onnx.load(path), path, x)


def test_the_file_has_the_same_network(case: _Case) -> None:
    network, config = read_model(case.path)
    assert_same(config, case.config)
    assert_same(network, case.network)
    assert len(network.products) >= 3
    tensors = run_network(case.network, case.x, case.config)
    assert_same(run_network(network, case.x, config), tensors)


def test_scales_and_units_have_seven_bits(case: _Case) -> None:
    scales = [product.gamma or product.unit for product in case.network.products]
    scales += [step.gamma for step in case.network.steps if isinstance(step, Quantize)]
    scales += [product.unit for product in case.network.products]
    bits = np.ldexp(np.frexp(scales)[0], 7)
    np.testing.assert_array_equal(bits, np.rint(bits))


def _arranged(product: Product, values: Array) -> Array:
    """Values (M, ..., K) as ONNX's weights lie."""
    return values.T if product.kind == "MatMul" else np.moveaxis(values, -1, 1)


def test_the_file_has_the_integers_of_quantization(case: _Case) -> None:
    tensors = models.tensors_of(case.proto, case.x)
    stored = {each.name: onnx.numpy_helper.to_array(each) for each in case.proto.graph.initializer}
    nodes = {node.name: node for node in case.graph.nodes}
    datapath = case.config.datapath
    for product in case.network.products:
        weights = case.graph.constants[nodes[product.name].inputs[1]]
        rows = np.moveaxis(weights, 1, -1) if product.kind == "Conv" else weights.T
        if nodes[product.name].attributes.get("transB"):
            rows = weights
        wanted = quantize_clipped(
            rows, datapath.weights, case.clip, vector_size=datapath.vector_size, coarse_axis=0
        )
        elements = wanted.elements.reshape(*rows.shape[:-1], -1)[..., : rows.shape[-1]]
        in_file = stored[f"{product.name}_elements"].astype(np.int8)
        np.testing.assert_array_equal(in_file, _arranged(product, elements), strict=True)
        if wanted.scales is not None:
            in_file = stored[f"{product.name}_scales"].astype(np.uint16)
            np.testing.assert_array_equal(in_file, _arranged(product, wanted.scales), strict=True)
        # Rounded to the engine's factors of 16 significant bits.
        np.testing.assert_allclose(product.gammas, wanted.gamma, rtol=2.0**-16)
        real = product.weights()
        np.testing.assert_array_equal(tensors[f"{product.name}_weights"], _arranged(product, real))


def test_each_step_agrees_with_onnx_runtime(case: _Case) -> None:
    models.compare_steps(case.network, case.config, case.proto, case.x)


def test_the_file_gives_what_the_network_gives(case: _Case) -> None:
    result = as_real(run_network(case.network, case.x, case.config)[case.network.outputs[0]])
    expected = models.output_of(case.proto, case.x)
    same = (result == expected).reshape(len(case.x), -1).all(axis=1)
    # Of twelve inputs one or two, where the rounding of a float32 sum flips that of a result.
    assert same.mean() >= 0.75
    np.testing.assert_allclose(result, expected, rtol=0, atol=0.05 * np.abs(expected).max())


def _error(actual: Floats, expected: Floats) -> float:
    """Root mean square, relative to that of what is expected."""
    return float(np.sqrt(np.mean((actual - expected) ** 2) / np.mean(expected**2)))


def test_results_are_near_those_in_floats(case: _Case) -> None:
    x = case.x[1:6]  # those within calibration
    result = as_real(run_network(case.network, x, case.config)[case.network.outputs[0]])
    expected = evaluate(case.graph, x)[case.graph.outputs[0]]
    # Three and four bits lose up to half; without its ReLUs a network has errors above 1.
    assert _error(result, expected) < (0.03 if case.config.output.element_bits == 8 else 0.6)


@pytest.mark.parametrize("size", [4, 16])
def test_digits_are_classified_as_by_onnx_runtime(size: int) -> None:
    config, digits = _config("4/4U/4/6", size), Digits.load()
    images = digits.images.reshape(-1, 1, 8, 8)
    network = quantize_network(convolutional(), calibration_images(), config, Clip("max"))
    result = np.asarray(run_network(network, images, config)[network.outputs[0]])
    expected = models.output_of(models.write(network, config, _SHAPES["digits"]), images)
    assert np.mean((result == expected).all(axis=1)) >= 0.9  # 95 and 97 %: flips, as above
    assert np.mean(result.argmax(axis=1) == expected.argmax(axis=1)) >= 0.99
    assert digits.accuracy(result) >= 0.97


@pytest.mark.parametrize("accumulator_bits", [16, 24])
def test_inputs_far_beyond_calibration_saturate(accumulator_bits: int, tmp_path: Path) -> None:
    config = _config("4/4/4/6", accumulator_bits=accumulator_bits)
    halves = np.full((32, 3), 0.5, np.float32) * np.array([1, -1, 0], np.float32)
    body = "a = Gemm(x, halves) b = Gemm(a, same) c = Gemm(x, halves) y = Add(b, c)"
    proto = model("32->3", body, {"halves": halves, "same": np.eye(3, dtype=np.float32)})
    graph = models.graph_of(proto, tmp_path)
    network = quantize_network(graph, np.eye(32, dtype=np.float32), config, Clip("max"))
    quantized, _, rescaled = network.products
    flags: dict[str, bool] = {}

    def run(product: Product, parts: list[Part]) -> list[LayerResult]:
        (part,) = parts
        result = run_layer(part.layer, part.activations, config)
        flags[product.output] = bool(result.saturated.any())
        return [result]

    run_network(network, np.zeros((1, 32), np.float32), config, run=run)
    assert flags == {"a": False, "b": False, "c": False}
    tensors = run_network(network, np.full((1, 32), 1e6, np.float32), config, run=run)
    # With 16 bits even the one product of 441 * 105 that b needs.
    assert flags == {"a": True, "b": accumulator_bits == 16, "c": True}
    assert quantized.gamma is not None
    a, c = as_real(tensors["a"]) / quantized.gamma, as_real(tensors["c"]) / rescaled.unit
    if accumulator_bits == 24:  # only the results saturate
        assert a.tolist() == [[7 * 63, -7 * 63, 0]]
        assert c.tolist() == [[(1 << 17) - 1, -(1 << 17), 0]]
    else:
        assert (np.sign(a) == [[1, -1, 0]]).all()
        assert (np.sign(c) == [[1, -1, 0]]).all()


def test_the_file_keeps_the_configuration(tmp_path: Path) -> None:
    config = _config("4/4/8/8", 4, scale_product_bits=8, accumulator_bits=20)
    config = replace(config, result_bits=21)
    graph, x = models.graph_of(models.sequence_model(), tmp_path), uniform(0, 4, 5, 10)
    network = quantize_network(graph, x, config, Clip("max"))
    onnx.save(models.write(network, config, "5,10->5,6"), tmp_path / "quantized.onnx")
    assert_same(read_model(tmp_path / "quantized.onnx"), (network, config))
    # Rounded scale products count in units of 2^8.
    result = as_real(run_network(network, x, config)["y"])
    assert _error(result, evaluate(graph, x)["y"]) < 0.15


def test_only_files_of_quantized_networks_are_read(tmp_path: Path) -> None:
    proto, path = model("6->6", "y = Gemm(x, w)", {"w": uniform(0, 6, 6)}), tmp_path / "float.onnx"
    graph = models.graph_of(proto, tmp_path)
    with pytest.raises(
        ValueError, match=rf"^{path}: not a quantized network: `scalewright quantize` makes one$"
    ):
        read_model(path)
    config = _config("4/4/4/6")
    network = quantize_network(graph, uniform(0, 4, 6), config, Clip("max"))
    written = models.write(network, config, "6->6")
    proto.metadata_props.extend(written.metadata_props)
    del proto.opset_import[:]
    proto.opset_import.extend(written.opset_import)
    onnx.save(proto, path)
    with pytest.raises(
        ValueError, match=rf"^{path}: has no product that the engine computes: quantize again$"
    ):
        read_model(path)
