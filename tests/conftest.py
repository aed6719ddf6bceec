"""Settings of the whole suite."""

from hypothesis import settings

# The same examples every time: a failure in CI is a failure at home. No deadline: the first call
# of a NumPy function is slow.
settings.register_profile("scalewright", derandomize=True, deadline=None, max_examples=150)
settings.load_profile("scalewright")
