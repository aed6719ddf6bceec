"""Trained networks on the engine: exported, exact, in a file, on the simulated RTL."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracles.training import torch
from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import (
    Product,
    Quantize,
    Region,
    Vectors,
    as_real,
    run_network,
)
from scalewright.golden.quantized import Quantized
from scalewright.sim.execution.networks import run_on_rtl
from scalewright.sim.models.quantized_model import read_model, write_model
from scalewright.sim.training import ExactNetwork, QatConfig, calibrate, convert, to_network

nn = torch.nn


def engine(notation: str = "4/4U/4/6", **parameters: Any) -> EngineConfig:
    return EngineConfig(datapath=DatapathConfig.parse(notation, **parameters), lanes=4)


def converted(model: Any, config: EngineConfig, x: Any, **parameters: Any) -> Any:
    model = convert(model, QatConfig(datapath=config.datapath, **parameters))
    calibrate(model, [x])
    return model.eval()


def normalization(channels: int) -> Any:
    """Batch normalization with statistics and factors of its own, half of them negative."""
    norm = nn.BatchNorm2d(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(-1.5, 1.5, channels))
        norm.bias.copy_(torch.linspace(0.3, -0.2, channels))
        norm.running_mean.copy_(torch.linspace(-0.2, 0.4, channels))
        norm.running_var.copy_(torch.linspace(0.5, 2, channels))
    return norm


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize(
    ("notation", "parameters"),
    [
        ("4/4U/4/6", {}),
        ("4/4U/4/6", {"scale_product_bits": 5, "vector_size": 4}),
        ("8/8/-/-", {}),
        ("3/6/-/8", {"accumulator_bits": 40}),
        ("3/3U/4/-", {"accumulator_bits": 16}),
    ],
)
def test_single_layer_differs_by_rounding_to_result_bits_only(
    notation: str, parameters: dict[str, Any], per_channel: bool
) -> None:
    torch.manual_seed(1)
    config = engine(notation, **parameters)
    model = nn.Sequential(nn.Conv2d(5, 6, 3, stride=2, padding=(1, 0)), normalization(6))
    x = torch.rand(4, 5, 9, 8)
    trained = converted(model, config, x, per_channel=per_channel)
    network = to_network(trained, x, config)
    (product,) = network.products
    want = trained(x).detach().numpy()
    got = ExactNetwork(network, config)(x).numpy()
    # Half a unit by the result, half by the bias, and factors of 16 bits.
    limit = product.unit + np.abs(want).max() * 2.0**-16
    assert np.abs(got - want).max() <= limit
    assert np.abs(got - want).max() > 0


class Residual(nn.Module):  # type: ignore[misc, name-defined] # torch is Any
    """Everything that the host and the engine have."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.first_norm = normalization(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1, dilation=1)
        self.third = nn.Conv2d(8, 8, 1)
        self.pool = nn.MaxPool2d(2)
        self.average = nn.AvgPool2d(2, count_include_pad=False)
        self.dropout = nn.Dropout()
        self.hidden = nn.Linear(8, 16)
        self.output = nn.Linear(16, 3)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.first_norm(self.first(x)))
        y = self.third(torch.nn.functional.relu(self.second(x)))
        x = self.pool((x + y).relu())
        x = torch.flatten(nn.functional.relu(self.average(x)), start_dim=1)
        return self.output(self.dropout(torch.relu(self.hidden(x))))


def test_network_of_all_operators_keeps_its_integers_and_scales() -> None:
    torch.manual_seed(2)
    config = engine()
    x = torch.rand(40, 1, 4, 4)
    trained = converted(Residual(), config, x)
    network = to_network(trained, x, config)
    tensors = run_network(network, x.numpy(), config)
    # What training saw, layer by layer, from the very inputs that the engine has.
    layers = {name.replace(".", "_"): layer for name, layer in trained.named_children()}
    for product in network.products:
        layer = layers[product.name]
        source = tensors[product.input]
        assert isinstance(source, Vectors)
        weights = layer.quantize_weight().as_golden()
        (block,) = product.blocks
        assert isinstance(block.weights, Quantized)
        np.testing.assert_array_equal(np.abs(block.weights.elements), np.abs(weights.elements))
        np.testing.assert_array_equal(block.weights.scales, weights.scales)
        assert float(source.values.gamma) == layer.activation_gamma
    kinds = [
        " ".join(node.kind for node in step.nodes)
        if isinstance(step, Region)
        else step.kind
        if isinstance(step, Product)
        else "Quantize"
        for step in network.steps
    ]
    assert kinds == [
        "Quantize", "Conv", "Quantize", "Conv", "Conv",
        "Add Relu MaxPool AveragePool Relu Flatten", "Quantize", "Gemm", "Gemm",
    ]  # fmt: skip
    want = trained(x).detach().numpy()
    got = as_real(tensors[network.outputs[0]])
    assert np.mean(np.abs(got - want).max(axis=1) < 1e-3) > 0.5
    assert np.mean(got.argmax(axis=1) == want.argmax(axis=1)) > 0.9


def test_results_before_pooling_are_not_quantized_twice() -> None:
    config = engine()
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1))
    x = torch.rand(4, 1, 6, 6)
    network = to_network(converted(model, config, x), x, config)
    first, second = network.products
    assert first.gamma is None
    assert [type(step) for step in network.steps].count(Quantize) == 2
    assert second.input.endswith("_quantized")


def test_results_straight_to_a_layer_are_quantized_in_the_engine() -> None:
    config = engine()
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 1))
    x = torch.rand(4, 1, 6, 6)
    trained = converted(model, config, x)
    network = to_network(trained, x, config)
    assert network.products[0].gamma == trained[2].activation_gamma
    assert [type(step) for step in network.steps] == [Quantize, Product, Product]


@pytest.mark.parametrize(("notation", "product_bits"), [("4/4U/4/6", 6), ("4/4/4/6", None)])
def test_trained_network_runs_on_the_engine_as_its_exact_forward_pass(
    notation: str, product_bits: int | None, tmp_path: Path
) -> None:
    load_digits = pytest.importorskip("sklearn.datasets", reason="scikit-learn has the digits")
    images, labels = load_digits.load_digits(return_X_y=True)
    x = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.tensor(labels)
    torch.manual_seed(3)
    model = nn.Sequential(
        OrderedDict(
            first=nn.Conv2d(1, 8, 3, stride=2, padding=1, bias=False),
            norm=nn.BatchNorm2d(8),
            relu=nn.ReLU(),
            second=nn.Conv2d(8, 16, 3, stride=2, bias=False, padding=1),
            second_norm=nn.BatchNorm2d(16),
            second_relu=nn.ReLU(),
            flatten=nn.Flatten(),
            output=nn.Linear(64, 10),
        )
    )
    config = EngineConfig(
        datapath=DatapathConfig.parse(notation, scale_product_bits=product_bits), lanes=4, depth=64
    )
    model = convert(model, QatConfig(datapath=config.datapath, activation_clip=Clip("octav")))
    calibrate(model, [x[:256]])
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    model.train()
    for _ in range(8):
        for batch in torch.randperm(1437).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
    model.eval()

    test = x[1437:1537]
    exact = ExactNetwork(to_network(model, x[:100], config), config)
    predictions = exact(test).argmax(dim=1)
    right = int((predictions == y[1437:1537]).sum())
    assert right > 85
    path = tmp_path / "digits.vsq.onnx"
    results = run_network(exact.network, test.numpy(), config)
    path.write_bytes(write_model(exact.network, config, results).SerializeToString())
    network, read = read_model(path)
    assert read.datapath == config.datapath
    ran = run_on_rtl(network, test.numpy(), config)
    assert ran.mismatch_count == 0
    outputs = as_real(ran.tensors[network.outputs[0]])
    np.testing.assert_array_equal(outputs, exact(test).numpy())
    assert np.count_nonzero(outputs.argmax(axis=1) == y[1437:1537].numpy()) == right


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)), r"^layer 0: .* one group only$"),
        (lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.Sigmoid()), r"^layer 1: Sigmoid\(\) is not"),
        (lambda: nn.Sequential(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1)), r"^layer 0: batch norm"),
        (
            lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.AdaptiveAvgPool2d(2)),
            r"^layer 1: AdaptiveAvgPool2d",
        ),
    ],
)
def test_layer_that_the_engine_lacks_is_named(model: Any, message: str) -> None:
    config = engine()
    x = torch.rand(2, 4, 4, 4)
    with pytest.raises(ValueError, match=message):
        to_network(converted(model(), config, x), x, config)


class Aliased(nn.Module):  # type: ignore[misc, name-defined] # torch is Any
    """Takes a product both normalized, by way of a module that does nothing, and as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 1)
        self.identity = nn.Identity()
        self.norm = normalization(4)

    def forward(self, x: Any) -> Any:
        y = self.conv(x)
        return self.norm(self.identity(y)) + y


def test_normalization_of_a_shared_result_is_not_folded() -> None:
    config = engine()
    x = torch.rand(2, 4, 4, 4)
    with pytest.raises(ValueError, match=r"^layer norm: .* nothing else takes a result of$"):
        to_network(converted(Aliased(), config, x), x, config)


def test_unconverted_layer_is_named() -> None:
    config = engine()
    x = torch.rand(2, 4)
    model = convert(
        nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)),
        QatConfig(datapath=config.datapath),
        skip=["0"],
    )
    calibrate(model, [x])
    with pytest.raises(ValueError, match=r"^layer 0: Linear.* has not been converted$"):
        to_network(model, x, config)


def test_dynamic_activation_scales_are_refused() -> None:
    config = engine()
    x = torch.rand(2, 4)
    model = converted(nn.Sequential(nn.Linear(4, 2)), config, x, static_activations=False)
    with pytest.raises(ValueError, match=r"^layer 0: the engine needs static activation scales$"):
        to_network(model, x, config)


def test_other_datapath_is_refused() -> None:
    x = torch.rand(2, 4)
    model = converted(nn.Sequential(nn.Linear(4, 2)), engine(), x)
    with pytest.raises(ValueError, match=r"datapath must be the layer's, 4/4U/4/6, not 8/8/-/-$"):
        to_network(model, x, engine("8/8/-/-"))
