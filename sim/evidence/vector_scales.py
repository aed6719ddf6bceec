"""Two-level per-vector scales against one scale for each channel (VS-Quant, Dai et al., 2021)."""

from functools import lru_cache, partial

import torch
from torch import nn

from scalewright.golden.gradients import Estimator
from scalewright.sim.evidence.data import digits, text
from scalewright.sim.evidence.experiment import Experiment, Measured, Row, compare, steps
from scalewright.sim.evidence.fitting import fit, score
from scalewright.sim.evidence.networks import Transformer, residual_cnn
from scalewright.sim.evidence.start import quantized, tested, trained

_SOURCE = "VS-Quant"
_BITS = (4, 3)
_DIGITS_STEPS = 300
_TEXT_FLOAT_STEPS, _TEXT_STEPS = 1000, 150
_LENGTH, _TEST_PIECES = 64, 512
_LEARNING_RATE = 1e-3


def _notations(bits: int, unsigned: str) -> dict[str, str]:
    return {
        "per channel": f"{bits}/{bits}{unsigned}/-/-",
        "per vector": f"{bits}/{bits}{unsigned}/4/6",
    }


def _run_digits(seed: int, share: float) -> Measured:
    start = trained(residual_cnn, seed, share)
    measured: Measured = {"float": tested(start)}
    for bits in _BITS:
        for arm, notation in _notations(bits, "U").items():
            model = quantized(start, notation, estimator=Estimator.STE)
            measured[f"{bits}: {arm}, before training"] = tested(model)
            fit(model, digits().batches(2000 + seed), steps(_DIGITS_STEPS, share), _LEARNING_RATE)
            measured[f"{bits}: {arm}, after training"] = tested(model)
    return measured


@lru_cache(maxsize=1)
def _trained_transformer(seed: int, share: float) -> nn.Module:
    torch.manual_seed(seed)
    model = Transformer(len(text().characters), _LENGTH)
    fit(model, text().batches(1000 + seed, _LENGTH), steps(_TEXT_FLOAT_STEPS, share), 3e-3)
    return model


def _run_text(seed: int, share: float) -> Measured:
    start = _trained_transformer(seed, share)
    x, y = text().test_pieces(_LENGTH, _TEST_PIECES)
    measured: Measured = {"float": score(start, x, y)}
    for bits in _BITS:
        for arm, notation in _notations(bits, "").items():
            inputs = (batch for batch, _ in text().batches(7, _LENGTH))
            model = quantized(start, notation, calibration=inputs)
            measured[f"{bits}: {arm}, before training"] = score(model, x, y)
            batches = text().batches(2000 + seed, _LENGTH)
            fit(model, batches, steps(_TEXT_STEPS, share), _LEARNING_RATE)
            measured[f"{bits}: {arm}, after training"] = score(model, x, y)
    return measured


def _rows(network: str, results: list[Measured]) -> list[Row]:
    return [
        compare(
            results,
            f"per-vector scales beat per-channel ones {moment}, {bits} bits",
            _SOURCE,
            better=f"{bits}: per vector, {moment}",
            worse=f"{bits}: per channel, {moment}",
            name=f"NLL, {network}",
        )
        for bits in _BITS
        for moment in ("before training", "after training")
    ]


EXPERIMENTS = tuple(
    Experiment(f"vector_scales_{name}", run, partial(_rows, label), __file__)
    for name, label, run in (
        ("cnn", "residual CNN", _run_digits),
        ("transformer", "transformer", _run_text),
    )
)
