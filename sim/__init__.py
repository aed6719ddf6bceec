"""Everything that knows a simulator: builds, testbenches, regressions and the command line."""
