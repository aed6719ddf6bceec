"""Quantized networks as standard ONNX models.

A weight is two blocked dequantizations, its elements and their scales apart:

    DequantizeLinear(s_q, gamma) -> scale of DequantizeLinear(x_q, block_size=V)

and a layer of the engine is a product, Rescale, Relu and QuantizeVectors (sim/models/functions.py).
It runs in any runtime of opset 21, in float32; the integers can be read from it without loss. The
configuration stands in the metadata. (ONNX Runtime, left to itself, computes a MatMul whose weights
have no per-vector scales with activations rounded to 8 bits: its session option
`session.qdq_matmulnbits_accuracy_level` must be 1 for float32. Conv and Gemm are not concerned.)
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import Network, Region, Tensor, as_real
from scalewright.golden.network.feeds import Input, fixed_batch
from scalewright.sim.models.constants import fold_constants
from scalewright.sim.models.file import load_model, naming
from scalewright.sim.models.functions import DOMAIN, VERSION, functions
from scalewright.sim.models.host import IR_VERSION, OPSET, OnnxHost
from scalewright.sim.models.reader import ModelReader
from scalewright.sim.models.writer import ModelWriter

_CONFIG_KEY = "scalewright.engine"
# Characters of the configuration.
_LARGEST_FACTS = 1000


def write_model(
    network: Network, config: EngineConfig, results: Mapping[str, Tensor]
) -> onnx.ModelProto:
    """A quantized network as an ONNX model.

    Args:
        network: The network.
        config: Its engine.
        results: What it gives for some inputs, its outputs among them: the types and sizes of the
            model's outputs.
    """
    writer = ModelWriter(network, config)
    hosts = [step.host for step in network.steps if isinstance(step, Region)]
    opsets = {"": OPSET}
    for host in hosts:
        if isinstance(host, OnnxHost):
            opsets |= host.opsets
    sizes = [size for each in network.inputs for size in (each.shape or (None, None))[1:]]
    fixed = None not in sizes
    graph = helper.make_graph(
        writer.nodes,
        "scalewright",
        [_value(each.name, np.dtype(each.dtype), each.shape or (None,)) for each in network.inputs],
        [
            _value(name, real.dtype, _output_shape(real.shape, network.inputs, fixed))
            for name, real in ((name, as_real(results[name])) for name in network.outputs)
        ],
        writer.initializers,
    )
    model = helper.make_model(
        graph,
        opset_imports=[
            *(helper.make_opsetid(name, version) for name, version in opsets.items()),
            helper.make_opsetid(DOMAIN, VERSION),
        ],
        functions=functions(opsets[""]),
        ir_version=IR_VERSION,
        producer_name="scalewright",
    )
    datapath = config.datapath
    facts = {
        "notation": str(datapath),
        "vector_size": datapath.vector_size,
        "scale_product_bits": datapath.scale_product_bits,
        "accumulator_bits": datapath.accumulator_bits,
        "result_bits": config.result_bits,
    }
    helper.set_model_props(model, {_CONFIG_KEY: json.dumps(facts)})
    onnx.checker.check_model(model)
    return model


def read_model(path: Path) -> tuple[Network, EngineConfig]:
    """Read a quantized network, with the engine's datapath; its size is the default.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no ONNX model, or none that `write_model` wrote.
    """
    model = load_model(path)
    with naming(path):
        config = _config(model)
        fold_constants(model, ())
        return ModelReader(model, config).network(), config


def _config(model: onnx.ModelProto) -> EngineConfig:
    properties = {entry.key: entry.value for entry in model.metadata_props}
    if _CONFIG_KEY not in properties:
        raise ValueError("not a quantized network: `scalewright quantize` makes one")
    versions = {entry.version for entry in model.opset_import if entry.domain == DOMAIN}
    if versions != {VERSION}:
        raise ValueError(
            f"its functions must be of version {VERSION}, not {versions or 'none'}: quantize again"
        )
    try:
        facts = json.loads(properties[_CONFIG_KEY][:_LARGEST_FACTS])
    except (ValueError, RecursionError):
        facts = None
    wanted = {"notation": str, "vector_size": int, "scale_product_bits": int}
    wanted |= {"accumulator_bits": int, "result_bits": int}
    absent = ("scale_product_bits",)  # null where all bits are kept
    if not isinstance(facts, dict) or facts.keys() != wanted.keys():
        raise ValueError(f"its metadata {_CONFIG_KEY} must be JSON with {', '.join(wanted)}")
    for name, kind in wanted.items():
        if type(facts[name]) is not kind and not (name in absent and facts[name] is None):
            raise ValueError(f"its metadata {_CONFIG_KEY}: {name} must be {kind.__name__}")
    try:
        result_bits = facts.pop("result_bits")
        datapath = DatapathConfig.parse(facts.pop("notation"), **facts)
        return EngineConfig(datapath=datapath, result_bits=result_bits)
    except ValueError as error:
        raise ValueError(f"its metadata {_CONFIG_KEY}: {error}") from None


def _output_shape(
    shape: tuple[int, ...], inputs: Sequence[Input], fixed: bool
) -> tuple[int | None, ...]:
    """Sizes of an output: those seen, where those of the inputs are fixed but for their number."""
    if not fixed:
        return (None,) * len(shape)
    return (fixed_batch(inputs), *shape[1:]) if shape else ()


def _value(name: str, dtype: np.dtype[Any], shape: tuple[int | None, ...]) -> onnx.ValueInfoProto:
    sizes = [("N" if size is None and not axis else size) for axis, size in enumerate(shape)]
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), sizes)
