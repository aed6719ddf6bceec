"""What quantization-aware training is worth: `python -m sim.training.evidence`; needs `train`."""
