"""Checks that parameters share: the message gives the requirement and the value."""

# How many lanes a unit may have.
LANES = (1, 2, 4, 8, 16, 32, 64)


def require_in_range(name: str, value: object, allowed: range) -> None:
    """Raise unless `value` is an integer in the range.

    Raises:
        TypeError: It is no integer.
        ValueError: It is outside.
    """
    requirement = f"{name} must be an integer from {allowed.start} to {allowed.stop - 1}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{requirement}, not {value!r}")
    if value not in allowed:
        raise ValueError(f"{requirement}, not {value}")


def require_power_of_two(name: str, value: object, allowed: tuple[int, ...]) -> None:
    """Raise unless `value` is one of the powers of two `allowed`, which are consecutive.

    Raises:
        TypeError: It is no integer.
        ValueError: It is another one.
    """
    requirement = f"{name} must be a power of two from {allowed[0]} to {allowed[-1]}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{requirement}, not {value!r}")
    if value not in allowed:
        raise ValueError(f"{requirement}, not {value}")
