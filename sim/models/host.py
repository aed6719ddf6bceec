"""Computes operators by ONNX Runtime: all that it has, as its own documentation says."""

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from scalewright.golden.network.graph import Compute, Graph, Node

# What standard operators a graph has that no file gave.
OPSET = 21
IR_VERSION = 10
# Numbers of a tensor: 4 GiB of float32.
_LARGEST = 1 << 30
# Where in ONNX Runtime's sources an error came up.
_PLACE = re.compile(r"\S+\.(?:cc|h|cpp):\d+ (?:\S+ )*?\S*::[^(]*\(.*?\)(?: const)? ")
_NODE = re.compile(r"(?:Name|node|Node)\s*:?\s*[('\"]+([^'\"()]+)['\")]+")


@dataclass(frozen=True)
class OnnxHost:
    """Computes operators of some opsets.

    Attributes:
        opsets: Versions of the operators by domain; "" is ONNX's own.
    """

    opsets: Mapping[str, int] = field(default_factory=lambda: {"": OPSET})

    def check(self, graph: Graph) -> None:
        """Check that ONNX Runtime takes a graph, as far as that is to be seen without inputs.

        Raises:
            ValueError: It does not; the message names the node.
        """
        shapes = {each.name: (np.dtype(each.dtype), each.shape) for each in graph.inputs}
        if all(shape is not None for _, shape in shapes.values()):
            given = {name: (dtype, shape or ()) for name, (dtype, shape) in shapes.items()}
            model = self._model(graph.nodes, graph.constants, given, graph.outputs)
            open_session(model, graph.nodes)

    def compile(
        self,
        nodes: Sequence[Node],
        constants: Mapping[str, Any],
        inputs: Collection[str],
        outputs: Sequence[str],
    ) -> Compute:
        """What computes some nodes; see `scalewright.golden.network.graph.Host`."""
        taken = {name for node in nodes for name in node.taken}
        used = {name: constants[name] for name in constants if name in taken}
        feeds = [name for name in inputs if name in taken]
        sessions: dict[tuple[Any, ...], Any] = {}

        def compute(tensors: Mapping[str, Any]) -> dict[str, Any]:
            if not outputs:
                return {}
            given = {name: np.asarray(tensors[name]) for name in feeds}
            key = tuple((each.dtype, each.ndim) for each in given.values())
            if key not in sessions:
                types = {name: (each.dtype, each.shape) for name, each in given.items()}
                _require_small(self._model(nodes, used, types, outputs), nodes)
                free = {
                    name: (dtype, (None,) * len(shape)) for name, (dtype, shape) in types.items()
                }
                sessions[key] = open_session(self._model(nodes, used, free, outputs), nodes)
            with _telling(nodes):
                found = sessions[key].run(list(outputs), given)
            return dict(zip(outputs, found, strict=True))

        return compute

    def _model(
        self,
        nodes: Sequence[Node],
        constants: Mapping[str, Any],
        inputs: Mapping[str, tuple[np.dtype[Any], tuple[int | None, ...]]],
        outputs: Sequence[str],
    ) -> onnx.ModelProto:
        types = {
            name: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), shape)
            for name, (dtype, shape) in inputs.items()
        }
        graph = helper.make_graph(
            [proto for node in nodes for proto in protos_of(node)],
            "host",
            list(types.values()),
            [onnx.ValueInfoProto(name=name) for name in outputs],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
        )
        imports = [helper.make_opsetid(name, version) for name, version in self.opsets.items()]
        return helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION)


def protos_of(node: Node) -> list[onnx.NodeProto]:
    """A node as ONNX has it: the bias of a MatMul is an Add of its own."""
    biased = node.kind == "MatMul" and not node.domain and len(node.inputs) == 3
    total = f"{node.output}/product" if biased else ""
    inputs, outputs = node.inputs, node.outputs
    if biased:
        inputs, outputs = node.inputs[:2], (total,)
    proto = helper.make_node(node.kind, inputs, outputs, node.name, domain=node.domain)
    for name, value in node.attributes.items():
        attribute = value
        if not isinstance(value, onnx.AttributeProto):
            attribute = helper.make_attribute(name, value)
        proto.attribute.append(attribute)
    if not biased:
        return [proto]
    return [
        proto,
        helper.make_node("Add", (total, node.inputs[2]), node.outputs, node.name + "/bias"),
    ]


@cache
def _operators() -> frozenset[tuple[str, str]]:
    """Domain and name of all operators of ONNX Runtime."""
    from onnxruntime.capi import _pybind_state

    found = {(each.domain, each.name) for each in _pybind_state.get_all_operator_schema()}
    return frozenset(found)


def has_operator(domain: str, name: str) -> bool:
    """Whether ONNX Runtime has an operator."""
    return ("" if domain == "ai.onnx" else domain, name) in _operators()


def _require_small(model: onnx.ModelProto, nodes: Sequence[Node]) -> None:
    """Check what a small file and a small input can blow up to, before it is computed."""
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (RuntimeError, ValueError):  # a model beyond 2 GiB
        return
    givers = {name: node for node in nodes for name in node.given}
    for value in (*graph.value_info, *graph.output):
        size = math.prod(dim.dim_value for dim in value.type.tensor_type.shape.dim)
        if size > _LARGEST and value.name in givers:
            raise ValueError(
                f"{givers[value.name].label}: its result would have {size:,} numbers: "
                f"{_LARGEST:,} at most"
            )


def open_session(model: onnx.ModelProto, nodes: Sequence[Node]) -> Any:
    """A session of ONNX Runtime, with which it computes what a file says and nothing else.

    Raises:
        ValueError: It cannot; the message names the node.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    # Many small sessions: threads that wait for work in a loop would take it from one another.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "1")
    with _telling(nodes):
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )


@contextmanager
def _telling(nodes: Sequence[Node]) -> Iterator[None]:
    """Turn what ONNX Runtime raises into one line that names the node."""
    try:
        yield
    # Its exceptions have no other class in common.
    except Exception as error:
        raise ValueError(_message(str(error), nodes)) from None


def _message(text: str, nodes: Sequence[Node]) -> str:
    """What an error of ONNX Runtime says, and of which node."""
    by_name = {node.name: node for node in nodes}
    node = next((by_name[name] for name in _NODE.findall(text) if name in by_name), None)
    reason = _PLACE.sub("", text.split("Status Message:")[-1])
    reason = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", reason.strip())
    reason = " ".join(reason.split())
    if node is None and len(nodes) == 1:
        node = nodes[0]
    return f"{node.label}: {reason}" if node else reason
