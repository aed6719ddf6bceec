"""The README's examples in Python, one after the other."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def examples(*, of_training: bool) -> list[str]:
    blocks = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    return [block for block in blocks if ("scalewright.sim.training" in block) == of_training]


def test_examples_in_python_run() -> None:
    blocks = examples(of_training=False)
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


def test_example_of_training_runs() -> None:
    torch = pytest.importorskip("torch", reason="sim/training needs the extra `train`")
    (block,) = examples(of_training=True)
    torch.manual_seed(0)
    images = torch.rand(20, 1, 8, 8)
    names: dict[str, Any] = {
        "model": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)).eval(),
        "batches": [images[:10], images[10:]],
        "inputs": images,
        "images": images,
        "labels": torch.arange(20) % 10,
    }
    exec(block, names)
    assert 0 <= float(names["accuracy"]) <= 1
    assert names["onnx_model"].graph.node
