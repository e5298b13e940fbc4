"""Sketches in, pictures out: lights, previews, pixels without packing, projects and films."""

import io
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from httpx2 import Response
from PIL import Image
from serving import HERE, Darkness, Gated, packed, refused

from spadework.api.app import create_api
from spadework.api.gate import Limits
from spadework.api.shelf import Shelf
from spadework.engine import MODELS, Engine
from spadework.picture import Picture
from spadework.project import Project
from spadework.sketch.examples import SKETCHES
from spadework.sketch.labelmap import LabelMap

IDS = (np.arange(40 * 60).reshape(40, 60) // 300).astype(np.uint8)
SKETCH = {"runs": packed(IDS)}
PARTS = (np.arange(IDS.size) % 3).astype(np.uint8).reshape(IDS.shape)


def paint(to: TestClient, /, **asked: object) -> Response:
    return to.post("/v1/paint", json={**SKETCH, **asked})


def test_a_picture_tells_how_it_was_made(faked: TestClient) -> None:
    answer = paint(faked, seed=5)
    assert Picture.from_bytes(answer.content).provenance["seed"] == 5
    assert re.fullmatch(
        r"wait;dur=[\d.]+, paint;dur=[\d.]+, pack;dur=[\d.]+", answer.headers["server-timing"]
    )
    assert (answer.headers["x-painted"], answer.headers["x-enlarged"]) == ("60x40", "1")


def test_raw_pixels_are_those_of_the_png(faked: TestClient) -> None:
    raw = paint(faked, seed=5, form="raw")
    assert (raw.headers["x-width"], raw.headers["x-height"]) == ("60", "40")
    assert raw.headers["content-type"] == "application/octet-stream"
    pixels = np.frombuffer(raw.content, np.uint8).reshape(40, 60, 4)
    assert (pixels[..., :3] == Picture.from_bytes(paint(faked, seed=5).content).pixels).all()
    assert (pixels[..., 3] == 255).all()


def test_a_preview_is_small_and_in_the_light_of_the_whole(client: TestClient, engine: Gated) -> None:
    ids = np.random.default_rng(0).integers(0, 15, (40, 60), np.uint8)
    answer = client.post("/v1/paint", json={"runs": packed(ids), "seed": 3, "short": 32})
    picture = Picture.from_bytes(answer.content)
    assert picture.size == (32, 64)
    z = np.array(picture.provenance["z"], np.float32)
    np.testing.assert_array_equal(z, engine.sample_style(3, ids).z)


def test_styles_are_numbers_or_seeds_and_blend(faked: TestClient, fake: FakeEngine) -> None:
    numbers = {"origin": "dusk", "z": list(map(float, range(8)))}
    assert paint(faked, style={"seed": 3}, other=numbers, blend=0.25).status_code == 200
    assert paint(faked, style={"seed": 3}, other=numbers).status_code == 200
    assert paint(faked, seed=9, other={"seed": 3}, blend=1.0).status_code == 200
    blended, plain, own = (style for _, _, style in fake.asked)
    assert blended is not None
    assert plain is not None
    assert own is not None
    expected = 0.75 * fake.sample_style(3).z + 0.25 * np.arange(8, dtype=np.float32)
    np.testing.assert_allclose(blended.z, expected, rtol=1e-5)
    assert blended.origin == "0.75 seed 3 + 0.25 dusk"
    assert (plain.z == fake.sample_style(3).z).all()
    assert (own.z == fake.sample_style(3).z).all()


def test_parts_of_a_sketch_have_lights_of_their_own(faked: TestClient, fake: FakeEngine) -> None:
    dusk = fake.sample_style(4)
    styles = [{"seed": 2}, {"origin": "dusk", "z": dusk.z.tolist()}]
    asked = {"style": {"seed": 1}, "lights": {"parts": packed(PARTS), "styles": styles}}
    assert paint(faked, **asked).status_code == 200
    (lights,) = fake.lights
    assert lights is not None
    assert (lights.numbers == PARTS).all()
    assert [style.origin for style in lights.styles] == ["seed 2", "dusk"]
    assert (lights.styles[1].z == dusk.z).all()
    assert paint(faked, **asked, short=32).status_code == 200
    assert fake.lights[1] is not None
    assert fake.lights[1].numbers.shape == fake.asked[1][0]


@pytest.mark.parametrize(
    ("lights", "words"),
    [
        ({"parts": packed(PARTS), "styles": [{"seed": 2}]}, "there is part 2 of 1 styles"),
        ({"parts": packed(PARTS), "styles": []}, "lights.styles is not what it can be: Give at least 1"),
        ({"parts": packed(PARTS), "styles": [{"seed": 1}] * 65}, "Give at most 64 values"),
        ({"parts": packed(PARTS), "styles": [{"seed": 1}, {"z": [1.0]}]}, "has 1 values, model tiny takes 8"),
        (
            {"parts": packed(PARTS[1:]), "styles": [{"seed": 1}] * 2},
            "60x39 pixels came for a sketch of 60x40",
        ),
        ({"styles": [{"seed": 1}]}, "lights.parts is missing"),
    ],
)
def test_lights_that_do_not_fit_are_refused(faked: TestClient, lights: dict, words: str) -> None:
    refused(paint(faked, lights=lights), 422, words)


def test_a_live_request_gives_way_to_a_newer_one(faked: TestClient, fake: FakeEngine) -> None:
    fake.go.clear()

    def ask(seed: int) -> Response:
        return paint(faked, seed=seed, live=True, client="a-page")

    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask, 1)
        assert fake.started.wait(20)
        others = [pool.submit(ask, seed) for seed in (2, 3, 4)]
        given_up = list(islice(as_completed(others, 20), 2))
        fake.go.set()
    assert [answer.result().status_code for answer in given_up] == [204, 204]
    assert {answer.result().status_code for answer in [first, *set(others) - set(given_up)]} == {200}


def test_a_long_picture_ends_when_a_newer_one_is_wanted(model: Path) -> None:
    """It asks between its steps, as the enlarger does between its tiles."""
    begun, go, finished = threading.Event(), threading.Event(), []

    class Long(FakeEngine):
        def paint(self, ids: object, seed: int = 0, *rest: object, **more: object) -> Picture:
            begun.set()
            assert go.wait(20)
            assert self.enlarger is not None
            self.enlarger.check()
            finished.append(seed)
            return super().paint(ids, seed)

    class Stepping:
        def check(self) -> None: ...

    engine = Long()
    engine.enlarger = Stepping()  # pyright: ignore[reportAttributeAccessIssue]
    with (
        TestClient(create_api(Shelf({"tiny": model}, load=lambda _: engine)), HERE) as client,
        ThreadPoolExecutor() as pool,
    ):
        old = pool.submit(paint, client, seed=1, live=True, client="a-page")
        assert begun.wait(20)
        new = pool.submit(paint, client, seed=2, live=True, client="a-page")
        while client.get("/metrics").text.find("spadework_queue 1.0") < 0:
            pass
        go.set()
        assert (old.result().status_code, new.result().status_code) == (204, 200)
    assert finished == [2]


def test_obedience_is_told_where_it_is_asked_for(faked: TestClient, fake: FakeEngine, model: Path) -> None:
    asked = {"seed": 5, "judged": True}  # a dark picture
    assert "x-obedience" not in paint(faked, **asked).headers
    rock = fake.palette.id_of("rock")
    app = create_api(Shelf({"tiny": model}, load=lambda _: fake), find_segmenter=Darkness)
    with TestClient(app, HERE) as able:
        told = paint(able, **asked).headers["x-obedience"]
        assert float(told) == pytest.approx((rock == IDS).mean(), abs=1e-4)
        assert "x-obedience" not in paint(able, seed=5).headers


@pytest.mark.parametrize("shipped", [False, True], ids=["tiny", "shipped"])
def test_with_a_real_engine(model: Path, shipped: bool) -> None:
    if shipped and not MODELS["landscape"].is_file():
        pytest.skip("the shipped model is not there")
    engine = Engine.load("landscape" if shipped else model, "cpu")
    sketch = LabelMap.read(min(SKETCHES.glob("*.png")), engine.palette)
    shelf = Shelf({"it": "landscape" if shipped else model}, load=lambda _: engine)
    with TestClient(create_api(shelf), HERE) as client:
        answer = client.post("/v1/paint", json={"runs": packed(sketch.ids), "seed": 3})
        assert Picture.from_bytes(answer.content) == engine.paint(sketch, 3)


def test_a_film_shows_every_sketch(faked: TestClient, fake: FakeEngine) -> None:
    frames = [packed(IDS), packed(0 * IDS), packed(IDS)]
    film = faked.post("/v1/film", json={"sketches": frames, "seed": 40})
    image = Image.open(io.BytesIO(film.content))
    assert (image.format, image.n_frames) == ("GIF", 3)
    assert film.headers["content-type"] == "image/gif"
    assert {seed for _, seed, _ in fake.asked} == {40}
    assert len({style.z.tobytes() for _, _, style in fake.asked if style}) == 1  # one light
    image.seek(1)
    pixels = np.asarray(image.convert("RGB"))
    assert (pixels[50, 50] == fake.palette.colors()[0]).all()
    assert np.abs(pixels[50, -50].astype(int) - 40).max() < 4


def test_films_that_cannot_be_painted(faked: TestClient) -> None:
    def film(*sketches: dict) -> Response:
        return faked.post("/v1/film", json={"sketches": sketches})

    refused(film(), 422, "sketches is not what it can be")
    refused(film(packed(IDS), packed(IDS[1:])), 422, "sketches of 60x39 and 60x40 pixels came: give all one")
    refused(film(packed(99 + 0 * IDS)), 422, "99")
    large = {"width": 8000, "height": 8000, "runs": [[0, 64_000_000]]}
    refused(film(*[large] * 100), 413, "100 sketches of 8000x8000 pixels are too many")


def drawing() -> dict:
    """A project with what only the studio needs left out."""
    base = {"width": 60, "height": 40, "background": 0, "ids": "0*1200 4*1200"}
    data = {"format": "spadework-project", "version": 1, "palette": "landscape", "base": base}
    return data | {"strokes": [], "undone": [], "style": {"seed": 3, "mood": {"seed": 3}}}


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_picture_to_keep_of_any_kind(client: TestClient, engine: Gated, form: str, scale: int) -> None:
    asked = {"project": drawing(), "form": form, "scale": scale}
    answer = client.post("/v1/projects/picture", json=asked)
    assert answer.headers["content-type"] == f"image/{form}"
    picture = Picture.from_bytes(answer.content)
    expected = Project.from_text(json.dumps(drawing())).paint(engine, scale)
    assert picture.size == (40 * scale, 60 * scale)
    if form == "png":
        assert picture == expected
    else:
        assert Image.open(io.BytesIO(answer.content)).format == form.upper()
        grey, wanted = (each.pixels.astype(int).mean(2) for each in (picture, expected))
        assert np.corrcoef(grey.ravel(), wanted.ravel())[0, 1] > 0.9  # noise in colours is lost


def test_a_project_becomes_layers(client: TestClient, engine: Gated) -> None:
    answer = client.post("/v1/projects/layers", json={"project": drawing()})
    assert answer.headers["content-type"] == "image/openraster"
    assert answer.content == Project.from_data(drawing()).layers(engine)


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"format": "x"}, 422, "the project is no studio project"),
        ({"palette": "ade20k"}, 422, "was drawn for palette ade20k, this model paints landscape"),
        ({"base": {"width": 60}}, 422, "the project is damaged (at base."),
        ({"base": drawing()["base"] | {"ids": "0*7"}}, 422, "damaged"),
        (
            {"base": {"width": 8000, "height": 8000, "ids": "0*64000000"}},
            413,
            "8000x8000 pixels are too many",
        ),
    ],
)
def test_projects_that_cannot_be_painted(client: TestClient, changed: dict, status: int, words: str) -> None:
    for path in ("picture", "layers"):
        refused(client.post(f"/v1/projects/{path}", json={"project": drawing() | changed}), status, words)


def test_twice_the_size_may_be_too_large(engine: Gated, model: Path) -> None:
    app = create_api(Shelf({"tiny": model}, load=lambda _: engine), Limits(pixels=60 * 40))
    with TestClient(app, HERE) as client:
        asked = {"project": drawing(), "scale": 2}
        refused(client.post("/v1/projects/picture", json=asked), 413, "120x80 pixels are too many")
