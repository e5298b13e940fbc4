"""The studio: the page to paint on, and example sketches, on top of the service."""

from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query
from starlette.staticfiles import StaticFiles

from spadework.engine import Engine
from spadework.service.app import create_app
from spadework.service.limits import Limits
from spadework.service.opening import Segmenter
from spadework.service.schemas import Example, SeedQuery, Start
from spadework.sketch.examples import SKETCHES
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.sketch.translate import Translation
from spadework.studio.composing import PALETTE, SCENES, compose

PAGE = Path(__file__).parent / "page"


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

    @app.get("/api/starts")
    async def starts(query: Annotated[SeedQuery, Query()]) -> list[Start]:
        return list(composed(engine.palette, query))

    app.mount("/sketches", StaticFiles(directory=SKETCHES), "sketches")
    app.mount("/", StaticFiles(directory=PAGE, html=True), "page")
    return app


def example(file: Path) -> Example:
    """What the page shows of an example sketch."""
    title = file.stem.replace("-", " ").capitalize()
    return Example(name=file.stem, title=title, url=f"sketches/{file.name}")


def composed(palette: Palette, query: SeedQuery) -> Iterator[Start]:
    """A sketch of every scene that the palette has classes for, as it travels."""
    for title, sketch in scenes(palette, query):
        height, width = sketch.size
        ids = b64encode(sketch.ids.tobytes()).decode()
        yield Start(title=title, width=width, height=height, ids=ids)


def scenes(palette: Palette, query: SeedQuery) -> Iterator[tuple[str, LabelMap]]:
    """A sketch of every scene that the palette has classes for; at most as large as a sheet to begin with."""
    size = (min(query.height or 256, 512), min(query.width or 384, 512))
    source = Palette.load(PALETTE)
    for title in SCENES:
        sketch = compose(title, query.seed, size)
        if source.classes != palette.classes:
            try:
                sketch = Translation.between(source, palette)(sketch)
            except ValueError:
                continue
        yield title, sketch
