"""What the clients send to /v1, and how they read what comes back: no torch here."""

import os
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from spadework.api.answers import PaletteInfo, ReadMap, ServedModel
from spadework.api.requests import Asking, ImportRequest, PaintRequest, PhotoRequest
from spadework.api.wire import Form, Moods, Runs, StyleNumbers
from spadework.files import read_bytes

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """A request, and how its answer is read."""

    method: str
    path: str
    body: Asking | None
    read: Callable[[bytes], Answer]

    def parts(self, client: str, key: str | None) -> dict[str, Any]:
        """For httpx. `client`: who asks."""
        headers = {"Content-Type": "application/json"} if self.body else {}
        body = self.body and self.body.model_copy(update={"client": client})
        content = body.model_dump_json(exclude_none=True).encode() if body else None
        return {
            "method": self.method,
            "url": self.path,
            "content": content,
            "headers": headers | ({"Authorization": f"Bearer {key}"} if key else {}),
        }


def _json(kind: Any) -> Callable[[bytes], Any]:
    return TypeAdapter(kind).validate_json


def painting(
    ids: NDArray[np.integer],
    seed: int,
    style: StyleNumbers | None,
    mood: Moods | None,
    size: tuple[int, int] | None,
    model: str | None,
    deadline: float,
    form: Form,
) -> Call[bytes]:
    """A sketch -> a picture as a file."""
    height, width = size or (None, None)
    request = PaintRequest(
        runs=Runs.of(ids),
        seed=seed,
        style=style,
        mood=mood,
        height=height,
        width=width,
        model=model,
        deadline=deadline,
        form=form,
    )
    return Call("POST", "/v1/paint", request, bytes)


def style_of(photo: str | os.PathLike[str], model: str | None) -> Call[StyleNumbers]:
    """A photo's file -> its style."""
    asked = PhotoRequest(photo=_file(photo), name=os.path.basename(photo)[:120], model=model)
    return Call("POST", "/v1/style", asked, _json(StyleNumbers))


def reading(file: str | os.PathLike[str], palette: str | None, model: str | None) -> Call[ReadMap]:
    """A label map's file -> its ids, and a report."""
    asked = ImportRequest(file=_file(file), palette=palette, model=model)
    return Call("POST", "/v1/labels/import", asked, _json(ReadMap))


def labelling(photo: str | os.PathLike[str], model: str | None) -> Call[ReadMap]:
    """A photo's file -> the ids of its classes."""
    asked = PhotoRequest(photo=_file(photo), name=os.path.basename(photo)[:120], model=model)
    return Call("POST", "/v1/labels/from-photo", asked, _json(ReadMap))


MODELS = Call("GET", "/v1/models", None, _json(list[ServedModel]))


def palette(name: str) -> Call[PaletteInfo]:
    """The classes of a palette."""
    return Call("GET", f"/v1/palettes/{name}", None, _json(PaletteInfo))


def _file(path: str | os.PathLike[str]) -> str:
    return b64encode(read_bytes(path)).decode()
