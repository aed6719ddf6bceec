import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.golden.config import DatapathConfig, OperandFormat
from scalewright.golden.mac import MacResult, matmul, round_scale_product, trace_stream
from scalewright.golden.quantize import quantize
from scalewright.golden.quantized import Quantized
from scalewright.sim.stimulus import vector_pairs as stimulus
from tests.oracles import arithmetic as oracle


def _datapath(config: DatapathConfig) -> oracle.Datapath:
    return oracle.Datapath(
        config.weights.scale_bits,
        config.activations.scale_bits,
        config.scale_product_bits,
        config.accumulator_bits,
    )


def _oracle_stream(
    stream: dict[str, npt.NDArray[Any]], config: DatapathConfig
) -> list[tuple[int, bool]]:
    pairs = [
        oracle.VectorPair(
            stream["weights"][t].tolist(),
            stream["activations"][t].tolist(),
            int(stream["weight_scale"][t]) if "weight_scale" in stream else None,
            int(stream["activation_scale"][t]) if "activation_scale" in stream else None,
            bool(stream["first"][t]),
            bool(stream["last"][t]),
        )
        for t in range(len(stream["first"]))
    ]
    return oracle.accumulate(pairs, _datapath(config))


def _golden_stream(
    stream: dict[str, npt.NDArray[Any]], config: DatapathConfig
) -> list[tuple[int, bool]]:
    result, _ = trace_stream(**stream, config=config)
    return list(zip(result.accumulators.tolist(), result.saturated.tolist(), strict=True))


@st.composite
def _configs(draw: st.DrawFn) -> DatapathConfig:
    """Any legal configuration."""
    scales = [draw(st.none() | st.integers(2, 10)) for _ in range(2)]
    full = sum(bits or 0 for bits in scales)
    either = draw(st.booleans())
    return DatapathConfig(
        weights=OperandFormat(element_bits=draw(st.integers(2, 8)), scale_bits=scales[0]),
        activations=OperandFormat(
            element_bits=draw(st.integers(2, 8)),
            signed=either or draw(st.booleans()),
            scale_bits=scales[1],
        ),
        either_sign=either,
        vector_size=draw(st.sampled_from([4, 8, 16, 32, 64])),
        scale_product_bits=draw(st.none() | st.integers(1, full)) if full else None,
        accumulator_bits=draw(st.integers(16, 48)),
    )


def _raw(
    fmt: OperandFormat, rows: int, vectors: int, size: int, rng: np.random.Generator
) -> Quantized:
    """Any bit patterns: elements of -2^(N-1) and scales of 0 and 2^M - 1 among them."""
    elements = rng.integers(fmt.element_min, fmt.qmax + 1, (rows, vectors, size))
    extreme = rng.random((rows, 1, 1)) < 0.4
    elements = np.where(extreme, rng.choice([fmt.element_min, fmt.qmax], (rows, 1, 1)), elements)
    scales = rng.integers(0, fmt.scale_max + 1, (rows, vectors))
    scales = np.where(rng.random((rows, vectors)) < 0.3, fmt.scale_max, scales)
    return Quantized(
        elements=elements.astype(np.int8 if fmt.signed else np.uint8),
        scales=None if fmt.scale_bits is None else scales.astype(np.uint16),
        gamma=np.ones((), np.float32),
        format=fmt,
    )


def _check_matmul(weights: Quantized, activations: Quantized, config: DatapathConfig) -> MacResult:
    """Compare a matrix product with the oracle, accumulator by accumulator."""
    result = matmul(weights, activations, config)
    vectors = weights.elements.shape[1]
    for n in range(len(activations.elements)):
        for m in range(len(weights.elements)):
            stream: dict[str, npt.NDArray[Any]] = {
                "weights": weights.elements[m],
                "activations": activations.elements[n],
                "first": np.arange(vectors) == 0,
                "last": np.arange(vectors) == vectors - 1,
            }
            if weights.scales is not None:
                stream["weight_scale"] = weights.scales[m]
            if activations.scales is not None:
                stream["activation_scale"] = activations.scales[n]
            got = int(result.accumulators[n, m]), bool(result.saturated[n, m])
            assert [got] == _oracle_stream(stream, config)
    return result


@given(config=_configs(), seed=st.integers(0, 2**32), vectors=st.integers(1, 12))
def test_matmul_equals_the_oracle(config: DatapathConfig, seed: int, vectors: int) -> None:
    rng = np.random.default_rng(seed)
    weights = _raw(config.weights, 3, vectors, config.vector_size, rng)
    for fmt in config.activation_formats:
        activations = _raw(fmt, 2, vectors, config.vector_size, rng)
        _check_matmul(weights, activations, config)


@given(config=_configs(), seed=st.integers(0, 2**32))
def test_stream_equals_the_oracle(config: DatapathConfig, seed: int) -> None:
    stream = stimulus.random(config, 60, np.random.default_rng(seed))
    assert _golden_stream(stream, config) == _oracle_stream(stream, config)


@pytest.mark.parametrize(
    ("notation", "options"),
    [
        ("4/4/4/6", {}),
        ("4/4U/4/6", {"scale_product_bits": 6}),
        ("8/8/10/10", {"vector_size": 4, "accumulator_bits": 16}),
        ("8/8/-/-", {"accumulator_bits": 17}),
        ("8/8X/-/-", {"accumulator_bits": 17}),
        ("4/4X/4/6", {}),
    ],
)
def test_corners_equal_the_oracle(notation: str, options: dict[str, int]) -> None:
    config = DatapathConfig.parse(notation, **options)
    stream = stimulus.corners(config, np.random.default_rng(0))
    results = _golden_stream(stream, config)
    assert results == _oracle_stream(stream, config)
    values = [value for value, _ in results]
    assert min(values) == config.accumulator_min  # the corners do reach both ends
    assert max(values) == config.accumulator_max


@pytest.mark.parametrize("vectors", [1, 1024])
@pytest.mark.parametrize("bits", [16, 24, 48])
@pytest.mark.parametrize("scale_product_bits", [None, 6])
def test_shortest_and_longest_sums_equal_the_oracle(
    vectors: int, bits: int, scale_product_bits: int | None
) -> None:
    config = DatapathConfig.parse(
        "4/4/4/6", vector_size=4, accumulator_bits=bits, scale_product_bits=scale_product_bits
    )
    rng = np.random.default_rng(vectors)
    weights = _raw(config.weights, 3, vectors, 4, rng)
    activations = _raw(config.activations, 3, vectors, 4, rng)
    result = _check_matmul(weights, activations, config)
    if bits == 48:
        assert not result.saturated.any()


def test_scale_products_round_half_up_and_stop_at_the_largest() -> None:
    config = DatapathConfig.parse("4/4/2/4", scale_product_bits=3)
    products = np.arange(64)
    assert config.scale_product_shift == 3
    got = round_scale_product(products, config)
    wanted = [oracle.round_scale_product(int(p), _datapath(config)) for p in products]
    assert got.tolist() == wanted
    assert [got[p] for p in (3, 4, 11, 12, 59, 60, 63)] == [0, 1, 1, 2, 7, 7, 7]


@pytest.mark.parametrize("bits", range(2, 11))
def test_scale_products_of_equal_widths_do_not_saturate_when_rounded_to_them(bits: int) -> None:
    # A statement of the contract: none saturates for ws = as = M while P >= M - 1.
    products = np.multiply.outer(np.arange(1 << bits), np.arange(1 << bits))
    for kept in range(max(bits - 1, 1), 2 * bits):
        config = DatapathConfig.parse(f"4/4/{bits}/{bits}", scale_product_bits=kept)
        shift = config.scale_product_shift
        assert int((products + (1 << (shift - 1)) >> shift).max()) < 1 << kept


def test_saturation_sticks_after_the_sum_returns_into_range() -> None:
    config = DatapathConfig.parse("8/8/-/-", vector_size=4, accumulator_bits=16)
    sign = np.array([1, -1, -1, 1])
    result, trace = trace_stream(
        weights=np.full((4, 4), 127) * sign[:, None],
        activations=np.full((4, 4), 127),
        first=[True, False, False, True],
        last=[False, True, True, True],
        config=config,
    )
    assert trace.partial_sum.tolist() == [64516, -64516, -64516, 64516]
    assert trace.accumulator.tolist() == [32767, -31749, -32768, 32767]
    assert result.accumulators.tolist() == [-31749, -32768, 32767]
    assert result.saturated.tolist() == [True, True, True]


def test_order_of_saturating_vectors_matters() -> None:
    config = DatapathConfig.parse("8/8/-/-", vector_size=4, accumulator_bits=16)
    one = np.array([[[127] * 4, [-127] * 4]], np.int8)

    def product(weights: npt.NDArray[np.int8]) -> int:
        operands = [
            Quantized(elements=e, scales=None, gamma=np.ones((), np.float32), format=config.weights)
            for e in (weights, np.abs(one))
        ]
        return int(matmul(operands[0], operands[1], config).accumulators[0, 0])

    assert product(one) == 32767 - 64516
    assert product(one[:, ::-1].copy()) == -32768 + 64516


def test_absent_scale_is_one() -> None:
    with_scale = DatapathConfig.parse("4/4/4/-")
    without = DatapathConfig.parse("4/4/-/-")
    rng = np.random.default_rng(0)
    activations = _raw(with_scale.activations, 2, 3, 16, rng)
    weights = _raw(without.weights, 2, 3, 16, rng)
    ones = dataclasses.replace(
        weights, format=with_scale.weights, scales=np.ones((2, 3), np.uint16)
    )
    np.testing.assert_array_equal(
        matmul(ones, activations, with_scale).accumulators,
        matmul(weights, activations, without).accumulators,
    )


def test_product_approximates_the_float_product() -> None:
    rng = np.random.default_rng(0)
    config = DatapathConfig.parse("8/8/8/8", accumulator_bits=48)
    w = rng.standard_normal((7, 100)).astype(np.float32)
    a = rng.standard_normal((5, 100)).astype(np.float32)
    weights = quantize(w, config.weights, vector_size=16, coarse_axis=0)
    activations = quantize(a, config.activations, vector_size=16)
    result = matmul(weights, activations, config)
    real = result.accumulators * weights.gamma.astype(np.float64) * float(activations.gamma)
    exact = a.astype(np.float64) @ w.T.astype(np.float64)
    noise = 10 * np.log10(np.sum(exact**2) / np.sum((real - exact) ** 2))
    assert noise > 38  # 8 bits on both sides


@pytest.mark.parametrize(
    ("notation", "accumulator_bits", "rows"),
    [("8/8U/-/-", 48, 512), ("8/8U/10/10", 48, 64), ("4/4/4/6", 32, 512)],
)
def test_float_products_are_exact_at_their_limits(
    notation: str, accumulator_bits: int, rows: int
) -> None:
    # Everything at its largest: just where float32 would begin to lose bits.
    config = DatapathConfig.parse(notation, accumulator_bits=accumulator_bits)
    for vectors in (1, rows, rows + 3):
        operands = {}
        for name in ("weights", "activations"):
            fmt: OperandFormat = getattr(config, name)
            scales = np.full((2, vectors), fmt.scale_max, np.uint16)
            elements = np.full((2, vectors, 16), fmt.qmax, np.int8 if fmt.signed else np.uint8)
            elements[1, -1, -1] -= 1
            operands[name] = Quantized(
                elements=elements,
                scales=None if fmt.scale_bits is None else scales,
                gamma=np.ones((), np.float32),
                format=fmt,
            )
        _check_matmul(operands["weights"], operands["activations"], config)


def test_empty_stream_has_no_results() -> None:
    config = DatapathConfig.parse("4/4/-/-", vector_size=4)
    none = np.zeros((0, 4), np.int64)
    result, _ = trace_stream(
        weights=none,
        activations=none,
        first=[],
        last=[],
        config=config,
    )
    assert result.accumulators.shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": OperandFormat(element_bits=5)}, r"^weights must have format 4/-, not 5/-$"),
        (
            {"elements": np.zeros((2, 4, 8), np.int8)},
            r"^weights must have vectors of 16, not 8$",
        ),
        (
            {"elements": np.zeros((2, 3, 16), np.int8)},
            r"^weights and activations must have the same reduction length, not 48 and 32$",
        ),
        ({"elements": np.zeros((2, 16), np.int8)}, r"^weights must be a matrix, not .* \(2, 16\)$"),
    ],
)
def test_rejects_operands_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    config = DatapathConfig.parse("4/4/-/-")
    fitting: dict[str, Any] = {
        "elements": np.zeros((2, 2, 16), np.int8),
        "scales": None,
        "gamma": np.ones((), np.float32),
        "format": config.weights,
    }
    with pytest.raises(ValueError, match=message):
        matmul(Quantized(**{**fitting, **change}), Quantized(**fitting), config)


def test_activations_of_either_sign_are_as_those_of_that_sign() -> None:
    rng = np.random.default_rng(0)
    either = DatapathConfig.parse("4/4X/4/6", scale_product_bits=6, accumulator_bits=16)
    for fmt, sign in zip(either.activation_formats, ("", "U"), strict=True):
        alone = DatapathConfig.parse(f"4/4{sign}/4/6", scale_product_bits=6, accumulator_bits=16)
        weights, activations = _raw(either.weights, 5, 40, 16, rng), _raw(fmt, 7, 40, 16, rng)
        one, other = (matmul(weights, activations, config) for config in (either, alone))
        np.testing.assert_array_equal(one.accumulators, other.accumulators)
        np.testing.assert_array_equal(one.saturated, other.saturated)
        assert one.saturated.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation_signed": None}, r"^activation_signed must be given exactly .* not None$"),
        ({"activation_signed": [1]}, r"^activation_signed must be \(2,\), not \(1,\)$"),
        ({"activation_signed": [0, 2]}, r"^activation_signed must be from 0 to 1, not 2$"),
        (
            {"activation_signed": [0, 0]},
            r"^activations with format 4U/- must be from 0 to 15, not -8$",
        ),
        (
            {"activation_signed": [1, 1]},
            r"^activations with format 4/- must be from -8 to 7, not 15$",
        ),
        ({"activations": [[0] * 4, [16] * 4]}, r"^activations must be from -8 to 15, not 16$"),
    ],
)
def test_rejects_activations_that_are_not_of_their_flags_sign(
    change: dict[str, Any], message: str
) -> None:
    stream: dict[str, Any] = {
        "weights": [[1] * 4] * 2,
        "activations": [[-8] * 4, [15] * 4],
        "activation_signed": [1, 0],
        "first": [1, 0],
        "last": [0, 1],
    }
    config = DatapathConfig.parse("4/4X/-/-", vector_size=4)
    result, _ = trace_stream(**stream, config=config)
    assert result.accumulators.tolist() == [4 * (15 - 8)]
    with pytest.raises(ValueError, match=message):
        trace_stream(**{**stream, **change}, config=config)


def test_only_activations_of_either_sign_have_a_flag() -> None:
    config = DatapathConfig.parse("4/4/-/-", vector_size=4)
    message = r"^activation_signed must be given exactly where .* \(4/4/-/-\), not \[1\]$"
    with pytest.raises(ValueError, match=message):
        trace_stream(
            weights=[[1] * 4],
            activations=[[1] * 4],
            activation_signed=[1],
            first=[1],
            last=[1],
            config=config,
        )


def test_rejects_a_stream_of_the_wrong_shape() -> None:
    config = DatapathConfig.parse("4/4/-/-", vector_size=4)
    with pytest.raises(ValueError, match=r"^weights and activations must be \(2, 4\), not "):
        trace_stream(
            weights=np.zeros((2, 4), np.int8),
            activations=np.zeros((2, 8), np.int8),
            first=[1, 0],
            last=[0, 1],
            config=config,
        )
