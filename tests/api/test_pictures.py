"""Pictures over HTTP: as the engine paints them, in every form, light and size."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from httpx2 import Response
from PIL import Image
from serving import HERE, Darkness, Gated, packed, refused, runs, sketch

from spadework.api.app import create_api
from spadework.api.shelf import Shelf
from spadework.api.wire import StyleNumbers
from spadework.engine import MODELS, Engine
from spadework.lights import Style
from spadework.picture import Picture
from spadework.sketch.examples import SKETCHES
from spadework.sketch.labelmap import LabelMap

RUNS = runs(sketch())


def painted(response: Response) -> Picture:
    assert response.status_code == 200, response.text
    return Picture.from_bytes(response.content)


def numbers(style: Style) -> dict:
    return StyleNumbers(origin=style.origin, z=tuple(map(float, style.z))).model_dump()


def test_every_way_of_sending_a_sketch_gives_the_engines_picture(client: TestClient, engine: Gated) -> None:
    ids = sketch()
    expected = engine.paint(ids, 7)
    colors = engine.palette.colorize(ids)
    wide = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4) % 15, np.ones((16, 16), np.uint8))
    for way in ({"runs": RUNS}, {"ids_png": packed(ids)}, {"ids_png": packed(colors)}):
        response = client.post("/v1/paint", json={**way, "seed": 7})
        assert response.headers["content-type"] == "image/png"
        assert painted(response) == expected
    color_map = {"color_map": packed(engine.palette.colorize(wide)), "palette": "landscape"}
    picture = painted(client.post("/v1/paint", json=color_map))
    assert picture == engine.paint(wide)
    assert picture.provenance["seed"] == 0


@pytest.mark.skipif(not MODELS["landscape"].is_file(), reason="the shipped model is not there")
def test_the_shipped_model_paints_a_shipped_sketch() -> None:
    engine = Engine.load("landscape", "cpu")
    file = next(SKETCHES.glob("*.png"))
    sketch = LabelMap.read(file, engine.palette).resize((128, 192))
    with TestClient(create_api(Shelf({"it": MODELS["landscape"]}, load=lambda _: engine)), HERE) as client:
        answer = client.post("/v1/paint", json={"runs": runs(sketch.ids), "seed": 3})
    assert painted(answer) == engine.paint(sketch, 3)


# ---- forms and sizes


@pytest.mark.parametrize(("form", "kind"), [("webp", "WEBP"), ("jpeg", "JPEG")])
def test_forms_and_sizes(client: TestClient, form: str, kind: str) -> None:
    asked = {"runs": RUNS, "form": form, "width": 96, "height": 64}
    image = Image.open(io.BytesIO(client.post("/v1/paint", json=asked).content))
    assert (image.format, image.size) == (kind, (96, 64))


def test_raw_pixels_are_those_of_the_png(client: TestClient) -> None:
    png = client.post("/v1/paint", json={"runs": RUNS, "seed": 5})
    raw = client.post("/v1/paint", json={"runs": RUNS, "seed": 5, "form": "raw"})
    assert raw.headers["content-type"] == "application/octet-stream"
    assert (raw.headers["x-width"], raw.headers["x-height"]) == ("56", "40")
    pixels = np.frombuffer(raw.content, np.uint8).reshape(40, 56, 4)
    assert np.array_equal(pixels[..., :3], painted(png).pixels)
    assert (pixels[..., 3] == 255).all()


def test_headers_tell_how_it_was_painted(client: TestClient, engine: Gated) -> None:
    answer = client.post("/v1/paint", json={"runs": RUNS})
    (height, width), _ = engine.plan((40, 56))
    assert answer.headers["x-painted"] == f"{width}x{height}"
    assert answer.headers["x-enlarged"] == "1"
    timing = r"wait;dur=[\d.]+, paint;dur=[\d.]+, pack;dur=[\d.]+"
    assert re.fullmatch(timing, answer.headers["server-timing"])


def test_a_preview_is_painted_and_sent_small(quick: TestClient, fake: FakeEngine) -> None:
    answer = quick.post("/v1/paint", json={"runs": runs(sketch(0, (80, 120))), "short": 32})
    assert painted(answer).size == fake.asked[0][0] == (32, 64)
    both = {"runs": RUNS, "short": 32, "width": 64, "height": 64}
    refused(quick.post("/v1/paint", json=both), 422, "width and short each say how large")


# ---- lights


def test_a_photos_style_paints(client: TestClient, engine: Gated) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8)
    read = client.post("/v1/style", json={"photo": packed(photo), "name": "beach.png"}).json()
    assert read["origin"] == "photo beach.png"
    style = {"origin": read["origin"], "z": read["z"]}
    picture = painted(client.post("/v1/paint", json={"runs": RUNS, "style": style}))
    assert picture == engine.paint(sketch(), 0, engine.style_of(photo, "photo beach.png"))
    assert picture != engine.paint(sketch(), 0)


def test_seed_lights_and_their_numbers_are_the_same(client: TestClient, engine: Gated) -> None:
    style = engine.sample_style(3, sketch())
    expected = engine.paint(sketch(), 9, style)
    assert expected != engine.paint(sketch(), 9)
    for light in ({"seed": 3}, numbers(style)):
        asked = {"runs": RUNS, "style": light, "seed": 9}
        assert painted(client.post("/v1/paint", json=asked)) == expected


@pytest.mark.parametrize("blend", [0, 0.25, 1])
def test_two_styles_are_blended(quick: TestClient, fake: FakeEngine, blend: float) -> None:
    one, other = fake.sample_style(3), fake.sample_style(4)
    for light in ({"seed": 4}, numbers(other)):
        asked = {"runs": RUNS, "style": {"seed": 3}, "other": light, "blend": blend}
        assert quick.post("/v1/paint", json=asked).status_code == 200
        _, _, used = fake.asked[-1]
        assert used is not None
        np.testing.assert_allclose(used.z, (1 - blend) * one.z + blend * other.z, rtol=1e-5, atol=1e-6)


def test_without_a_style_the_seeds_own_is_blended(quick: TestClient, fake: FakeEngine) -> None:
    quick.post("/v1/paint", json={"runs": RUNS, "seed": 6, "other": {"seed": 4}, "blend": 0.5})
    (_, _, used), own = fake.asked[0], fake.sample_style(6)
    assert used is not None
    np.testing.assert_allclose(used.z, (own.z + fake.sample_style(4).z) / 2, rtol=1e-5, atol=1e-6)


def test_parts_of_a_sketch_have_lights_of_their_own(quick: TestClient, fake: FakeEngine) -> None:
    parts = np.repeat(np.arange(40, dtype=np.uint8) % 3, 56).reshape(40, 56)
    dusk = Style(fake.sample_style(4).z, "dusk")
    lights = {"parts": runs(parts), "styles": [{"seed": 2}, numbers(dusk)]}
    asked = {"runs": RUNS, "style": {"seed": 1}, "lights": lights}
    assert quick.post("/v1/paint", json=asked).status_code == 200
    assert quick.post("/v1/paint", json={**asked, "short": 32}).status_code == 200
    whole, small = fake.lights
    assert whole is not None
    assert small is not None
    assert np.array_equal(whole.numbers, parts)
    assert [style.origin for style in whole.styles] == ["seed 2", "dusk"]
    assert np.array_equal(whole.styles[0].z, fake.sample_style(2).z)
    assert np.array_equal(whole.styles[1].z, dusk.z)
    assert small.numbers.shape == fake.asked[1][0]


def test_lights_of_parts_are_in_the_picture(client: TestClient, engine: Gated) -> None:
    """Painted alone and together with another."""
    parts = np.zeros((40, 56), np.uint8)
    parts[:20] = 1
    lights = {"parts": runs(parts), "styles": [{"seed": 2}]}
    lit = painted(client.post("/v1/paint", json={"runs": RUNS, "seed": 1, "lights": lights}))
    plain, other = engine.paint(sketch(), 1), engine.paint(sketch(), 1, engine.sample_style(2))
    assert not np.array_equal(lit.pixels[:10], plain.pixels[:10])
    assert np.abs(lit.pixels[:5].astype(int) - other.pixels[:5]).max() <= 1
    assert np.abs(lit.pixels[-5:].astype(int) - plain.pixels[-5:]).max() <= 1


def test_lights_that_do_not_fit_are_refused(quick: TestClient) -> None:
    def ask(parts: np.ndarray, *styles: dict) -> Response:
        lights = {"parts": runs(parts), "styles": styles}
        return quick.post("/v1/paint", json={"runs": RUNS, "lights": lights})

    fitting, light = np.zeros((40, 56), np.uint8), {"seed": 2}
    refused(ask(fitting.T, light), 422, "parts of 40x56 pixels came for a sketch of 56x40")
    refused(ask(fitting + 2, light), 422, "there is part 2 of 1 styles: give a style for it")
    refused(ask(fitting, light, {"z": [1.0]}), 422, "the style has 1 values, model tiny takes 8 values")
    refused(ask(fitting), 422, "lights.styles")
    refused(ask(fitting, *[light] * 65), 422, "lights.styles")


def test_a_style_of_another_model_is_refused(quick: TestClient) -> None:
    for name in ("style", "other"):
        asked = {"runs": RUNS, name: {"z": [1.0]}}
        refused(quick.post("/v1/paint", json=asked), 422, "the style has 1 values, model tiny takes 8 values")


def test_a_mood_is_found_for_the_sketch(quick: TestClient, fake: FakeEngine) -> None:
    """The fake engine paints the place as a grey: 100 is a day, and nothing is darker than the rest."""
    asked = {"runs": RUNS, "mood": "soft day", "seed": 100}
    assert painted(quick.post("/v1/paint", json=asked)).provenance["style"] == "soft day"
    *_, (_, _, last) = fake.asked
    assert last is not None
    assert np.array_equal(last.z, fake.sample_style(100).z)
    refused(quick.post("/v1/paint", json=asked | {"mood": "night"}), 422, "has no mood night: Choose of soft")


# ---- judged


def test_obedience_is_told_where_it_is_asked_for(quick: TestClient, fake: FakeEngine, model: Path) -> None:
    judged = {"runs": RUNS, "seed": 5, "judged": True}  # a dark picture
    assert "x-obedience" not in quick.post("/v1/paint", json=judged).headers
    app = create_api(Shelf({"tiny": model}, load=lambda _: fake), find_segmenter=Darkness)
    with TestClient(app, HERE) as able:
        told = able.post("/v1/paint", json=judged).headers["x-obedience"]
        assert "x-obedience" not in able.post("/v1/paint", json={"runs": RUNS, "seed": 5}).headers
    assert float(told) == pytest.approx((fake.palette.id_of("rock") == sketch()).mean(), abs=1e-4)
