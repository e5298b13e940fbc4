"""What the routes share, and how a request goes through the queue: in time, and while its client waits."""

import asyncio
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import Request

from spadework.api.counting import Counts
from spadework.api.gate import Limits
from spadework.api.painting import Wanted, paint_many, sketch_of
from spadework.api.requests import Asking, SketchRequest
from spadework.api.scheduling import Job, Late, Many, Scheduler
from spadework.api.shelf import Shelf
from spadework.candidates import obedience
from spadework.engine import Engine
from spadework.picture import Picture
from spadework.service.faults import Refusal
from spadework.service.opening import Segmenter
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette


class Gone(Exception):
    """The client does not wait any more."""


@dataclass(frozen=True, eq=False)
class Made:
    """A picture, and the share of it that looks like the sketch, if that was asked for and can be told."""

    picture: Picture
    obedience: float | None


class Api:
    """Models, one painter with its queue, counters, and segmenters by palette."""

    def __init__(
        self, shelf: Shelf, limits: Limits, find_segmenter: Callable[[Palette], Segmenter | None]
    ) -> None:
        self.shelf, self.limits = shelf, limits
        self.scheduler = Scheduler(limits.together, limits.waiting)
        shelf.watch(self.scheduler.demand_current)
        self.counts = Counts()
        self.counts.watch("queue", "Requests that wait.", lambda: len(self.scheduler))
        self.counts.watch("models_loaded", "Models in memory.", lambda: len(shelf.loaded))
        palettes = dict.fromkeys(card.palette for card in shelf.cards.values())
        self._segmenters = {palette: find_segmenter(palette) for palette in palettes}

    def labels_photos(self, palette: Palette) -> bool:
        """Whether a segmenter knows a model's classes."""
        return self._segmenters.get(palette) is not None

    def segmenter(self, palette: Palette) -> Segmenter:
        """The one that knows a model's classes. Raises Refusal 404."""
        found = self._segmenters.get(palette)
        if found is None:
            raise Refusal(404, f"No segmenter of palette {palette.name} is installed", "Send a label map.")
        return found

    def paint(self, name: str, items: Sequence[Wanted]) -> list[Made]:
        """The pictures of a model, which are alike."""
        pictures = paint_many(self.shelf.engine(name), items)
        self.counts.painted(name, len(items))
        made = zip(items, pictures, strict=True)
        return [Made(picture, self._obedience(item, picture)) for item, picture in made]

    def _obedience(self, item: Wanted, picture: Picture) -> float | None:
        if not item.judged or not self.labels_photos(item.sketch.palette):
            return None
        seen = self.segmenter(item.sketch.palette).label(picture.pixels)
        return obedience(item.sketch.resize(picture.size), seen)


class Turn:
    """One request's way through the queue."""

    def __init__(self, api: Api, request: Request, asking: Asking) -> None:
        self._api, self._request, self._client = api, request, asking.client
        self._until = time.monotonic() + asking.deadline
        self.name = api.shelf.named(asking.model)
        self.card = api.shelf.cards[self.name]

    async def sketch(self, asked: SketchRequest) -> LabelMap:
        """The sketch of a request, read beside the painter."""
        return await asyncio.to_thread(sketch_of, asked, self.card.palette, self._api.limits.pixels)

    @property
    def engine(self) -> Engine:
        """The engine that is asked, loaded if need be: for the painter's thread only."""
        return self._api.shelf.engine(self.name)

    async def picture(self, item: Wanted, live: bool = False) -> tuple[Made, Job]:
        """What is wanted, painted together with others that are alike, and how that went."""
        many = partial(self._api.paint, self.name)
        job = self._job((self.name, *item.alike), item, many, live=live)
        return await self._answer(job), job

    async def alone(self, work: Callable[[], Any], patient: bool = False) -> Any:
        """The result of work; `patient`: nobody else waits any more when it begins."""
        return await self._answer(self._job(object(), None, lambda _: [work()], patient=patient))

    async def steps(self, work: Any, patient: bool = False) -> None:
        """Does all steps of work, one by one, so that nobody has to wait for all."""
        while not work.done:
            await self.alone(work.step, patient)

    def _job(self, key: Hashable, item: Any, many: Many, live: bool = False, patient: bool = False) -> Job:
        return Job(key, item, many, self._until, self._client, live, patient)

    async def _answer(self, job: Job) -> Any:
        """Raises Late after the deadline and Gone when the client has left; then it is not begun, or ends."""
        began = time.monotonic()
        self._api.scheduler.submit(job)
        result = asyncio.ensure_future(asyncio.wrap_future(job.future))
        gone = asyncio.ensure_future(_gone(self._request))
        try:
            left = max(0.0, self._until - began)
            await asyncio.wait({result, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if result.done():
                told = {"together": job.together, "waited_and_painted_ms": _ms(time.monotonic() - began)}
                self._request.scope["state"]["told"] = told
                return result.result()
            raise Gone if gone.done() else Late
        finally:
            gone.cancel()
            result.cancel()
            job.leave()


async def _gone(request: Request) -> None:
    """Ends when the client leaves; its body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
