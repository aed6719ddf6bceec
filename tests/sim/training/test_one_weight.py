"""One weight whose best value lies between two grid points: why it oscillates, and what ends that.

For the loss (w_hat - w*)^2 / 2 (Nagel et al., ICML 2022, Section 2.2) plain SGD moves the latent
weight by lr (w* - w_hat) a step. Let w* be d < s/2 from the nearest grid point q, and s - d from
the other one. In q's bin the weight steps by lr d towards the border, and beyond it by lr (s - d)
back: modulo lr s that is a rotation by lr d. Whence, in T steps from near the border:

- It is beyond the border for N steps, each by itself as d < s - d, and has then moved by
  lr (T d - N s), which is less than lr s either way: N is T d/s but for less than 1.
- Each of them is two changes of the integer, opposite to the last: it oscillates in a share 2 d/s
  of the steps, whatever lr is.
- The latent weight takes places of an interval of length lr s.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.oracles.training import fixed_layer, torch
from scalewright.sim.training.oscillation import (
    IterativeFreezing,
    OscillationTracker,
    dampening_loss,
)

STEP = 1 / 8  # s
SIXTEENTHS = (1, 3, 5, 7, 9, 11, 15)  # of (w* - 2 s) / s
# From 2 s to 3 s, 2.5 s being the border.
BORDER = 2.5 * STEP

Floats = npt.NDArray[np.float64]


class Weights:
    """Weights that know nothing of each other: outputs of a layer with the input 1."""

    def __init__(self, targets: Floats, start: float | Floats, momentum: float = 0.002) -> None:
        self.layer = fixed_layer(np.broadcast_to(start, len(targets))[:, None].copy(), STEP)
        self.targets = torch.tensor(targets, dtype=torch.float32)
        self.tracker = OscillationTracker(self.layer, momentum=momentum)

    def train(self, steps: int, learning_rate: float, dampening: float = 0.0) -> Floats:
        """The latent weights before the first step and after each one, (steps + 1, weights)."""
        optimizer = torch.optim.SGD(self.layer.parameters(), lr=learning_rate)
        trace = [self.layer.weight.detach()[:, 0].clone()]
        for _ in range(steps):
            optimizer.zero_grad()
            loss = (self.layer(torch.ones(1, 1)) - self.targets).square().sum() / 2
            if dampening:
                loss = loss + dampening * dampening_loss(self.layer)
            loss.backward()
            optimizer.step()
            self.tracker.update()
            trace.append(self.layer.weight.detach()[:, 0].clone())
        return np.asarray(torch.stack(trace), np.float64)

    @property
    def oscillation(self) -> Any:
        return self.tracker.layers[""]

    @property
    def integers(self) -> Floats:
        elements = self.layer.quantize_weight().elements
        return np.asarray(elements[:, 0, 0], np.float64)


def changes(trace: Floats) -> Floats:
    """How often the integer of each weight changes."""
    changing: Floats = np.diff(np.rint(trace / STEP), axis=0) != 0
    return np.asarray(changing.sum(axis=0), np.float64)


def dyadic_targets() -> Floats:
    return (2 + np.array(SIXTEENTHS) / 16) * STEP


def nearest_distance(targets: Floats) -> Floats:
    return np.abs(targets - np.rint(targets / STEP) * STEP)


@pytest.mark.parametrize("learning_rate", [2.0**-2, 2.0**-4, 2.0**-6])
def test_frequency_is_twice_the_distance_and_the_amplitude_the_learning_rate(
    learning_rate: float,
) -> None:
    # All numbers are multiples of 2^-14 below 1, so that nothing rounds, and all weights are back
    # where they were after 16 steps: deviations are 0, but for the first change, which is none.
    steps = 1600
    weights = Weights(dyadic_targets(), BORDER)
    trace = weights.train(steps, learning_rate)
    np.testing.assert_array_equal(trace[0], trace[-1])
    share = 2 * nearest_distance(dyadic_targets()) / STEP
    np.testing.assert_array_equal(changes(trace), steps * share)
    # Sixteen places, evenly spaced over lr s.
    amplitude = trace.max(axis=0) - trace.min(axis=0)
    np.testing.assert_array_equal(amplitude, learning_rate * STEP * 15 / 16)


@pytest.mark.parametrize("learning_rate", [0.3, 0.1, 0.01])
def test_any_distance_gives_its_frequency(learning_rate: float) -> None:
    steps, momentum = 3000, 0.01
    targets = (2 + np.random.default_rng(0).uniform(0.02, 0.98, 64)) * STEP
    weights = Weights(targets, BORDER, momentum)
    trace = weights.train(steps, learning_rate)
    share = 2 * nearest_distance(targets) / STEP
    # |N - T d/s| < 1, and changes are 2 N, or one less at the end; float32 rounds each step by at
    # most 2^-26, of all of them below 5e-5, which counts against lr s = 1.25e-3: 0.04 in N.
    assert (np.abs(changes(trace) - steps * share) < 3 + 2 * 0.04).all()
    # A sum of the last k flags deviates from k share by at most 4 (3, and the first change), so
    # their exponential average by at most 4 m (summation by parts), and by (1 - m)^T.
    frequency = weights.oscillation.frequency[:, 0, 0].double().numpy()
    assert (np.abs(frequency - share) < 4 * momentum + (1 - momentum) ** steps + 1e-5).all()
    amplitude = trace.max(axis=0) - trace.min(axis=0)
    assert (amplitude < 1.04 * learning_rate * STEP).all()
    assert (amplitude > 0.9 * learning_rate * STEP).all()


def test_tracker_counts_both_directions() -> None:
    weights = Weights(dyadic_targets(), BORDER, momentum=0.002)
    flags = weights.oscillation.frequency * 0
    for _ in range(160):
        before = weights.oscillation.frequency.clone()
        weights.train(1, 2.0**-4)
        flags += weights.oscillation.frequency > before
    count = 160 * 2 * nearest_distance(dyadic_targets()) / STEP - 1  # the first change is none
    np.testing.assert_array_equal(flags[:, 0, 0].numpy(), count)


def test_dampening_ends_oscillation_where_it_outweighs_the_distance() -> None:
    # At the border dampening pulls with lambda s to the middle of either bin, the task with d out
    # of q's bin and with s - d out of the other one. Weights have d = s/8.
    distance = STEP / 8
    targets = np.full(2, 2 * STEP + distance)
    start = np.array([BORDER - STEP / 16, BORDER + STEP / 16])
    for dampening, integers in (
        (1 / 16, None),  # below d/s: it goes on
        (1 / 4, (2, 2)),  # above d/s: at the nearest grid point, wherever it starts
        (15 / 16, (2, 3)),  # above 1 - d/s: wherever it starts
    ):
        weights = Weights(targets, start)
        trace = weights.train(1000, 1 / 16, dampening)
        if integers is None:
            assert (changes(trace[-200:]) > 20).all()
            continue
        assert not changes(trace[-800:]).any()
        np.testing.assert_array_equal(weights.integers, integers)
        # At rest 2 lambda (w - q) = w* - q.
        rest = np.array(integers) * STEP
        rest += (targets - rest) / (2 * dampening)
        np.testing.assert_allclose(trace[-1], rest, rtol=0, atol=1e-6)


def test_freezing_ends_oscillation_at_the_nearest_grid_point() -> None:
    weights = Weights(dyadic_targets(), BORDER, momentum=0.01)
    freezing = IterativeFreezing(weights.layer, weights.tracker)
    weights.train(1000, 2.0**-4)  # until the average has settled: 0.99^1000 = 4e-5
    freezing.update(0.1)  # the least frequency is 2/16
    assert freezing.share() == 1
    np.testing.assert_array_equal(weights.integers, np.rint(dyadic_targets() / STEP))
    trace = weights.train(200, 2.0**-4)
    assert (trace == trace[0]).all()
    np.testing.assert_array_equal(weights.integers, np.rint(dyadic_targets() / STEP))


def test_freezing_before_the_average_has_settled_may_take_the_farther_grid_point() -> None:
    # A weight that came from above: at f_th = 3 m it freezes after four oscillations, here 32
    # steps, when 0.99^32 = 0.72 of its average is still the first integer.
    weights = Weights(np.array([2 * STEP + STEP / 16]), BORDER + STEP / 64, momentum=0.01)
    freezing = IterativeFreezing(weights.layer, weights.tracker)
    for _ in range(200):
        weights.train(1, 2.0**-4)
        freezing.update(0.03)
    assert freezing.share() == 1
    np.testing.assert_array_equal(weights.integers, 3)
