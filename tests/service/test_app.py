"""Sketches in, pictures out, and every refusal is a sentence with a remedy."""

import io
import json
import re
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from httpx2 import Response
from PIL import Image
from spadework.service.app import create_app
from spadework.service.limits import Limits
from tiny_model import write

from spadework.engine import MODELS, Engine
from spadework.picture import Picture
from spadework.project import Project
from spadework.service.moods import TRIED
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.studio import SKETCHES, create_studio

HERE = "http://127.0.0.1:7420"
IDS = (np.arange(40 * 60).reshape(40, 60) // 300).astype(np.uint8)
RAW = IDS.tobytes()
SIZE = {"width": 60, "height": 40}


class Darkness:
    """A segmenter: dark is rock, bright is sky."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette

    def label(self, image: np.ndarray) -> LabelMap:
        dark = image.mean(2) < 128
        names = ("rock", "sky")
        return LabelMap(np.where(dark, *map(self.palette.id_of, names)).astype(np.uint8), self.palette)


def problem(response: Response, status: int) -> str:
    """The sentence and the remedy of a refusal."""
    assert response.status_code == status, response.text
    told = response.json()
    assert set(told) == {"sentence", "remedy"}
    assert told["sentence"]
    assert told["remedy"]
    return f"{told['sentence']}: {told['remedy']}"


def photo(value: int = 90) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), (value, value, value)).save(out, format="JPEG")
    return out.getvalue()


def test_the_model_tells_its_classes(client: TestClient) -> None:
    model = client.get("/api/model").json()
    assert [c["name"] for c in model["classes"]][:2] == ["sky", "clouds"]
    assert model["classes"][-1] == {
        "id": 255,
        "name": "unknown",
        "color": "#4a0a4a",
        "aliases": [],
        "synonyms": [],
    }
    assert model["styles"]
    assert model["photo_styles"]


def test_raw_ids_and_a_label_png_paint_the_same(client: TestClient, engine: FakeEngine) -> None:
    raw = client.post("/api/paint", params={**SIZE, "seed": 5}, content=RAW)
    png = client.post("/api/paint", params={"seed": 5}, content=LabelMap(IDS, engine.palette).to_bytes())
    assert raw.content == png.content
    picture = Picture.from_bytes(raw.content)
    assert picture.size == (40, 60)
    assert picture.provenance["seed"] == 5
    assert re.fullmatch(r"wait;dur=[\d.]+, paint;dur=[\d.]+, pack;dur=[\d.]+", raw.headers["server-timing"])


def test_raw_pixels_are_those_of_the_png(client: TestClient, engine: FakeEngine) -> None:
    png = client.post("/api/paint", params={**SIZE, "seed": 5}, content=RAW)
    raw = client.post("/api/paint", params={**SIZE, "seed": 5, "form": "raw"}, content=RAW)
    assert (raw.headers["x-width"], raw.headers["x-height"]) == ("60", "40")
    pixels = np.frombuffer(raw.content, np.uint8).reshape(40, 60, 4)
    assert (pixels[..., :3] == Picture.from_bytes(png.content).pixels).all()
    assert (pixels[..., 3] == 255).all()


def test_a_preview_is_painted_and_sent_small(client: TestClient, engine: FakeEngine) -> None:
    response = client.post("/api/paint", params={**SIZE, "short": 32}, content=RAW)
    assert Picture.from_bytes(response.content).size == engine.asked[0][0] == (32, 64)


def test_styles_of_seeds_photos_and_blends(client: TestClient, engine: FakeEngine) -> None:
    held = client.post("/api/styles", params={"name": "dusk.jpg"}, content=photo()).json()
    assert held["origin"] == "photo dusk.jpg"
    style = {"style": "seed:3", "other": held["id"], "blend": 0.25}
    client.post("/api/paint", params={**SIZE, **style}, content=RAW)
    used = engine.asked[0][2]
    assert used is not None
    expected = 0.75 * engine.sample_style(3).z + 0.25 * np.array(held["z"], np.float32)
    np.testing.assert_allclose(used.z, expected, rtol=1e-5)


def test_a_forgotten_style_can_be_brought_again(client: TestClient, engine: FakeEngine) -> None:
    first = client.post("/api/styles", content=photo(10)).json()
    for value in (100, 200):
        client.post("/api/styles", content=photo(value))
    lost = client.post("/api/paint", params={**SIZE, "style": first["id"]}, content=RAW)
    assert "forgotten" in problem(lost, 410)
    again = client.put("/api/styles", json={"origin": first["origin"], "z": first["z"]}).json()
    assert again == first
    assert client.post("/api/paint", params={**SIZE, "style": first["id"]}, content=RAW).status_code == 200


def test_a_seed_settles_for_a_sketch(client: TestClient, engine: FakeEngine) -> None:
    held = client.post("/api/styles/of-seed", params={**SIZE, "seed": 3}, content=RAW).json()
    assert held["origin"] == "seed 3"
    np.testing.assert_array_equal(np.array(held["z"], np.float32), engine.sample_style(3).z)
    client.post("/api/paint", params={**SIZE, "style": held["id"], "seed": 9}, content=RAW)
    (_, seed, style) = engine.asked[0]
    assert seed == 9
    assert style is not None
    assert style.origin == "seed 3"


def test_parts_of_a_sketch_have_lights_of_their_own(client: TestClient, engine: FakeEngine) -> None:
    numbers = (np.arange(len(RAW)) % 3).astype(np.uint8).reshape(IDS.shape)
    photo = engine.sample_style(4)
    held = client.put("/api/styles", json={"origin": "dusk", "z": photo.z.tolist()}).json()
    params = {**SIZE, "style": "seed:1", "lights": f"seed:2,{held['id']}"}
    assert client.post("/api/paint", params=params, content=RAW + numbers.tobytes()).status_code == 200
    (lights,) = engine.lights
    assert lights is not None
    assert (lights.numbers == numbers).all()
    assert [style.origin for style in lights.styles] == ["seed 2", "dusk"]
    assert (lights.styles[1].z == photo.z).all()
    assert (
        client.post("/api/paint", params={**params, "short": 32}, content=RAW + numbers.tobytes()).status_code
        == 200
    )
    assert engine.lights[1] is not None
    assert engine.lights[1].numbers.shape == engine.asked[1][0]


def test_lights_that_do_not_fit_are_refused(client: TestClient) -> None:
    few = client.post("/api/paint", params={**SIZE, "lights": "seed:2"}, content=RAW)
    assert few.status_code == 422
    assert few.json()["sentence"].endswith(f"ids and lights of {SIZE['width']}x{SIZE['height']} pixels")
    over = client.post("/api/paint", params={**SIZE, "lights": "seed:2"}, content=RAW + bytes([2]) * len(RAW))
    assert over.json()["sentence"] == "there is light 2 of 1"
    for wrong in ("", "seed:2,", "dusk"):
        assert client.post("/api/paint", params={**SIZE, "lights": wrong}, content=2 * RAW).status_code == 422


def test_label_maps_are_read_and_written(client: TestClient, engine: FakeEngine) -> None:
    png = client.post("/api/labels/write", params=SIZE, content=RAW)
    assert LabelMap.from_bytes(png.content, engine.palette) == LabelMap(IDS, engine.palette)
    back = client.post("/api/labels/read", content=png.content).json()
    assert (b64decode(back["ids"]), back["width"], back["height"]) == (RAW, 60, 40)
    assert (back["palette"], back["report"]) == ("landscape", [])


def test_a_map_of_another_palette_is_translated_and_told(client: TestClient, engine: FakeEngine) -> None:
    coco = Palette.load("coco_stuff")
    ids = np.full((20, 30), coco.id_of("river"), np.uint8)
    ids[:10] = coco.id_of("sky-other")
    file = LabelMap(ids, coco).to_bytes()
    found = client.post("/api/labels/read", params={"palette": "coco_stuff"}, content=file).json()
    back = np.frombuffer(b64decode(found["ids"]), np.uint8).reshape(20, 30)
    assert (back[:10] == engine.palette.id_of("sky")).all()
    assert (back[10:] == engine.palette.id_of("water")).all()
    assert found["palette"] == "coco_stuff"
    assert found["report"][0].startswith("palette coco_stuff: ")
    assert "river -> water" in found["report"][-1]
    for name, words in (("x", "no palette"), ("../x.json", "the name of a shipped palette")):
        answer = client.post("/api/labels/read", params={"palette": name}, content=file)
        assert words in problem(answer, 422)


def test_a_spoilt_map_is_repaired_and_told(client: TestClient, engine: FakeEngine) -> None:
    out = io.BytesIO()
    large = Image.fromarray(engine.palette.colors()[IDS]).resize((120, 80), Image.Resampling.NEAREST)
    large.save(out, "JPEG", quality=95)
    found = client.post("/api/labels/read", content=out.getvalue()).json()
    assert found["palette"] == "landscape"
    assert any("JPEG" in line for line in found["report"])
    back = np.frombuffer(b64decode(found["ids"]), np.uint8).reshape(80, 120)
    assert (back[::2, ::2] == IDS).mean() > 0.95


def test_photos_become_label_maps_where_a_segmenter_is(client: TestClient, engine: FakeEngine) -> None:
    assert not client.get("/api/model").json()["photo_labels"]
    assert "No segmenter" in problem(client.post("/api/labels/from-photo", content=photo()), 404)
    with TestClient(create_app(engine, segmenter=Darkness(engine.palette)), HERE) as able:
        assert able.get("/api/model").json()["photo_labels"]
        found = able.post("/api/labels/from-photo", content=photo(90)).json()
        assert set(b64decode(found["ids"])) == {engine.palette.id_of("rock")}
        assert found["width"] / found["height"] == 1.5
        assert found["report"] == ["found in the photograph: rock 100%"]
        problem(able.post("/api/labels/from-photo", content=b"no photo"), 422)


def test_a_live_request_gives_way_to_a_newer_one(client: TestClient, engine: FakeEngine) -> None:
    engine.go.clear()

    def ask(seed: int) -> Response:
        return client.post("/api/paint", params={**SIZE, "seed": seed, "live": True}, content=RAW)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(ask, 1)
        assert engine.started.wait(20)
        others = [pool.submit(ask, seed) for seed in (2, 3, 4)]
        given_up = list(islice(as_completed(others, 20), 2))
        engine.go.set()
    assert [answer.result().status_code for answer in given_up] == [204, 204]
    assert {answer.result().status_code for answer in [first, *set(others) - set(given_up)]} == {200}


@pytest.mark.parametrize(
    ("params", "content", "status", "words"),
    [
        ({}, b"no png", 422, "not a picture"),
        (SIZE, RAW[:-1], 422, "2,399 ids came for 60x40"),
        (SIZE, b"\x20" * 2400, 422, "id 32"),
        ({**SIZE, "seed": -1}, RAW, 422, "seed"),
        ({**SIZE, "sed": 1}, RAW, 422, "sed"),
        ({**SIZE, "style": "sunset"}, RAW, 422, "style"),
        ({"width": 201, "height": 200}, b"\0" * 40200, 413, "too large"),
        ({}, b"\0" * 100_001, 413, "MiB"),
        ({**SIZE, "seed": 666}, RAW, 500, "failed"),
    ],
)
def test_refusals(client: TestClient, params: dict, content: bytes, status: int, words: str) -> None:
    assert words in problem(client.post("/api/paint", params=params, content=content), status)


def test_a_body_of_unknown_length_is_counted(client: TestClient) -> None:
    chunks = (b"\0" * 10_000 for _ in range(11))
    assert "MiB" in problem(client.post("/api/paint", content=chunks), 413)


def test_other_addresses_and_foreign_pages_are_refused(client: TestClient) -> None:
    assert "evil.example" in problem(client.get("/api/model", headers={"Host": "evil.example"}), 403)
    foreign = client.get("/api/model", headers={"Origin": "http://evil.example"})
    assert "evil.example" in problem(foreign, 403)
    assert "null" in problem(client.get("/api/model", headers={"Origin": "null"}), 403)
    assert client.get("/api/model", headers={"Origin": HERE}).status_code == 200
    assert "/nothing" in problem(client.get("/nothing"), 404)


def test_a_token_opens_what_is_not_loopback(engine: FakeEngine) -> None:
    with TestClient(create_studio(engine, token="open"), "http://studio.lan:80") as client:
        assert "locked" in problem(client.get("/api/model"), 401)
        assert "locked" in problem(client.get("/?token=wrong"), 401)
        assert client.get("/api/model", headers={"Authorization": "Bearer open"}).status_code == 200
        welcome = client.get("/?token=open", follow_redirects=False)
        assert welcome.headers["location"] == "/"
        assert "HttpOnly" in welcome.headers["set-cookie"]
        assert client.get("/api/model").status_code == 200


def test_the_page_loads_nothing_from_elsewhere(engine: FakeEngine) -> None:
    with TestClient(create_studio(engine), HERE) as client:
        page = client.get("/")
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert "//" not in page.text
        examples = client.get("/api/examples").json()
        assert len(examples) == len(list(SKETCHES.glob("*.png"))) >= 8
        for each in examples:
            assert client.get(each["url"]).status_code == 200


@pytest.mark.parametrize("shipped", [False, True], ids=["tiny", "shipped"])
def test_with_a_real_engine(tmp_path: Path, shipped: bool) -> None:
    if shipped and not MODELS["landscape"].is_file():
        pytest.skip("the shipped model is not there")
    engine = Engine.load("landscape" if shipped else write(tmp_path / "tiny.safetensors"), "cpu")
    sketch = next(SKETCHES.glob("*.png"))
    with TestClient(create_app(engine), HERE) as client:
        answer = client.post("/api/paint", params={"seed": 3}, content=sketch.read_bytes())
        assert Picture.from_bytes(answer.content) == engine.paint(LabelMap.read(sketch, engine.palette), 3)


def test_any_file_is_told_for_what_it_is(client: TestClient, engine: FakeEngine) -> None:
    def kind(content: bytes) -> str:
        answer = client.post("/api/open", content=content)
        assert answer.status_code == 200
        return answer.json()["kind"]

    rng = np.random.default_rng(0)
    grain = rng.normal(0, 9, (60, 90, 3)) + np.linspace(10, 50, 90)[:, None]
    dark = io.BytesIO()
    Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(dark, format="JPEG")
    spoilt = io.BytesIO()
    Image.fromarray(engine.palette.colorize(IDS)).save(spoilt, format="JPEG", quality=90)
    large = io.BytesIO()
    Image.new("RGB", (300, 300)).save(large, format="JPEG")
    assert kind(LabelMap(IDS, engine.palette).to_bytes()) == "labels"
    assert kind(spoilt.getvalue()) == "labels"
    assert kind(dark.getvalue()) == "photo"
    assert kind(large.getvalue()) == "photo"  # too large for a sketch, but not for its light
    assert kind(b"Dear studio") == "nothing"
    assert kind(b"") == "nothing"


def test_no_words_of_the_machine_in_a_refusal(client: TestClient) -> None:
    asked = [
        ({"seed": "x"}, "seed x is not what it can be: Give a whole number."),
        ({"seed": -1}, "Give at least 0."),
        ({"width": 9000}, "Give at most 8192."),
        ({"style": "dusk"}, "Give seed:7, or the id of a style."),
        ({"form": "bmp"}, "Give 'png' or 'raw'."),
        ({"blend": "nan"}, "blend nan"),
        ({"sed": 1}, "sed is not known here: Leave sed out."),
        ({"live": "perhaps"}, "Give true or false."),
    ]
    for params, words in asked:
        told = problem(client.post("/api/paint", params=params, content=RAW), 422)
        assert words in told
        assert not re.search(r"[Ii]nput|pattern|parse|\^|\\", told)
    told = problem(client.put("/api/styles", content=b"{", headers={"Content-Type": "application/json"}), 422)
    assert "Give JSON." in told


def test_varied_styles_lie_apart(client: TestClient, engine: FakeEngine) -> None:
    query = {**SIZE, "seed": 2**32 - 2}
    found = client.post("/api/styles/varied", params=query, content=RAW).json()
    assert len({one["seed"] for one in found}) == len({one["id"] for one in found}) == 4
    assert found[0]["seed"] == 2**32 - 2
    for one in found:
        np.testing.assert_array_equal(np.array(one["z"], np.float32), engine.sample_style(one["seed"], IDS).z)
    z = np.array([one["z"] for one in found])
    apart = np.linalg.norm(z[:, None] - z, axis=-1)[np.triu_indices(4, 1)].min()
    first = np.stack([engine.sample_style(seed, IDS).z for seed in range(4)])
    assert apart > np.linalg.norm(first[:, None] - first, axis=-1)[np.triu_indices(4, 1)].min()


def test_what_is_painted_of_a_size(client: TestClient, engine: FakeEngine) -> None:
    short = min(engine.card.generator.size)
    told = client.get("/api/size", params={"width": 8 * short, "height": 4 * short}).json()
    assert told == {"width": 2 * short, "height": short, "doublings": 0}
    picture = client.post("/api/paint", params=SIZE, content=RAW)
    assert picture.headers["x-painted"] == "60x40"
    assert picture.headers["x-enlarged"] == "1"


def test_obedience_is_told_where_it_is_asked_for(client: TestClient, engine: FakeEngine) -> None:
    query = {**SIZE, "seed": 5, "judged": True}  # a dark picture
    assert "x-obedience" not in client.post("/api/paint", params=query, content=RAW).headers
    rock = engine.palette.id_of("rock")
    with TestClient(create_app(engine, segmenter=Darkness(engine.palette)), HERE) as able:
        told = able.post("/api/paint", params=query, content=RAW).headers["x-obedience"]
        assert float(told) == pytest.approx((rock == IDS).mean(), abs=1e-4)
        assert "x-obedience" not in able.post("/api/paint", params={**SIZE, "seed": 5}, content=RAW).headers


def test_moods_are_shown_in_the_place_that_is_used(client: TestClient, engine: FakeEngine) -> None:
    query = {**SIZE, "seed": 77, "light": 3}
    found = client.post("/api/moods", params=query, content=RAW).json()
    assert {seed for _, seed, _ in engine.asked} == {77}
    first = engine.asked[0][2]
    assert first is not None
    assert first.origin == "seed 3"
    assert len(engine.asked) == TRIED
    assert 0 <= found["light"] < TRIED


def test_a_film_shows_every_sketch(client: TestClient, engine: FakeEngine) -> None:
    film = client.post("/api/film", params={**SIZE, "seed": 40}, content=RAW + bytes(2400) + RAW)
    image = Image.open(io.BytesIO(film.content))
    assert (image.format, image.n_frames) == ("GIF", 3)
    assert film.headers["content-type"] == "image/gif"
    assert {seed for _, seed, _ in engine.asked} == {40}
    assert len({style.z.tobytes() for _, _, style in engine.asked if style}) == 1  # one light
    image.seek(1)
    pixels = np.asarray(image.convert("RGB"))
    assert (pixels[50, 50] == engine.palette.colors()[0]).all()
    assert np.abs(pixels[50, -50].astype(int) - 40).max() < 4
    for size, content in ((SIZE, RAW[:-1]), (SIZE, b""), ({}, RAW)):
        problem(client.post("/api/film", params=size, content=content), 422)


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("scale", [1, 2])
def test_a_picture_to_keep_of_any_kind(tmp_path: Path, form: str, scale: int) -> None:
    engine = Engine.load(write(tmp_path / "tiny.safetensors"), "cpu")
    base = {"width": 60, "height": 40, "background": 0, "ids": "0*1200 4*1200"}
    data = {"format": "spadework-project", "version": 1, "palette": "landscape", "base": base}
    data |= {"strokes": [], "undone": [], "style": {"seed": 3, "mood": {"seed": 3}}}
    project = Project.from_text(json.dumps(data))
    limits = Limits(pixels=60 * 40 * 4)
    with TestClient(create_app(engine, limits), HERE) as client:
        query = {"form": form, "scale": scale}
        answer = client.post("/api/picture", params=query, content=json.dumps(data))
        assert answer.headers["content-type"] == f"image/{form}"
        picture = Picture.from_bytes(answer.content)
        expected = project.paint(engine, scale)
        assert picture.size == (40 * scale, 60 * scale)
        if form == "png":
            assert picture == expected
        else:
            assert Image.open(io.BytesIO(answer.content)).format == form.upper()
            grey, wanted = (each.pixels.astype(int).mean(2) for each in (picture, expected))
            assert np.corrcoef(grey.ravel(), wanted.ravel())[0, 1] > 0.9  # noise in colours is lost
        small = create_app(engine, Limits(pixels=60 * 40))
    with TestClient(small, HERE) as client:
        answer = client.post("/api/picture", params=query, content=json.dumps(data))
        if scale == 2:
            assert "picture of 120x80 pixels is too large" in problem(answer, 413)
