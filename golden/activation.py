"""Activation functions: what is applied to the rescaled results of a layer, in integers."""

import numpy as np
import numpy.typing as npt

from scalewright.golden.config import ActivationFunction

# The operators of ONNX that are activation functions: behind a product, they become part of it.
OPERATORS: dict[str, ActivationFunction] = {"Relu": ActivationFunction.RELU}


def activate(
    y: npt.NDArray[np.int64], bits: int, function: ActivationFunction
) -> npt.NDArray[np.int64]:
    """A function of results y, signed, each by itself; of as many bits as they have."""
    match function:
        case ActivationFunction.IDENTITY:
            return y
        case ActivationFunction.RELU:
            return np.maximum(y, 0)
