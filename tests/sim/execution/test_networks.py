"""Networks on the engine's RTL."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import Network, Region, as_real, run_network
from scalewright.golden.network.quantization import quantize_network
from scalewright.golden.quantized import Floats
from scalewright.sim.bench.design import Design
from scalewright.sim.demo.digits.models import calibration_images, convolutional
from scalewright.sim.execution import layers
from scalewright.sim.execution import networks as driver
from scalewright.sim.execution.networks import count_words, run_on_rtl
from scalewright.sim.simulators.build import PLAYER, Build, build
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import uniform

# Small: two groups of lanes make a vector, and the longest sums do not fit the buffer at once.
_CONFIG = EngineConfig(
    datapath=DatapathConfig.parse("4/4U/4/6", vector_size=4), lanes=2, depth=40, post_lanes=2
)


@pytest.fixture(scope="module")
def network() -> Network:
    return quantize_network(convolutional(), calibration_images(), _CONFIG, Clip("max"))


@pytest.fixture(scope="module")
def images() -> Floats:
    return calibration_images()[:1]


def test_gives_what_golden_gives(network: Network, images: Floats) -> None:
    sent: list[int] = []
    run = run_on_rtl(network, images, _CONFIG, progress=sent.append)
    assert run.mismatch_count == 0
    golden = run_network(network, images, _CONFIG)
    for name, tensor in run.tensors.items():
        assert np.array_equal(as_real(tensor), as_real(golden[name])), name
    assert sum(sent) == count_words(network, images, _CONFIG)
    assert [layer.rows for layer in run.layers] == [64, 64, 16, 1]
    assert [layer.multiplications for layer in run.layers] == [
        64 * 16 * 9, 64 * 32 * 9 * 16, 16 * 32 * 9 * 32, 10 * 128,
    ]  # fmt: skip
    # The first layer's weights fit the buffer; those of the third come again for every row, two
    # transfers for each vector of activations.
    assert run.layers[0].utilisation > 0.9
    assert 0.45 < run.layers[2].utilisation <= 0.5
    assert all(0 < layer.efficiency <= layer.utilisation <= 1 for layer in run.layers)


def test_gives_what_golden_gives_where_activations_are_of_either_sign() -> None:
    config = replace(_CONFIG, datapath=DatapathConfig.parse("4/4X/4/6", vector_size=4))
    x = calibration_images() - np.float32(0.25)
    network = quantize_network(convolutional(), x, config, Clip("max"))
    signs = [step.signed for step in network.steps if not isinstance(step, Region)]
    assert {True, False} <= set(signs)
    run = run_on_rtl(network, x[:1], config)
    assert run.mismatch_count == 0
    golden = run_network(network, x[:1], config)
    for name, tensor in run.tensors.items():
        assert np.array_equal(as_real(tensor), as_real(golden[name])), name


def test_splits_long_layers_into_several_simulations(
    network: Network, images: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_on_rtl(network, images, _CONFIG)
    monkeypatch.setattr(layers, "_VECTORS", 9 * 8 * 40)  # 40 rows of the first layer
    split = run_on_rtl(network, images, _CONFIG)
    assert split.mismatch_count == 0
    assert split.layers[0].cycles > whole.layers[0].cycles
    assert np.array_equal(
        as_real(split.tensors[network.outputs[0]]), as_real(whole.tensors[network.outputs[0]])
    )


def test_counts_the_results_of_a_faulty_engine(
    network: Network, images: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(design: Design, words: int) -> Build:
        del words
        # In the first lane the lowest bits of the elements are joined, not multiplied.
        pattern = r"(assign s0_dot_bits_0 = \w+) & (\w+;)"
        text, count = re.subn(pattern, r"\1 | \2", design.verilog, count=1)
        assert count == 1
        return build(design.with_verilog(text), simulator=PLAYER)

    monkeypatch.setattr(driver, "build_player", faulty)
    assert run_on_rtl(network, images, _CONFIG).mismatch_count > 0


_SIGNED = EngineConfig(
    datapath=DatapathConfig.parse("4/4/4/6", vector_size=4), lanes=4, depth=32, post_lanes=2
)
_MODELS: dict[str, tuple[str, str, dict[str, tuple[int, ...]], dict[str, int]]] = {
    "groups": (
        "6,5,5->9,5,5",
        """a = Conv <group=6, pads=[1,1,1,1]> (x, depthwise) b = Relu(a)
           c = Conv <group=2> (b, halves) y = Conv <group=3> (c, thirds)""",
        {"depthwise": (6, 1, 3, 3), "halves": (12, 3, 1, 1), "thirds": (9, 4, 1, 1)},
        {"a": 25, "b": 25, "c": 25, "y": 25},
    ),
    "attention": (
        "7,10->7,6",
        """q = MatMul(x, wq) k = MatMul(x, wk) v = MatMul(x, wv)
           t = Transpose <perm=[0,2,1]> (k) s = MatMul(q, t) p = Softmax <axis=-1> (s)
           o = MatMul(p, v) y = MatMul(o, wo)""",
        {"wq": (10, 10), "wk": (10, 10), "wv": (10, 10), "wo": (10, 6)},
        dict.fromkeys("qkvsoy", 7),
    ),
}


@pytest.mark.parametrize("sample", [None, 9])
@pytest.mark.parametrize("name", _MODELS)
def test_groups_and_products_of_activations(name: str, sample: int | None, tmp_path: Path) -> None:
    shape, body, shapes, rows = _MODELS[name]
    constants = {key: uniform(i, *each) for i, (key, each) in enumerate(shapes.items())}
    graph = models.graph_of(models.model(shape, body, constants), tmp_path)
    x = uniform(9, 4, *models.sizes(shape.split("->")[0]))
    network = quantize_network(graph, x, _SIGNED, Clip("max"))
    sent: list[int] = []
    run = run_on_rtl(network, x, _SIGNED, sample=sample, progress=sent.append)
    assert run.mismatch_count == 0
    golden = run_network(network, x, _SIGNED)
    for tensor, values in run.tensors.items():
        assert np.array_equal(as_real(values), as_real(golden[tensor])), tensor
    played = {product.output: 4 * rows[product.output] for product in network.products}
    wanted = {p.name: sample or played[p.output] for p in network.products}
    assert {layer.name: layer.rows for layer in run.layers} == wanted
    if sample is None:
        assert sum(sent) == count_words(network, x, _SIGNED)


@pytest.mark.parametrize("notation", ["4/4/4/6", "4/4X/4/6"])
def test_wider_elements(notation: str, tmp_path: Path) -> None:
    body = "a = Conv <pads=[1,1,1,1]> (x, k) b = Relu(a) c = Conv <group=2> (b, l) y = Conv(c, m)"
    shapes: dict[str, tuple[int, ...]] = {"k": (6, 3, 3, 3), "l": (8, 3, 1, 1), "m": (5, 8, 1, 1)}
    constants = {key: uniform(i, *each) for i, (key, each) in enumerate(shapes.items())}
    graph = models.graph_of(models.model("3,5,5->5,5,5", body, constants), tmp_path)
    x = uniform(9, 3, 3, 5, 5)
    datapath = DatapathConfig.parse(notation, vector_size=4)
    # 36 rows, and so many more for digits: some sums do not fit the buffer at once.
    config = EngineConfig(datapath=datapath, lanes=4, depth=32, post_lanes=2)
    wide = {"a_node": "wa", "c_node": "w", "y_node": "a"}
    network = quantize_network(graph, x, config, Clip("max"), wide=wide)
    sent: list[int] = []
    run = run_on_rtl(network, x, config, progress=sent.append)
    assert run.mismatch_count == 0
    golden = run_network(network, x, config)
    for tensor, values in run.tensors.items():
        assert np.array_equal(as_real(values), as_real(golden[tensor])), tensor
    assert sum(sent) == count_words(network, x, config)
    plain = run_on_rtl(quantize_network(graph, x, config, Clip("max")), x, config)
    busy = [
        layer.busy / before.busy for layer, before in zip(run.layers, plain.layers, strict=True)
    ]
    assert busy == [4, 2, 2]


def test_another_seed_draws_other_rows(network: Network, images: Floats) -> None:
    runs = [run_on_rtl(network, images, _CONFIG, sample=5, seed=seed) for seed in (0, 0, 1)]
    # The draw is the same for a seed, and so is what is sent.
    assert runs[0].cycles == runs[1].cycles
    assert all(run.mismatch_count == 0 for run in runs)
    assert [layer.rows for layer in runs[2].layers] == [5, 5, 5, 1]


def test_mismatches_in_a_sample_are_counted(
    network: Network, images: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(design: Design, words: int) -> Build:
        del words
        text = re.sub(r"(assign s0_dot_bits_0 = \w+) & (\w+;)", r"\1 | \2", design.verilog, count=1)
        return build(design.with_verilog(text), simulator=PLAYER)

    monkeypatch.setattr(driver, "build_player", faulty)
    assert run_on_rtl(network, images, _CONFIG, sample=8).mismatch_count > 0
