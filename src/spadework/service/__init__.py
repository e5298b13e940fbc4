"""The engine behind HTTP: sketches in, photographs out, one picture at a time."""
