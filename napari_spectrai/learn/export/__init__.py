"""Export of models to other programs: ONNX and torch's exported programs, with the preparation inside the graph."""
