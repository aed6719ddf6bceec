"""OCTAV's thresholds and magnitude-aware differentiation (Sakr et al., ICML 2022).

As there, thresholds are of whole tensors and found anew at every step. The paper trains ResNet-50
from scratch; here networks that are trained in floats go on at lower precision.
"""

from collections.abc import Callable
from functools import partial

from torch import nn

from scalewright.golden.gradients import Estimator
from scalewright.sim.evidence.data import digits
from scalewright.sim.evidence.experiment import (
    FAILS,
    HOLDS,
    Experiment,
    Measured,
    Row,
    compare,
    steps,
    values,
)
from scalewright.sim.evidence.fitting import fit
from scalewright.sim.evidence.networks import deep_mlp, residual_cnn
from scalewright.sim.evidence.start import quantized, tested, trained
from scalewright.sim.training import quantized_layers

_SOURCE = "OCTAV"
_STEPS = 300
_LEARNING_RATE = 1e-3
_BITS = (4, 3, 2)
_ARMS = {
    "max, STE": ("max", Estimator.STE),
    "OCTAV, STE": ("octav", Estimator.STE),
    "OCTAV, PWL": ("octav", Estimator.PWL),
    "OCTAV, MAD": ("octav", Estimator.MAD),
    "OCTAV, hybrid": ("octav", Estimator.HYBRID),
}


def _stuck(model: nn.Module) -> float:
    """Share of the weights, in percent, that get no gradient."""
    derivatives = [layer.weight_derivative() for layer in quantized_layers(model).values()]
    stuck = sum(int((values == 0).sum()) for values in derivatives)
    total = sum(int(values.numel()) for values in derivatives)
    return 100 * stuck / total


def _run(make: Callable[[], nn.Module], seed: int, share: float) -> Measured:
    start = trained(make, seed, share)
    measured: Measured = {"float": tested(start)}
    for bits in _BITS:
        for arm, (clip, estimator) in _ARMS.items():
            model = quantized(
                start,
                f"{bits}/{bits}U/-/-",
                clip=clip,
                estimator=estimator,
                per_channel=False,
                static=False,
            )
            stuck = _stuck(model)
            fit(model, digits().batches(2000 + seed), steps(_STEPS, share), _LEARNING_RATE)
            measured[f"{bits}: {arm}"] = {**tested(model), "stuck": stuck}
    return measured


def _rows(network: str, results: list[Measured]) -> list[Row]:
    rows = []
    for bits in _BITS:

        def row(better: str, worse: str, bits: int = bits) -> Row:
            return compare(
                results,
                f"{better} beats {worse}, {bits} bits",
                _SOURCE,
                better=f"{bits}: {better}",
                worse=f"{bits}: {worse}",
                name=f"NLL, {network}",
            )

        rows += [
            row("OCTAV, hybrid", "max, STE"),
            row("OCTAV, MAD", "OCTAV, STE"),
            row("OCTAV, MAD", "OCTAV, PWL"),
            row("OCTAV, hybrid", "OCTAV, MAD"),
        ]
    stuck = {
        (bits, arm): values(results, f"{bits}: OCTAV, {arm}", "stuck").mean()
        for bits in _BITS
        for arm in ("PWL", "MAD")
    }
    listed = ", ".join(f"{stuck[bits, 'PWL']:.1f} % at {bits} bits" for bits in _BITS)
    none = max(stuck[bits, "MAD"] for bits in _BITS)
    rows.append(
        Row(
            claim="under PWL clipped weights get no gradient, under MAD all do",
            source=_SOURCE,
            metric=f"weights without gradient as training begins, {network}",
            result=f"{listed}; under MAD {none:.1f} %",
            verdict=HOLDS if none == 0 < min(stuck[bits, "PWL"] for bits in _BITS) else FAILS,
        )
    )
    return rows


EXPERIMENTS = tuple(
    Experiment(f"octav_mad_{name}", partial(_run, make), partial(_rows, label), __file__)
    for name, label, make in (("mlp", "deep MLP", deep_mlp), ("cnn", "residual CNN", residual_cnn))
)
