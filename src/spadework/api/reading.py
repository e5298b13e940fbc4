"""What is read: styles of photos and of seeds, moods, label maps, and any file that people bring."""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from functools import partial

import numpy as np
from fastapi import FastAPI, Request, Response

from spadework.api.answering import Api, Turn
from spadework.api.answers import (
    NOTHING,
    FoundMoods,
    NamedMood,
    OpenedFile,
    ReadLayer,
    ReadMap,
    SeedStyle,
)
from spadework.api.painting import numbers_of, shipped_palette
from spadework.api.pictures import files
from spadework.api.requests import (
    FileRequest,
    ImportRequest,
    MoodsRequest,
    PhotoRequest,
    SeedRequest,
    SketchRequest,
    VariedRequest,
)
from spadework.api.wire import Refused, Runs, StyleNumbers, bytes_of
from spadework.lights import Style
from spadework.picture import Picture
from spadework.service.moods import FoundMood, Search
from spadework.service.opening import MOST_OF_A_PHOTO, Opened, demand_pixels, open_map, open_photo
from spadework.service.receiving import Received, receive
from spadework.service.styles import varied
from spadework.sketch.openraster import Drawn


def offer_styles(app: FastAPI, api: Api) -> None:
    """`/v1/style`, `/v1/moods`."""

    @app.post("/v1/style")
    async def style(request: Request, asked: PhotoRequest) -> StyleNumbers:
        """The style of a photo."""
        turn, data = Turn(api, request, asked), bytes_of(asked.photo, "photo")
        demand_pixels(data, MOST_OF_A_PHOTO)

        def work() -> StyleNumbers:
            picture = Picture.from_bytes(data, asked.name)
            return numbers_of(turn.engine.style_of(picture, f"photo {asked.name}"))

        return await turn.alone(work)

    @app.post("/v1/style/of-seed")
    async def style_of_seed(request: Request, asked: SeedRequest) -> SeedStyle:
        """The style that a seed has for a sketch, so that it can stay while the sketch changes."""
        turn = Turn(api, request, asked)
        sketch = await turn.sketch(asked)
        return await turn.alone(lambda: _of_seed(asked.seed, turn.engine.sample_style(asked.seed, sketch)))

    @app.post("/v1/style/varied")
    async def varied_styles(request: Request, asked: VariedRequest) -> list[SeedStyle]:
        """Styles of seeds for a sketch that lie far from each other."""
        turn = Turn(api, request, asked)
        sketch = await turn.sketch(asked)
        found = await turn.alone(lambda: varied(turn.engine, sketch, asked.seed, asked.count))
        return [_of_seed(seed, style) for seed, style in found.items()]

    @app.post("/v1/moods")
    async def moods(request: Request, asked: MoodsRequest) -> FoundMoods:
        """Moods with names for a sketch, looked for while nobody waits for anything else."""
        turn = Turn(api, request, asked)
        sketch = await turn.sketch(asked)
        search: Search = await turn.alone(
            lambda: Search(turn.engine, sketch, asked.seed, asked.light), patient=True
        )
        await turn.steps(search, patient=True)
        found = search.found()
        return FoundMoods(moods=tuple(map(_mood, found.moods)), light=found.light)


def offer_labels(app: FastAPI, api: Api) -> None:
    """`/v1/labels`, `/v1/open`."""

    @app.post("/v1/labels/import")
    async def import_labels(request: Request, asked: ImportRequest) -> ReadMap:
        """A label map of any palette -> the ids of a model's, and a report of what had to be done."""
        turn, source = Turn(api, request, asked), shipped_palette(asked.palette)
        data = bytes_of(asked.file, "file")
        demand_pixels(data, api.limits.pixels)
        return _map(await turn.alone(partial(open_map, data, turn.card.palette, source)))

    @app.post("/v1/labels/from-photo")
    async def label_photo(request: Request, asked: PhotoRequest) -> ReadMap:
        """A photo -> the ids of its classes."""
        turn, data = Turn(api, request, asked), bytes_of(asked.photo, "photo")
        segmenter = api.segmenter(turn.card.palette)
        return _map(await turn.alone(lambda: open_photo(data, turn.engine, segmenter)))

    @app.post("/v1/labels/write", response_class=Response, responses=files("image/png"))
    async def write_labels(request: Request, asked: SketchRequest) -> Response:
        """A sketch -> a label PNG in the palette's colors."""
        turn = Turn(api, request, asked)
        sketch = await turn.sketch(asked)
        return Response(await asyncio.to_thread(sketch.to_bytes), media_type="image/png")

    @app.post("/v1/open")
    async def open_file(request: Request, asked: FileRequest) -> OpenedFile:
        """Any file -> what it is: a drawing of the studio, a label map, a photo, or nothing known here."""
        turn, data = Turn(api, request, asked), bytes_of(asked.file, "file")
        return _file(await turn.alone(partial(receive, data, turn.card.palette, api.limits.pixels)))


def _of_seed(seed: int, style: Style) -> SeedStyle:
    return SeedStyle(seed=seed, style=numbers_of(style))


def _mood(found: FoundMood) -> NamedMood:
    face = b64encode(found.picture.to_bytes(1)).decode()
    return NamedMood(name=found.name, face=face, seed=found.seed, style=numbers_of(found.style))


def _map(opened: Opened, layers: Sequence[Drawn] = ()) -> ReadMap:
    return ReadMap(
        palette=opened.palette,
        runs=Runs.of(opened.sketch.ids),
        report=opened.report,
        layers=tuple(map(_layer, layers)),
    )


def _layer(drawn: Drawn) -> ReadLayer:
    runs = Runs.of(np.where(drawn.there, drawn.ids, np.uint8(NOTHING)))
    return ReadLayer(name=drawn.name, hidden=drawn.hidden, locked=drawn.locked, runs=runs)


def _file(received: Received) -> OpenedFile:
    problem, opened = received.problem, received.opened
    return OpenedFile(
        kind=received.kind,
        project=received.project and dict(received.project.data),
        labels=opened and _map(opened, received.layers),
        problem=problem and Refused(sentence=problem[0], remedy=problem[1]),
    )
