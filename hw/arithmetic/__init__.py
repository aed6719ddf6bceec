"""Arithmetic that several blocks are made of: compressor trees, division, quantization."""
