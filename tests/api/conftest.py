"""The fixtures of `serving`."""

from serving import client, engine, fake, faked, model

__all__ = ["client", "engine", "fake", "faked", "model"]
