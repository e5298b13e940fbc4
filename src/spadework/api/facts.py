"""What the API tells of models and palettes, and sketches to begin with."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from spadework import __version__
from spadework.api.answering import Api, Turn
from spadework.api.answers import Example, PaintedSize, PaletteClass, PaletteInfo, ServedModel, Start
from spadework.api.painting import demand_few, shipped_palette
from spadework.api.requests import Asking
from spadework.api.wire import Runs, Seed, Side
from spadework.model import ModelCard
from spadework.service.composing import scenes
from spadework.service.faults import Refusal
from spadework.sketch.examples import SKETCHES, title_of
from spadework.sketch.palette import Palette
from spadework.sketch.psd import has_tools
from spadework.sketch.translate import synonyms_of


class SizeQuery(Asking):
    """Of a sketch, for a model."""

    width: Side
    height: Side


class ComposedQuery(Asking):
    """A seed, for sketches in the classes of a model."""

    seed: Seed = 0
    width: Annotated[Side, Query(le=512)] = 384
    height: Annotated[Side, Query(le=512)] = 256


def offer_facts(app: FastAPI, api: Api) -> None:
    """`/v1/models`, `/v1/palettes`, `/v1/size`, `/v1/sketches`."""

    @app.get("/v1/models")
    async def models() -> list[ServedModel]:
        """The models that requests can name, the first of which is that of requests without."""
        cards = api.shelf.cards.items()
        return [
            served(name, card, name in api.shelf.loaded, api.labels_photos(card.palette))
            for name, card in cards
        ]

    @app.get("/v1/palettes")
    async def palettes() -> list[str]:
        """The palettes that label maps are read with."""
        return list(Palette.names())

    @app.get("/v1/palettes/{name}")
    async def palette(name: str) -> PaletteInfo:
        """The classes of a palette."""
        found = shipped_palette(name)
        assert found is not None
        return classes_of(found)

    @app.get("/v1/size")
    async def painted_size(request: Request, query: Annotated[SizeQuery, Query()]) -> PaintedSize:
        """At what size the network paints a sketch, and how often the enlarger doubles that."""
        demand_few((query.height, query.width), api.limits.pixels)
        turn = Turn(api, request, query)
        if turn.name not in api.shelf.loaded:
            await turn.alone(lambda: turn.engine)
        size = query.height, query.width
        (height, width), doublings = await asyncio.to_thread(lambda: turn.engine.plan(size))
        return PaintedSize(width=width, height=height, doublings=doublings)

    @app.get("/v1/sketches")
    async def sketches() -> list[Example]:
        """Sketches to start from, in the colors of palette landscape."""
        return list(examples("v1/sketches/{name}"))

    @app.get("/v1/sketches/composed")
    async def composed(request: Request, query: Annotated[ComposedQuery, Query()]) -> list[Start]:
        """A new sketch of every scene that a model has classes for."""
        turn = Turn(api, request, query)
        return await turn.alone(partial(starts, turn.card.palette, query.seed, (query.height, query.width)))

    @app.get("/v1/sketches/{name}", response_class=Response, responses={200: {"content": {"image/png": {}}}})
    async def sketch(name: str) -> Response:
        """A sketch as a label PNG."""
        files = {file.stem: file for file in SKETCHES.glob("*.png")}
        if name not in files:
            raise Refusal(404, f"There is no sketch {name}", f"Choose of {', '.join(sorted(files))}.")
        return Response(files[name].read_bytes(), media_type="image/png")


def served(name: str, card: ModelCard, loaded: bool, photo_labels: bool) -> ServedModel:
    """What is told of a model that is served under a name."""
    return ServedModel(
        name=name,
        model=card.name,
        version=__version__,
        images_seen=card.training.images_seen,
        licence_weights=card.licence_weights,
        size=card.generator.size,
        styles=card.generator.z_dim is not None,
        photo_styles=card.encoder is not None,
        photo_labels=photo_labels,
        psd=has_tools(),
        loaded=loaded,
        palette=classes_of(card.palette),
    )


def classes_of(palette: Palette) -> PaletteInfo:
    """The classes of a palette."""
    colors, by_id = palette.colors(), {entry.id: entry for entry in palette.classes}
    classes = []
    for id in map(int, palette.ids()):
        name = palette.name_of(id)
        classes.append(
            PaletteClass(
                id=id,
                name=name,
                color=f"#{bytes(colors[id]).hex()}",
                aliases=by_id[id].aliases if id in by_id else (),  # two classes may share a name
                synonyms=synonyms_of(name),
            )
        )
    return PaletteInfo(name=palette.name, classes=tuple(classes))


def examples(url: str) -> Iterator[Example]:
    """The example sketches; `url` says where each is, with {name} in it."""
    for file in sorted(SKETCHES.glob("*.png")):
        yield Example(name=file.stem, title=title_of(file.stem), url=url.format(name=file.stem))


def starts(palette: Palette, seed: int, size: tuple[int, int] = (256, 384)) -> list[Start]:
    """A new sketch of every scene that a palette has classes for."""
    return [Start(title=title, runs=Runs.of(sketch.ids)) for title, sketch in scenes(palette, seed, size)]
