"""Sketches in, pictures out: single ones, finished ones of a project, and films."""

import asyncio
import time
from typing import Any

from fastapi import FastAPI, Request, Response

from spadework.api.answering import Api, Made, Turn
from spadework.api.painting import demand_few, look_of, numbers_of, packed, unpacked, wanted
from spadework.api.requests import FilmRequest, LayersRequest, PaintRequest, PictureRequest, ProjectRequest
from spadework.api.scheduling import Job
from spadework.api.wire import StyleNumbers
from spadework.lights import Style
from spadework.picture import Picture
from spadework.project import Project
from spadework.service.faults import Refusal
from spadework.service.film import Film
from spadework.service.moods import Search
from spadework.sketch import psd
from spadework.sketch.openraster import MIMETYPE as ORA

FILM = 4
"""The sketches of a film have as many pixels together as so many of the largest sketches."""

TIGHT = 6
"""The zlib level of pictures to keep."""


def files(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Answers that are files of these media types, for the OpenAPI document."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}
    return {200: {"description": "The file.", "content": content}}


PICTURES = files("image/png", "image/webp", "image/jpeg")
TOLD = {
    "X-Painted": "what the network painted, width x height",
    "X-Enlarged": "how many times as large the enlarger made that",
    "X-Obedience": "the share that looks like the sketch",
    "X-Width": "of raw pixels",
    "X-Height": "of raw pixels",
    "Server-Timing": "milliseconds that it waited, was painted and packed",
}
PAINTED: dict[int | str, dict[str, Any]] = {
    200: files("image/png", "image/webp", "image/jpeg", "application/octet-stream")[200]
    | {"headers": {name: {"description": what, "schema": {"type": "string"}} for name, what in TOLD.items()}},
    204: {"description": "A newer live request of the same client came."},
}


def offer_pictures(app: FastAPI, api: Api) -> None:
    """`/v1/paint`, `/v1/projects`, `/v1/film`."""

    @app.post("/v1/paint", response_class=Response, responses=PAINTED)
    async def paint(request: Request, asked: PaintRequest) -> Response:
        """A sketch -> a photograph. A PNG tells in its text how it came about."""
        turn = Turn(api, request, asked)
        item = await asyncio.to_thread(wanted, asked, turn.card, api.limits.pixels)
        if asked.mood is not None:
            search = await turn.alone(lambda: Search(turn.engine, item.sketch, item.seed))
            await turn.steps(search)
            item = item.lit(in_mood(search, asked.mood))
        made, job = await turn.picture(item, asked.live)
        began = time.perf_counter()
        data, kind = await asyncio.to_thread(packed, made.picture, asked.form)
        headers = _told(made, job, time.perf_counter() - began)
        return Response(data, media_type=kind, headers=headers)

    @app.post("/v1/projects/picture", response_class=Response, responses=PICTURES)
    async def picture(request: Request, asked: PictureRequest) -> Response:
        """A drawing of the studio -> its picture, as large as its sheet or twice that; a PNG carries it."""
        turn = Turn(api, request, asked)
        project = await asyncio.to_thread(drawing, asked, asked.scale)
        painted = await turn.alone(lambda: project.paint(turn.engine, asked.scale))
        data, kind = await asyncio.to_thread(packed, painted, asked.form, TIGHT)
        return Response(data, media_type=kind, headers=_making(painted))

    @app.post("/v1/projects/layers", response_class=Response, responses=files(ORA.decode(), psd.MIMETYPE))
    async def layers(request: Request, asked: LayersRequest) -> Response:
        """A drawing -> an OpenRaster or Photoshop file: every class a layer, the photograph on top."""
        turn = Turn(api, request, asked)
        project = await asyncio.to_thread(drawing, asked)
        write, kind = (project.psd, psd.MIMETYPE) if asked.form == "psd" else (project.layers, ORA.decode())
        return Response(await turn.alone(lambda: write(turn.engine)), media_type=kind)

    @app.post("/v1/film", response_class=Response, responses=files("image/gif"))
    async def film(request: Request, asked: FilmRequest) -> Response:
        """Sketches -> an animated GIF of them beside their pictures, all in the last one's light."""
        turn, most = Turn(api, request, asked), FILM * api.limits.pixels
        first, count = asked.sketches[0], len(asked.sketches)
        if count * first.width * first.height > most:
            sentence = f"{count} sketches of {first.width}x{first.height} pixels are too many"
            raise Refusal(413, sentence, f"Use at most {most:,} pixels in all.")
        look = look_of(asked.style, asked.other, asked.blend, turn.card)

        def begun() -> Film:
            sketches = [unpacked(runs, turn.card.palette, api.limits.pixels) for runs in asked.sketches]
            style = look.style_for(turn.engine, sketches[-1], asked.seed)
            return Film(turn.engine, sketches, asked.seed, style)

        work: Film = await turn.alone(begun)
        await turn.steps(work)
        return Response(await asyncio.to_thread(work.gif), media_type="image/gif")

    def drawing(asked: ProjectRequest, scale: int = 1) -> Project:
        project = Project.from_data(dict(asked.project))
        height, width = project.size
        demand_few((scale * height, scale * width), api.limits.pixels)
        return project


def in_mood(search: Search, mood: str) -> StyleNumbers:
    """The style of a mood that was found for a sketch. Raises Refusal 422 if it has no such."""
    found = {each.name: each for each in search.found().moods}
    if mood not in found:
        raise Refusal(422, f"This sketch has no mood {mood}", f"Choose of {', '.join(found)}.")
    return numbers_of(Style(found[mood].style.z, mood))


def _told(made: Made, job: Job, seconds: float) -> dict[str, str]:
    """The headers of a picture."""
    height, width = made.picture.size
    spent = {"wait": job.waited, "paint": job.spent, "pack": seconds}
    timing = ", ".join(f"{name};dur={1000 * seconds:.1f}" for name, seconds in spent.items())
    judged = {} if made.obedience is None else {"X-Obedience": f"{made.obedience:.4f}"}
    size = {"X-Width": str(width), "X-Height": str(height)}
    return _making(made.picture) | size | judged | {"Server-Timing": timing}


def _making(picture: Picture) -> dict[str, str]:
    """Headers that tell what the network painted, width x height, and how often that was enlarged."""
    height, width = picture.provenance.get("painted_size", picture.size)
    return {"X-Painted": f"{width}x{height}", "X-Enlarged": str(picture.provenance.get("enlarged", 1))}
