"""Grids of composed operands against the oracle, for all formats; and what is refused, and why."""

from dataclasses import replace
from typing import Any

import pytest

from scalewright.golden.config import DatapathConfig, OperandFormat, WideFormat, compose
from tests.oracles import composition as oracle
from tests.oracles.arithmetic import Datapath, Operand, round_scale_product


def _operand(fmt: OperandFormat | None) -> Operand | None:
    return None if fmt is None else Operand(fmt.element_bits, fmt.signed, fmt.scale_bits)


def _grid(fmt: WideFormat | None) -> oracle.Grid | None:
    if fmt is None:
        return None
    return oracle.Grid(fmt.digits.qmax, fmt.signed, fmt.ratio, fmt.unit)


def _compose(config: DatapathConfig, *, weights: bool = True, activations: bool = True) -> Any:
    return compose(
        config,
        weights=config.weights if weights else None,
        activations=config.activations if activations else None,
    )


@pytest.mark.parametrize(
    ("notation", "options", "weights", "activations"),
    [
        ("4/4/4/4", {}, (15, 1, -112, 112), (15, 1, -112, 112)),
        ("4/4U/4/6", {}, (15, 1, -112, 112), (16, 1, 0, 255)),
        ("4/4U/4/4", {}, (15, 1, -112, 112), (15, 1, 0, 240)),
        ("2/2U/2/2", {}, (3, 1, -4, 4), (3, 1, 0, 12)),
        ("8/8U/10/10", {}, (255, 1, -32512, 32512), (256, 1, 0, 65535)),
        ("4/4/8/8", {"scale_product_bits": 8}, (240, 16, -112, 112), (240, 16, -112, 112)),
    ],
)
def test_grids_of_the_contract(
    notation: str, options: Any, weights: tuple[int, ...], activations: tuple[int, ...]
) -> None:
    composed = _compose(DatapathConfig.parse(notation, **options))
    got = [(*fmt.digit_scales, fmt.qmin, fmt.qmax) for fmt in composed]
    assert got == [weights, activations]
    for fmt in composed:
        assert (fmt.scale_bits, fmt.scale_max) == (None, 1)
        assert fmt.qmax <= (32512 if fmt.signed else 65535)


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", [(2, 2), (4, 4), (3, 8), (8, 5)])
def test_grids_of_all_scales_equal_the_oracle(bits: tuple[int, int], signed: bool) -> None:
    composed = refused = 0
    for weight_scale in range(2, 11):
        for activation_scale in range(2, 11):
            weights = OperandFormat(element_bits=bits[0], scale_bits=weight_scale)
            activations = OperandFormat(
                element_bits=bits[1], signed=signed, scale_bits=activation_scale
            )
            full = weight_scale + activation_scale
            for kept in range(1, full + 1):
                config = DatapathConfig(
                    weights=weights, activations=activations, scale_product_bits=kept
                )
                want = oracle.grids(_operand(weights), _operand(activations), full - kept)
                if want is None:
                    refused += 1
                    with pytest.raises(ValueError, match=r"keep 4 bits at least$"):
                        _compose(config)
                    continue
                composed += 1
                got = _compose(config)
                assert (_grid(got[0]), _grid(got[1])) == want
                _check_rounding(config, got)
    assert composed > 500
    assert refused == 81 * 3  # P of 1, 2 and 3


def _check_rounding(config: DatapathConfig, grids: tuple[WideFormat, WideFormat]) -> None:
    """Every product of digit scales is rounded exactly, and none saturates."""
    datapath = Datapath(
        config.weights.scale_bits, config.activations.scale_bits, config.scale_product_bits, 24
    )
    for w in grids[0].digit_scales:
        for a in grids[1].digit_scales:
            rounded = round_scale_product(w * a, datapath)
            assert rounded << config.scale_product_shift == w * a


@pytest.mark.parametrize("notation", ["4/4/4/6", "3/5U/2/10", "4/4/4/-", "4/4U/-/6"])
def test_one_operand_is_composed_alone(notation: str) -> None:
    config = DatapathConfig.parse(notation)
    for composed in ((True, False), (False, True)):
        fmt = config.weights if composed[0] else config.activations
        if fmt.scale_bits is not None:
            got = _compose(config, weights=composed[0], activations=composed[1])
            want = oracle.grids(
                _operand(config.weights) if composed[0] else None,
                _operand(config.activations) if composed[1] else None,
                0,
            )
            assert (_grid(got[0]), _grid(got[1])) == want
    assert _compose(config, weights=False, activations=False) == (None, None)


def test_follows_the_operand_where_it_is_signed_otherwise() -> None:
    config = DatapathConfig.parse("4/4U/4/6")
    signed = replace(config.activations, signed=True)
    assert compose(config, activations=signed)[1] == WideFormat(digits=signed, ratio=15)


def test_refuses_operands_without_scale_bits() -> None:
    message = (
        r"^activations of 4/4U/4/- cannot be composed: a format with per-vector scales is needed, "
        r"for the scales of two digits, not 4U/-$"
    )
    with pytest.raises(ValueError, match=message):
        _compose(DatapathConfig.parse("4/4U/4/-"))
    with pytest.raises(ValueError, match=r"^weights of 4/4/-/- cannot .*, not 4/-$"):
        _compose(DatapathConfig.parse("4/4/-/-"), activations=False)


@pytest.mark.parametrize("name", ["weights", "activations"])
def test_refuses_one_alone_where_scale_products_are_rounded(name: str) -> None:
    config = DatapathConfig.parse("4/4/8/8", scale_product_bits=8)
    message = (
        rf"^{name} of 4/4/8/8 cannot be composed alone where the scale product keeps 8 of 16 bits: "
        r"products of digit scales with the other operand's would be rounded; compose both, or "
        r"keep all bits$"
    )
    with pytest.raises(ValueError, match=message):
        _compose(config, weights=name == "weights", activations=name == "activations")


_DIGITS = OperandFormat(element_bits=4, scale_bits=6)
_UNSIGNED = replace(_DIGITS, signed=False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"ratio": 17},
            ValueError,
            r"^ratio must be odd and from 2 to 15 for digits 4/6 .* not 17$",
        ),
        ({"ratio": 14}, ValueError, r"not 14$"),
        ({"ratio": 1}, ValueError, r"not 1$"),
        ({"ratio": 3, "unit": 32}, ValueError, r"with a unit of 32, not 3$"),
        ({"ratio": 3, "unit": 3}, ValueError, r"^unit must be a power of two, not 3$"),
        ({"ratio": 3, "unit": 0}, ValueError, r"^unit must be a power of two, not 0$"),
        ({"ratio": True}, TypeError, r"^ratio must be an integer, not True$"),
        ({"ratio": 3, "unit": 1.0}, TypeError, r"^unit must be an integer, not 1.0$"),
        ({"digits": _UNSIGNED, "ratio": 17}, ValueError, r"^ratio must be from 2 to 16 .* not 17$"),
        ({"digits": "4/6", "ratio": 3}, TypeError, r"^digits must be an OperandFormat, not '4/6'$"),
        (
            {"digits": OperandFormat(element_bits=4), "ratio": 3},
            ValueError,
            r"^digits must have per-vector scales, not the format 4/-$",
        ),
    ],
)
def test_rejects_a_grid_that_no_digits_fill(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        WideFormat(**{"digits": _DIGITS, **options})


def test_takes_configurations_and_formats_only() -> None:
    config: Any = "4/4/4/6"
    with pytest.raises(TypeError, match=r"^config must be a DatapathConfig, not '4/4/4/6'$"):
        compose(config)
    wrong: Any = True
    with pytest.raises(TypeError, match=r"^weights must be an OperandFormat or None, not True$"):
        compose(DatapathConfig.parse("4/4/4/6"), weights=wrong)
