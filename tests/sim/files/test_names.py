import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalewright.sim.files.names import abridged, listing, printable, shortened


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("conv1.weight", "conv1.weight"),
        ("Größe 層", "Größe 層"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\r\nb\tc\x00\x7f\x9b", r"a\r\nb\tc\x00\x7f\x9b"),
        ("\u202eabc\u2066\u200f\ufeff", r"\u202eabc\u2066\u200f\ufeff"),
        ("a\u2028b", r"a\u2028b"),
        ("\udce9", r"\udce9"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_shows_what_a_terminal_would_obey(name: str, shown: str) -> None:
    assert printable(name) == shown


@given(st.text())
def test_nothing_invisible_is_left(name: str) -> None:
    shown = printable(name)
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in shown)
    assert shown.isprintable()
    assert len(shortened(name, 10)) <= 10


def test_lists_are_short() -> None:
    assert listing([]) == "none"
    assert listing(["a", "b\x07"]) == r"a, b\x07"
    assert listing(str(n) for n in range(1000)).endswith("10, 11 and 988 more")
    assert len(listing(["x" * 10_000_000])) == 80


@given(st.text(), st.integers(20, 60))
def test_long_messages_lose_their_middle(text: str, characters: int) -> None:
    shown = abridged(text, characters)
    assert shown.isprintable()
    assert len(shown) <= characters
    assert shown == printable(text) or " ... " in shown


def test_the_middle_of_a_long_message_goes() -> None:
    assert abridged("short", 20) == "short"
    assert abridged(f"must be x, not {'9' * 5000}: take y", 40) == (
        f"must be x, not {'9' * 2} ... {'9' * 10}: take y"
    )
