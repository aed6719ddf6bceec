"""The README's examples in Python, one after the other."""

import re
from pathlib import Path
from typing import Any

import numpy as np


def test_examples_in_python_run() -> None:
    blocks = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    rng = np.random.default_rng(0)
    names: dict[str, Any] = {
        "np": np,
        "weights": rng.standard_normal((20, 40)),
        "activations": np.abs(rng.standard_normal((5, 40))),
    }
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 2
    assert names["result"].accumulators.shape == (5, 20)
    outcome = names["outcome"]
    assert (outcome.mismatch_count, outcome.violations) == (0, [])
