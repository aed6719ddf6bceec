"""The digits networks as graphs of float operators, and images to calibrate them with."""

from pathlib import Path

import numpy as np

from scalewright.golden.network.feeds import Input
from scalewright.golden.network.graph import Graph, Node
from scalewright.sim.demo.digits.network import Digits, Floats
from scalewright.sim.models.float_model import read_graph
from scalewright.sim.models.host import OnnxHost

CONVOLUTIONAL = Path(__file__).with_name("convolutional.onnx")
CALIBRATION = Path(__file__).with_name("calibration.npy")

SIDE = 8


def perceptron() -> Graph:
    """The multilayer perceptron of digits.npz: (N, 64) to (N, 10)."""
    digits = Digits.load()
    constants: dict[str, Floats] = {}
    nodes: list[Node] = []
    source = "images"
    for number, (weights, biases) in enumerate(zip(digits.weights, digits.biases, strict=True), 1):
        name = f"linear{number}"
        constants |= {f"{name}.weight": weights, f"{name}.bias": biases}
        nodes.append(
            Node(
                name=name,
                kind="Gemm",
                inputs=(source, f"{name}.weight", f"{name}.bias"),
                outputs=(name,),
                attributes={"transB": 1},
            )
        )
        source = name
        if number < len(digits.weights):
            source = f"relu{number}"
            nodes.append(Node(name=source, kind="Relu", inputs=(name,), outputs=(source,)))
    return Graph(
        nodes=tuple(nodes),
        constants=constants,
        inputs=(Input(name="images", shape=(None, SIDE * SIDE)),),
        outputs=(source,),
        host=OnnxHost(),
    )


def convolutional() -> Graph:
    """The convolutional network of convolutional.onnx: (N, 1, 8, 8) to (N, 10)."""
    return read_graph(CONVOLUTIONAL)


def calibration_images() -> Floats:
    """100 images (100, 1, 8, 8) from 0 to 1 that the networks were trained on, none of the test."""
    pixels = np.asarray(np.load(CALIBRATION), np.float32)
    return pixels / np.float32(16)
