"""The digits classifier as the demo runs it: matrix products on the MAC, the rest in floats."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

# Multiplies activations (N, K) with the weights (M, K) of the layer with this number.
Multiply: TypeAlias = Callable[[int, Floats, Floats], npt.NDArray[np.floating]]

DATA = Path(__file__).with_name("digits.npz")


@dataclass(frozen=True, eq=False)
class Digits:
    """A multilayer perceptron with ReLU, and images that it was not trained on.

    Attributes:
        weights: One matrix (M, K) for each layer, float32.
        biases: One vector (M,) for each layer, float32.
        images: (N, 64) float32 from 0 to 1, N images of 8 x 8 pixels.
        labels: (N,) digits 0 to 9.
    """

    weights: list[Floats]
    biases: list[Floats]
    images: Floats
    labels: npt.NDArray[np.uint8]

    @classmethod
    def load(cls) -> "Digits":
        """Read the committed network and images."""
        with np.load(DATA) as file:
            layers = sum(name.startswith("weights") for name in file.files)
            return cls(
                weights=[file[f"weights{layer}"] for layer in range(layers)],
                biases=[file[f"biases{layer}"] for layer in range(layers)],
                images=file["images"].astype(np.float32) / np.float32(16),
                labels=file["labels"],
            )

    def logits(self, multiply: Multiply) -> Floats:
        """Outputs (N, 10) of the network with a given matrix product."""
        activations = self.images
        for layer, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                activations = np.maximum(activations, np.float32(0))
            activations = (multiply(layer, weights, activations) + biases).astype(np.float32)
        return activations

    def accuracy(self, logits: Floats) -> float:
        """Share of the images that outputs (N, 10) classify rightly."""
        return float(np.mean(logits.argmax(axis=1) == self.labels))
