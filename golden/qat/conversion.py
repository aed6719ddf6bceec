"""Swaps the layers of a network for quantized ones, and calibrates their thresholds."""

from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor, nn

from golden.qat.config import QatConfig
from golden.qat.convolution import QuantizedConv2d
from golden.qat.layer import QuantizedLayer
from golden.qat.linear import QuantizedLinear


def convert(model: nn.Module, config: QatConfig, *, skip: Collection[str] = ()) -> nn.Module:
    """Make every `nn.Linear` and `nn.Conv2d` a quantized layer, in place.

    Parameters stay the very same objects, under the same names, so that an optimizer made before
    goes on; subclasses of those layers are left alone. Static thresholds need `calibrate` next.

    Args:
        model: The network; if it is itself such a layer, use what is returned.
        config: How the layers quantize.
        skip: Qualified names, as `named_modules` gives them, of layers to leave alone.

    Returns:
        The model.

    Raises:
        ValueError: A name in `skip` that is none of a layer that would be converted.
    """
    unknown = set(skip)
    done: dict[nn.Module, nn.Module] = {}

    def swap(module: nn.Module, name: str) -> nn.Module:
        if type(module) not in (nn.Linear, nn.Conv2d):
            return module
        if name in unknown:
            unknown.discard(name)
            done[module] = module
        if module not in done:
            if isinstance(module, nn.Conv2d):
                done[module] = QuantizedConv2d.from_float(module, config)
            elif isinstance(module, nn.Linear):
                done[module] = QuantizedLinear.from_float(module, config)
        return done[module]

    for prefix, parent in list(model.named_modules()):
        for name, child in list(parent.named_children()):
            setattr(parent, name, swap(child, f"{prefix}.{name}" if prefix else name))
    model = swap(model, "")
    if unknown:
        raise ValueError(f"skip must name layers of the model, not {', '.join(sorted(unknown))}")
    return model


def quantized_layers(model: nn.Module) -> dict[str, QuantizedLayer]:
    """The quantized layers of a network by their qualified names."""
    return {
        name: module for name, module in model.named_modules() if isinstance(module, QuantizedLayer)
    }


def calibrate(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set all static thresholds: of weights as they are, of activations from batches of inputs.

    A threshold of activations is the mean of what the clipping method finds for each batch, as
    OCTAV's authors do. The layers compute in floats meanwhile, and the network in evaluation mode.

    Args:
        model: The network, converted.
        batches: Inputs of the network.

    Raises:
        ValueError: A layer that no batch has passed; the message names it.
    """
    layers = quantized_layers(model)
    peaks: dict[str, list[float]] = {name: [] for name in layers}
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        for name, layer in layers.items():
            layer.observe = _collector(layer, peaks[name])
        with torch.no_grad():
            for batch in batches:
                model(batch)
    finally:
        for layer in layers.values():
            layer.observe = None
        for module, mode in modes.items():
            module.training = mode
    for name, layer in layers.items():
        if not peaks[name]:
            raise ValueError(f"layer {name}: no batch has passed it, so it cannot be calibrated")
        layer.calibrate(sum(peaks[name]) / len(peaks[name]))


def _collector(layer: QuantizedLayer, peaks: list[float]) -> Callable[[Tensor], None]:
    return lambda rows: peaks.append(layer.activation_peak(rows))
