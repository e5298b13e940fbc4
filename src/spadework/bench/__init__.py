"""Measurements of our own speed, side by side in one process with plain versions of the same network."""
