"""The HTTP API for programs, under /v1: sketches in, photographs out, many at a time."""
