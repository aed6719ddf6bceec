"""What energy is measured with: vector pairs of quantized tensors, and their accumulators."""

import math
from fractions import Fraction

import numpy as np
import pytest

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.mac import matmul, trace_stream
from scalewright.golden.quantize import quantize
from scalewright.golden.quantized import Quantized
from scalewright.sim.ppa.workload import (
    Tensors,
    accumulator_beats,
    digits_tensors,
    spread_tensors,
    vector_pairs,
)
from scalewright.sim.testbenches.rescaler import golden

_CONFIGS = {
    "4/4U/4/6": DatapathConfig.parse("4/4U/4/6"),
    "8/8/-/-": DatapathConfig.parse("8/8/-/-", vector_size=8),
    "3/5/-/8": DatapathConfig.parse("3/5/-/8", vector_size=64),
}

# Vector pairs: eight products of 128 elements and more, the last one cut off.
_COUNT = 150


@pytest.fixture(scope="module")
def tensors() -> Tensors:
    return spread_tensors()


def _quantized(tensors: Tensors, config: DatapathConfig) -> tuple[Quantized, Quantized]:
    size = config.vector_size
    return (
        quantize(tensors.weights, config.weights, vector_size=size, coarse_axis=0),
        quantize(tensors.activations, config.activations, vector_size=size),
    )


@pytest.mark.parametrize("notation", _CONFIGS)
def test_pairs_are_legal_for_the_datapath(notation: str, tensors: Tensors) -> None:
    config = _CONFIGS[notation]
    pairs = vector_pairs(tensors, config, _COUNT)
    for name in ("weight", "activation"):
        fmt = getattr(config, f"{name}s")
        elements = pairs[f"{name}s"]
        assert elements.shape == (_COUNT, config.vector_size)
        assert fmt.qmin <= elements.min() < elements.max() <= fmt.qmax
        assert (f"{name}_scale" in pairs) == (fmt.scale_bits is not None)
        if fmt.scale_bits is not None:
            scales = pairs[f"{name}_scale"]
            assert scales.shape == (_COUNT,)
            assert 0 <= scales.min() < scales.max() <= fmt.scale_max
    result, _ = trace_stream(**pairs, config=config)
    assert len(result.accumulators) == pairs["last"].sum()


@pytest.mark.parametrize("notation", _CONFIGS)
def test_reductions_begin_and_end_with_the_rows(notation: str, tensors: Tensors) -> None:
    config = _CONFIGS[notation]
    steps = 128 // config.vector_size
    pairs = vector_pairs(tensors, config, _COUNT)
    assert np.flatnonzero(pairs["first"]).tolist() == list(range(0, _COUNT, steps))
    assert np.flatnonzero(pairs["last"]).tolist() == list(range(steps - 1, _COUNT, steps))
    assert {*pairs["first"], *pairs["last"]} == {0, 1}


def test_row_of_weights_stays_while_eight_rows_of_activations_pass(tensors: Tensors) -> None:
    config = _CONFIGS["4/4U/4/6"]
    steps, products = 8, _COUNT // 8
    pairs = vector_pairs(tensors, config, _COUNT)
    rows = {}
    for name, operand in zip(("weight", "activation"), _quantized(tensors, config), strict=True):
        assert operand.scales is not None
        known = {
            (elements.astype(np.int64).tobytes(), scales.astype(np.int64).tobytes()): row
            for row, (elements, scales) in enumerate(
                zip(operand.elements, operand.scales, strict=True)
            )
        }
        # Otherwise the row could not be told.
        assert len(known) == len(operand.elements)
        rows[name] = [
            known[pairs[f"{name}s"][part].tobytes(), pairs[f"{name}_scale"][part].tobytes()]
            for part in (slice(at * steps, at * steps + steps) for at in range(products))
        ]
    weights, activations = rows["weight"], rows["activation"]
    assert weights == [weights[at // 8 * 8] for at in range(products)]
    assert len(set(weights)) > 1
    assert len(set(activations)) > products / 2


def test_pairs_are_always_the_same(tensors: Tensors) -> None:
    config = _CONFIGS["4/4U/4/6"]
    first, second = (vector_pairs(each, config, 50) for each in (tensors, spread_tensors()))
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("count", [1, 7, 8, 64, 65, 400])
def test_there_are_as_many_pairs_as_asked_for(count: int, tensors: Tensors) -> None:
    pairs = vector_pairs(tensors, _CONFIGS["4/4U/4/6"], count)
    assert {len(array) for array in pairs.values()} == {count}


def test_elements_of_another_datapath_come_without_its_scales(tensors: Tensors) -> None:
    scaled = _CONFIGS["4/4U/4/6"]
    plain = DatapathConfig.parse("4/4U/-/-")
    pairs = vector_pairs(tensors, plain, _COUNT, elements_of=scaled)
    assert pairs.keys() == {"weights", "activations", "first", "last"}
    own, theirs = vector_pairs(tensors, plain, _COUNT), vector_pairs(tensors, scaled, _COUNT)
    for name in pairs:
        np.testing.assert_array_equal(pairs[name], theirs[name])
    # With a scale for each vector, more elements differ from zero.
    for name in ("weights", "activations"):
        assert np.count_nonzero(pairs[name]) > np.count_nonzero(own[name])


def test_digits_tensors_are_what_the_second_layer_works_on() -> None:
    tensors = digits_tensors()
    assert tensors.weights.shape == (64, 128)
    assert tensors.activations.shape[1] == 128
    # Behind a ReLU
    assert tensors.activations.min() == 0
    assert 0.1 < np.mean(tensors.activations == 0) < 0.9


@pytest.mark.parametrize("notation", _CONFIGS)
def test_accumulators_are_those_of_the_product_and_results_fill_half_the_range(
    notation: str, tensors: Tensors
) -> None:
    config = _CONFIGS[notation]
    engine = EngineConfig(datapath=config, post_lanes=1)
    # Three rows of 64 channels, of which there are but two: the third is the first again.
    few = Tensors("few", tensors.weights, tensors.activations[:2])
    beats = accumulator_beats(few, engine, 150)
    weights, activations = _quantized(few, config)
    product = matmul(weights, activations, config).accumulators.ravel()
    assert beats["accumulators"].shape == (150, 1)
    assert beats["accumulators"][:128, 0].tolist() == product.tolist()
    assert beats["accumulators"][128:, 0].tolist() == product[:22].tolist()
    # Factors of 16 significant bits that bring the largest number to a quarter of 2^R.
    gammas = [Fraction(float(gamma)) for gamma in weights.gamma]
    largest = max(abs(int(a)) * gammas[at % 64] for at, a in enumerate(product))
    expected = []
    for at, accumulator in enumerate(beats["accumulators"][:, 0].tolist()):
        factor = gammas[at % 64] / largest * 2 ** (engine.result_bits - 2)
        exponent = 16 - math.frexp(factor)[1]
        expected.append(round(accumulator * round(factor * 2**exponent) / Fraction(2) ** exponent))
    results = golden({**beats, "activation_function": np.zeros(150, int)}, engine)
    assert results["values"][:, 0].tolist() == expected
    assert not results["saturated"].any()


def test_accumulators_of_zeros_are_zero() -> None:
    nothing = Tensors("nothing", np.zeros((3, 32), np.float32), np.ones((2, 32), np.float32))
    engine = EngineConfig(datapath=_CONFIGS["4/4U/4/6"], post_lanes=1)
    beats = accumulator_beats(nothing, engine, 5)
    assert not beats["accumulators"].any()
    assert not beats["mantissas"].any()
