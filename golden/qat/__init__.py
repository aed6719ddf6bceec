"""Quantization-aware training in PyTorch, on the very integers of the datapath.

    model = convert(model, QatConfig(datapath=DatapathConfig.parse("4/4U/4/6")))
    calibrate(model, batches)
    ...                                         # train as usual
    network = to_network(model, inputs, EngineConfig(datapath=...))

Needs the extra `train`; nothing else of this project imports it.
"""

from golden.qat.config import QatConfig
from golden.qat.conversion import calibrate, convert, quantized_layers
from golden.qat.convolution import QuantizedConv2d
from golden.qat.exact import ExactNetwork
from golden.qat.export import to_network
from golden.qat.layer import QuantizedLayer
from golden.qat.linear import QuantizedLinear

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
