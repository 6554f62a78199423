"""A trained network to an ONNX graph in fp32."""
