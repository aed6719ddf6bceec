"""What a regression says that it has covered."""

from dataclasses import replace

import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.golden.mac import trace_stream
from scalewright.sim.blocks import BLOCKS, design_of
from scalewright.sim.regression.configurations import covering
from scalewright.sim.regression.regress import covered_by
from scalewright.sim.testbenches.vector_mac import ABOVE, BELOW, covered, hurdles

_CONFIG = DatapathConfig.parse("4/4/4/6", vector_size=4, accumulator_bits=17)


def test_events_of_sums_are_those_that_a_plain_loop_counts() -> None:
    rng = np.random.default_rng(0)
    count = 4000
    stream = {
        "weights": rng.integers(-8, 8, (count, 4)),
        "activations": rng.integers(-8, 8, (count, 4)),
        "weight_scale": rng.choice([1, 15], count),
        "activation_scale": rng.choice([1, 63], count),
        "first": rng.random(count) < 0.02,
        "last": rng.random(count) < 0.3,
    }
    result, trace = trace_stream(**stream, config=_CONFIG)
    want = dict.fromkeys(covered(stream, trace, _CONFIG), 0)
    sum_, flag, ended = 0, False, False
    for at in range(count):
        starts = at == 0 or bool(stream["first"][at])
        sum_, flag = (0, False) if starts else (sum_, flag)
        exact = sum_ + int(trace.partial_sum[at])
        sum_ = min(max(exact, -(1 << 16)), (1 << 16) - 1)
        flag |= sum_ != exact
        want["saturated above"] += exact > (1 << 16) - 1
        want["saturated below"] += exact < -(1 << 16)
        want["saturated, and came back"] += flag and abs(sum_) < (1 << 16) - 1
        want["exactly the largest value"] += exact == (1 << 16) - 1
        want["exactly the smallest value"] += exact == -(1 << 16)
        want["sums that go on after a result"] += ended and not starts
        ended = bool(stream["last"][at])
    assert covered(stream, trace, _CONFIG) == want
    assert result.saturated.any()
    assert want["saturated, and came back"] > 10


@pytest.mark.parametrize("config", covering("vector-mac")[::4], ids=lambda config: config.slug)
@pytest.mark.parametrize("event", [ABOVE, BELOW])
def test_shortest_sum_that_saturates(config: DatapathConfig, event: str) -> None:
    # With accumulators so small that it is not too long to be tried.
    config = replace(config, accumulator_bits=16)
    words = hurdles(config)[event].split()
    length = int(words[words.index("of") + 1].replace(",", ""))
    w, a = config.weights, config.activations
    pairs = [
        (x, y, fmt.signed)
        for x in (w.element_min, w.qmax)
        for fmt in config.activation_formats
        for y in (fmt.element_min, fmt.qmax)
    ]
    x, y, signed = (max if event == ABOVE else min)(pairs, key=lambda pair: pair[0] * pair[1])

    def saturates(vectors: int) -> bool:
        shape = (vectors, config.vector_size)
        scales = {
            f"{name}_scale": np.full(vectors, fmt.scale_max)
            for name, fmt in (("weight", w), ("activation", a))
            if fmt.scale_bits is not None
        }
        flags = {"activation_signed": np.full(vectors, signed)} if config.either_sign else {}
        ends = np.arange(vectors)
        result, _ = trace_stream(
            weights=np.full(shape, x),
            activations=np.full(shape, y),
            first=ends == 0,
            last=ends == vectors - 1,
            config=config,
            **scales,
            **flags,
        )
        return bool(result.saturated.any())

    assert saturates(length)
    assert length == 1 or not saturates(length - 1)


@pytest.mark.parametrize("block", BLOCKS)
def test_regressions_of_specials_cover_the_events_that_can_occur(block: str) -> None:
    config = BLOCKS[block].specials[0]
    events = covered_by(BLOCKS[block].cases(design_of(block, config), config, 600, 1))
    lacking = {event for event, times in events.items() if not times}
    assert lacking <= BLOCKS[block].hurdles(config).keys()
    assert events["resets in mid-stream"] >= 6
