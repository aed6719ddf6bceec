"""The networks of the experiments, all of them small."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

CLASSES = 10


def deep_mlp(width: int = 96, depth: int = 6) -> nn.Sequential:
    """Linear layers with ReLU, no normalization: (N, 1, 8, 8) to (N, 10)."""
    layers: list[nn.Module] = [nn.Flatten(), nn.Linear(64, width), nn.ReLU()]
    for _ in range(depth - 2):
        layers += [nn.Linear(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, CLASSES))


class Residual(nn.Module):
    """x + body(x), then ReLU."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        """Images to images."""
        return torch.relu(x + self.body(x))


def _basic_block(width: int) -> Residual:
    return Residual(
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
    )


def _separable_block(width: int) -> Residual:
    return Residual(
        nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width),
    )


def _convolutional(block: Callable[[int], nn.Module], width: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        *(block(width) for _ in range(blocks)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, CLASSES),
    )


def residual_cnn(width: int = 32, blocks: int = 2) -> nn.Sequential:
    """Residual convolutions with batch normalization: (N, 1, 8, 8) to (N, 10)."""
    return _convolutional(_basic_block, width, blocks)


def separable_cnn(width: int = 32, blocks: int = 4) -> nn.Sequential:
    """The same of depthwise-separable convolutions."""
    return _convolutional(_separable_block, width, blocks)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.inward = nn.Linear(width, 3 * width)
        self.outward = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.inward(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.outward(y.transpose(1, 2).flatten(2))


class _TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = _Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.first_norm(x))
        return x + self.mlp(self.second_norm(x))


class Transformer(nn.Module):
    """Predicts characters: (N, length) numbers to (N, length, characters)."""

    def __init__(
        self, characters: int, length: int = 64, width: int = 64, heads: int = 4, depth: int = 2
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, width)
        self.position = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.Sequential(*(_TransformerBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, characters)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the character after each."""
        y = self.embedding(x) + self.position[: x.shape[1]]
        return self.output(self.norm(self.blocks(y)))
