"""Oscillations are counted, damped and frozen as Nagel et al. (ICML 2022) define them."""

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from tests.oracles.training import spread, torch
from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.sim.training import QatConfig, convert, quantized_layers
from scalewright.sim.training.oscillation import (
    IterativeFreezing,
    Oscillation,
    OscillationTracker,
    dampening_loss,
)
from scalewright.sim.training.schedule import cosine

nn = torch.nn

# Integers, which of their steps oscillate, and f and e after each step, at momentum 1/2.
SEQUENCES = {
    "up, down, rest, up, up, down": (
        [0, 1, 0, 0, 1, 2, 1],
        [False, True, False, True, False, True],
        "0 1/2 1/4 5/8 5/16 21/32",
        "1/2 1/4 1/8 9/16 41/32 73/64",
    ),
    "the same direction": ([0, 1, 2, 3], [False] * 3, "0 0 0", "1/2 5/4 17/8"),
    "a first change": ([2, 2, -1, -1], [False] * 3, "0 0 0", "2 1/2 -1/4"),
    "jumps": ([3, -2, 3, 1], [False, True, True], "0 1/2 3/4", "1/2 7/4 11/8"),
    "back after a rest": (
        [0, 1, 1, 1, 0],
        [False, False, False, True],
        "0 0 0 1/2",
        "1/2 3/4 7/8 7/16",
    ),
}


def format_config(scale_bits: int | None = None, **parameters: Any) -> QatConfig:
    """3-bit weights on small vectors, activations whose scale is found anew at every step."""
    datapath = DatapathConfig(
        weights=OperandFormat(element_bits=3, scale_bits=scale_bits),
        activations=OperandFormat(element_bits=8),
        vector_size=4,
        accumulator_bits=32,
    )
    return QatConfig(datapath=datapath, static_activations=False, **parameters)


def network(config: QatConfig, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return convert(nn.Sequential(nn.Linear(10, 12), nn.ReLU(), nn.Linear(12, 6)), config)


@pytest.mark.parametrize("name", SEQUENCES)
def test_sequence_has_the_frequency_and_average_computed_by_hand(name: str) -> None:
    integers, oscillating, frequencies, averages = SEQUENCES[name]
    oscillation = Oscillation(torch.tensor([float(integers[0])]), 0.5)
    assert float(oscillation.frequency) == 0
    assert float(oscillation.average) == integers[0]
    steps = zip(integers[1:], oscillating, frequencies.split(), averages.split(), strict=True)
    for integer, oscillates, frequency, average in steps:
        assert bool(oscillation.update(torch.tensor([float(integer)]))) is oscillates
        assert Fraction(float(oscillation.frequency)) == Fraction(frequency)
        assert Fraction(float(oscillation.average)) == Fraction(average)


def test_each_of_many_integers_is_followed_by_itself() -> None:
    rng = np.random.default_rng(0)
    sequence = rng.integers(-2, 3, (16, 5, 7))  # 16 halvings of 3 bits are exact in float32
    oscillation = Oscillation(torch.tensor(sequence[0], dtype=torch.float32), 0.5)
    later = torch.tensor(sequence[1:], dtype=torch.float32)
    flags = [oscillation.update(integers).numpy() for integers in later]
    for index in np.ndindex(5, 7):
        values = [int(value) for value in sequence[:, *index]]
        direction, frequency, average = 0, Fraction(0), Fraction(values[0])
        for step, (last, value) in enumerate(pairwise(values)):
            oscillates = (value - last) * direction < 0
            assert flags[step][index] == oscillates
            direction = value - last or direction
            frequency = (oscillates + frequency) / 2
            average = (value + average) / 2
        assert Fraction(float(oscillation.frequency[index])) == frequency
        assert Fraction(float(oscillation.average[index])) == average


def test_tracker_counts_steps_of_the_optimizer_not_forward_passes() -> None:
    model = network(format_config(4))
    tracker = OscillationTracker(model, momentum=0.5)
    layer = quantized_layers(model)["0"]
    x = torch.randn(3, 10)
    for step in range(4):
        for _ in range(step):
            model(x).sum().backward()
        with torch.no_grad():
            layer.weight.neg_()  # every integer but 0 changes its sign
        for _ in range(3 - step):
            model(x)
        before = tracker.layers["0"].frequency.clone()
        model(x)
        assert torch.equal(tracker.layers["0"].frequency, before)
        tracker.update()
    changing = layer.quantize_weight().elements != 0
    assert changing.float().mean() > 0.5
    # One first change, then three oscillations: 1/2 + 1/4 + 1/8.
    assert torch.equal(tracker.layers["0"].frequency, torch.where(changing, 0.875, 0.0))
    assert not tracker.layers["2"].frequency.any()


def test_share_is_that_of_the_weights_without_padding() -> None:
    model = convert(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)), format_config())
    tracker = None
    for change in (0.0, 1.0, 0.0, 1.0):
        with torch.no_grad():
            model[0].weight.copy_(torch.tensor([[3, 1 - change, 2], [3, 0, -1]]))
            model[1].weight.copy_(torch.tensor([[3, 1], [3, 1 + change]]))
        tracker = tracker or OscillationTracker(model, momentum=0.25)
        tracker.update()
    assert tracker is not None
    assert tracker.weights == 10
    # Two weights of ten have oscillated twice: f = 1/4, then 7/16.
    assert tracker.share(0.43) == 0.2
    assert tracker.share(0.4375) == 0.0  # not above it
    assert tracker.share() == 0.2


@pytest.mark.parametrize("momentum", [0.0, -0.1, 1.1, float("nan")])
def test_momentum_out_of_range_is_an_error(momentum: float) -> None:
    model = network(format_config())
    message = f"^momentum must be above 0 and at most 1, not {momentum}$"
    with pytest.raises(ValueError, match=message):
        OscillationTracker(model, momentum=momentum)
    OscillationTracker(model, momentum=1.0)


def test_network_without_quantized_layers_is_an_error() -> None:
    message = "^the network has no quantized layer: convert it first$"
    for function in (OscillationTracker, dampening_loss):
        with pytest.raises(ValueError, match=message):
            function(nn.Linear(2, 2))


CONFIGS = {
    "dynamic scales of vectors": format_config(4),
    "dynamic scales of channels": format_config(),
    "clipping": format_config(4, weight_clip=Clip("octav")),
    "static": format_config(4, static_weights=True),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_frozen_integers_never_move_again(name: str) -> None:
    model = network(CONFIGS[name])
    layers: dict[str, Any] = dict(quantized_layers(model))
    for layer in layers.values():
        layer.calibrate(1.0)
    tracker = OscillationTracker(model, momentum=0.1)
    freezing = IterativeFreezing(model, tracker)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    held = {key: torch.zeros_like(layer.element_filter.mask) for key, layer in layers.items()}
    at = {key: layer.element_filter.elements.clone() for key, layer in layers.items()}
    batches, targets = torch.randn(150, 16, 10), torch.randn(150, 16, 6)
    scales = set()
    for step in range(150):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(batches[step]), targets[step]).backward()
        for key, layer in layers.items():
            assert not layer.weight.grad[layer.quantize_weight().joined(held[key])].any()
        (1e-2 * dampening_loss(model)).backward()
        optimizer.step()
        tracker.update()
        freezing.update(cosine(step / 150, 0.5, 0.08))
        for key, layer in layers.items():
            mask = layer.element_filter.mask
            assert not (held[key] & ~mask).any()
            at[key] = torch.where(held[key], at[key], tracker.layers[key].average.round())
            held[key] = mask.clone()
            quantized = layer.quantize_weight()
            assert torch.equal(quantized.elements[mask], at[key][mask])
            scales.add(quantized.gamma.sum().item())
    frozen = sum(int(mask.sum()) for mask in held.values())
    assert 0.05 < frozen / tracker.weights < 0.95
    assert freezing.share() == frozen / tracker.weights
    assert (len(scales) > 100) != (name == "static")


def test_state_keeps_what_is_frozen() -> None:
    model = network(format_config(4))
    tracker = OscillationTracker(model, momentum=0.5)
    freezing = IterativeFreezing(model, tracker)
    for _ in range(3):
        with torch.no_grad():
            model[0].weight.neg_()
        tracker.update()
    freezing.update(0.1)
    assert 0 < freezing.share() < 1
    with torch.no_grad():
        model[0].weight.neg_()
    copy = network(format_config(4), seed=1)
    restored = IterativeFreezing(copy, tracker)  # whose averages say something else by now
    copy.load_state_dict(model.state_dict())
    assert restored.share() == freezing.share()
    for oscillation in tracker.layers.values():
        oscillation.average.fill_(-2)
    restored.update(0.1)
    x = torch.randn(5, 10)
    assert torch.equal(copy(x), model(x))
    for key, layer in quantized_layers(model).items():
        same = quantized_layers(copy)[key]
        assert torch.equal(same.quantize_weight().elements, layer.quantize_weight().elements)


@pytest.mark.parametrize("name", CONFIGS)
def test_dampening_loss_and_its_gradient_are_those_of_the_formula(name: str) -> None:
    rng = np.random.default_rng(1)
    model = network(CONFIGS[name])
    layers = quantized_layers(model).values()
    total, clipped = 0.0, 0
    for layer in layers:
        with torch.no_grad():
            layer.weight.copy_(spread(rng, *layer.weight.shape))
        layer.calibrate(1.0)
        with torch.no_grad():
            layer.weight.mul_(torch.linspace(0.5, 1.5, layer.weight.shape[1]))
    dampening_loss(model).backward()
    for layer in layers:
        w = layer.weight.detach().numpy().astype(np.float64)
        quantized = layer.quantize_weight().as_golden()
        scale = quantized.vector_gamma().astype(np.float64)[..., None]
        if quantized.scales is not None:
            scale = scale * quantized.scales[..., None]
        scale = np.broadcast_to(scale, quantized.elements.shape)
        x_hat = (quantized.elements * scale).reshape(len(w), -1)[:, : w.shape[1]]
        limit = 3 * scale.reshape(len(w), -1)[:, : w.shape[1]]
        difference = np.clip(w, -limit, limit) - x_hat
        total += float(np.square(difference).sum())
        inside, outside = np.abs(w) < limit * (1 - 1e-6), np.abs(w) > limit * (1 + 1e-6)
        gradient = layer.weight.grad.numpy()
        np.testing.assert_allclose(gradient[inside], 2 * difference[inside], rtol=0, atol=1e-5)
        assert not gradient[outside].any()
        clipped += int(outside.sum())
    np.testing.assert_allclose(dampening_loss(model).item(), total, rtol=1e-5)
    assert clipped > 10 or name.startswith("dynamic")
