"""Quantized layers are modules as others: state, copies, mixed precision, the compiler."""

import copy
import io
import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.training import small_batches, small_network, torch
from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig
from scalewright.sim.training import QatConfig, calibrate, convert, quantized_layers
from scalewright.sim.training.oscillation import OscillationTracker

CONFIG = QatConfig(datapath=DatapathConfig.parse("4/4U/4/6"))
OCTAV = replace(
    CONFIG,
    weight_clip=Clip("octav"),
    activation_clip=Clip("octav"),
    static_activations=False,
)
STATIC = replace(OCTAV, static_weights=True, static_activations=True)
# So small that products of scales round, and accumulators saturate.
NARROW = replace(
    CONFIG,
    datapath=DatapathConfig.parse("8/8U/8/8", scale_product_bits=6, accumulator_bits=18),
)
_CONFIGS = pytest.mark.parametrize("config", [CONFIG, STATIC], ids=["max", "octav"])


def trained(config: QatConfig) -> Any:
    """A network, calibrated, whose weights have moved since."""
    model = convert(small_network(), config)
    calibrate(model, small_batches())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.25)
    return model


def inputs(layer: Any) -> Any:
    """Inputs of one layer of the network."""
    return torch.rand(3, 6, 5, 5) if layer.weight.ndim == 4 else torch.rand(3, layer.in_features)


def outputs(model: Any) -> Any:
    with torch.no_grad():
        return model.eval()(small_batches()[1])


def gradients(model: Any, call: Any, x: Any) -> list[Any]:
    """Outputs, and gradients to the input and all parameters."""
    model.zero_grad()
    x = x.clone().requires_grad_()
    y = call(x)
    y.square().sum().backward()
    return [y.detach(), x.grad, *(parameter.grad.clone() for parameter in model.parameters())]


def test_state_has_that_of_the_float_model_and_thresholds() -> None:
    plain = small_network().state_dict()
    state = convert(small_network(), CONFIG).state_dict()
    assert state.keys() - plain.keys() == {
        f"{layer}.{operand}_threshold"
        for layer in ("0.0", "2", "4")
        for operand in ("weight", "activation")
    }
    assert plain.keys() <= state.keys()


def test_state_of_the_float_model_loads() -> None:
    plain, model = small_network(), convert(small_network(), CONFIG)
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.uniform_()
    result = model.load_state_dict(plain.state_dict(), strict=False)
    assert not result.unexpected_keys
    assert all(name.endswith("_threshold") for name in result.missing_keys)
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@_CONFIGS
@pytest.mark.parametrize("assign", [False, True])
def test_state_of_a_calibrated_model_needs_no_calibration(config: QatConfig, assign: bool) -> None:
    model, fresh = trained(config), convert(small_network(), config)
    fresh.load_state_dict(model.state_dict(), strict=True, assign=assign)
    assert torch.equal(outputs(fresh), outputs(model))
    for name, layer in quantized_layers(fresh).items():
        assert layer.activation_gamma == quantized_layers(model)[name].activation_gamma


def test_state_of_an_uncalibrated_model_leaves_none_calibrated() -> None:
    model = trained(CONFIG)
    model.load_state_dict(convert(small_network(), CONFIG).state_dict())
    with pytest.raises(RuntimeError, match=r"^static thresholds need calibration"):
        model(small_batches()[0])


def test_state_of_the_float_model_leaves_a_calibration_alone() -> None:
    model = trained(CONFIG)
    gammas = [layer.activation_gamma for layer in quantized_layers(model).values()]
    model.load_state_dict(small_network().state_dict(), strict=False)
    assert [layer.activation_gamma for layer in quantized_layers(model).values()] == gammas


def test_tracker_goes_on_from_its_state() -> None:
    model = trained(CONFIG)
    trackers = [OscillationTracker(model, momentum=0.25) for _ in range(2)]
    for step in range(6):
        if step == 3:
            trackers[1] = OscillationTracker(model, momentum=0.25)
            file = io.BytesIO()
            torch.save(trackers[0].state_dict(), file)
            file.seek(0)
            trackers[1].load_state_dict(torch.load(file))
        with torch.no_grad():
            for layer in quantized_layers(model).values():
                layer.weight.neg_()
        trackers[0].update()
        if step >= 3:
            trackers[1].update()
    states = [tracker.state_dict() for tracker in trackers]
    assert trackers[1].share(0.5) > 0.1
    for name, state in states[0].items():
        assert all(torch.equal(states[1][name][key], values) for key, values in state.items())
    del states[0]["2"]
    with pytest.raises(ValueError, match=r"^the state is of layers \['0.0', '4'\], not \['0.0', "):
        trackers[1].load_state_dict(states[0])


@_CONFIGS
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_thresholds_and_scales_stay_exact_in_other_types(config: QatConfig, dtype: Any) -> None:
    model = trained(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(torch.bfloat16))  # exact in all of them,
            parameter[parameter.abs() < 1e-4] = 0  # and not too small for float16
    for layer in quantized_layers(model).values():
        layer.calibrate(0.7)
        x = inputs(layer)
        gamma, want = layer.activation_gamma, layer(x).detach()
        layer.to(dtype)
        assert layer.weight.dtype == dtype
        assert layer.activation_gamma == gamma
        assert torch.equal(layer(x), want)
        layer.float()
        assert torch.equal(layer(x), want)


@_CONFIGS
@pytest.mark.parametrize("how", ["deepcopy", "pickle", "torch.save"])
def test_copies_compute_the_same_and_are_independent(config: QatConfig, how: str) -> None:
    model = trained(config)
    if how == "deepcopy":
        twin = copy.deepcopy(model)
    elif how == "pickle":
        twin = pickle.loads(pickle.dumps(model))
    else:
        torch.save(model, file := io.BytesIO())
        file.seek(0)
        twin = torch.load(file, weights_only=False)
    before = outputs(model)
    assert torch.equal(outputs(twin), before)
    assert twin[2].config == config
    with torch.no_grad():
        twin[2].weight.zero_()
    twin[2].calibrate(0.125)
    assert torch.equal(outputs(model), before)


@_CONFIGS
def test_autocast_changes_nothing(config: QatConfig) -> None:
    for layer in quantized_layers(trained(config)).values():

        def narrow(x: Any, layer: Any = layer) -> Any:
            with torch.autocast("cpu", torch.bfloat16):
                return layer(x)

        x = inputs(layer)
        want, got = gradients(layer, layer, x), gradients(layer, narrow, x)
        assert got[0].dtype == torch.float32
        assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_inputs_are_widened_exactly(dtype: Any) -> None:
    for layer in quantized_layers(trained(CONFIG)).values():
        x = inputs(layer).to(dtype)
        got, want = gradients(layer, layer, x), gradients(layer, layer, x.float())
        assert got[1].dtype == dtype
        want[1] = want[1].to(dtype)
        assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


@pytest.mark.parametrize("config", [CONFIG, STATIC, OCTAV], ids=["max", "static", "octav"])
# torch's own: it looks at .grad of what goes from one graph to the next.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_traced_graph_gives_the_same_outputs_and_gradients(config: QatConfig) -> None:
    torch._dynamo.reset()
    model = trained(config)
    compiled = torch.compile(model, backend="aot_eager")
    x = small_batches()[0]
    for training in (True, False):
        model.train(training)
        model[0][1].eval()  # no statistics that move on
        want, got = gradients(model, model, x), gradients(model, compiled, x)
        assert all(torch.equal(a, b) for a, b in zip(got, want, strict=True))


def test_datapath_in_training_gives_the_outputs_of_evaluation() -> None:
    config = replace(NARROW, datapath_in_training=True)
    model, plain = trained(config).train(), trained(NARROW).train()
    for layer, other in zip(
        quantized_layers(model).values(), quantized_layers(plain).values(), strict=True
    ):
        x = 4 * inputs(layer)
        y = gradients(layer, layer, x)[0]
        assert torch.equal(y, layer.eval()(x))
        assert not torch.equal(y, other(x))
        assert torch.equal(y, other.eval()(x))


def test_gradient_is_that_of_sums_that_neither_round_nor_saturate() -> None:
    model = trained(replace(NARROW, datapath_in_training=True))
    for layer in quantized_layers(model).values():
        x = 4 * inputs(layer)
        seen = []
        for training, narrow in ((True, False), (True, True), (False, True)):
            layer.config = replace(layer.config, datapath_in_training=narrow)
            layer.train(training).zero_grad()
            x = x.detach().requires_grad_()
            y = layer(x)
            y.backward(torch.ones_like(y))
            seen.append([x.grad, *(parameter.grad for parameter in layer.parameters())])
        for other in seen[1:]:
            assert all(torch.equal(a, b) for a, b in zip(other, seen[0], strict=True))


# torch's own.
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch's compiler calls g++")
def test_compiled_layer_gives_the_same_outputs(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch._dynamo.reset()
    layer = trained(CONFIG)[2]
    x = inputs(layer)
    want, got = gradients(layer, layer, x), gradients(layer, torch.compile(layer), x)
    assert torch.equal(got[0], want[0])
    for a, b in zip(got[1:], want[1:], strict=True):  # the compiler orders floats anew
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6 * float(b.abs().max()))
