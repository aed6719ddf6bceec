"""What quantization-aware training is worth; needs the extra `train`."""
