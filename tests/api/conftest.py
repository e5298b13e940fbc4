"""The fixtures of `serving`."""

from serving import client, engine, model

__all__ = ["client", "engine", "model"]
