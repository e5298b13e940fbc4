"""The fixtures of `serving`."""

from serving import _faked, _served, client, engine, fake, model, quick

__all__ = ["_faked", "_served", "client", "engine", "fake", "model", "quick"]
