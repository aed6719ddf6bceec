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
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import Network
from scalewright.sim.models.constants import fold_constants
from scalewright.sim.models.file import load_model, naming
from scalewright.sim.models.functions import DOMAIN, IR_VERSION, OPSET, VERSION, functions
from scalewright.sim.models.reader import ModelReader
from scalewright.sim.models.writer import ModelWriter

_CONFIG_KEY = "scalewright.engine"
# Characters of the configuration.
_LARGEST_FACTS = 1000


def write_model(
    network: Network,
    config: EngineConfig,
    input_shape: tuple[int | None, ...],
    output_shape: tuple[int | None, ...],
) -> onnx.ModelProto:
    """A quantized network as an ONNX model.

    Shapes are without the batch, with None where any size will do.
    """
    writer = ModelWriter(network, config)
    graph = helper.make_graph(
        writer.nodes,
        "scalewright",
        [_value(network.input, input_shape)],
        [_value(network.output, output_shape)],
        writer.initializers,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, VERSION)],
        functions=functions(),
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
        return ModelReader(model.graph, config).network(), config


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


def _value(name: str, shape: tuple[int | None, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
