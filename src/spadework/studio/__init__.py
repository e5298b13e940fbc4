"""The studio: the page to paint on, and example sketches, on top of the service."""

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from spadework.engine import Engine
from spadework.service.app import create_app
from spadework.service.limits import Limits
from spadework.service.opening import Segmenter
from spadework.service.schemas import Example

PAGE = Path(__file__).parent / "page"
SKETCHES = Path(__file__).parent / "sketches"


def create_studio(
    engine: Engine,
    limits: Limits | None = None,
    token: str | None = None,
    segmenter: Segmenter | None = None,
) -> FastAPI:
    """The service of an engine, and of a segmenter if there is one, with the page at `/`."""
    app = create_app(engine, limits, token, segmenter)

    @app.get("/api/examples")
    async def examples() -> list[Example]:
        return [example(file) for file in sorted(SKETCHES.glob("*.png"))]

    app.mount("/sketches", StaticFiles(directory=SKETCHES), "sketches")
    app.mount("/", StaticFiles(directory=PAGE, html=True), "page")
    return app


def example(file: Path) -> Example:
    """What the page shows of an example sketch."""
    title = file.stem.replace("-", " ").capitalize()
    return Example(name=file.stem, title=title, url=f"/sketches/{file.name}")
