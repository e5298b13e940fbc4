"""A client of the HTTP API, for programs without torch: `Client("http://127.0.0.1:7430").paint(ids, seed=7)`.

Needs the extra `client`. ids are (H, W) class ids of the model's palette, sizes (H, W).
"""

import asyncio
import os
import random
import secrets
import time
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from spadework.api import calls
from spadework.api.answers import PaletteInfo, ReadMap, ServedModel
from spadework.api.calls import Answer, Call
from spadework.api.wire import Form, Moods, StyleNumbers
from spadework.picture import Picture

try:
    import httpx2 as httpx
except ImportError as missing:  # pragma: no cover - the tests have it
    raise ImportError("the client needs httpx2: pip install 'spadework[client]'") from missing

AGAIN = (429, 503)
"""Statuses after which the same request may succeed: the service is full, or about to stop."""

LONGEST_PAUSE = 30.0


class ApiError(ValueError):
    """The API refused. `status` is HTTP's, or 0 if nobody answered; `request_id` names it in the log."""

    def __init__(self, status: int, sentence: str, remedy: str, request_id: str = "") -> None:
        super().__init__(f"{sentence}: {remedy}")
        self.status, self.sentence, self.remedy, self.request_id = status, sentence, remedy, request_id


class _Trying:
    """How often, and after what pauses, a request is sent."""

    def __init__(self, retries: int) -> None:
        self._left, self._pause = retries, 0.25

    def pause(self, response: httpx.Response | None) -> float | None:
        """Seconds until the next try after this answer, or none; None if it was the last, or is final."""
        if self._left == 0 or (response is not None and response.status_code not in AGAIN):
            return None
        self._left -= 1
        own = self._pause * random.uniform(0.5, 1.5)
        self._pause *= 2
        asked = response.headers.get("retry-after", "") if response is not None else ""
        return min(LONGEST_PAUSE, max(own, float(asked) if asked.isdecimal() else 0.0))


def _read(call: Call[Answer], response: httpx.Response) -> Answer:
    if response.is_success:
        return call.read(response.content)
    name = response.headers.get("x-request-id", "")
    try:
        told = response.json()
        raise ApiError(response.status_code, told["sentence"], told["remedy"], name)
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ApiError):
            raise
        remedy = "is there a spadework API at this address?"
        raise ApiError(response.status_code, f"HTTP {response.status_code} came", remedy, name) from error


def _own_name() -> str:
    return f"python-{secrets.token_hex(8)}"


def _unanswered(error: Exception) -> ApiError:
    return ApiError(0, f"nobody answered ({error or type(error).__name__})", "start spadework serve there")


class Client:
    """A service at `url`. Usable from many threads, and as a context manager.

    A request is sent again, up to `retries` times, while the service is full, stops or does not answer:
    the same request gives the same painting, so nothing happens twice. `name`: those who wait under different
    names take turns; by default every client has one of its own. Methods raise ApiError.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:7430",
        key: str | None = None,
        timeout: float = 90.0,
        retries: int = 4,
        name: str | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._name, self._key, self._retries = name or _own_name(), key, retries
        self._http = httpx.Client(base_url=url, timeout=timeout, transport=transport)

    def paint(
        self,
        ids: NDArray[np.integer],
        seed: int = 0,
        style: StyleNumbers | None = None,
        mood: Moods | None = None,
        size: tuple[int, int] | None = None,
        model: str | None = None,
        deadline: float = 60.0,
    ) -> Picture:
        """The photograph of a sketch, with what made it."""
        return Picture.from_bytes(self.paint_file(ids, seed, style, mood, size, model, deadline))

    def paint_file(
        self,
        ids: NDArray[np.integer],
        seed: int = 0,
        style: StyleNumbers | None = None,
        mood: Moods | None = None,
        size: tuple[int, int] | None = None,
        model: str | None = None,
        deadline: float = 60.0,
        form: Form = "png",
    ) -> bytes:
        """The same as a file."""
        return self._send(calls.painting(ids, seed, style, mood, size, model, deadline, form))

    def style_of(self, photo: str | os.PathLike[str], model: str | None = None) -> StyleNumbers:
        """The style of a photo's file, for `paint`."""
        return self._send(calls.style_of(photo, model))

    def read_labels(
        self, file: str | os.PathLike[str], palette: str | None = None, model: str | None = None
    ) -> ReadMap:
        """A label map's file in the classes of the model: `.runs.ids()`, and a report."""
        return self._send(calls.reading(file, palette, model))

    def label_photo(self, photo: str | os.PathLike[str], model: str | None = None) -> ReadMap:
        """The classes in a photo's file."""
        return self._send(calls.labelling(photo, model))

    def models(self) -> list[ServedModel]:
        """What is served, with palettes."""
        return self._send(calls.MODELS)

    def palette(self, name: str) -> PaletteInfo:
        """A palette that label maps are read with."""
        return self._send(calls.palette(name))

    def close(self) -> None:
        """Ends its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, call: Call[Answer]) -> Answer:
        trying = _Trying(self._retries)
        while True:
            try:
                response, fault = self._http.request(**call.parts(self._name, self._key)), None
            except httpx.TransportError as error:
                response, fault = None, error
            pause = trying.pause(response)
            if pause is None and response is not None:
                return _read(call, response)
            if pause is None:
                assert fault is not None
                raise _unanswered(fault) from fault
            time.sleep(pause)


class AsyncClient:
    """As `Client`, for asyncio."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:7430",
        key: str | None = None,
        timeout: float = 90.0,
        retries: int = 4,
        name: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._name, self._key, self._retries = name or _own_name(), key, retries
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, transport=transport)

    async def paint(
        self,
        ids: NDArray[np.integer],
        seed: int = 0,
        style: StyleNumbers | None = None,
        mood: Moods | None = None,
        size: tuple[int, int] | None = None,
        model: str | None = None,
        deadline: float = 60.0,
    ) -> Picture:
        """As `Client.paint`."""
        return Picture.from_bytes(await self.paint_file(ids, seed, style, mood, size, model, deadline))

    async def paint_file(
        self,
        ids: NDArray[np.integer],
        seed: int = 0,
        style: StyleNumbers | None = None,
        mood: Moods | None = None,
        size: tuple[int, int] | None = None,
        model: str | None = None,
        deadline: float = 60.0,
        form: Form = "png",
    ) -> bytes:
        """As `Client.paint_file`."""
        return await self._send(calls.painting(ids, seed, style, mood, size, model, deadline, form))

    async def style_of(self, photo: str | os.PathLike[str], model: str | None = None) -> StyleNumbers:
        """As `Client.style_of`."""
        return await self._send(calls.style_of(photo, model))

    async def read_labels(
        self, file: str | os.PathLike[str], palette: str | None = None, model: str | None = None
    ) -> ReadMap:
        """As `Client.read_labels`."""
        return await self._send(calls.reading(file, palette, model))

    async def label_photo(self, photo: str | os.PathLike[str], model: str | None = None) -> ReadMap:
        """As `Client.label_photo`."""
        return await self._send(calls.labelling(photo, model))

    async def models(self) -> list[ServedModel]:
        """As `Client.models`."""
        return await self._send(calls.MODELS)

    async def palette(self, name: str) -> PaletteInfo:
        """As `Client.palette`."""
        return await self._send(calls.palette(name))

    async def close(self) -> None:
        """Ends its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, call: Call[Answer]) -> Answer:
        trying = _Trying(self._retries)
        while True:
            try:
                response, fault = await self._http.request(**call.parts(self._name, self._key)), None
            except httpx.TransportError as error:
                response, fault = None, error
            pause = trying.pause(response)
            if pause is None and response is not None:
                return _read(call, response)
            if pause is None:
                assert fault is not None
                raise _unanswered(fault) from fault
            await asyncio.sleep(pause)
