"""The only room that knows the published code (NVlabs, Park et al. 2019): names, options, files and quirks.

Its networks are imported on first use: the command line reads the flags without torch.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """What `networks` has, as an attribute of the room (PEP 562)."""
    from importlib import import_module

    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(import_module("spadework.nvlabs.networks"), name)
