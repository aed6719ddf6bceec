"""From a trained PyTorch network to the quantized network that the engine runs."""

from typing import Any

import numpy as np
from torch import Tensor, fx, nn

from scalewright.golden.calibration import Clip
from scalewright.golden.config import EngineConfig
from scalewright.golden.network import Network
from scalewright.golden.network.feeds import Input
from scalewright.golden.network.graph import Graph, Node
from scalewright.golden.network.quantization import quantize_network
from scalewright.golden.network.steps import Trained
from scalewright.sim.models.host import OnnxHost
from scalewright.sim.training.layer import QuantizedLayer
from scalewright.sim.training.operators import host_operator
from scalewright.sim.training.product import TrainedProduct, trained_product

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def to_network(model: nn.Module, inputs: Tensor, config: EngineConfig) -> Network:
    """Export a network for the engine, its integers and scales as training left them.

    Batch normalization behind a quantized layer, and a ReLU behind that, become a part of the
    layer. `scalewright.sim.models.quantized_model.write_model` writes the result as an ONNX file.

    Args:
        model: The network, converted, with static activation scales; traced by torch.fx.
        inputs: Some of its inputs, (N, ...): results that are not quantized get their unit from
            them.
        config: The engine; its datapath must be that of the layers.

    Raises:
        ValueError: A layer or function that the engine and its host do not have, a datapath that is
            not the layers'; the message names it.
        RuntimeError: A layer has not been calibrated.
    """
    values = np.asarray(inputs.detach().cpu().numpy(), np.float32)
    graph, trained = _Tracer(model, config).result((None, *values.shape[1:]))
    return quantize_network(graph, values, config, Clip("max"), trained=trained)


class _LayerTracer(fx.Tracer):
    """Traces down to quantized layers and torch's own modules."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, QuantizedLayer) or super().is_leaf_module(m, module_qualified_name)


class _Tracer:
    """Walks a traced network and gathers its operators."""

    def __init__(self, model: nn.Module, config: EngineConfig) -> None:
        self._config = config
        self._modules = dict(model.named_modules())
        self._tensors: dict[fx.Node, str] = {}
        self._nodes: list[Node] = []
        self._constants: dict[str, Any] = {}
        self._products: dict[str, TrainedProduct] = {}  # by tensor
        self._shared: set[str] = set()  # tensors with names of which more than one is taken
        self._graph = _LayerTracer().trace(model)
        self._input = self._output = ""
        for node in self._graph.nodes:
            self._take(node)

    def result(self, shape: tuple[int | None, ...]) -> tuple[Graph, Trained]:
        """The network in floats, of inputs of some shape, and what training has settled."""
        graph = Graph(
            nodes=tuple(self._nodes),
            constants=self._constants,
            inputs=(Input(name=self._input, shape=shape),),
            outputs=(self._output,),
            host=OnnxHost(),
        )
        products = self._products.values()
        for product in products:
            product.put(self._constants)
        return graph, Trained(
            weights={product.name: product.weights for product in products},
            gammas={product.name: product.input_gamma for product in products},
        )

    def _take(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            if self._input:
                raise ValueError(f"the network must have one input, not also {node.name}")
            self._input = self._tensors[node] = node.name
        elif node.op == "output":
            (result,) = node.args
            if not isinstance(result, fx.Node):
                raise ValueError("the network must have one output")
            self._output = self._tensors[result]
        elif node.op == "call_module":
            self._take_module(node, self._modules[node.target])
        else:
            self._add_operator(node, None)

    def _take_module(self, node: fx.Node, module: nn.Module) -> None:
        if isinstance(module, QuantizedLayer):
            product = trained_product(node.name, str(node.target), module, self._config)
            self._products[node.name] = product
            source = self._tensors[node.args[0]]
            inputs = (source, product.weight_name, product.bias_name)
            self._append(node, product.kind, inputs, product.attributes)
        elif isinstance(module, _BATCH_NORMS):
            source = self._tensors[node.args[0]]
            alone = len(node.args[0].users) == 1 and source not in self._shared
            if source not in self._products or not alone:
                raise ValueError(
                    f"layer {node.target}: batch normalization must stand behind a quantized layer "
                    f"that nothing else takes a result of"
                )
            self._products[source].normalize(module)
            self._tensors[node] = source
        else:
            self._add_operator(node, module)

    def _add_operator(self, node: fx.Node, module: nn.Module | None) -> None:
        operator = host_operator(node, module)
        inputs = tuple(self._tensors[source] for source in operator.inputs)
        if operator.kind is None:  # nothing in evaluation: the same tensor under another name
            self._tensors[node] = inputs[0]
            if len(operator.inputs[0].users) != 1:
                self._shared.add(inputs[0])
            return
        self._append(node, operator.kind, inputs, operator.attributes)

    def _append(
        self, node: fx.Node, kind: str, inputs: tuple[str, ...], attributes: dict[str, Any]
    ) -> None:
        """Add an operator of the name of a traced call, which is that of its result, too."""
        name = self._tensors[node] = node.name
        self._nodes.append(
            Node(name=name, kind=kind, inputs=inputs, outputs=(name,), attributes=attributes)
        )
