"""Data that come with packages: scikit-learn's digits, and the text of Python's own documentation.

Both are split once and for all; a seed only decides in which order training sees them, and how its
images are shifted. The digits' test half is made harder, and larger, by shifts and noise: as they
are, networks of any precision classify nearly all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pydoc_data.topics import topics

import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn import functional

_SIDE = 8
_TEST_COPIES = 4
_NOISE = 0.2
_TRAINING_SHARE = 0.9  # of the text


@dataclass(frozen=True, eq=False)
class Digits:
    """Images (N, 1, 8, 8), 0 and up, and their classes.

    Attributes:
        images, labels: Half of the digits, for training.
        test_images, test_labels: Four copies of the other half, each shifted by up to a pixel, with
            Gaussian noise of 0.2, negative values cut off.
    """

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor

    def batches(self, seed: int, size: int = 64) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches without end, each image shifted and made noisy at random."""
        generator = torch.Generator().manual_seed(seed)
        while True:
            for batch in torch.randperm(len(self.images), generator=generator).split(size):
                yield distort(self.images[batch], generator), self.labels[batch]


@cache
def digits() -> Digits:
    """The digits, split in halves."""
    images, labels = load_digits(return_X_y=True)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(images), generator=generator)
    x = torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, _SIDE, _SIDE)[order]
    y = torch.tensor(labels)[order]
    half = len(x) // 2
    return Digits(
        images=x[:half],
        labels=y[:half],
        test_images=torch.cat([distort(x[half:], generator) for _ in range(_TEST_COPIES)]),
        test_labels=y[half:].repeat(_TEST_COPIES),
    )


def distort(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift images (N, 1, 8, 8) by up to a pixel each way, and add noise."""
    windows = functional.pad(images, (1, 1, 1, 1)).unfold(2, _SIDE, 1).unfold(3, _SIDE, 1)
    rows, columns = torch.randint(3, (2, len(images)), generator=generator)
    shifted = windows[torch.arange(len(images)), :, rows, columns]
    noise = _NOISE * torch.randn(shifted.shape, generator=generator)
    return (shifted + noise).clamp(min=0)


@dataclass(frozen=True, eq=False)
class Text:
    """Characters as numbers.

    Attributes:
        characters: Which there are.
        training: Numbers for training, (n,).
        test: Those of the last tenth.
    """

    characters: str
    training: Tensor
    test: Tensor

    def batches(self, seed: int, length: int, size: int = 32) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches without end: pieces (size, length), and the characters that follow each."""
        generator = torch.Generator().manual_seed(seed)
        while True:
            starts = torch.randint(len(self.training) - length - 1, (size, 1), generator=generator)
            pieces = self.training[starts + torch.arange(length + 1)]
            yield pieces[:, :-1], pieces[:, 1:]

    def test_pieces(self, length: int, count: int) -> tuple[Tensor, Tensor]:
        """Test pieces (count, length) that do not overlap, and what follows each character."""
        count = min(count, (len(self.test) - 1) // length)
        end = count * length
        return self.test[:end].reshape(-1, length), self.test[1 : end + 1].reshape(-1, length)


@cache
def text() -> Text:
    """The help texts of this Python."""
    whole = "\n".join(topics[name] for name in sorted(topics))
    characters = "".join(sorted(set(whole)))
    numbers = {character: number for number, character in enumerate(characters)}
    values = torch.tensor([numbers[character] for character in whole])
    split = int(_TRAINING_SHARE * len(values))
    return Text(characters, values[:split], values[split:])
