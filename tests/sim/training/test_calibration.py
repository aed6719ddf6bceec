"""Calibration: thresholds from batches, and what stays as it was."""

from typing import Any

import numpy as np
import pytest

from tests.oracles.training import small_batches, small_network, torch
from scalewright.golden.calibration import Calibrator, Clip, Granularity, clipping_threshold
from scalewright.golden.config import DatapathConfig
from scalewright.sim.training import QatConfig, calibrate, convert, quantized_layers

nn = torch.nn

DATAPATH = DatapathConfig.parse("4/4U/4/6")
CONFIG = QatConfig(datapath=DATAPATH)


@pytest.mark.parametrize("static", ["static_activations", "static_weights"])
def test_static_layers_ask_for_calibration(static: str) -> None:
    parameters: dict[str, Any] = {"static_activations": False, static: True}
    model = convert(small_network(), QatConfig(datapath=DATAPATH, **parameters))
    message = (
        r"^static thresholds need calibration: "
        r"call scalewright\.sim\.training\.calibrate\(model, batches\)$"
    )
    with pytest.raises(RuntimeError, match=message):
        model(small_batches()[0])
    with pytest.raises(RuntimeError, match=message):
        _ = model[2].activation_gamma


def test_dynamic_layers_need_no_calibration() -> None:
    model = convert(small_network(), QatConfig(datapath=DATAPATH, static_activations=False))
    assert model(small_batches()[0]).isfinite().all()


def test_calibration_names_a_layer_that_no_batch_has_passed() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    model[1].spare = nn.Linear(4, 4)
    convert(model, CONFIG)
    message = r"^layer 1\.spare: no batch has passed it, so it cannot be calibrated$"
    with pytest.raises(ValueError, match=message):
        calibrate(model, [torch.rand(2, 4)])
    with pytest.raises(ValueError, match=r"^layer 0: no batch has passed it"):
        calibrate(model, [])


@pytest.mark.parametrize("fails", [False, True])
def test_calibration_keeps_modes_and_statistics(fails: bool) -> None:
    model = convert(small_network(), CONFIG).train()
    model[3].eval()
    modes = [module.training for module in model.modules()]
    mean = model[0][1].running_mean.clone()
    data = small_batches()
    if fails:
        with pytest.raises(RuntimeError):
            calibrate(model, [*data, torch.rand(1, 5, 5, 5)])  # too few channels
    else:
        calibrate(model, data)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(model[0][1].running_mean, mean)
    assert all(layer.observe is None for layer in quantized_layers(model).values())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("clip", ["max", "octav", "percentile:99", "mse"])
@pytest.mark.parametrize("notation", ["4/4U/4/-", "4/4/4/6"])
def test_threshold_is_the_mean_of_those_of_batches_in_the_float_network(
    notation: str, clip: str
) -> None:
    path = DatapathConfig.parse(notation)
    config = QatConfig(datapath=path, activation_clip=Clip.parse(clip))
    model = small_network().eval()
    inputs: dict[str, list[Any]] = {"0.0": [], "2": [], "4": []}
    with torch.no_grad():
        for x in small_batches():
            inputs["0.0"].append(x.movedim(1, -1).numpy())
            inputs["2"].append(model[:2](x).numpy())
            inputs["4"].append(model[:4](x).numpy())
    calibrate(convert(model, config), small_batches())
    for name, layer in quantized_layers(model).items():
        fmt = path.activations
        if fmt.scale_bits is None:
            calibrator = Calibrator(fmt, config.activation_clip)
            for rows in inputs[name]:
                calibrator.collect(rows)
            want: Any = calibrator.compute_amax()
        else:  # the largest vector's: that is what the coarse scale has to reach
            limits = [
                clipping_threshold(
                    rows,
                    fmt,
                    config.activation_clip,
                    granularity=Granularity.VECTOR,
                    vector_size=path.vector_size,
                ).max()
                for rows in inputs[name]
            ]
            want = np.float32(np.mean(limits, dtype=np.float64))
        if name == "0.0":  # before it nothing is computed in another order
            assert layer.activation_threshold.numpy() == want
        np.testing.assert_allclose(layer.activation_threshold.numpy(), want, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("kind", ["linear", "convolution"])
def test_layers_of_any_float_type_calibrate_and_give_float32(kind: str, dtype: Any) -> None:
    layer = nn.Linear(6, 4) if kind == "linear" else nn.Conv2d(6, 4, 3)
    new = convert(layer.to(dtype), CONFIG)
    x = torch.rand(2, 6) if kind == "linear" else torch.rand(2, 6, 5, 5)
    calibrate(new, [x.to(dtype)])
    y = new(x.to(dtype))
    assert y.dtype == torch.float32
    y.sum().backward()
    assert layer.weight.grad.dtype == layer.bias.grad.dtype == dtype
