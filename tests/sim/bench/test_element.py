"""Elements of either sign: numbers to bits and back."""

import numpy as np
import pytest

from scalewright.golden.config import ELEMENT_BITS, DatapathConfig, OperandFormat
from scalewright.sim.bench.element import as_fields, element_bits, elements_of


@pytest.mark.parametrize("bits", ELEMENT_BITS)
@pytest.mark.parametrize("signed", [True, False])
def test_every_element_has_bits_and_is_found_in_them(bits: int, signed: bool) -> None:
    fmt = OperandFormat(element_bits=bits, signed=signed)
    dtype = np.int8 if signed else np.uint8
    elements = np.arange(fmt.element_min, fmt.qmax + 1).astype(dtype)
    found = element_bits(elements, fmt)
    assert found.tolist() == [int(element) % (1 << bits) for element in elements]
    back = elements_of(found, fmt)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, elements)
    # Of a field that is signed, as where activations have one format, they are themselves.
    np.testing.assert_array_equal(elements_of(elements.astype(np.int64), fmt), elements)


def test_only_activations_of_either_sign_are_sent_as_bits() -> None:
    pairs = {"weights": np.array([[-1]]), "activations": np.array([[-1]])}
    for notation, sent in (("4/4/-/-", -1), ("4/4X/-/-", 15)):
        fields = as_fields(pairs, DatapathConfig.parse(notation))
        assert (fields["weights"][0, 0], fields["activations"][0, 0]) == (-1, sent)
