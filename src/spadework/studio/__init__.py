"""The studio: the page to paint on, a client of the API that it stands on."""

from collections.abc import Callable
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from spadework.api.app import create_api
from spadework.api.gate import Limits
from spadework.api.shelf import Shelf
from spadework.service.opening import Segmenter
from spadework.sketch.palette import Palette

PAGE = Path(__file__).parent / "page"


def create_studio(
    shelf: Shelf,
    token: str | None = None,
    find_segmenter: Callable[[Palette], Segmenter | None] = lambda palette: None,
    limits: Limits | None = None,
) -> FastAPI:
    """The API of a shelf, and the page at `/`, which paints with its first model. A token is asked of all."""
    keys = [] if token is None else [token]
    app = create_api(shelf, limits, keys, find_segmenter=find_segmenter, page=True)
    app.mount("/", StaticFiles(directory=PAGE, html=True), "page")
    return app
