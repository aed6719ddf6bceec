"""Noise tempering (Wang et al., 2022), as this project reads its abstract."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from scalewright.golden.gradients import Estimator
from scalewright.sim.evidence.data import digits
from scalewright.sim.evidence.experiment import Experiment, Measured, Row, compare, steps
from scalewright.sim.evidence.fitting import fit
from scalewright.sim.evidence.networks import residual_cnn
from scalewright.sim.evidence.start import quantized, tested, trained
from scalewright.sim.training.noise_tempering import NoiseTempering

_SOURCE = "Noise tempering (our reading)"
_BITS = (3, 2)
_STEPS = 400
_LEARNING_RATE = 1e-3
_POWER_STEPS = 30
_HESSIAN_IMAGES = 512


def largest_eigenvalue(model: nn.Module, x: Tensor, y: Tensor, iterations: int) -> float:
    """Largest eigenvalue, by magnitude, of the Hessian of the loss with respect to all weights.

    Power iteration; the quantizers are held as the identity at the quantized point.
    """
    model.eval()
    parameters = [value for value in model.parameters() if value.requires_grad]
    loss = functional.cross_entropy(model(x), y)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    generator = torch.Generator().manual_seed(0)
    direction = [torch.randn(value.shape, generator=generator) for value in parameters]
    eigenvalue = 0.0
    for _ in range(iterations):
        norm = torch.sqrt(sum((value.square().sum() for value in direction), torch.zeros(())))
        direction = [value / norm for value in direction]
        product = sum((g * v).sum() for g, v in zip(gradients, direction, strict=True))
        image = torch.autograd.grad(product, parameters, retain_graph=True)
        eigenvalue = float(sum((a * b).sum() for a, b in zip(image, direction, strict=True)))
        direction = [value.detach() for value in image]
    return eigenvalue


def _run(seed: int, share: float) -> Measured:
    start = trained(residual_cnn, seed, share)
    measured: Measured = {"float": tested(start)}
    x, y = digits().test_images[:_HESSIAN_IMAGES], digits().test_labels[:_HESSIAN_IMAGES]
    for bits in _BITS:
        for arm in ("plain", "tempered"):
            model = quantized(start, f"{bits}/{bits}U/-/-", clip="octav", estimator=Estimator.STE)
            torch.manual_seed(seed)  # of the noise
            tempering = NoiseTempering(model) if arm == "tempered" else None
            fit(
                model,
                digits().batches(2000 + seed),
                steps(_STEPS, share),
                _LEARNING_RATE,
                before_step=(lambda _: None) if tempering is None else tempering.step,
            )
            measured[f"{bits}: {arm}"] = {
                **tested(model),
                "eigenvalue": largest_eigenvalue(model, x, y, steps(_POWER_STEPS, share)),
                "delta": 0.0
                if tempering is None
                else max(float(noise.delta) for noise in tempering.noises.values()),
            }
    return measured


def _rows(results: list[Measured]) -> list[Row]:
    rows = []
    for bits in _BITS:
        tempered, plain = f"{bits}: tempered", f"{bits}: plain"
        rows += [
            compare(
                results,
                f"tempered noise beats plain STE, {bits} bits",
                _SOURCE,
                better=tempered,
                worse=plain,
                name="NLL, residual CNN",
            ),
            compare(
                results,
                f"tempered noise finds flatter minima, {bits} bits",
                _SOURCE,
                better=tempered,
                worse=plain,
                metric="eigenvalue",
                name="largest Hessian eigenvalue",
            ),
        ]
    return rows


EXPERIMENTS = (Experiment("noise_tempering", _run, _rows, __file__),)
