"""Networks: graphs of floats, their quantization, and their execution on integers."""

from scalewright.golden.network.execution import Network, Quantize, Region, Step, run_network
from scalewright.golden.network.product import Block, Part, Product
from scalewright.golden.network.vectors import Tensor, Vectors, as_real

__all__ = [
    "Block",
    "Network",
    "Part",
    "Product",
    "Quantize",
    "Region",
    "Step",
    "Tensor",
    "Vectors",
    "as_real",
    "run_network",
]
