"""Networks: graphs of floats, their quantization, and their execution on integers."""

from scalewright.golden.network.execution import (
    Network,
    Product,
    Quantize,
    Step,
    Tensor,
    as_real,
    run_network,
)

__all__ = ["Network", "Product", "Quantize", "Step", "Tensor", "as_real", "run_network"]
