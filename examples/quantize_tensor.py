"""Quantize a tensor with one scale for each channel and with one for each vector: SNR of both.

Run: python examples/quantize_tensor.py
"""

import numpy as np

from scalewright.golden.config import OperandFormat
from scalewright.golden.quantize import quantize
from scalewright.sim.execution.products import signal_to_noise_db


def main() -> None:
    """Print the signal-to-noise ratio of either grid at 3 to 6 bits."""
    rng = np.random.default_rng(1)
    sizes = np.exp(rng.standard_normal((64, 16)))  # vectors of a channel differ in size
    weights = (rng.standard_normal((64, 16, 16)) * sizes[..., None]).reshape(64, 256)
    weights = weights.astype(np.float32)
    print("bits  per channel  per vector")
    for bits in range(3, 7):
        ratios = []
        for scale_bits in (None, 4):
            fmt = OperandFormat(element_bits=bits, scale_bits=scale_bits)
            quantized = quantize(weights, fmt, vector_size=16, coarse_axis=0)
            ratios.append(signal_to_noise_db(weights, quantized.dequantize()))
        print(f"{bits:4}  {ratios[0]:8.1f} dB  {ratios[1]:7.1f} dB")


if __name__ == "__main__":
    main()
