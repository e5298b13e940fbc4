"""Sketches in, pictures out: live ones for a page, and finished ones of a project."""

import asyncio
import io
import time
from functools import partial
from typing import Annotated

import numpy as np
from fastapi import FastAPI, Query, Request, Response
from numpy.typing import NDArray
from PIL import Image

from spadework.candidates import obedience
from spadework.content import PNG_SIGNATURE, unwrapped
from spadework.engine import Engine
from spadework.lights import Lights, Style
from spadework.picture import Picture
from spadework.project import Project
from spadework.service.film import Film, sketches_of
from spadework.service.limits import Limits, Refusal
from spadework.service.moods import small_picture
from spadework.service.opening import Segmenter
from spadework.service.schemas import LayersQuery, PaintQuery, PictureQuery, SketchSize
from spadework.service.styles import Styles
from spadework.service.worker import Stale, Worker
from spadework.sketch import psd
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.openraster import MIMETYPE as ORA

FAST = 1
"""The zlib level of pictures on their way to a page: a few per cent larger, several times faster."""

QUALITY = 92
"""Of JPEG and WebP, of 100."""


def offer_painting(
    app: FastAPI,
    engine: Engine,
    worker: Worker,
    styles: Styles,
    limits: Limits,
    segmenter: Segmenter | None,
) -> None:
    """`/api/paint`: ids and how to paint them -> a picture."""

    @app.post("/api/paint")
    async def paint(request: Request, query: Annotated[PaintQuery, Query()]) -> Response:
        data, numbers = _apart(await request.body(), query)
        sketch = sketch_of(data, query, engine, limits)
        began = time.perf_counter()

        def work() -> Response:
            waited = time.perf_counter()
            style = styles.wanted(query, engine, sketch)
            lights = styles.lights(query.lights, numbers, engine, sketch)
            picture = _painted(engine, sketch, query, style, lights)
            painted = time.perf_counter()
            response = _packed(picture, query.form)
            if query.judged and segmenter is not None:
                response.headers["X-Obedience"] = f"{_obedience(sketch, picture, segmenter):.4f}"
            spent = {"wait": waited - began, "paint": painted - waited, "pack": time.perf_counter() - painted}
            timing = (f"{name};dur={1000 * seconds:.1f}" for name, seconds in spent.items())
            response.headers["Server-Timing"] = ", ".join(timing)
            return response

        return await asyncio.wrap_future(worker.submit(query.client, work, query.live))


def offer_pictures(app: FastAPI, engine: Engine, worker: Worker, styles: Styles, limits: Limits) -> None:
    """`/api/picture` and `/api/layers`: a project -> a file to keep; `/api/film`: sketches -> a GIF."""

    async def drawing(request: Request, scale: int = 1) -> Project:
        project = Project.from_text((await request.body()).decode("utf-8", "replace"))
        _demand_small(project.sketch(engine.palette), limits, scale)
        return project

    @app.post("/api/picture")
    async def picture(request: Request, query: Annotated[PictureQuery, Query()]) -> Response:
        """A project -> its picture in true size, or twice that; a PNG carries the project."""
        project = await drawing(request, query.scale)

        def work() -> Response:
            return _file(project.paint(engine, query.scale), query.form)

        return await asyncio.wrap_future(worker.submit("pictures", work))

    @app.post("/api/film")
    async def film(request: Request, query: Annotated[PaintQuery, Query()]) -> Response:
        """Raw ids of some sketches -> a GIF of them, painted one by one, so that nobody waits for all."""
        size = query.height or 0, query.width or 0
        if not size[0] * size[1]:
            raise Refusal(422, "Sketches came without a size", "Give width and height.")
        sketches = sketches_of(await request.body(), size, engine)
        style = styles.wanted(query, engine, sketches[-1])
        work = Film(engine, sketches, query.seed)
        while not work.done:
            if await request.is_disconnected():
                raise Stale
            await asyncio.wrap_future(worker.submit(query.client, partial(work.step, style)))
        data = await asyncio.wrap_future(worker.submit(query.client, work.gif))
        return Response(data, media_type="image/gif")

    @app.post("/api/layers")
    async def layers(request: Request, query: Annotated[LayersQuery, Query()]) -> Response:
        """A project -> an OpenRaster or Photoshop file: every class a layer, the photograph on top."""
        project = await drawing(request)
        write, kind = (project.psd, psd.MIMETYPE) if query.form == "psd" else (project.layers, ORA.decode())
        data = await asyncio.wrap_future(worker.submit("pictures", partial(write, engine)))
        return Response(data, media_type=kind)


def sketch_of(data: bytes, size: SketchSize, engine: Engine, limits: Limits) -> LabelMap:
    """The sketch in a body: raw ids or a label PNG. Raises ValueError or Refusal for what is none."""
    data = unwrapped(data)
    if data.startswith(PNG_SIGNATURE) or size.width is None or size.height is None:
        sketch = LabelMap.from_bytes(data, engine.palette, "The file")
    elif len(data) != size.width * size.height:
        sentence = f"{len(data):,} ids came for {size.width}x{size.height} pixels"
        raise Refusal(422, sentence, "Send one byte per pixel, or a label PNG.")
    else:
        ids = np.frombuffer(data, np.uint8).reshape(size.height, size.width)
        sketch = LabelMap(ids.copy(), engine.palette)
    _demand_small(sketch, limits)
    return sketch


def _demand_small(sketch: LabelMap, limits: Limits, scale: int = 1) -> None:
    """Raises Refusal for a sketch whose picture, `scale` times as large, has too many pixels."""
    if sketch.ids.size * scale**2 > limits.pixels:
        height, width = (side * scale for side in sketch.size)
        what = "sketch" if scale == 1 else "picture"
        sentence = f"A {what} of {width}x{height} pixels is too large for the studio"
        raise Refusal(413, sentence, f"Use at most {limits.pixels:,} pixels.")


def _apart(data: bytes, query: PaintQuery) -> tuple[bytes, NDArray[np.uint8] | None]:
    """The sketch of a body, and the numbers of its lights if it has some. Raises Refusal."""
    if query.lights is None:
        return data, None
    width, height = query.width or 0, query.height or 0
    if not data or len(data) != 2 * width * height:
        sentence = f"{len(data):,} bytes came for ids and lights of {width}x{height} pixels"
        raise Refusal(422, sentence, "Send one byte per pixel for the ids, then one for the lights.")
    numbers = np.frombuffer(data, np.uint8, offset=width * height).reshape(height, width)
    return data[: width * height], numbers


def _painted(
    engine: Engine, sketch: LabelMap, query: PaintQuery, style: Style | None, lights: Lights | None
) -> Picture:
    if query.short is None:
        return engine.paint(sketch, query.seed, style, lights=lights)
    return small_picture(engine, sketch, query.seed, style, query.short, lights)


def _obedience(sketch: LabelMap, picture: Picture, segmenter: Segmenter) -> float:
    """The share of the picture that is read as what was sketched."""
    return obedience(sketch.resize(picture.size), segmenter.label(picture.pixels))


def _packed(picture: Picture, form: str) -> Response:
    """A PNG, or for a page on this machine plain RGBA with its size in the headers."""
    if form == "png":
        return Response(picture.to_bytes(FAST), media_type="image/png", headers=_making(picture))
    height, width = picture.size
    opaque = np.full((height, width, 1), 255, np.uint8)
    pixels = np.concatenate([picture.pixels, opaque], 2).tobytes()
    size = {"X-Width": str(width), "X-Height": str(height)}
    return Response(pixels, media_type="application/octet-stream", headers=size | _making(picture))


def _file(picture: Picture, form: str) -> Response:
    """A file to keep: PNG with all that the picture knows, or a smaller one, which knows nothing."""
    if form == "png":
        data = picture.to_bytes()
    else:
        out = io.BytesIO()
        Image.fromarray(picture.pixels).save(out, format=form, quality=QUALITY)
        data = out.getvalue()
    return Response(data, media_type=f"image/{form}", headers=_making(picture))


def _making(picture: Picture) -> dict[str, str]:
    """Headers that tell what the network painted, width x height, and how often that was enlarged."""
    height, width = picture.provenance.get("painted_size", picture.size)
    return {"X-Painted": f"{width}x{height}", "X-Enlarged": str(picture.provenance.get("enlarged", 1))}
