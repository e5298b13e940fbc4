"""The API over HTTP: pictures as the engine paints them, and a sentence for everything else."""

import asyncio
import io
import json
import logging
from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from serving import HERE, Gated, sketch

from spadework.api.answers import ReadMap
from spadework.api.app import create_api
from spadework.api.gate import Limits
from spadework.api.shelf import Shelf
from spadework.api.wire import Runs, StyleNumbers
from spadework.picture import Picture
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette


def runs(ids: np.ndarray) -> dict:
    return Runs.of(ids).model_dump()


def packed(pixels: np.ndarray, form: str = "PNG") -> str:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form)
    return b64encode(out.getvalue()).decode()


def refused(response, status: int, sentence: str) -> None:
    assert response.status_code == status, response.text
    assert sentence in response.json()["sentence"] + ": " + response.json()["remedy"]


# ---- pictures


def test_every_way_of_sending_a_sketch_gives_the_engines_picture(client: TestClient, engine: Gated) -> None:
    ids = sketch()
    expected = engine.paint(ids, 7)
    colors = engine.palette.colorize(ids)
    wide = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4) % 15, np.ones((16, 16), np.uint8))
    for way in ({"runs": runs(ids)}, {"ids_png": packed(ids)}, {"ids_png": packed(colors)}):
        response = client.post("/v1/paint", json={**way, "seed": 7})
        assert response.headers["content-type"] == "image/png"
        assert Picture.from_bytes(response.content) == expected
    colour_map = {"color_map": packed(engine.palette.colorize(wide)), "palette": "landscape"}
    painted = Picture.from_bytes(client.post("/v1/paint", json=colour_map).content)
    assert painted == engine.paint(wide)
    assert painted.provenance["seed"] == 0


@pytest.mark.parametrize(("form", "kind"), [("webp", "WEBP"), ("jpeg", "JPEG")])
def test_forms_and_sizes(client: TestClient, form: str, kind: str) -> None:
    asked = {"runs": runs(sketch()), "form": form, "width": 96, "height": 64}
    image = Image.open(io.BytesIO(client.post("/v1/paint", json=asked).content))
    assert (image.format, image.size) == (kind, (96, 64))


def test_a_photos_style_paints(client: TestClient, engine: Gated) -> None:
    photo = np.random.default_rng(0).integers(0, 255, (70, 90, 3), np.uint8)
    style = client.post("/v1/style", json={"photo": packed(photo), "name": "beach.png"}).json()
    assert style["origin"] == "photo beach.png"
    painted = Picture.from_bytes(
        client.post("/v1/paint", json={"runs": runs(sketch()), "style": style}).content
    )
    assert painted == engine.paint(sketch(), 0, engine.style_of(photo, "photo beach.png"))
    assert painted != engine.paint(sketch(), 0)
    short = {"runs": runs(sketch()), "style": {"z": [1.0]}}
    refused(client.post("/v1/paint", json=short), 422, "the style has 1 values, model tiny takes 8 values")


def test_a_mood_is_found_for_the_sketch(client: TestClient) -> None:
    response = client.post("/v1/paint", json={"runs": runs(sketch()), "mood": "soft day"})
    assert Picture.from_bytes(response.content).provenance["style"] == "soft day"
    response = client.post("/v1/paint", json={"runs": runs(sketch() * 0), "mood": "night"})
    refused(response, 422, "This sketch has no mood night: Choose of ")


# ---- reading


def test_label_maps_of_other_palettes_are_read_with_a_report(client: TestClient) -> None:
    palette = Palette.load("ade20k")
    sky = np.full((20, 30), palette.id_of("sky"), np.uint8)
    asked = {"file": packed(palette.colorize(sky)), "palette": "ade20k"}
    read = ReadMap.model_validate(client.post("/v1/labels/import", json=asked).json())
    assert read.palette == "ade20k"
    assert (read.runs.ids() == Palette.load("landscape").id_of("sky")).all()


def test_a_photo_becomes_labels_where_a_segmenter_is(client: TestClient, engine: Gated, model: Path) -> None:
    photo = packed(np.zeros((40, 40, 3), np.uint8))
    response = client.post("/v1/labels/from-photo", json={"photo": photo})
    refused(response, 404, "No segmenter of palette landscape is installed")

    class Sky:
        def label(self, image: np.ndarray) -> LabelMap:
            return LabelMap(np.zeros(image.shape[:2], np.uint8), engine.palette)

    app = create_api(Shelf({"tiny": model}, load=lambda _: engine), find_segmenter=lambda _: Sky())
    with TestClient(app, HERE) as seeing:
        read = ReadMap.model_validate(seeing.post("/v1/labels/from-photo", json={"photo": photo}).json())
    assert read.report == (f"found in the photograph: {engine.palette.name_of(0)} 100%",)


def test_models_palettes_and_state(client: TestClient, engine: Gated) -> None:
    models = client.get("/v1/models").json()
    assert [(model["name"], model["model"]) for model in models] == [("tiny", "tiny"), ("other", "tiny")]
    assert len(models[0]["palette"]["classes"]) == len(engine.palette.ids())
    assert "coco_stuff" in client.get("/v1/palettes").json()
    assert client.get("/v1/palettes/landscape").json()["classes"][0]["name"] == engine.palette.name_of(0)
    refused(client.get("/v1/palettes/etc"), 404, "No palette etc is shipped")
    refused(client.get("/v1/palettes/..%2f..%2fetc%2fpasswd"), 404, "")
    assert client.get("/health").json() == {"alive": True}
    assert client.get("/ready").json() == {"ready": True}


def test_metrics_count_what_was_painted(client: TestClient) -> None:
    client.post("/v1/paint", json={"runs": runs(sketch())})
    client.get("/no/such/place")
    text = client.get("/metrics").text
    assert 'spadework_pictures_total{model="tiny"} 1.0' in text
    assert 'spadework_requests_total{path="/v1/paint",status="200"} 1.0' in text
    assert 'spadework_requests_total{path="other",status="404"} 1.0' in text
    assert "spadework_queue 0.0" in text


def test_the_description_has_examples_that_work(engine: Gated, model: Path) -> None:
    client = TestClient(create_api(Shelf({"tiny": model}, load=lambda _: engine)), HERE)
    described = client.get("/v1/openapi.json").json()
    schemas = described["components"]["schemas"]
    for path, of in described["paths"].items():
        body = of.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
        for example in schemas.get(name, {}).get("examples", []):
            asked = {key: value for key, value in example.items() if key != "mood"}  # not every sketch has it
            answer = client.post(path, json=asked)
            assert answer.status_code == 200, (path, answer.text)


# ---- refusals


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({}, 422, "no sketch came: give one of ids_png, runs, color_map"),
        ({"ids_png": "?"}, 422, "ids_png is not base64"),
        ({"ids_png": packed(sketch())[:100]}, 422, "ids_png is a damaged or truncated PNG"),
        (
            {"runs": runs(sketch()), "model": "none"},
            404,
            "No model none is served here: Choose of tiny, other.",
        ),
        ({"runs": runs(sketch()), "seed": -1}, 422, "seed -1 is not what it can be: Give at least 0."),
        ({"runs": runs(sketch()), "width": 300, "height": 200}, 413, "300x200 pixels are too many"),
        ({"runs": {"width": 8192, "height": 8192, "runs": [[0, 8192 * 8192]]}}, 413, "8192x8192 pixels"),
        ({"runs": {"width": 8, "height": 8, "runs": [[99, 64]]}}, 422, "99"),
        ({"color_map": packed(sketch()), "palette": "none"}, 404, "No palette none is shipped"),
        ({"runs": runs(sketch()), "sketch": 1}, 422, "sketch is not known here: Leave sketch out."),
    ],
)
def test_requests_that_cannot_be_painted(client: TestClient, asked: dict, status: int, told: str) -> None:
    refused(client.post("/v1/paint", json=asked), status, told)


def test_large_bodies_foreign_hosts_and_pages(client: TestClient) -> None:
    refused(client.post("/v1/paint", content=b" " * 100_001), 413, "The body is larger than")
    pieces = (b" " * 10_000 for _ in range(11))
    refused(client.post("/v1/paint", content=pieces), 413, "The body is larger than")
    slow = _Slowly(client.app)
    refused(TestClient(slow, HERE).post("/v1/paint", content=b"{}"), 408, "The body did not arrive in time")
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}):
        assert client.get("/v1/models", headers=headers).status_code == 403


class _Slowly:
    """An app whose clients send nothing after the first byte."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        sent = False

        async def slowly() -> Any:
            nonlocal sent
            if sent:
                await asyncio.sleep(60)
            sent = True
            return {"type": "http.request", "body": b"{", "more_body": True}

        await self._app(scope, slowly, send)


def test_keys_and_origins(engine: Gated, model: Path) -> None:
    app = create_api(
        Shelf({"tiny": model}, load=lambda _: engine), keys=["one", "two"], origins=["https://mine.example"]
    )
    with TestClient(app, "http://painter.example") as client:
        for headers in ({}, {"authorization": "Bearer three"}, {"authorization": "Bearer "}):
            refused(client.get("/v1/models", headers=headers), 401, "No valid API key came")
        assert client.get("/metrics").status_code == 401
        assert client.get("/health").status_code == 200
        own = {"authorization": "Bearer two", "origin": "https://mine.example"}
        response = client.get("/v1/models", headers=own)
        assert response.headers["access-control-allow-origin"] == "https://mine.example"
        assert client.get("/v1/models", headers=own | {"origin": "https://evil.example"}).status_code == 403


def test_every_request_has_a_name_in_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "spadework.api"):
        response = client.post("/v1/paint", json={"runs": runs(sketch())}, headers={"x-request-id": "mine-1"})
        other = client.get("/v1/models", headers={"x-request-id": 'no"name'})
    assert response.headers["x-request-id"] == "mine-1"
    assert len(other.headers["x-request-id"]) == 32
    first, second = (json.loads(record.message) for record in caplog.records)
    assert (first["request"], first["path"], first["status"]) == ("mine-1", "/v1/paint", 200)
    assert first["together"] == 1
    assert second["request"] == other.headers["x-request-id"]


def test_our_own_faults_are_not_told_in_detail(client: TestClient) -> None:
    response = client.post("/v1/paint", json={"runs": runs(sketch()), "seed": 666})
    refused(response, 500, "The API failed at this request")
    assert "broken" not in response.text


def test_a_style_of_many_numbers_is_kept(client: TestClient, engine: Gated) -> None:
    style = StyleNumbers(origin="seed 3", z=tuple(map(float, engine.sample_style(3).z)))
    asked = {"runs": runs(sketch()), "style": style.model_dump(), "seed": 3}
    assert Picture.from_bytes(client.post("/v1/paint", json=asked).content) == engine.paint(
        sketch(), 3, engine.sample_style(3)
    )


def test_limits_are_checked() -> None:
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Limits(together=0)
