"""The post-processing unit: rescaling, activation function, quantization to vectors."""

from scalewright.hw.post_processor.post_processor import PostProcessor, Result

__all__ = ["PostProcessor", "Result"]
