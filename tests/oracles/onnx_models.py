"""ONNX models for tests, what ONNX Runtime makes of them, and its comparison with golden."""

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scalewright.golden.config import ActivationFunction, EngineConfig, Output
from scalewright.golden.layer import run_layer
from scalewright.golden.network import Network, Product, Quantize, Vectors, as_real
from scalewright.golden.network.graph import Graph
from scalewright.golden.network.product import joined
from scalewright.golden.network.vectors import quantize_along
from scalewright.golden.requantize import requantize
from scalewright.golden.rescale import rescale
from scalewright.sim.models.float_model import read_graph
from scalewright.sim.models.quantized_model import write_model
from tests.oracles import arithmetic

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel here")
onnx = pytest.importorskip("onnx", reason="needed to make onnxruntime's models")

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]


def uniform(seed: int, *shape: int, low: float = -1) -> Floats:
    return np.random.default_rng(seed).uniform(low, 1, shape).astype(np.float32)


def sizes(shape: str) -> list[int]:
    """Those of `2,6,6`."""
    return [int(size) for size in shape.split(",")]


def model(shape: str, body: str, constants: dict[str, Array]) -> Any:
    """A model from `x` to `y`.

    Args:
        shape: Those of both, without the batch: `2,6,6->5`.
        body: Its nodes, as `onnx.parser` reads them. Node `a_node` gives tensor `a`, or `[other]`
            stands before it.
        constants: Its initializers.
    """
    source, target = shape.split("->")
    proto = onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 21]> '
        f"test (float[N,{source}] x) => (float[N,{target}] y) {{ {body} }}"
    )
    for node in proto.graph.node:
        node.name = node.name or f"{node.output[0]}_node"
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()]
    proto.graph.initializer.extend(tensors)
    return proto


def session(proto: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # starting threads would take longer than these models
    # In float32: else it makes MatMul of weights that have one scale for each channel MatMulNBits,
    # and that rounds activations to 8 bits, in blocks of 32.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    return onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def output_of(proto: Any, x: Floats) -> Floats:
    """The output of a model in ONNX Runtime."""
    (result,) = session(proto).run(None, {proto.graph.input[0].name: x})
    return np.asarray(result)


def tensors_of(proto: Any, x: Floats) -> dict[str, Floats]:
    """Input and results of all nodes of a model in ONNX Runtime."""
    exposed = onnx.ModelProto()
    exposed.CopyFrom(proto)
    del exposed.graph.output[:]
    names = [name for each in proto.graph.node for name in each.output]
    info = onnx.helper.make_tensor_value_info
    exposed.graph.output.extend(info(name, onnx.TensorProto.FLOAT, None) for name in names)
    source = proto.graph.input[0].name
    results = session(exposed).run(names, {source: x})
    return {source: x, **dict(zip(names, results, strict=True))}


def graph_of(proto: Any, folder: Path) -> Graph:
    """A model as scalewright.sim.models.float_model reads it."""
    onnx.save(proto, folder / "float.onnx")
    return read_graph(folder / "float.onnx")


def residual_model() -> Any:
    """Images (3, 9, 9) to (6,): residual connection, pooling, strides, pads, chained products.

    Every product's input is positive or zero for inputs that are.
    """
    body = """
        a = Conv <strides=[2,2], pads=[1,0,2,1]> (x, w1, b1)
        b = Relu(a)
        c = Conv <pads=[1,1,1,1], kernel_shape=[3,3]> (b, w2)
        d = Add(c, b)
        e = Relu(d)
        f = AveragePool <kernel_shape=[2,2], pads=[0,1,0,0]> (e)
        g = Conv <auto_pad="SAME_UPPER", strides=[1,2]> (f, w3, b3)
        h = Relu(g)
        i = Conv(h, w4)
        j = Relu(i)
        k = MaxPool <kernel_shape=[2,1]> (j)
        l = Flatten(k)
        y = Gemm(l, w5, b5)
    """
    shapes = {"w1": (10, 3, 3, 3), "b1": (10,), "w2": (10, 10, 3, 3), "w3": (7, 10, 2, 2)}
    shapes |= {"b3": (7,), "w4": (18, 7, 1, 1), "w5": (108, 6), "b5": (6,)}
    constants = {name: uniform(i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    return model("3,9,9->6", body, constants)


def sequence_model() -> Any:
    """Sequences (5, 10) to (5, 6), of matrix products along the last axis."""
    body = """
        a = MatMul(x, w1)
        b = Add(a, b1)
        c = Relu(b)
        d = MatMul(c, w2)
        e = Add(b2, d)
        f = Relu(e)
        y = MatMul(f, w3)
    """
    shapes = {"w1": (10, 18), "b1": (18,), "w2": (18, 7), "b2": (1, 7), "w3": (7, 6)}
    constants = {name: uniform(i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    return model("5,10->5,6", body, constants)


def write(network: Network, config: EngineConfig, shape: str) -> Any:
    """A quantized network as an ONNX model; the shape is that of `model`."""
    _, target = (tuple(sizes(each)) for each in shape.split("->"))
    (output,) = network.outputs
    return write_model(network, config, {output: np.zeros((1, *target), np.float32)})


def assert_same(first: Any, second: Any) -> None:
    """Assert that two values have the same types, fields and numbers, bit for bit."""
    if is_dataclass(first):
        assert type(first) is type(second)
        for field in fields(first):
            assert_same(getattr(first, field.name), getattr(second, field.name))
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        assert_same(list(first.values()), [second[key] for key in first])
    elif isinstance(first, tuple | list):
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    elif isinstance(first, np.ndarray):
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second, strict=True)
    else:
        assert first == second


def compare_steps(network: Network, config: EngineConfig, proto: Any, x: Floats) -> None:
    """Compare each step of ONNX Runtime with what golden makes of its inputs."""
    tensors = tensors_of(proto, x)
    outputs = {node.name: node.output[0] for node in proto.graph.node}
    size = config.datapath.vector_size
    vectors: dict[str, Vectors] = {}
    for step in network.steps:
        if isinstance(step, Quantize):
            source = {**network.constants, **tensors}[step.input]
            vectors[step.output] = quantize_along(
                source, step.axis, step.format(config), vector_size=size, gamma=step.gamma
            )
        elif isinstance(step, Product):
            names = [f"{step.name}_{part}" for part in ("rescale", "activation", "quantize")]
            chain = [
                np.moveaxis(tensors[outputs[name]], step.axis, -1)
                for name in names
                if name in outputs
            ]
            total = np.moveaxis(tensors[f"{step.name}_sum"], step.axis, -1)
            y = _compare_product(step, vectors, total, chain, config)
            if step.gamma is None:
                continue
            values = requantize(
                y,
                config.datapath.activation_format(signed=step.signed),
                vector_size=size,
                fraction_bits=step.fraction_bits,
                gamma=step.gamma,
            )
            vectors[step.output] = Vectors(values=values, axis=step.axis)
        else:
            results = step.compute({name: tensors[name] for name in step.inputs})
            for name, result in results.items():
                # Runtimes may take sums in another order where other nodes are around.
                np.testing.assert_allclose(tensors[name], result, rtol=1e-6)
            continue
        np.testing.assert_array_equal(
            tensors[step.output], as_real(vectors[step.output]), strict=True
        )


def _compare_product(
    product: Product,
    vectors: dict[str, Vectors],
    total: Floats,
    chain: list[Floats],
    config: EngineConfig,
) -> Array:
    """Compare a product with ONNX Runtime's, and what is behind it; its y, as ONNX Runtime has it.

    Args:
        product: The product.
        vectors: Its operands, by name.
        total: Its result in ONNX Runtime, channels last, without its bias, not rescaled.
        chain: What Rescale and the nodes behind it give there.
        config: The engine.
    """
    right = None if product.right is None else vectors[product.right]
    parts, _ = product.parts(vectors[product.input], right, config)
    stacked = 0 if right is not None else 1
    accumulated = [
        run_layer(replace(part.layer, output=Output.ACCUMULATOR), part.activations, config)
        for part in parts
    ]
    sums = joined(accumulated, stacked)
    assert sums.values is not None
    assert not sums.saturated.any()
    rescalings = [part.layer.rescaling for part in parts]
    merged = rescalings[0]
    if not stacked:
        rescalings = rescalings[:1]
    merged = replace(
        merged,
        mantissas=np.concatenate([each.mantissas for each in rescalings]),
        exponents=np.concatenate([each.exponents for each in rescalings]),
        biases=np.concatenate([each.biases for each in rescalings]),
    )
    factors = np.ldexp(merged.mantissas.astype(np.float64), -merged.exponents)
    exact = sums.values * factors * product.unit
    # Float32 sums of less than 300 terms, in any order, of numbers that may be larger than the sum.
    atol = 1e-5 * np.abs(exact).max()
    np.testing.assert_allclose(total, exact.reshape(total.shape), rtol=0, atol=atol)
    unit, limit = np.float32(product.unit), np.float32(1 << (config.result_bits - 1))
    y = np.clip(np.rint(total / unit) + merged.biases, -limit, limit - 1)
    np.testing.assert_array_equal(chain[0], y * unit)
    plain = replace(merged, activation_function=ActivationFunction.IDENTITY)
    golden_y, _ = rescale(sums.values, plain)
    # Only where the exact result is nearer to a tie than float sums are exact may the rounding
    # differ, and there by one.
    units = exact / product.unit
    near_tie = np.abs(np.abs(units - np.floor(units)) - 0.5) <= 2 * atol / product.unit
    difference = np.abs(golden_y.reshape(y.shape) - y)
    np.testing.assert_array_equal(difference <= near_tie.reshape(y.shape), True)
    if product.activation_function:
        activate = np.vectorize(arithmetic.activate, otypes=[np.float32])
        y = activate(y, config.result_bits, product.activation_function.name)
        np.testing.assert_array_equal(chain[1], y * unit)
    return np.asarray(y, np.int64)
