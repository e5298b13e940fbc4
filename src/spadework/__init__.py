"""Paint labels, get photographs: `Engine.load("landscape").paint(ids, seed=0)`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spadework.client import AsyncClient, Client
    from spadework.engine import Engine
    from spadework.lights import Style
    from spadework.picture import Picture
    from spadework.segmenter.segmenter import Segmenter
    from spadework.sketch.labelmap import LabelMap
    from spadework.sketch.palette import Palette

__version__ = "0.1.0"

__all__ = [
    "AsyncClient",
    "Client",
    "Engine",
    "LabelMap",
    "Palette",
    "Picture",
    "Segmenter",
    "Style",
    "__version__",
]

_HOMES = {
    "AsyncClient": "client",
    "Client": "client",
    "Engine": "engine",
    "LabelMap": "sketch.labelmap",
    "Palette": "sketch.palette",
    "Picture": "picture",
    "Segmenter": "segmenter.segmenter",
    "Style": "lights",
}


def __getattr__(name: str) -> Any:
    """Imports on first use, so that `import spadework` costs nothing (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'spadework' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"spadework.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
