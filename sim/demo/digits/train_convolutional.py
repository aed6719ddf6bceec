"""Trains a convolutional network: `python -m scalewright.sim.demo.digits.train_convolutional`.

Needs scikit-learn, torch, onnx and onnxruntime. The network learns from the same 1,437 of
scikit-learn's handwritten digits as that of train.py, each shifted by up to one pixel; the 360
images in digits.npz are its test. 100 of those it learnt from are kept to calibrate the
quantization. Architecture and hyperparameters were fixed before the first
training, and there is one seed: nothing was chosen by the test images.

The ONNX file is built node by node, as an exporter that optimizes nothing would write it: batch
normalization stays a node of its own.
"""

from collections import OrderedDict
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from scalewright.sim.demo.digits.models import CALIBRATION
from scalewright.sim.demo.digits.models import CONVOLUTIONAL as MODEL
from scalewright.sim.demo.digits.network import Digits, Floats

_TEST_IMAGES = 360
_CALIBRATION_IMAGES = 100
_SIDE = 8
_SEED = 0
_EPOCHS = 40
_BATCH = 64
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY = 1e-2
_TOLERANCE = 1e-5  # between the logits of torch and onnxruntime


def training_images(digits: Digits) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N, 1, 8, 8) from 0 to 1 and labels (N,): scikit-learn's digits less the test images.

    Raises:
        RuntimeError: The split does not leave exactly the images of `digits` for the test.
    """
    images, labels = load_digits(return_X_y=True)
    images, test_images, labels, test_labels = train_test_split(
        images, labels, test_size=_TEST_IMAGES, random_state=0, stratify=labels
    )
    if not (
        np.array_equal(test_images / 16, digits.images)
        and np.array_equal(test_labels, digits.labels)
    ):
        raise RuntimeError("this scikit-learn splits the digits otherwise than digits.npz has them")
    return (
        torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, _SIDE, _SIDE),
        torch.tensor(labels, dtype=torch.int64),
    )


def build() -> nn.Sequential:
    """The untrained network, (N, 1, 8, 8) to (N, 10); its layers' names are those of the nodes.

    The convolutions have no biases: batch normalization would subtract them again.
    """
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=nn.Conv2d(1, 16, 3, padding=1, bias=False),
            norm1=nn.BatchNorm2d(16),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(16, 32, 3, padding=1, bias=False),
            norm2=nn.BatchNorm2d(32),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            conv3=nn.Conv2d(32, 32, 3, padding=1, bias=False),
            norm3=nn.BatchNorm2d(32),
            relu3=nn.ReLU(),
            pool3=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            linear=nn.Linear(128, 10),
        )
    )


def shift(images: torch.Tensor) -> torch.Tensor:
    """Move each image (N, 1, 8, 8) by -1, 0 or 1 pixels in each direction, at random."""
    windows = nn.functional.pad(images, (1, 1, 1, 1)).unfold(2, _SIDE, 1).unfold(3, _SIDE, 1)
    rows, columns = torch.randint(3, (2, len(images)))
    return windows[torch.arange(len(images)), :, rows, columns]


def train(images: torch.Tensor, labels: torch.Tensor) -> nn.Sequential:
    """A network trained on images (N, 1, 8, 8) and labels (N,), in evaluation mode.

    The same images give the same network, on the same machine and version of torch.
    """
    torch.manual_seed(_SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)  # sums do not depend on the number of cores
    network = build()
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _EPOCHS)
    for _ in range(_EPOCHS):
        for batch in torch.split(torch.randperm(len(images)), _BATCH):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(shift(images[batch])), labels[batch])
            torch.autograd.backward(loss)
            optimizer.step()
        schedule.step()
    return network.eval()


def _array(values: torch.Tensor | None) -> Floats:
    """The values of a parameter or buffer that the layer must have."""
    if values is None:
        raise ValueError("the layer lacks a parameter")
    array: Floats = values.detach().numpy().astype(np.float32)
    return array


def _node(layer: nn.Module) -> tuple[str, dict[str, Any], dict[str, Floats]]:
    """A layer's ONNX operator, attributes, and parameters in the order of the operator's inputs."""
    match layer:
        case nn.Conv2d():
            attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [1, 1]}
            return "Conv", attributes, {"weight": _array(layer.weight)}
        case nn.BatchNorm2d():
            return (
                "BatchNormalization",
                {"epsilon": layer.eps},
                {
                    "scale": _array(layer.weight),
                    "bias": _array(layer.bias),
                    "mean": _array(layer.running_mean),
                    "variance": _array(layer.running_var),
                },
            )
        case nn.ReLU():
            return "Relu", {}, {}
        case nn.MaxPool2d():
            return "MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, {}
        case nn.Flatten():
            return "Flatten", {"axis": 1}, {}
        case nn.Linear():
            parameters = {"weight": _array(layer.weight), "bias": _array(layer.bias)}
            return "Gemm", {"transB": 1}, parameters
    raise ValueError(f"no operator for {layer}")


def export(network: nn.Sequential) -> onnx.ModelProto:
    """The network as ONNX, opset 21: "images" (N, 1, 8, 8) to "logits" (N, 10), for any N.

    Each layer is one node of the layer's name, which is also the name of its output, but for the
    last.
    """
    nodes, initializers = [], []
    layers = list(network.named_children())
    source = "images"
    for name, layer in layers:
        operator, attributes, parameters = _node(layer)
        inputs = [f"{name}.{parameter}" for parameter in parameters]
        output = "logits" if name == layers[-1][0] else name
        nodes.append(helper.make_node(operator, [source, *inputs], [output], name, **attributes))
        initializers += [
            numpy_helper.from_array(values, given)
            for given, values in zip(inputs, parameters.values(), strict=True)
        ]
        source = output
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 1, _SIDE, _SIDE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])
    graph = helper.make_graph(nodes, "digits", [images], [logits], initializers)
    model = helper.make_model(
        graph,
        producer_name="scalewright.sim.demo.digits.train_convolutional",
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: bytes, images: Floats) -> Floats:
    """Outputs (N, 10) that onnxruntime computes for images (N, 1, 8, 8)."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"images": images})[0], dtype=np.float32)


def check(network: nn.Sequential, model: bytes, images: torch.Tensor) -> float:
    """The largest difference between the outputs of torch and of onnxruntime, for images.

    Raises:
        RuntimeError: It exceeds 1e-5.
    """
    with torch.no_grad():
        expected = network(images).numpy()
    difference = float(np.abs(run(model, images.numpy()) - expected).max())
    if not difference <= _TOLERANCE:
        raise RuntimeError(f"onnxruntime's outputs differ from torch's by {difference:.1e}")
    return difference


def main() -> None:
    """Train, write convolutional.onnx and calibration.npy, and print the accuracy."""
    digits = Digits.load()
    images, labels = training_images(digits)
    network = train(images, labels)
    model = export(network).SerializeToString(deterministic=True)
    difference = max(check(network, model, images), check(network, model, images[:1]))
    MODEL.write_bytes(model)
    np.save(CALIBRATION, (16 * images[:_CALIBRATION_IMAGES].numpy()).astype(np.uint8))
    logits = run(model, digits.images.reshape(-1, 1, _SIDE, _SIDE))
    size = sum(values.numel() for values in network.parameters())
    print(f"onnxruntime equals torch within {difference:.1e}")
    accuracy = digits.accuracy(logits)
    print(f"{MODEL}: {size} parameters, {accuracy:.2%} of {_TEST_IMAGES} test images")


if __name__ == "__main__":
    main()
