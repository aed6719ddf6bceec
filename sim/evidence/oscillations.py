"""Oscillating weights and their cures (Nagel et al., ICML 2022)."""

from collections.abc import Callable

from torch import Tensor, nn

from scalewright.golden.gradients import Estimator
from scalewright.sim.evidence.data import digits
from scalewright.sim.evidence.experiment import Experiment, Measured, Row, compare, steps
from scalewright.sim.evidence.fitting import fit
from scalewright.sim.evidence.networks import separable_cnn
from scalewright.sim.evidence.start import quantized, reestimated, tested, trained
from scalewright.sim.training.oscillation import (
    IterativeFreezing,
    OscillationTracker,
    dampening_loss,
)
from scalewright.sim.training.schedule import cosine

_SOURCE = "Oscillations"
_NOTATION = "3/8U/-/-"
_STEPS = 600
_LEARNING_RATE = 1e-3
# The paper's 0.001 is for many thousands of steps: here frequencies are averages over 100.
_MOMENTUM = 0.01
_OSCILLATING = 0.02  # two or three times the momentum
_DAMPENING = (0.0, 0.1)
_FREEZING, _FREEZING_BEGIN = (0.1, 0.02), 0.25
_ARMS = ("plain", "dampened", "frozen")


def _run(seed: int, share: float) -> Measured:
    start = trained(separable_cnn, seed, share)
    measured: Measured = {"float": tested(start)}
    for arm in _ARMS:
        model = quantized(start, _NOTATION, estimator=Estimator.STE)
        tracker = OscillationTracker(model, momentum=_MOMENTUM)
        freezing = IterativeFreezing(model, tracker) if arm == "frozen" else None

        def follow(
            progress: float,
            tracker: OscillationTracker = tracker,
            freezing: IterativeFreezing | None = freezing,
        ) -> None:
            tracker.update()
            if freezing is not None and progress > _FREEZING_BEGIN:
                freezing.update(cosine(progress, *_FREEZING, begin=_FREEZING_BEGIN))

        fit(
            model,
            digits().batches(2000 + seed),
            steps(_STEPS, share),
            _LEARNING_RATE,
            progress_loss=_dampening(model) if arm == "dampened" else None,
            after_step=follow,
        )
        before = tested(model)
        measured[arm] = {
            **before,
            "oscillating": 100 * tracker.share(_OSCILLATING),
            "frozen": 0.0 if freezing is None else 100 * freezing.share(),
        }
        measured[f"{arm}, batch norm anew"] = tested(reestimated(model))
    return measured


def _dampening(model: nn.Module) -> Callable[[float], Tensor]:
    return lambda progress: cosine(progress, *_DAMPENING) * dampening_loss(model)


def _rows(results: list[Measured]) -> list[Row]:
    rows = [
        compare(
            results,
            f"fewer weights oscillate when {arm}",
            _SOURCE,
            better=arm,
            worse="plain",
            metric="oscillating",
            name=f"weights with f > {_OSCILLATING} at the end, %",
        )
        for arm in ("dampened", "frozen")
    ]
    rows += [
        compare(
            results,
            f"{arm} weights give the better network",
            _SOURCE,
            better=f"{arm}, batch norm anew",
            worse="plain, batch norm anew",
            name="NLL, batch norm estimated anew",
        )
        for arm in ("dampened", "frozen")
    ]
    rows += [
        compare(
            results,
            f"batch norm estimated anew helps, {arm}",
            _SOURCE,
            better=f"{arm}, batch norm anew",
            worse=arm,
            name="NLL, depthwise-separable CNN",
        )
        for arm in _ARMS
    ]
    return rows


EXPERIMENTS = (Experiment("oscillations", _run, _rows, __file__),)
