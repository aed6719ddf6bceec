"""Networks as ONNX models: float ones read, quantized ones read and written."""
