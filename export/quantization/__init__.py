"""An ONNX graph in fp32 to one of fewer bits."""
