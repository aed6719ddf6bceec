"""Damaged and hostile ONNX files: one line that names the place, whatever is wrong."""

import functools
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from scalewright.golden.calibration import Clip
from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import run_network
from scalewright.golden.network.graph import evaluate
from scalewright.golden.network.quantization import quantize_network
from scalewright.sim.models.float_model import read_graph
from scalewright.sim.models.quantized_model import read_model
from tests.oracles import onnx_models as models
from tests.oracles.onnx_models import assert_same, model, uniform
from tests.tools.fuzzing import fuzzed

onnx = models.onnx
helper = onnx.helper

_CONFIG = EngineConfig(datapath=DatapathConfig.parse("4/4/4/6", vector_size=4))
_SHAPE = "2,4,4->5"
_BODY = """
    [conv] a = Conv <pads=[1,1,1,1]> (x, k, b3)
    c = BatchNormalization(a, g, o, m, v)
    d = Relu(c)
    e = MaxPool <kernel_shape=[2,2], strides=[2,2]> (d)
    f = Flatten(e)
    [fc] y = Gemm(f, w, b5)
"""


def _float() -> Any:
    shapes = {
        "k": (3, 2, 3, 3),
        "b3": (3,),
        "g": (3,),
        "o": (3,),
        "m": (3,),
        "w": (12, 5),
        "b5": (5,),
    }
    constants = {name: uniform(i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    return model(_SHAPE, _BODY, {**constants, "v": uniform(9, 3, low=0.5)})


@functools.cache
def _serialized() -> tuple[bytes, bytes]:
    """A float model, and what it is quantized to."""
    with tempfile.TemporaryDirectory() as folder:
        graph = models.graph_of(_float(), Path(folder))
    network = quantize_network(graph, uniform(0, 4, 2, 4, 4), _CONFIG, Clip("max"))
    quantized = models.write(network, _CONFIG, _SHAPE)
    return _float().SerializeToString(), quantized.SerializeToString()


def _quantized() -> Any:
    return onnx.ModelProto.FromString(_serialized()[1])


def _read(content: bytes, folder: Path, quantized: bool) -> None:
    """Read and run a file as the commands do."""
    path = folder / "file.onnx"
    path.write_bytes(content)
    x = uniform(0, 2, 2, 4, 4)
    with np.errstate(all="ignore"):
        if quantized:
            network, config = read_model(path)
            run_network(network, x, config)
        else:
            graph = read_graph(path, quantizable=True)
            evaluate(graph, x)
            quantize_network(graph, x, _CONFIG, Clip("max"))


def _node(proto: Any, output: str) -> Any:
    return next(node for node in proto.graph.node if output in node.output)


def _stored(proto: Any, name: str) -> Any:
    return next(tensor for tensor in proto.graph.initializer if tensor.name == name)


def _external(proto: Any, location: str, offset: str = "0") -> None:
    tensor = _stored(proto, "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    tensor.external_data.add(key="offset", value=offset)


def _retype(proto: Any, kind: int, raw: bytes) -> None:
    tensor = _stored(proto, "w")
    tensor.data_type, tensor.raw_data = kind, raw


def _shrink(proto: Any) -> None:
    _stored(proto, "w").dims[0] = 0
    _retype(proto, onnx.TensorProto.FLOAT, b"")


def _move_to_domain(proto: Any, output: str) -> None:
    _node(proto, output).domain = "mine"
    proto.opset_import.append(helper.make_opsetid("mine", 1))


_DAMAGES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "cycle": (
        lambda p: _node(p, "a").input.__setitem__(0, "y"),
        r"node a \(Conv conv\): nothing before it gives its input y",
    ),
    "huge claim": (
        lambda p: _stored(p, "w").dims.__setitem__(0, 1 << 50),
        r"initializer w: must have [\d,]+ bytes for shape",
    ),
    "negative size": (lambda p: _stored(p, "w").dims.__setitem__(0, -12), "w: has a negative size"),
    "no elements": (
        lambda p: _shrink(p),
        r"node y \(Gemm fc\): its constant w \(0, 5\) has no elements",
    ),
    "unknown type": (lambda p: _retype(p, 999, b""), "initializer w: "),
    "FP8": (
        lambda p: _retype(p, onnx.TensorProto.FLOAT8E4M3FN, bytes(60)),
        r"node y \(Gemm fc\): its constant w must have floats, not float8_e4m3fn",
    ),
    "INT4": (
        lambda p: _retype(p, onnx.TensorProto.INT4, bytes(30)),
        r"node y \(Gemm fc\): its constant w must have floats, not int4",
    ),
    "NaN": (
        lambda p: _retype(p, 1, np.full(60, np.nan, np.float32).tobytes()),
        r"node y \(Gemm fc\): its constant w \(12, 5\) has NaN or infinity",
    ),
    "external missing": (lambda p: _external(p, "none.bin"), "w: its data are missing: no file"),
    "external outside": (lambda p: _external(p, "../w.bin"), "w: its data lie outside"),
    "external absolute": (lambda p: _external(p, "/etc/passwd"), "w: its data lie outside"),
    "external short": (lambda p: _external(p, "file.onnx", "90000"), "w: its .* bytes do not lie"),
    "huge pads": (
        lambda p: _node(p, "a").attribute[0].ints.__setitem__(0, 1 << 40),
        r"node y \(Gemm fc\): .*Dimension mismatch in unification between 12 and 3298534883334",
    ),
    "unknown domain": (
        lambda p: _move_to_domain(p, "d"),
        r"node d \(Relu d_node\): ONNX Runtime has no operator Relu of mine",
    ),
    "old opset": (lambda p: setattr(p.opset_import[0], "version", 6), "opset 6 is not supported"),
    "no opset": (lambda p: p.ClearField("opset_import"), "must name one opset"),
    "input of integers": (
        lambda p: setattr(p.graph.input[0].type.tensor_type, "elem_type", 7),
        r"node c \(Conv conv\): .* Type 'tensor\(int64\)' of input parameter \(x\)",
    ),
    "escapes": (
        lambda p: setattr(_node(p, "d"), "op_type", "\x1b[31mRed\u202e\n"),
        r"\\x1b\[31mRed\\u202e",
    ),
    "empty": (lambda p: p.Clear(), "the file is empty"),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_model_is_one_line(damage: str, tmp_path: Path) -> None:
    proto = _float()
    change, message = _DAMAGES[damage]
    change(proto)
    with pytest.raises(ValueError, match=message) as caught:
        _read(proto.SerializeToString(), tmp_path, quantized=False)
    assert str(caught.value).isprintable()


def test_everything_unsupported_is_in_one_message(tmp_path: Path) -> None:
    body = """
        a = Sigmoid(x) b = Sigmoid(a) [t] c = Tanh(b) d = MatMul(c, a) [h] e = Gemm(d, w)
        y = BatchNormalization<training_mode=1>(e, v, v, v, v)
    """
    proto = model("5->5", body, {"w": uniform(0, 5, 5) * np.nan, "v": uniform(1, 5)})
    for name in ("a", "b"):
        _move_to_domain(proto, name)
    with pytest.raises(ValueError, match=r"training_mode must be 0") as caught:
        _read(proto.SerializeToString(), tmp_path, quantized=False)
    text = str(caught.value)
    assert "node a (Sigmoid a_node), node b (Sigmoid b_node): ONNX Runtime has no operator" in text
    assert "node y (BatchNormalization y_node)" in text
    assert "node e (Gemm h): its constant w (5, 5) has NaN" in text


def _set_facts(proto: Any, text: str) -> None:
    proto.metadata_props[0].value = text


_FACTS = '{"notation": "4/4/4/6", "vector_size": %s, "scale_product_bits": null,'
_FACTS += ' "accumulator_bits": 24, "result_bits": 18}'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.ClearField("metadata_props"), "not a quantized network"),
        (lambda p: _set_facts(p, "{"), "must be JSON with notation"),
        (lambda p: _set_facts(p, "[" * 100000), "must be JSON with notation"),
        (lambda p: _set_facts(p, "[1]"), "must be JSON with notation"),
        (lambda p: _set_facts(p, "{}"), "must be JSON with notation"),
        (lambda p: _set_facts(p, _FACTS % '"16"'), "vector_size must be int"),
        (lambda p: _set_facts(p, _FACTS % "17"), "vector_size .* not 17"),
        (lambda p: _set_facts(p, _FACTS % ("9" * 500)), "vector_size"),
        (
            lambda p: _set_facts(p, _FACTS % "16"),
            r"\(Conv conv\): block_size of .* must be 16, not 4",
        ),
        (
            lambda p: _set_facts(p, (_FACTS % "4").replace("18", "20")),
            r"low of .* must be -524288, not -131072",
        ),
        (lambda p: p.graph.node[0].ClearField("input"), "must have more inputs"),
        (lambda p: setattr(p.opset_import[1], "version", 1), "quantize again"),
    ],
)
def test_changed_metadata_is_one_line(change: Any, message: str, tmp_path: Path) -> None:
    proto = _quantized()
    change(proto)
    with pytest.raises(ValueError, match=message) as caught:
        _read(proto.SerializeToString(), tmp_path, quantized=True)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("name", ["", "same", "{}_renamed"])
def test_names_of_nodes_do_not_matter(name: str, tmp_path: Path) -> None:
    proto, path = _quantized(), tmp_path / "file.onnx"
    onnx.save(proto, path)
    expected = run_network(read_model(path)[0], uniform(0, 2, 2, 4, 4), _CONFIG)
    for number, node in enumerate(proto.graph.node):
        node.name = name.format(number)
    onnx.save(proto, path)
    network, config = read_model(path)
    assert_same(run_network(network, uniform(0, 2, 2, 4, 4), config)["y"], expected["y"])
    names = [product.name for product in network.products]
    assert len(set(names)) == len(names)
    assert all(names)


def _is_refused_in_one_line(content: bytes, quantized: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            _read(content, Path(folder), quantized)
        except (ValueError, TypeError, OSError) as error:
            assert not re.search(r"[\n\x1b]", str(error))  # noqa: PT017 - none is as good


@fuzzed("bytes of ONNX files", 150, quantized=st.booleans(), data=st.data())
def test_bytes_may_be_anything(quantized: bool, data: st.DataObject) -> None:
    content = bytearray(_serialized()[quantized])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    _is_refused_in_one_line(bytes(content), quantized)


def _fields(message: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """All fields that are set, of a message and of those in it."""
    for field, value in message.ListFields():
        found.append((message, field))
        if field.message_type is not None:
            for each in [value] if hasattr(value, "ListFields") else value:
                _fields(each, found)
    return found


_INTEGERS = st.sampled_from([0, 1, -1, 2, 7, 16, 1000, 1 << 30, (1 << 31) - 1])
_TEXTS = st.sampled_from(["", "x", "y", "a", "w", "Relu", "Conv", "scalewright", "\x1b[2J"])


def _changed(field: Any, data: st.DataObject) -> Any:
    if field.cpp_type == field.CPPTYPE_STRING:
        text = data.draw(_TEXTS)
        return text.encode() if field.type == field.TYPE_BYTES else text
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return data.draw(st.floats(width=32))
    return data.draw(_INTEGERS)


@fuzzed("fields of ONNX files", 200, quantized=st.booleans(), data=st.data())
def test_fields_may_be_anything(quantized: bool, data: st.DataObject) -> None:
    proto = onnx.ModelProto.FromString(_serialized()[quantized])
    for _ in range(data.draw(st.integers(1, 2))):
        message, field = data.draw(st.sampled_from(_fields(proto, [])))
        value = getattr(message, field.name)
        if data.draw(st.booleans()):
            message.ClearField(field.name)
        elif field.message_type is not None:
            if not hasattr(value, "ListFields") and len(value):
                value.add().CopyFrom(value[data.draw(st.integers(0, len(value) - 1))])
        elif hasattr(value, "append"):
            value[data.draw(st.integers(0, len(value) - 1))] = _changed(field, data)
        else:
            try:
                setattr(message, field.name, _changed(field, data))
            except ValueError:  # an enumeration has no such value
                continue
    _is_refused_in_one_line(proto.SerializeToString(), quantized)
