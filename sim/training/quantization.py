"""Two-level quantization of PyTorch tensors: the integers of golden, in float32.

The equations are those of golden/quantize.py (coarse scales from the tensor itself) and
golden/requantize.py (a coarse scale known beforehand); every operation is the same correctly
rounded one, so that integers and coarse scales are the same bit for bit. Integers are held as
float32, which all of them fit, because that is what matrix products are fast on. NaN or infinity
in a tensor gives NaN, not an error: a training step does not wait to look.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from scalewright.golden.config import OperandFormat
from scalewright.golden.quantize import Scaling
from scalewright.golden.quantized import Quantized


@dataclass(frozen=True, eq=False, kw_only=True)
class QuantizedTensor:
    """A quantized tensor, without gradients.

    Attributes:
        elements: (..., J, V) integers in float32; J = ceil(K / V) vectors, the last padded.
        scales: (..., J) integers in float32, or None without per-vector scales.
        gamma: Coarse scales: (), or (M,) along the first axis.
        format: Format of the elements and scales.
        length: Elements K along the reduction axis, padding excluded.
    """

    elements: Tensor
    scales: Tensor | None
    gamma: Tensor
    format: OperandFormat
    length: int

    def integers(self) -> Tensor:
        """x_q * s_q, (..., K): what counts in units of gamma."""
        return self.joined(
            self.elements if self.scales is None else self.elements * self.scales.unsqueeze(-1)
        )

    def steps(self) -> Tensor:
        """The scale s_q of each element, (..., K): the step of its grid in units of gamma."""
        if self.scales is None:
            return self.joined(torch.ones_like(self.elements))
        return self.joined(self.scales.unsqueeze(-1).expand_as(self.elements))

    def coarse(self) -> Tensor:
        """Gamma, broadcast against (..., K); 1 where it is 0, and so all elements are."""
        gamma = torch.where(self.gamma == 0, 1, self.gamma)
        if gamma.ndim == 0:
            return gamma
        return gamma.reshape(-1, *[1] * (self.elements.ndim - 2))

    def joined(self, vectors: Tensor) -> Tensor:
        """Numbers (..., J, V), without gradients, as (..., K), without the padding."""
        padded = vectors.shape[-2] * vectors.shape[-1] != self.length
        if padded and vectors.device.type == "cpu" and torch.compiler.is_compiling():
            joined: Tensor = _join(vectors, self.length)
            return joined
        return vectors.flatten(-2)[..., : self.length]

    def as_golden(self) -> Quantized:
        """The same as golden has it."""
        elements = self.elements.detach().cpu().numpy()
        scales = None if self.scales is None else self.scales.detach().cpu().numpy()
        return Quantized(
            elements=elements.astype("int8" if self.format.signed else "uint8"),
            scales=None if scales is None else scales.astype("uint16"),
            gamma=self.gamma.detach().cpu().numpy(),
            format=self.format,
            length=self.length,
            coarse_axis=None if self.gamma.ndim == 0 else 0,
        )


# An operation that the compiler does not look into. On CPUs, torch 2.13 splits a loop over K at
# multiples of V where something has an index k // V (`try_loop_split`), and forgets the tail.
@torch.library.custom_op("scalewright::join", mutates_args=())
def _join(vectors: Tensor, length: int) -> Tensor:
    return vectors.flatten(-2)[..., :length].clone(memory_format=torch.contiguous_format)


@_join.register_fake
def _join_shape(vectors: Tensor, length: int) -> Tensor:
    return vectors.new_empty(*vectors.shape[:-2], length)


def split_vectors(x: Tensor, vector_size: int) -> Tensor:
    """View (..., K) as (..., J, V), zero-padded where V does not divide K."""
    padding = -x.shape[-1] % vector_size
    if padding:
        x = functional.pad(x, (0, padding))
    return x.unflatten(-1, (-1, vector_size))


def quantize(
    x: Tensor,
    fmt: OperandFormat,
    *,
    vector_size: int,
    coarse_axis: int | None = None,
    threshold: Tensor | None = None,
    scaling: Scaling = Scaling.NEAREST,
) -> QuantizedTensor:
    """Quantize a tensor as `scalewright.golden.quantize.quantize` does.

    Args:
        x: (..., K).
        fmt: Format of the result.
        vector_size: Elements V of one vector.
        coarse_axis: 0 for one gamma for each index of the first axis, None for one in all.
        threshold: Clipping threshold in place of max|x|, broadcast against (..., J).
        scaling: How the per-vector scales are rounded.
    """
    vectors = split_vectors(x.detach().float(), vector_size)
    peak = vector_peak(vectors, fmt)
    limit = peak if threshold is None else threshold.float().expand_as(peak)
    # Divisors are tensors on x's device: by a Python number, CUDA multiplies with its reciprocal.
    scale = limit / peak.new_tensor(fmt.qmax)
    gamma = scale.amax() if coarse_axis is None else scale.flatten(1).amax(dim=1)
    if fmt.scale_bits is None:
        scales = None
        divisor = _along_first(gamma, peak)
    else:
        gamma = gamma / peak.new_tensor(fmt.scale_max)
        coarse = _along_first(gamma, peak)
        empty = (peak == 0) | (coarse == 0)
        ratio = scale / coarse
        rounded = torch.ceil(ratio) if scaling is Scaling.CEIL else torch.round(ratio)
        rounded = rounded.clamp(0 if scaling is Scaling.PAPER else 1, fmt.scale_max)
        scales = torch.where(empty, 0, rounded)
        divisor = torch.where(empty, 0, scale if scaling is Scaling.PAPER else rounded * coarse)
    return QuantizedTensor(
        elements=_divide(vectors, divisor, fmt),
        scales=scales,
        gamma=gamma,
        format=fmt,
        length=x.shape[-1],
    )


def quantize_statically(
    x: Tensor, fmt: OperandFormat, *, vector_size: int, gamma: Tensor
) -> QuantizedTensor:
    """Quantize with a coarse scale known beforehand, as `scalewright.golden.requantize` does.

    Args:
        x: (..., K).
        fmt: Format of the result.
        vector_size: Elements V of one vector.
        gamma: Coarse scale, (), positive.
    """
    vectors = split_vectors(x.detach().float(), vector_size)
    if fmt.scale_bits is None:
        scales, divisor = None, gamma.expand(vectors.shape[:-1])
    else:
        unit = gamma * gamma.new_tensor(fmt.qmax)
        scales = torch.ceil(vector_peak(vectors, fmt) / unit).clamp(max=fmt.scale_max)
        divisor = scales * gamma
    return QuantizedTensor(
        elements=_divide(vectors, divisor, fmt),
        scales=scales,
        gamma=gamma,
        format=fmt,
        length=x.shape[-1],
    )


def vector_peak(vectors: Tensor, fmt: OperandFormat) -> Tensor:
    """Largest |x|, or max(x, 0) where unsigned, of each vector: (..., J, V) to (..., J)."""
    if fmt.signed:
        return vectors.abs().amax(dim=-1)
    return vectors.amax(dim=-1).clamp(min=0)


def _along_first(gamma: Tensor, peak: Tensor) -> Tensor:
    """Gamma, one or one for each index of the first axis, for every vector."""
    if gamma.ndim:
        gamma = gamma.reshape(-1, *[1] * (peak.ndim - 1))
    return gamma.expand_as(peak)


def _divide(vectors: Tensor, divisor: Tensor, fmt: OperandFormat) -> Tensor:
    """Elements; 0 where there is nothing to divide by."""
    divisor = torch.where(divisor == 0, torch.inf, divisor).unsqueeze(-1)
    return torch.round(vectors / divisor).clamp(fmt.qmin, fmt.qmax)
