import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig
from scalewright.golden.mac import trace_stream
from scalewright.sim.bench import stall
from scalewright.sim.regression.configurations import covering
from scalewright.sim.stimulus import vector_pairs as stimulus


@pytest.mark.parametrize("config", covering("vector-mac"), ids=lambda config: config.slug)
def test_element_products_show_every_pair_of_elements(config: DatapathConfig) -> None:
    stream = stimulus.element_products(config, np.random.default_rng(0))
    _, trace = trace_stream(**stream, config=config)
    assert (trace.scale_product > 0).all()
    hot = np.abs(stream["weights"]).sum(axis=1), np.abs(stream["activations"]).sum(axis=1)
    assert np.count_nonzero(stream["weights"], axis=1).max() <= 1
    weights, activations = (stream[name].sum(axis=1) for name in ("weights", "activations"))
    signs = stream.get("activation_signed", np.zeros(len(weights), np.bool_))
    pairs = set(zip(signs.tolist(), weights.tolist(), activations.tolist(), strict=True))
    bits = config.weights.element_bits + config.activations.element_bits
    assert len(pairs) == len(config.activation_formats) << bits
    assert len(hot[0]) == len(pairs)


@pytest.mark.parametrize("config", covering("vector-mac"), ids=lambda config: config.slug)
def test_scale_products_show_every_pair_of_scales_up_to_16_bits(config: DatapathConfig) -> None:
    stream = stimulus.scale_products(config, np.random.default_rng(0))
    scales = [stream[name] for name in ("weight_scale", "activation_scale") if name in stream]
    pairs = set(zip(*(scale.tolist() for scale in scales), strict=True))
    if 0 < config.full_scale_product_bits <= 16:
        assert len(pairs) == 1 << config.full_scale_product_bits
    if config.full_scale_product_bits > 16:
        assert (config.weights.scale_max, config.activations.scale_max) in pairs
        assert (0, 0) in pairs


def test_random_stream_has_sums_without_first_and_dropped_ones() -> None:
    config = DatapathConfig.parse("4/4/4/6")
    stream = stimulus.random(config, 5000, np.random.default_rng(0))
    after_last = np.roll(stream["last"], 1)
    assert (after_last & ~stream["first"])[1:].sum() > 10
    assert (~after_last & stream["first"])[1:].sum() > 10
    assert stream["last"][-1]


def test_random_stream_reaches_every_bit_pattern() -> None:
    config = DatapathConfig.parse("4/4U/4/6")
    stream = stimulus.random(config, 5000, np.random.default_rng(0))
    assert set(np.unique(stream["weights"])) == set(range(-8, 8))
    assert set(np.unique(stream["activations"])) == set(range(16))
    assert set(np.unique(stream["weight_scale"])) == set(range(16))
    assert set(np.unique(stream["activation_scale"])) == set(range(64))


def test_random_stream_of_either_sign_has_every_element_of_both_and_every_change() -> None:
    config = DatapathConfig.parse("4/4X/4/6")
    stream = stimulus.random(config, 5000, np.random.default_rng(0))
    signed, activations = stream["activation_signed"], stream["activations"]
    assert set(np.unique(activations[signed])) == set(range(-8, 8))
    assert set(np.unique(activations[~signed])) == set(range(16))
    changes = signed[1:] != signed[:-1]
    runs = np.diff(np.flatnonzero(~changes))  # changes one behind the other, and one
    assert changes.mean() > 0.4
    assert runs.max() > 15
    assert np.diff(np.flatnonzero(changes)).max() > 8
    # In the middle of sums, too.
    assert (changes & ~stream["first"][1:]).sum() > 1000


def test_patterns_have_the_shares_they_promise() -> None:
    rng = np.random.default_rng(0)
    assert stall.alternating().tolist() == [True, False]
    assert abs(stall.scattered(rng, 0.3).mean() - 0.3) < 0.05
    runs = np.diff(np.flatnonzero(np.diff(stall.bursts(rng, 5))))
    assert 4 < runs.mean() < 6
