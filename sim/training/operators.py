"""PyTorch's functions as operators of the host: what stands between the engine's layers."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class HostOperator:
    """An operator of golden/network/operators.py.

    Attributes:
        kind: Its name; None where nothing happens in evaluation.
        inputs: The traced tensors that it takes.
        attributes: ONNX's.
    """

    kind: str | None
    inputs: tuple[fx.Node, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


def host_operator(node: fx.Node, module: nn.Module | None) -> HostOperator:
    """The operator of a traced call.

    Args:
        node: The call.
        module: The module that it calls, or None for a function or a method.

    Raises:
        ValueError: There is none, or not with these arguments; the message names it.
    """
    if module is not None:
        for kind, convert in _MODULES.items():
            if isinstance(module, kind):
                converted = convert(module)
                if converted is None:
                    break
                name, attributes = converted
                return HostOperator(kind=name, inputs=(node.args[0],), attributes=attributes)
        raise ValueError(
            f"layer {node.target}: {module} is not supported, nor a linear or convolution layer "
            f"that has not been converted"
        )
    tensors = tuple(value for value in node.args if isinstance(value, fx.Node))
    if node.target in (operator.add, torch.add, operator.iadd) and len(tensors) == 2:
        return HostOperator(kind="Add", inputs=tensors)
    if node.target in (torch.relu, functional.relu, "relu"):
        return HostOperator(kind="Relu", inputs=tensors)
    if node.target in (torch.flatten, "flatten"):
        start, end = _flattened(*node.args, **node.kwargs)
        if end == -1:
            return HostOperator(kind="Flatten", inputs=tensors, attributes={"axis": start})
    raise ValueError(f"{node.name}: {node.format_node()} is not supported")


def _flattened(_: fx.Node, start_dim: int = 0, end_dim: int = -1) -> tuple[int, int]:
    """The arguments of `torch.flatten`."""
    return start_dim, end_dim


def _pair(value: Any) -> list[int]:
    return list(value) if isinstance(value, tuple) else [value, value]


def _pool(module: Any) -> dict[str, Any]:
    return {
        "kernel_shape": _pair(module.kernel_size),
        "strides": _pair(module.stride),
        "pads": 2 * _pair(module.padding),
        "ceil_mode": int(module.ceil_mode),
    }


def _max_pool(module: Any) -> tuple[str, dict[str, Any]] | None:
    if module.return_indices:
        return None
    return "MaxPool", {**_pool(module), "dilations": _pair(module.dilation)}


def _average_pool(module: Any) -> tuple[str, dict[str, Any]] | None:
    if module.divisor_override is not None:
        return None
    return "AveragePool", {**_pool(module), "count_include_pad": int(module.count_include_pad)}


def _adaptive_pool(module: Any) -> tuple[str, dict[str, Any]] | None:
    return ("GlobalAveragePool", {}) if _pair(module.output_size) == [1, 1] else None


def _flatten(module: Any) -> tuple[str, dict[str, Any]] | None:
    return ("Flatten", {"axis": module.start_dim}) if module.end_dim == -1 else None


# Modules with the operator and its attributes, or None where these are not supported.
_MODULES: dict[type, Callable[[Any], tuple[str | None, dict[str, Any]] | None]] = {
    nn.ReLU: lambda _: ("Relu", {}),
    nn.MaxPool2d: _max_pool,
    nn.AvgPool2d: _average_pool,
    nn.AdaptiveAvgPool2d: _adaptive_pool,
    nn.Flatten: _flatten,
    nn.Dropout: lambda _: (None, {}),
    nn.Identity: lambda _: (None, {}),
}
