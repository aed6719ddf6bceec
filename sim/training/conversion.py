"""Swaps the layers of a network for quantized ones, and calibrates their thresholds."""

from collections.abc import Callable, Collection, Iterable

import torch
from torch import Tensor, nn

from scalewright.sim.training.config import QatConfig
from scalewright.sim.training.convolution import QuantizedConv2d
from scalewright.sim.training.layer import QuantizedLayer
from scalewright.sim.training.linear import QuantizedLinear


def convert(model: nn.Module, config: QatConfig, *, skip: Collection[str] = ()) -> nn.Module:
    """Make every `nn.Linear` and `nn.Conv2d` a quantized layer, in place.

    Parameters stay the very same objects, under the same names, so that an optimizer made before
    goes on, and a layer with several names stays one; subclasses of those layers are left alone.
    Static thresholds need `calibrate` next.

    Args:
        model: The network; if it is itself such a layer, use what is returned.
        config: How the layers quantize.
        skip: Qualified names, as `named_modules` gives them, of layers to leave alone.

    Returns:
        The model.

    Raises:
        ValueError: A name in `skip` that is none of a layer that would be converted; a
            `nn.TransformerEncoderLayer` while torch's fast path for it is on, which takes weights
            past their layers; the model is as it was.
    """
    found = {
        name: module
        for name, module in model.named_modules(remove_duplicate=False)
        if type(module) in (nn.Linear, nn.Conv2d)
    }
    unknown = set(skip) - found.keys()
    if unknown:
        raise ValueError(f"skip must name layers of the model, not {', '.join(sorted(unknown))}")
    if torch.backends.mha.get_fastpath_enabled() and any(
        isinstance(module, nn.TransformerEncoderLayer) for module in model.modules()
    ):
        raise ValueError(
            "nn.TransformerEncoderLayer bypasses its layers in evaluation: call "
            "torch.backends.mha.set_fastpath_enabled(False) first"
        )
    left = {found[name] for name in skip}
    swapped = {
        module: _quantized(module, config)
        for module in dict.fromkeys(found.values())
        if module not in left
    }
    for name, module in found.items():
        if name and module in swapped:
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, swapped[module])
    return swapped.get(model, model)


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


def _quantized(layer: nn.Module, config: QatConfig) -> nn.Module:
    if isinstance(layer, nn.Conv2d):
        return QuantizedConv2d.from_float(layer, config)
    return QuantizedLinear.from_float(layer, config)


def _collector(layer: QuantizedLayer, peaks: list[float]) -> Callable[[Tensor], None]:
    return lambda rows: peaks.append(layer.activation_peak(rows))
