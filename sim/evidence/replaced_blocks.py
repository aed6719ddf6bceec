"""Block replacement (Yu et al., 2024), against controls that cost as much.

A step with two mixed networks runs four networks forward, and three of them backward: 10 units, a
backward pass being two. The control by distillation takes 4, plain training 3; each gets as many
more steps. In seconds that is too little for block replacement, because mixed networks are nearly
all in full precision, and quantizing is what takes time here: with twice the steps, as a further
arm has them, it takes about as long as plain training. Seconds are recorded.
"""

import copy
import random
import time
from functools import partial

from torch import Tensor, nn

from scalewright.golden.gradients import Estimator
from scalewright.sim.evidence.data import digits
from scalewright.sim.evidence.experiment import Experiment, Measured, Row, compare, steps
from scalewright.sim.evidence.fitting import cross_entropy, fit
from scalewright.sim.evidence.networks import Residual, residual_cnn
from scalewright.sim.evidence.start import quantized, tested, trained
from scalewright.sim.training.block_replacement import BlockReplacement

_SOURCE = "BWRF"
_BITS = (4, 3, 2)
_UNITS = 1200
_MIXED = 2
_LEARNING_RATE = 1e-3
_REPLACED = {
    "blocks replaced": 4 + 3 * _MIXED,
    "blocks replaced, twice the steps": (4 + 3 * _MIXED) / 2,
}
_CONTROLS = {"plain": 3, "distilled": 4}
_ARMS = {**_REPLACED, **_CONTROLS}

_network = partial(residual_cnn, width=16, blocks=8)


def _run(seed: int, share: float) -> Measured:
    start = trained(_network, seed, share)
    measured: Measured = {"float": tested(start)}
    blocks = [name for name, module in start.named_modules() if isinstance(module, Residual)]
    for bits in _BITS:
        for arm, units in _ARMS.items():
            model = quantized(start, f"{bits}/{bits}U/-/-", clip="octav", estimator=Estimator.STE)
            wrapper = BlockReplacement(copy.deepcopy(start), model, blocks)
            mixed = _MIXED if arm in _REPLACED else 0
            choice = random.Random(seed)

            def loss(
                wrapper: BlockReplacement,
                x: Tensor,
                y: Tensor,
                mixed: int = mixed,
                choice: random.Random = choice,
            ) -> Tensor:
                chosen = choice.sample(wrapper.blocks, mixed)
                return wrapper.training_loss(
                    x, lambda outputs: nn.functional.cross_entropy(outputs, y), chosen
                )

            begin = time.perf_counter()
            fit(
                model if arm == "plain" else wrapper,
                digits().batches(2000 + seed),
                steps(round(_UNITS / units), share),
                _LEARNING_RATE,
                loss=cross_entropy if arm == "plain" else loss,
            )
            seconds = time.perf_counter() - begin
            measured[f"{bits}: {arm}"] = {**tested(model), "seconds": seconds}
    return measured


def _rows(results: list[Measured]) -> list[Row]:
    return [
        compare(
            results,
            f"block replacement beats {control} training, {bits} bits, {cost}",
            _SOURCE,
            better=f"{bits}: {arm}",
            worse=f"{bits}: {control}",
            name="NLL, CNN of 8 blocks",
        )
        for bits in _BITS
        for arm, cost in zip(_REPLACED, ("equal passes", "about equal time"), strict=True)
        for control in _CONTROLS
    ]


EXPERIMENTS = (Experiment("block_replacement", _run, _rows, __file__),)
