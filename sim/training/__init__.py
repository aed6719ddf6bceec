"""Quantization-aware training in PyTorch, on the very integers of the datapath.

    model = convert(model, QatConfig(datapath=DatapathConfig.parse("4/4U/4/6")))
    calibrate(model, batches)
    ...                                         # train as usual
    network = to_network(model, inputs, EngineConfig(datapath=...))

Needs the extra `train`; nothing else of this project imports it.
"""

from scalewright.sim.training.config import QatConfig
from scalewright.sim.training.conversion import calibrate, convert, quantized_layers
from scalewright.sim.training.convolution import QuantizedConv2d
from scalewright.sim.training.exact import ExactNetwork
from scalewright.sim.training.export import to_network
from scalewright.sim.training.layer import QuantizedLayer
from scalewright.sim.training.linear import QuantizedLinear

__all__ = [
    "ExactNetwork",
    "QatConfig",
    "QuantizedConv2d",
    "QuantizedLayer",
    "QuantizedLinear",
    "calibrate",
    "convert",
    "quantized_layers",
    "to_network",
]
