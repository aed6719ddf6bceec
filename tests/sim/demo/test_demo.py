import numpy as np

from scalewright.golden.config import DatapathConfig
from scalewright.sim.demo.digits.models import calibration_images, convolutional
from scalewright.sim.demo.digits.network import Digits
from scalewright.sim.demo.networks import ENGINES, run_network_demo
from scalewright.sim.demo.products import CONFIGURATIONS, run_demo, vector_pairs


def test_ships_a_real_network_and_enough_unseen_images() -> None:
    digits = Digits.load()
    assert sum(weights.size for weights in digits.weights) >= 17_000
    assert digits.images.shape == (360, 64)
    assert np.bincount(digits.labels).min() >= 30
    logits = digits.logits(lambda _, weights, activations: activations @ weights.T)
    assert digits.accuracy(logits) > 0.97


def test_every_configuration_plays_enough_vector_pairs() -> None:
    digits = Digits.load()
    for config in CONFIGURATIONS:
        assert vector_pairs(digits, config, len(digits.labels)) >= 300_000


def test_rtl_classifies_as_golden_does() -> None:
    config = DatapathConfig.parse("4/4U/4/6", scale_product_bits=6)
    result = run_demo(config, images=10)
    assert result.mismatches == 0
    assert result.rtl_accuracy == result.golden_accuracy
    assert result.accumulators == 10 * (128 + 64 + 10)
    assert result.signal_to_noise_db > 15


def test_engine_classifies_as_golden_does() -> None:
    result = run_network_demo("perceptron", ENGINES[1], images=20)
    assert result.run.mismatch_count == 0
    assert result.rtl_accuracy == result.golden_accuracy
    # Vectors of 16 for 128 and 64 channels, and 10 channels as 4 beats of 4.
    assert [layer.results for layer in result.run.layers] == [20 * 8, 20 * 4, 20 * 4]


def test_calibrates_with_no_test_image() -> None:
    pixels = {image.tobytes() for image in Digits.load().images}
    assert not pixels & {image.tobytes() for image in calibration_images().reshape(-1, 64)}


def test_convolutional_network_has_three_convolutions() -> None:
    assert [node.kind for node in convolutional().nodes].count("Conv") == 3
