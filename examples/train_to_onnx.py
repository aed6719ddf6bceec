"""Train on the datapath's integers with PyTorch, and write the file that `scalewright run` takes.

Run: python examples/train_to_onnx.py FILE.onnx        (needs the extra `train`)
"""

import sys
from pathlib import Path

import onnx
import torch
from torch import nn

from scalewright.golden.config import DatapathConfig, EngineConfig
from scalewright.golden.network import run_network
from scalewright.sim.demo.digits.network import Digits
from scalewright.sim.models.quantized_model import write_model
from scalewright.sim.training import QatConfig, calibrate, convert, to_network


def train(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """Plain PyTorch; it knows nothing of quantization."""
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    model.train()
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    model.eval()


def main(path: Path) -> None:
    """Train a small classifier of the demo's images, and write it."""
    torch.manual_seed(0)
    digits = Digits.load()
    images, labels = torch.from_numpy(digits.images), torch.from_numpy(digits.labels).long()
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    train(model, images, labels)
    datapath = DatapathConfig.parse("4/4U/4/6")
    engine = EngineConfig(datapath=datapath)

    # The recipe: convert, calibrate, train on, export.
    model = convert(model, QatConfig(datapath=datapath))
    calibrate(model, [images])
    train(model, images, labels)
    network = to_network(model, images, engine)
    proto = write_model(network, engine, run_network(network, digits.images, engine))

    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, path)
    right = (model(images).argmax(1) == labels).float().mean()
    print(f"{path}: {right:.1%} of the images that it was trained on")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(f"usage: {sys.argv[0]} FILE.onnx")
    main(Path(sys.argv[1]))
