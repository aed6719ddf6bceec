"""Conversion in place: which layers, under which names, with whose parameters."""

from typing import Any

import pytest

from tests.oracles.training import small_batches, small_network, torch
from scalewright.golden.config import DatapathConfig
from scalewright.sim.training import (
    QatConfig,
    QuantizedConv2d,
    QuantizedLinear,
    calibrate,
    convert,
    quantized_layers,
)

nn = torch.nn

DATAPATH = DatapathConfig.parse("4/4U/4/6")
CONFIG = QatConfig(datapath=DATAPATH)


def test_layers_are_swapped_in_place() -> None:
    model = small_network()
    assert convert(model, CONFIG) is model
    assert {name: type(layer) for name, layer in quantized_layers(model).items()} == {
        "0.0": QuantizedConv2d,
        "2": QuantizedLinear,
        "4": QuantizedLinear,
    }


def test_parameters_are_the_same_objects_under_the_same_names() -> None:
    model = small_network()
    before = {name: id(parameter) for name, parameter in model.named_parameters()}
    convert(model, CONFIG)
    assert {name: id(parameter) for name, parameter in model.named_parameters()} == before


def test_an_optimizer_made_before_goes_on() -> None:
    model = small_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    calibrate(convert(model, CONFIG), small_batches())
    before = [parameter.detach().clone() for parameter in model.parameters()]
    model(small_batches()[0]).square().sum().backward()
    optimizer.step()
    for old, new in zip(before, model.parameters(), strict=True):
        assert not torch.equal(old, new)


def test_geometry_mode_and_frozen_parameters_are_kept() -> None:
    layer = nn.Conv2d(
        6, 4, (3, 1), stride=(2, 1), padding="valid", dilation=(1, 2), groups=2, bias=False
    )
    layer.weight.requires_grad_(False)
    new = convert(layer.eval(), CONFIG)
    assert not new.training
    assert not new.weight.requires_grad
    for name in ("kernel_size", "stride", "padding", "dilation", "groups", "bias"):
        assert getattr(new, name) == getattr(layer, name)


@pytest.mark.parametrize("layer", [nn.Linear(5, 3), nn.Conv2d(5, 3, 2)])
def test_a_bare_layer_is_returned_converted(layer: Any) -> None:
    new = convert(layer, CONFIG)
    assert isinstance(new, QuantizedLinear | QuantizedConv2d)
    assert new.weight is layer.weight
    assert convert(new, CONFIG) is new


def test_skipped_layers_are_left_alone() -> None:
    model = small_network()
    first, last = model[0][0], model[4]
    convert(model, CONFIG, skip=["0.0", "4"])
    assert model[0][0] is first
    assert model[4] is last
    assert list(quantized_layers(model)) == ["2"]


def test_a_bare_layer_can_be_skipped() -> None:
    layer = nn.Linear(5, 3)
    assert convert(layer, CONFIG, skip=[""]) is layer


@pytest.mark.parametrize("name", ["nope", "0", "0.1", ""])
def test_skipping_what_is_no_layer_is_an_error_that_changes_nothing(name: str) -> None:
    model = small_network()
    with pytest.raises(ValueError, match=rf"^skip must name layers of the model, not {name}$"):
        convert(model, CONFIG, skip=["4", name])
    assert not quantized_layers(model)


def test_subclasses_are_left_alone() -> None:
    special = type("Special", (nn.Linear,), {})
    model = nn.Sequential(special(4, 4), nn.Linear(4, 4))
    model.attention = nn.MultiheadAttention(4, 2)  # its projection is a subclass
    convert(model, CONFIG)
    assert list(quantized_layers(model)) == ["1"]


def test_a_layer_with_two_names_in_one_module_stays_one() -> None:
    layer = nn.Linear(4, 4)
    model = convert(nn.Sequential(layer, nn.ReLU(), layer), CONFIG)
    assert isinstance(model[0], QuantizedLinear)
    assert model[0] is model[2]


def test_a_layer_shared_by_two_modules_stays_one() -> None:
    layer = nn.Linear(4, 4)
    block = nn.Sequential(nn.Sequential(layer, nn.ReLU()), nn.Sequential(nn.ReLU(), layer))
    model = convert(nn.ModuleDict({"a": block, "b": block}), CONFIG)
    assert model["a"] is model["b"]
    assert isinstance(block[0][0], QuantizedLinear)
    assert block[0][0] is block[1][1]


@pytest.mark.parametrize("name", ["0", "2"])
def test_skipping_one_name_of_a_layer_skips_the_layer(name: str) -> None:
    layer = nn.Linear(4, 4)
    model = convert(nn.Sequential(layer, nn.ReLU(), layer), CONFIG, skip=[name])
    assert model[0] is model[2] is layer


def test_parameters_shared_by_two_layers_stay_shared() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    convert(model, CONFIG)
    assert model[1].weight is model[0].weight


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_rejects_other_padding_than_zeros_and_changes_nothing(mode: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3, padding=1, padding_mode=mode))
    with pytest.raises(ValueError, match=rf"^padding_mode must be 'zeros', not '{mode}'$"):
        convert(model, CONFIG)
    assert not quantized_layers(model)


def test_encoder_layer_that_bypasses_its_layers_is_refused() -> None:
    model = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    with pytest.raises(ValueError, match=r"set_fastpath_enabled\(False\) first$"):
        convert(model, QatConfig(datapath=DatapathConfig.parse("4/4/4/6")))
    assert type(model.linear1) is nn.Linear
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        convert(
            model, QatConfig(datapath=DatapathConfig.parse("4/4/4/6"), static_activations=False)
        )
        x = torch.randn(2, 3, 8)
        with torch.no_grad():
            got = model.eval()(x)
            model.linear1.observe = model.linear2.observe = lambda rows: None
            assert not torch.equal(got, model(x))  # in floats
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
