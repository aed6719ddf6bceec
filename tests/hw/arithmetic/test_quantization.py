"""The steps of quantization: all inputs of all configurations, and their composition."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Mux, signed, unsigned
from amaranth.lib.wiring import Component, In, Out
from amaranth.sim import Simulator

from scalewright.golden.config import (
    ELEMENT_BITS,
    OUTPUT_FRACTION_BITS,
    SCALE_BITS,
    EngineConfig,
    OperandFormat,
)
from scalewright.golden.requantize import requantize
from scalewright.hw.arithmetic.quantization import (
    FRACTION_SHAPE,
    ElementQuotient,
    Magnitude,
    PeakScale,
)
from tests.benches.designs import ONLY_IN_ALL
from tests.benches.faults import Fault, PortFault
from tests.benches.gates import Gates
from tests.benches.quantization import (
    RESULT_BITS,
    Builder,
    configuration,
    element_case,
    magnitude_case,
    narrow_magnitude_case,
    run,
    scale_case,
)
from tests.oracles.quotient import QuotientCheck

_FORMATS = [
    OperandFormat(element_bits=element_bits, signed=signed, scale_bits=scale_bits)
    for element_bits in range(2, 9)
    for signed in (True, False)
    for scale_bits in (None, *SCALE_BITS)
]
# Every width of elements and of scales, signed and unsigned.
_SOME_FORMATS = _FORMATS[::11]
# Elements at wider scales are 2.7 thousand million: more than a simulation gets through.
_WIDEST_SIMULATED = 8


def _check(builders: Sequence[Builder], formats: list[OperandFormat], folder: Path) -> int:
    """Check every input of every format; how many there are."""
    cases = {
        (build.__name__, str(fmt)): build(fmt, None)
        for build in builders
        for fmt in formats
        if not (build is scale_case and fmt.scale_bits is None)
        and not (build is element_case and (fmt.scale_bits or 0) > _WIDEST_SIMULATED)
    }
    counts = run(cases.values(), folder)
    assert {key: counts[case] for key, case in cases.items()} == {
        key: (case.combinations, 0) for key, case in cases.items()
    }
    return sum(checked for checked, _ in counts.values())


def test_right_for_every_input_of_some_configurations(tmp_path: Path) -> None:
    builders = [magnitude_case, narrow_magnitude_case, scale_case, element_case]
    assert _check(builders, _SOME_FORMATS, tmp_path) > 20_000_000


@ONLY_IN_ALL
@pytest.mark.parametrize(
    ("builders", "combinations"),
    [
        ([magnitude_case], 34 * 24 << 18),
        ([narrow_magnitude_case, scale_case], (34 * 24 << 8) + 510 * 4 * 2044),
        ([element_case], 178_249_080),
    ],
    ids=["magnitude", "scale", "element"],
)
def test_right_for_every_input_of_every_configuration(
    builders: list[Builder], combinations: int, tmp_path: Path
) -> None:
    assert _check(builders, _FORMATS, tmp_path) == combinations


# Elements of either sign at wider scales would be thousands of millions more.
_WIDEST_OF_EITHER_SIGN = 5


def test_right_for_every_input_of_either_sign(tmp_path: Path) -> None:
    cases = {
        (build.__name__, str(fmt)): build(fmt, None, either_sign=True)
        for build in (narrow_magnitude_case, scale_case, element_case)
        for fmt in _FORMATS
        if not (build is scale_case and fmt.scale_bits is None)
        and not (build is element_case and (fmt.scale_bits or 0) > _WIDEST_OF_EITHER_SIGN)
    }
    counts = run(cases.values(), tmp_path)
    assert {key: counts[case] for key, case in cases.items()} == {
        key: (case.combinations, 0) for key, case in cases.items()
    }


def test_bench_sees_a_flag_that_does_nothing(tmp_path: Path) -> None:
    cases = {
        (build.__name__, fmt.signed): build(fmt, fault, either_sign=True)
        for build in (narrow_magnitude_case, scale_case, element_case)
        for fmt, fault in (
            (
                OperandFormat(element_bits=4, scale_bits=3),
                lambda bad, good: good.is_signed.eq(0),
            ),
            (
                OperandFormat(element_bits=4, signed=False, scale_bits=3),
                lambda bad, good: good.is_signed.eq(1),
            ),
        )
    }
    counts = run(cases.values(), tmp_path)
    assert [key for key, case in cases.items() if counts[case][1] == 0] == []


def _find_wrong_element(
    fmt: OperandFormat, folder: Path, fault: PortFault | None = None
) -> dict[str, int] | None:
    """Half steps and a scale whose element is wrong: all are tried, 256 in each step, as gates."""
    return Gates.of(QuotientCheck(fmt, fault), folder).find_failure("right", folder)


@pytest.mark.parametrize("scale_bits", range(_WIDEST_SIMULATED + 1, SCALE_BITS.stop))
@pytest.mark.parametrize("magnitude_bits", range(1, 9))
def test_elements_are_right_at_every_wider_scale(
    magnitude_bits: int, scale_bits: int, tmp_path: Path
) -> None:
    # Of signed elements and unsigned ones with magnitudes of as many bits: they have one component.
    formats = [
        OperandFormat(element_bits=bits, signed=signed, scale_bits=scale_bits)
        for signed, bits in ((True, magnitude_bits + 1), (False, magnitude_bits))
        if bits in ELEMENT_BITS
    ]
    assert len({element_case(fmt, None) for fmt in formats}) == 1
    assert _find_wrong_element(formats[0], tmp_path) is None


def test_a_remainder_cut_to_ten_bits_is_seen_at_the_widest_scale(tmp_path: Path) -> None:
    # At others it has no more.
    cut = Fault("element_quotient", {"magnitude[12:2]": "{1'b0, magnitude[11:2]}"})
    check = QuotientCheck(OperandFormat(element_bits=2, scale_bits=SCALE_BITS[-1]))
    assert Gates.of(check, tmp_path, cut).find_failure("right", tmp_path) is not None


# Of signed elements of 4 bits and scales of 3: the largest are both 7.
_FAULTS: dict[str, tuple[Builder, PortFault]] = {
    "a rest is lost": (narrow_magnitude_case, lambda bad, good: bad.magnitude.rest.eq(0)),
    "half steps wrap": (
        narrow_magnitude_case,
        lambda bad, good: bad.magnitude.halves.eq(
            Mux(good.magnitude.as_value().all(), 0, good.magnitude.halves)
        ),
    ),
    "a negative result counts as zero": (
        narrow_magnitude_case,
        lambda bad, good: good.y.eq(Mux(bad.y < 0, 0, bad.y)),
    ),
    "ones' complement": (
        narrow_magnitude_case,
        lambda bad, good: good.y.eq(bad.y + (bad.y < 0)),
    ),
    "a scale ignores the rest": (scale_case, lambda bad, good: good.peak.rest.eq(0)),
    "scales are rounded down": (scale_case, lambda bad, good: bad.scale.eq(good.scale - 1)),
    "the largest scale is one less": (
        scale_case,
        lambda bad, good: bad.scale.eq(good.scale - (good.scale == 7)),
    ),
    "scales wrap": (
        scale_case,
        lambda bad, good: bad.scale.eq(Mux(bad.peak.halves > 2 * 7 * 7, 0, good.scale)),
    ),
    "ties go up": (element_case, lambda bad, good: good.magnitude.rest.eq(1)),
    "an element ignores the rest": (element_case, lambda bad, good: good.magnitude.rest.eq(0)),
    "the largest element is one less": (
        element_case,
        lambda bad, good: bad.element.eq(good.element - (good.element == 7)),
    ),
    "elements wrap": (
        element_case,
        lambda bad, good: bad.element.eq(
            Mux(bad.magnitude.halves > (2 * 7 + 1) * bad.scale, 0, good.element)
        ),
    ),
    "a scale of zero divides": (
        element_case,
        lambda bad, good: bad.element.eq(Mux(bad.scale == 0, 7, good.element)),
    ),
}
# Wrong in the last combination only, or in the first.
_SINGLE_FAULTS: dict[str, tuple[Builder, PortFault]] = {
    "magnitude": (
        narrow_magnitude_case,
        lambda bad, good: bad.magnitude.halves.eq(
            good.magnitude.halves ^ (bad.y.all() & (bad.fraction_bits == 23))
        ),
    ),
    "scale": (scale_case, lambda bad, good: bad.scale.eq(good.scale ^ bad.peak.as_value().all())),
    "element": (
        element_case,
        lambda bad, good: bad.element.eq(
            good.element ^ (bad.magnitude.as_value().all() & bad.scale.all())
        ),
    ),
    "first element": (
        element_case,
        lambda bad, good: bad.element.eq(
            good.element ^ ~(bad.magnitude.as_value().any() | bad.scale.any())
        ),
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in _FAULTS | _SINGLE_FAULTS
        if (_FAULTS | _SINGLE_FAULTS)[name][0] is element_case
    ],
)
def test_every_fault_of_an_element_is_seen_among_gates(name: str, tmp_path: Path) -> None:
    fmt = OperandFormat(element_bits=4, scale_bits=9)
    _, fault = (_FAULTS | _SINGLE_FAULTS)[name]
    found = _find_wrong_element(fmt, tmp_path, fault)
    assert found is not None
    if name in _SINGLE_FAULTS:
        assert found == (
            {"w": 0, "s": 0} if name == "first element" else {"w": (1 << 14) - 1, "s": 511}
        )


def test_bench_sees_every_fault(tmp_path: Path) -> None:
    fmt = OperandFormat(element_bits=4, scale_bits=3)
    sound = [build(fmt, None) for build in (narrow_magnitude_case, scale_case, element_case)]
    faulty = {name: build(fmt, fault) for name, (build, fault) in _FAULTS.items()}
    single = {name: build(fmt, fault) for name, (build, fault) in _SINGLE_FAULTS.items()}
    counts = run([*sound, *faulty.values(), *single.values()], tmp_path)
    assert [counts[case][1] for case in sound] == [0, 0, 0]
    assert [name for name, case in faulty.items() if counts[case][1] == 0] == []
    assert {name: counts[case][1] for name, case in single.items()} == dict.fromkeys(single, 1)


_LANES = 4


class _Quantizer(Component):
    """The three steps in one, for one vector and without registers."""

    def __init__(self, config: EngineConfig) -> None:
        self._config = config
        fmt = config.output
        element = signed(fmt.element_bits) if fmt.signed else unsigned(fmt.element_bits)
        super().__init__(
            {
                "y": In(signed(config.result_bits)).array(_LANES),
                "fraction_bits": In(FRACTION_SHAPE),
                "scale": Out(fmt.scale_bits or 1),
                "elements": Out(element).array(_LANES),
            }
        )

    def elaborate(self, platform: Any) -> Any:
        m = Module()
        magnitudes = [Magnitude(self._config) for _ in range(_LANES)]
        m.submodules += magnitudes
        peak: Any = 0
        for y, magnitude in zip(self.y, magnitudes, strict=True):
            m.d.comb += [magnitude.y.eq(y), magnitude.fraction_bits.eq(self.fraction_bits)]
            candidate = magnitude.magnitude.as_value()
            peak = Mux(candidate > peak, candidate, peak)
        scaled = self._config.output.scale_bits is not None
        m.d.comb += self.scale.eq(1)
        if scaled:
            m.submodules.peak_scale = peak_scale = PeakScale(self._config)
            m.d.comb += [peak_scale.peak.eq(peak), self.scale.eq(peak_scale.scale)]
        for y, magnitude, element in zip(self.y, magnitudes, self.elements, strict=True):
            quotient = ElementQuotient(self._config)
            m.submodules += quotient
            m.d.comb += [
                quotient.magnitude.eq(magnitude.magnitude),
                element.eq(Mux(y < 0, -quotient.element, quotient.element)),
            ]
            if scaled:
                m.d.comb += quotient.scale.eq(self.scale)
        return m


def _vector(fmt: OperandFormat, rng: np.random.Generator) -> tuple[list[int], int]:
    """Four results and their fraction bits: anything, less, ties, more than the largest scale."""
    largest = (1 << RESULT_BITS - 1) - 1
    kind = rng.integers(4)
    if kind < 2:
        bound = largest if kind == 0 else 1 << int(rng.integers(RESULT_BITS))
        y = rng.integers(-bound - (kind == 0), bound, _LANES, endpoint=True)
        fraction_bits = int(rng.integers(len(OUTPUT_FRACTION_BITS)))
    else:
        scale = fmt.scale_max if kind == 3 else int(rng.integers(1, fmt.scale_max, endpoint=True))
        fraction_bits = int(rng.integers((largest // (fmt.qmax * scale)).bit_length()))
        peak = (fmt.qmax * scale) << fraction_bits
        # Odd halves of the scale, and a peak that needs just this scale, another or more than any.
        y = (2 * rng.integers(-fmt.qmax, fmt.qmax, _LANES) + 1) * scale << fraction_bits >> 1
        y[0] = rng.integers(peak, largest) if kind == 3 else peak + rng.integers(-1, 2)
        y[0] *= rng.choice([1, 1, -1])
    return [int(v) for v in y], fraction_bits


@pytest.mark.parametrize(
    "fmt",
    [
        OperandFormat(element_bits=element_bits, signed=signed, scale_bits=scale_bits)
        for element_bits, signed, scale_bits in (
            (2, True, 2),
            (2, False, 10),
            (3, True, 5),
            (4, False, 4),
            (5, True, None),
            (8, True, 10),
            (8, False, 6),
            (8, False, None),
        )
    ],
    ids=str,
)
def test_steps_together_quantize_as_golden_does(fmt: OperandFormat) -> None:
    rng = np.random.default_rng(0)
    quantizer = _Quantizer(configuration(fmt))
    vectors = [([0] * _LANES, 0), ([0] * _LANES, 23)]
    vectors += [_vector(fmt, rng) for _ in range(300)]
    results = []

    async def process(ctx: Any) -> None:
        for y, fraction_bits in vectors:
            for lane, value in enumerate(y):
                ctx.set(quantizer.y[lane], value)
            ctx.set(quantizer.fraction_bits, fraction_bits)
            elements = [ctx.get(element) for element in quantizer.elements]
            results.append((ctx.get(quantizer.scale), elements))

    simulator = Simulator(quantizer)
    simulator.add_testbench(process)
    simulator.run()
    seen = {"scale 0": 0, "largest scale": 0, "clipped": 0, "tie": 0}
    for (y, fraction_bits), result in zip(vectors, results, strict=True):
        want = requantize(y, fmt, vector_size=_LANES, fraction_bits=fraction_bits)
        scale = 1 if want.scales is None else int(want.scales[0])
        assert result == (scale, want.elements[0].tolist()), (y, fraction_bits)
        step = scale << fraction_bits
        seen["scale 0"] += scale == 0
        seen["largest scale"] += scale == fmt.scale_max
        seen["clipped"] += 2 * max(y) > (2 * fmt.qmax + 1) * step
        seen["tie"] += scale > 0 and any(2 * v % (2 * step) == step for v in y)
    if fmt.scale_bits is None:
        del seen["scale 0"]
    assert all(seen.values()), seen
