"""What reading an ONNX file takes: the file, its constants, names, and the table of layers that it becomes."""
