import dataclasses
import itertools
import json
from typing import Any

import pytest

from scalewright.golden.config import (
    PIPELINE_DEPTH,
    PIPELINE_DEPTHS,
    PRESETS,
    DatapathConfig,
    OperandFormat,
)

_FORMATS = [(bits, scale) for bits in range(2, 9) for scale in (None, *range(2, 11))]


@pytest.mark.parametrize(
    ("weights", "activations"), list(itertools.product(_FORMATS[::7], _FORMATS[::5]))
)
@pytest.mark.parametrize("signed", [True, False])
def test_notation_survives_a_round_trip(
    weights: tuple[int, int | None], activations: tuple[int, int | None], signed: bool
) -> None:
    config = DatapathConfig(
        weights=OperandFormat(element_bits=weights[0], scale_bits=weights[1]),
        activations=OperandFormat(
            element_bits=activations[0], signed=signed, scale_bits=activations[1]
        ),
        vector_size=32,
        accumulator_bits=40,
    )
    assert DatapathConfig.parse(str(config), vector_size=32, accumulator_bits=40) == config


def test_chip_has_the_published_widths() -> None:
    # Keller et al., JSSC 2023: 14-bit dot product, 16-bit scale product rounded to 8, 22-bit
    # partial sum, 24-bit accumulator.
    chip = PRESETS["chip-5nm"]
    assert str(chip) == "4/4/8/8"
    assert (chip.vector_size, chip.accumulator_bits) == (64, 24)
    assert (chip.dot_bits, chip.full_scale_product_bits) == (14, 16)
    assert (chip.rounded_scale_product_bits, chip.scale_product_shift) == (8, 8)
    assert chip.partial_sum_bits == 22


def test_dot_product_width_holds_the_extremes() -> None:
    for signed in (True, False):
        activations = OperandFormat(element_bits=8, signed=signed)
        config = DatapathConfig(
            weights=OperandFormat(element_bits=8), activations=activations, vector_size=64
        )
        extremes = [
            64 * w * a
            for w in (config.weights.element_min, config.weights.qmax)
            for a in (activations.element_min, activations.qmax)
        ]
        assert -(1 << (config.dot_bits - 1)) <= min(extremes)
        assert max(extremes) < 1 << (config.dot_bits - 1)


def test_absent_scales_count_no_bits() -> None:
    assert DatapathConfig.parse("8/8/-/-").full_scale_product_bits == 0
    assert DatapathConfig.parse("8/8/-/-").partial_sum_bits == 20
    assert DatapathConfig.parse("6/8/6/-").full_scale_product_bits == 6
    assert DatapathConfig.parse("6/8/-/3", scale_product_bits=2).scale_product_shift == 1


def test_keeping_all_scale_product_bits_is_the_default() -> None:
    assert DatapathConfig.parse("4/4/4/6", scale_product_bits=10) == DatapathConfig.parse("4/4/4/6")


@pytest.mark.parametrize(
    ("vectors", "bits"), [(1, 22), (2, 23), (3, 24), (4, 24), (5, 25), (1024, 32)]
)
def test_exact_accumulator_has_the_bits_of_its_sum(vectors: int, bits: int) -> None:
    config = DatapathConfig.parse("4/4/4/6", accumulator_bits="exact", vectors=vectors)
    assert config.accumulator_bits == bits


def test_exact_accumulator_has_at_least_the_smallest_supported_width() -> None:
    config = DatapathConfig.parse("2/2/-/-", vector_size=4, accumulator_bits="exact", vectors=2)
    assert config.accumulator_bits == 16


def test_grid_is_narrow_and_symmetric_when_signed() -> None:
    signed = OperandFormat(element_bits=4)
    assert (signed.element_min, signed.qmin, signed.qmax) == (-8, -7, 7)
    unsigned = OperandFormat(element_bits=4, signed=False)
    assert (unsigned.element_min, unsigned.qmin, unsigned.qmax) == (0, 0, 15)


def test_every_preset_parses_back_and_is_json() -> None:
    for config in PRESETS.values():
        assert DatapathConfig.parse(str(config)).weights == config.weights
        assert json.loads(json.dumps(config.as_dict()))["notation"] == str(config)


def test_slugs_tell_configurations_apart() -> None:
    configs = [
        DatapathConfig.parse(notation, **options)
        for notation in ("4/4/4/6", "4/4U/4/6", "4/4X/4/6", "4/4/-/6", "4/4/4/-", "4/4/-/-")
        for options in ({}, {"vector_size": 64}, {"accumulator_bits": 32})
    ] + [DatapathConfig.parse("4/4/4/6", scale_product_bits=p) for p in range(1, 10)]
    assert len({config.slug for config in configs}) == len(configs)


def test_slug_tells_the_pipeline_depth_where_it_is_not_the_default() -> None:
    default = DatapathConfig.parse("4/4/4/6")
    slugs = [dataclasses.replace(default, pipeline_depth=d).slug for d in PIPELINE_DEPTHS]
    assert slugs == ["4_4_4_6_v16_c24_d1", "4_4_4_6_v16_c24", "4_4_4_6_v16_c24_d3"]


def test_pipeline_is_as_deep_as_the_default_unless_told() -> None:
    assert PIPELINE_DEPTH in PIPELINE_DEPTHS
    configs = [*PRESETS.values(), DatapathConfig.parse("4/4/4/6")]
    assert {config.pipeline_depth for config in configs} == {PIPELINE_DEPTH}


def test_pipeline_depth_changes_no_width() -> None:
    config = DatapathConfig.parse("4/4U/4/6", scale_product_bits=6)
    described = [
        dataclasses.replace(config, pipeline_depth=depth).as_dict() for depth in PIPELINE_DEPTHS
    ]
    assert [facts.pop("pipeline_depth") for facts in described] == list(PIPELINE_DEPTHS)
    assert described[0] == described[1] == described[2]


def test_exact_accumulator_keeps_the_pipeline_depth() -> None:
    config = dataclasses.replace(DatapathConfig.parse("4/4/4/6"), pipeline_depth=3)
    assert config.with_exact_accumulator(4).pipeline_depth == 3


def test_configuration_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DatapathConfig.parse("4/4/4/6").vector_size = 32  # type: ignore[misc]  # what is tested


@pytest.mark.parametrize(
    ("notation", "options", "message"),
    [
        ("4/4/4", {}, r"^notation must be W/A/ws/as, such as .*, not '4/4/4'$"),
        ("4/4/-/6/2", {}, r"^notation must be .*, not '4/4/-/6/2'$"),
        ("x/y/z/w", {}, r"^notation must be .*, not 'x/y/z/w'$"),
        ("4U/4/4/6", {}, r"^notation must be .*, not '4U/4/4/6'$"),
        ("4/4u/4/6", {}, r"^notation must be .*, not '4/4u/4/6'$"),
        ("4/4x/4/6", {}, r"^notation must be .*, not '4/4x/4/6'$"),
        ("4/4UX/4/6", {}, r"^notation must be .*, not '4/4UX/4/6'$"),
        ("4/4XU/4/6", {}, r"^notation must be .*, not '4/4XU/4/6'$"),
        ("4X/4/4/6", {}, r"^notation must be .*, not '4X/4/4/6'$"),
        ("4/4/4/6X", {}, r"^notation must be .*, not '4/4/4/6X'$"),
        ("4/1X/4/4", {}, r"activations: element_bits must be an integer from 2 to 8, not 1$"),
        ("٤/4/4/6", {}, r"^notation must be .*, not '٤/4/4/6'$"),
        ("", {}, r"^notation must be .*, not ''$"),
        ("9/4/4/4", {}, r"weights: element_bits must be an integer from 2 to 8, not 9$"),
        ("4/1/4/4", {}, r"activations: element_bits must be an integer from 2 to 8, not 1$"),
        ("4/4/1/4", {}, r"weights: scale_bits must be an integer from 2 to 10, not 1$"),
        ("4/4/4/11", {}, r"activations: scale_bits must be an integer from 2 to 10, not 11$"),
        ("4/4/4/6", {"vector_size": 24}, r"^vector_size must be a power of two .*, not 24$"),
        ("4/4/4/6", {"vector_size": 128}, r"^vector_size must be a power of two .*, not 128$"),
        ("4/4/4/6", {"scale_product_bits": 0}, r"^scale_product_bits .* 1 to 10, not 0$"),
        ("4/4/4/6", {"scale_product_bits": 11}, r"^scale_product_bits .* 1 to 10, not 11$"),
        ("4/4/-/6", {"scale_product_bits": 7}, r"^scale_product_bits .* 1 to 6, not 7$"),
        ("4/4/-/-", {"scale_product_bits": 1}, r"^scale_product_bits must be left out .*, not 1$"),
        ("4/4/4/6", {"accumulator_bits": 15}, r"^accumulator_bits .* 16 to 48, not 15$"),
        ("4/4/4/6", {"accumulator_bits": 49}, r"^accumulator_bits .* 16 to 48, not 49$"),
        ("4/4/4/6", {"accumulator_bits": "exact"}, r"^accumulator_bits 'exact' needs the number"),
        ("4/4/4/6", {"vectors": 4}, r"^vectors is for accumulator_bits 'exact', not for 24$"),
        (
            "4/4/4/6",
            {"accumulator_bits": "exact", "vectors": 0},
            r"^vectors must be a positive integer, not 0$",
        ),
        (
            "8/8/10/10",
            {"accumulator_bits": "exact", "vectors": 512, "vector_size": 64},
            r"^an exact accumulator of 512 vectors needs 51 bits, more than 48$",
        ),
    ],
)
def test_rejects_with_the_value_and_the_range(
    notation: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DatapathConfig.parse(notation, **options)


@pytest.mark.parametrize("depth", [-1, 0, 4])
def test_rejects_a_pipeline_depth_with_the_range(depth: int) -> None:
    message = f"^pipeline_depth must be an integer from 1 to 3, not {depth}$"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(DatapathConfig.parse("4/4/4/6"), pipeline_depth=depth)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: OperandFormat(element_bits="4"), r"^element_bits must be .*, not '4'$"),  # type: ignore[arg-type]  # what is tested
        (lambda: OperandFormat(element_bits=True), r"^element_bits must be .*, not True$"),
        (lambda: OperandFormat(element_bits=4, signed=1), r"^signed must be .*, not 1$"),  # type: ignore[arg-type]  # what is tested
        (lambda: OperandFormat(element_bits=4, scale_bits=4.0), r"^scale_bits .*, not 4.0$"),  # type: ignore[arg-type]  # what is tested
        (lambda: DatapathConfig.parse(4), r"^notation must be a string such as .*, not 4$"),  # type: ignore[arg-type]  # what is tested
        (
            lambda: DatapathConfig.parse("4/4/4/6", vector_size=16.0),  # type: ignore[arg-type]  # what is tested
            r"^vector_size must be a power of two from 4 to 64, not 16.0$",
        ),
        (
            lambda: dataclasses.replace(DatapathConfig.parse("4/4/4/6"), pipeline_depth="2"),  # type: ignore[arg-type]  # what is tested
            r"^pipeline_depth must be an integer from 1 to 3, not '2'$",
        ),
        (
            lambda: dataclasses.replace(DatapathConfig.parse("4/4/4/6"), either_sign=1),  # type: ignore[arg-type]  # what is tested
            r"^either_sign must be True or False, not 1$",
        ),
        (
            lambda: DatapathConfig(weights="4", activations=OperandFormat(element_bits=4)),  # type: ignore[arg-type]  # what is tested
            r"^weights must be an OperandFormat, not '4'$",
        ),
    ],
)
def test_rejects_wrong_types(build: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        build()


@pytest.mark.parametrize("notation", ["4/4X/4/6", "8/2X/-/-", "3/8X/10/-"])
def test_activations_of_either_sign_have_two_formats_and_the_widths_of_one(notation: str) -> None:
    config = DatapathConfig.parse(notation)
    assert str(config) == notation
    signed, unsigned = config.activation_formats
    assert (signed, unsigned.signed) == (config.activations, False)
    assert dataclasses.replace(unsigned, signed=True) == signed
    plain = DatapathConfig.parse(notation.replace("X", ""))
    assert config != plain
    assert config.as_dict()["widths"] == plain.as_dict()["widths"]
    assert config.with_exact_accumulator(4).either_sign
    assert [config.activation_format(signed=sign) for sign in (True, False)] == [signed, unsigned]
    assert [config.activation_format_for(x) for x in (-0.1, 0.0, 3)] == [signed, unsigned, unsigned]


@pytest.mark.parametrize("sign", ["", "U"])
def test_other_activations_have_one_format(sign: str) -> None:
    config = DatapathConfig.parse(f"4/4{sign}/4/6")
    assert not config.either_sign
    assert config.activation_formats == (config.activations,)
    assert config.activation_format() == config.activation_format(signed=not sign)
    assert [config.activation_format_for(x) for x in (-1, 0, 1)] == [config.activations] * 3


def test_a_format_is_asked_for_that_there_is_and_said_where_there_are_two() -> None:
    for sign, signed, kind in (("", False, "unsigned"), ("U", True, "signed")):
        config = DatapathConfig.parse(f"4/4{sign}/4/6")
        message = rf"^activations of 4/4{sign}/4/6 are never {kind}$"
        with pytest.raises(ValueError, match=message):
            config.activation_format(signed=signed)
    message = r"^activations of 4/4X/4/6 are signed or unsigned: say which$"
    with pytest.raises(ValueError, match=message):
        DatapathConfig.parse("4/4X/4/6").activation_format()


def test_either_sign_goes_with_the_signed_format() -> None:
    unsigned = DatapathConfig.parse("4/4U/4/6")
    message = r"^activations of either sign must be given by their signed format, not 4U/6$"
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(unsigned, either_sign=True)


def test_rejects_unsigned_weights() -> None:
    unsigned = OperandFormat(element_bits=4, signed=False)
    with pytest.raises(ValueError, match=r"^weights must be signed"):
        DatapathConfig(weights=unsigned, activations=unsigned)
