"""A model as one ONNX file, for programs without Python or PyTorch: labels and a style in, a picture out."""
