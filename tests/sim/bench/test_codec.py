from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.sim.bench.codec import Codec, Field, as_integers, as_words

_CODEC = Codec(
    27,
    (
        Field("a", 0, 3, True, 4),
        Field("b", 12, 4, False, 2),
        Field("c", 20, 6, True, None),
        Field("flag", 26, 1, False, None),
    ),
)


@st.composite
def _codecs(draw: st.DrawFn) -> Codec:
    fields = []
    offset = 0
    for number in range(draw(st.integers(1, 5))):
        field = Field(
            f"f{number}",
            offset,
            draw(st.integers(1, 63)),
            draw(st.booleans()),
            draw(st.none() | st.integers(1, 5)),
        )
        fields.append(field)
        offset += field.width * (1 if field.elements is None else field.elements)
    return Codec(offset, tuple(fields))


@given(codec=_codecs(), data=st.data(), count=st.integers(1, 4))
def test_packs_as_python_integers_say(codec: Codec, data: st.DataObject, count: int) -> None:
    values: dict[str, Any] = {}
    wanted = [0] * count
    for field in codec.fields:
        elements = 1 if field.elements is None else field.elements
        numbers = data.draw(
            st.lists(
                st.lists(
                    st.integers(field.smallest, field.largest), min_size=elements, max_size=elements
                ),
                min_size=count,
                max_size=count,
            )
        )
        for row, each in enumerate(numbers):
            for element, number in enumerate(each):
                pattern = number & ((1 << field.width) - 1)
                wanted[row] |= pattern << (field.offset + element * field.width)
        array = np.array(numbers, np.int64)
        values[field.name] = array[:, 0] if field.elements is None else array
    words = codec.pack(values)
    assert words.shape == (count, codec.bytes)
    assert as_integers(words) == wanted
    for name, array in codec.unpack(words).items():
        np.testing.assert_array_equal(array, values[name])
    np.testing.assert_array_equal(as_words(wanted, codec.bytes), words)


def test_many_words_equal_their_parts() -> None:
    rng = np.random.default_rng(0)
    count = 70_001  # more than two chunks
    values: dict[str, npt.NDArray[Any]] = {
        "a": rng.integers(-4, 4, (count, 4)),
        "b": rng.integers(0, 16, (count, 2)).astype(np.uint8),
        "c": rng.integers(-32, 32, count),
        "flag": rng.random(count) < 0.5,
    }
    words = _CODEC.pack(values)
    for row in (0, 32_767, 32_768, 70_000):
        one = _CODEC.pack({name: array[row : row + 1] for name, array in values.items()})
        np.testing.assert_array_equal(words[row], one[0])


def test_absent_fields_are_zero_and_words_combine() -> None:
    a = np.array([[1, -1, 3, -4]])
    part = _CODEC.pack({"a": a})
    assert as_integers(part) == [0b100_011_111_001]
    both = part | _CODEC.pack({"c": np.array([-1])})
    assert _CODEC.unpack(both)["c"].tolist() == [-1]
    assert _CODEC.unpack(both)["a"].tolist() == a.tolist()


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"c": [32]}, ValueError, r"^c must be from -32 to 31, not 32$"),
        ({"c": [0, -33]}, ValueError, r"^c must be from -32 to 31, not -33$"),
        ({"b": [[16, 0]]}, ValueError, r"^b must be from 0 to 15, not 16$"),
        ({"c": [0.5]}, TypeError, r"^c must be integers, not float64$"),
        ({"a": [[1, 2]]}, ValueError, r"^a must be \(T, 4\), not \(1, 2\)$"),
        ({"c": [[1]]}, ValueError, r"^c must be \(T,\), not \(1, 1\)$"),
        ({"d": [1]}, ValueError, r"^no such field: d$"),
        ({"c": [1], "flag": [1, 0]}, ValueError, r"^fields must have one length, not \[1, 2\]$"),
    ],
)
def test_rejects_what_does_not_fit(
    values: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        _CODEC.pack(values)
