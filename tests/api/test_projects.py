"""Drawings of the studio as pictures and layers to keep, and films of how they came about."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from PIL import Image
from serving import HERE, LIMITS, Gated, coded, refused, runs, sketch

from spadework.api.app import create_api
from spadework.api.shelf import Shelf
from spadework.lights import Style
from spadework.picture import Picture
from spadework.project import Project, project_in
from spadework.sketch import psd


def drawing(**changes: Any) -> dict[str, Any]:
    base = {"width": 60, "height": 40, "background": 0, "ids": "0*1200 4*1200"}
    data = {"format": "spadework-project", "version": 1, "palette": "landscape", "base": base}
    return data | {"strokes": [], "undone": [], "style": {"seed": 3, "mood": {"seed": 3}}} | changes


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_picture_to_keep_of_any_kind(client: TestClient, engine: Gated, form: str, scale: int) -> None:
    asked = {"project": drawing(), "form": form, "scale": scale}
    answer = client.post("/v1/projects/picture", json=asked)
    assert answer.headers["content-type"] == f"image/{form}"
    assert answer.headers["x-painted"]
    picture = Picture.from_bytes(answer.content)
    expected = Project.from_data(drawing()).paint(engine, scale)
    assert picture.size == (40 * scale, 60 * scale)
    if form == "png":
        assert picture == expected
        kept = project_in(answer.content)
        assert kept is not None
        assert kept.data == drawing()
    else:
        assert Image.open(io.BytesIO(answer.content)).format == form.upper()
        grey, wanted = (each.pixels.astype(int).mean(2) for each in (picture, expected))
        assert np.corrcoef(grey.ravel(), wanted.ravel())[0, 1] > 0.9  # noise in colors is lost


def test_a_picture_that_is_too_large(fake: FakeEngine, model: Path) -> None:
    limits = LIMITS.model_copy(update={"pixels": 60 * 40})
    with TestClient(create_api(Shelf({"tiny": model}, load=lambda _: fake), limits), HERE) as client:
        assert client.post("/v1/projects/picture", json={"project": drawing()}).status_code == 200
        larger = client.post("/v1/projects/picture", json={"project": drawing(), "scale": 2})
        refused(larger, 413, "120x80 pixels are too many")


def test_layers_for_other_programs(quick: TestClient) -> None:
    answer = quick.post("/v1/projects/layers", json={"project": drawing(), "form": "ora"})
    assert answer.headers["content-type"] == "image/openraster"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert "stack.xml" in file.namelist()
    kept = project_in(answer.content)
    assert kept is not None
    assert kept.data == drawing()


@pytest.mark.skipif(not psd.has_tools(), reason="psd-tools is not there")
def test_layers_for_photoshop(quick: TestClient) -> None:
    answer = quick.post("/v1/projects/layers", json={"project": drawing(), "form": "psd"})
    assert answer.headers["content-type"] == psd.MIMETYPE
    assert answer.content.startswith(b"8BPS")
    opened = quick.post("/v1/open", json={"file": coded(answer.content)}).json()
    assert opened["kind"] == "labels"


@pytest.mark.parametrize("path", ["picture", "layers"])
@pytest.mark.parametrize(
    ("project", "words"),
    [
        ({}, "the project is no studio project: give a file that the studio saved"),
        (drawing(base={"width": 60}), "the project is damaged (at base.height): open another copy of it"),
        (
            drawing(palette="facades"),
            "the project was drawn for palette facades, this model paints",
        ),
        (drawing(strokes=[{}]), "the project is of an older studio"),
        (drawing(style={"seed": 1, "mood": {"z": [1.0]}}), "belongs to another model"),
        ("text", "project text is not what it can be: Give an object."),
        (None, "project is not what it can be: Give an object."),
    ],
)
def test_drawings_that_cannot_be_painted(quick: TestClient, path: str, project: Any, words: str) -> None:
    refused(quick.post(f"/v1/projects/{path}", json={"project": project}), 422, words)


# ---- films

STRIPES = (np.arange(40 * 60).reshape(40, 60) // 300).astype(np.uint8)


def test_a_film_shows_every_sketch(quick: TestClient, fake: FakeEngine) -> None:
    sketches = [runs(ids) for ids in (STRIPES, STRIPES * 0, STRIPES)]
    film = quick.post("/v1/film", json={"sketches": sketches, "seed": 40})
    assert film.headers["content-type"] == "image/gif"
    image = Image.open(io.BytesIO(film.content))
    assert (image.format, image.n_frames) == ("GIF", 3)
    assert {seed for _, seed, _ in fake.asked} == {40}
    assert {size for size, _, _ in fake.asked} == {fake.plan((40, 60))[0]}
    for _, _, style in fake.asked:
        assert style is not None
        assert np.array_equal(style.z, fake.sample_style(40).z)
    image.seek(1)
    pixels = np.asarray(image.convert("RGB"))
    assert (pixels[20, 20] == fake.palette.colors()[0]).all()
    assert np.abs(pixels[20, -20].astype(int) - 40).max() < 4


def test_a_film_has_the_light_that_the_last_sketch_has(
    quick: TestClient, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An engine whose seeds have the light of the first pixel."""
    monkeypatch.setattr(
        fake, "sample_style", lambda seed, of: Style(np.full(8, of.ids[0, 0], np.float32), f"seed {seed}")
    )
    sketches = [runs(np.full((40, 56), id)) for id in (1, 2, 3)]
    assert quick.post("/v1/film", json={"sketches": sketches}).status_code == 200
    assert [style.z[0] for _, _, style in fake.asked if style] == [3, 3, 3]


def test_a_film_has_the_style_that_is_asked_for(quick: TestClient, fake: FakeEngine) -> None:
    look = {"style": {"seed": 1}, "other": {"seed": 2}, "blend": 0.5}
    assert quick.post("/v1/film", json={"sketches": [runs(STRIPES)] * 2, **look}).status_code == 200
    middle = (fake.sample_style(1).z + fake.sample_style(2).z) / 2
    for _, _, style in fake.asked:
        assert style is not None
        np.testing.assert_allclose(style.z, middle, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("sketches", "status", "words"),
    [
        ([], 422, "sketches is not what it can be: Give at least 1 values."),
        ([runs(sketch() * 0)] * 101, 422, "sketches is not what it can be: Give at most 100 values."),
        (
            [runs(sketch()), runs(sketch().T)],
            422,
            "sketches of 40x56 and 56x40 pixels came",
        ),
        ([runs(sketch()), {"width": 4, "height": 4, "runs": [[0, 15]]}], 422, "runs have 15 pixels"),
        ([runs(np.full((40, 56), 99))], 422, "99"),
        ([runs(sketch() * 0)] * 90, 413, "90 sketches of 56x40 pixels are too many"),
    ],
)
def test_films_that_cannot_be_made(quick: TestClient, sketches: list, status: int, words: str) -> None:
    refused(quick.post("/v1/film", json={"sketches": sketches}), status, words)
