"""What the API tells of itself: models, palettes, sizes, sketches, its state, its counters, its document."""

from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from serving import HERE, Gated, refused, runs, sketch

from spadework.api.answers import Start
from spadework.api.app import create_api
from spadework.api.shelf import Shelf
from spadework.service.composing import SCENES, compose
from spadework.sketch.examples import SKETCHES, title_of


def test_models_and_their_classes(client: TestClient, engine: Gated) -> None:
    models = client.get("/v1/models").json()
    assert [(model["name"], model["model"]) for model in models] == [("tiny", "tiny"), ("other", "tiny")]
    first = models[0]
    assert first["styles"]
    assert first["photo_styles"]
    assert not first["photo_labels"]
    assert tuple(first["size"]) == engine.card.generator.size
    classes = first["palette"]["classes"]
    assert first["palette"]["name"] == "landscape"
    assert [one["name"] for one in classes][:2] == ["sky", "clouds"]
    assert len(classes) == len(engine.palette.ids())
    assert classes[-1] == {"id": 255, "name": "unknown", "color": "#4a0a4a", "aliases": [], "synonyms": []}


def test_a_model_is_loaded_when_it_is_asked(engine: Gated, model: Path) -> None:
    shelf = Shelf({"one": model, "two": model}, load=lambda _: engine)
    with TestClient(create_api(shelf), HERE) as client:
        assert [each["loaded"] for each in client.get("/v1/models").json()] == [False, False]
        asked = {"runs": runs(sketch()), "model": "two"}
        assert client.post("/v1/paint", json=asked).status_code == 200
        assert [each["loaded"] for each in client.get("/v1/models").json()] == [False, True]


def test_palettes_and_state(client: TestClient, engine: Gated) -> None:
    assert "coco_stuff" in client.get("/v1/palettes").json()
    assert client.get("/v1/palettes/landscape").json()["classes"][0]["name"] == engine.palette.name_of(0)
    refused(client.get("/v1/palettes/etc"), 404, "No palette etc is shipped")
    refused(client.get("/v1/palettes/..%2f..%2fetc%2fpasswd"), 404, "")
    assert client.get("/health").json() == {"alive": True}
    assert client.get("/ready").json() == {"ready": True}


def test_it_is_not_ready_while_it_stops(fake: FakeEngine, model: Path) -> None:
    app = create_api(Shelf({"tiny": model}, load=lambda _: fake))
    with TestClient(app, HERE):
        pass
    late = TestClient(app, HERE)
    for answer in (late.get("/ready"), late.post("/v1/paint", json={"runs": runs(sketch())})):
        refused(answer, 503, "The API is being stopped")
        assert answer.headers["retry-after"] == "5"


def test_what_is_painted_of_a_size(client: TestClient, engine: Gated) -> None:
    for size in ((40, 56), (64, 128), (200, 200), (8, 160)):
        asked = {"width": size[1], "height": size[0]}
        (height, width), doublings = engine.plan(size)
        told = {"width": width, "height": height, "doublings": doublings}
        assert client.get("/v1/size", params=asked).json() == told
    refused(client.get("/v1/size", params={"width": 300, "height": 200}), 413, "300x200 pixels are too many")
    refused(client.get("/v1/size", params={"width": 9000, "height": 8}), 422, "Give at most 8192.")
    refused(client.get("/v1/size", params={"width": 8}), 422, "height is missing: Send height too.")
    refused(client.get("/v1/size", params=asked | {"sed": 1}), 422, "sed is not known here")
    refused(client.get("/v1/size", params=asked | {"model": "none"}), 404, "No model none is served here")


def test_sketches_to_start_from(quick: TestClient) -> None:
    examples = quick.get("/v1/sketches").json()
    files = {file.stem: file for file in SKETCHES.glob("*.png")}
    assert [each["name"] for each in examples] == sorted(files)
    for each in examples:
        assert each["title"] == title_of(each["name"])
        answer = quick.get(f"/{each['url']}")
        assert answer.headers["content-type"] == "image/png"
        assert answer.content == files[each["name"]].read_bytes()
    refused(quick.get("/v1/sketches/none"), 404, "There is no sketch none")
    refused(quick.get("/v1/sketches/..%2fexamples.py"), 404, "")


def test_composed_sketches(quick: TestClient) -> None:
    asked = {"seed": 5, "width": 96, "height": 64}
    starts = [Start.model_validate(one) for one in quick.get("/v1/sketches/composed", params=asked).json()]
    assert [start.title for start in starts] == list(SCENES)
    for start in starts:
        assert np.array_equal(start.runs.ids(), compose(start.title, 5, (64, 96)).ids)
    named = quick.get("/v1/sketches/composed", params=asked | {"client": "me", "deadline": 30})
    assert [Start.model_validate(one) for one in named.json()] == starts
    wide = quick.get("/v1/sketches/composed", params={"width": 513})
    refused(wide, 422, "width 513 is not what it can be: Give at most 512.")


@pytest.fixture
def fresh(fake: FakeEngine, model: Path) -> TestClient:
    return TestClient(create_api(Shelf({"tiny": model}, load=lambda _: fake)), HERE)


def test_metrics_count_what_was_painted(fresh: TestClient) -> None:
    with fresh as client:
        client.post("/v1/paint", json={"runs": runs(sketch())})
        client.get("/no/such/place")
        text = client.get("/metrics").text
    assert 'spadework_pictures_total{model="tiny"} 1.0' in text
    assert 'spadework_requests_total{path="/v1/paint",status="200"} 1.0' in text
    assert 'spadework_requests_total{path="other",status="404"} 1.0' in text
    assert "spadework_queue 0.0" in text


def test_the_document_has_examples_that_work(quick: TestClient) -> None:
    document = quick.get("/v1/openapi.json").json()
    assert {path for path in document["paths"] if path.startswith("/v1/")} == {
        "/v1/film",
        "/v1/labels/from-photo",
        "/v1/labels/import",
        "/v1/labels/write",
        "/v1/models",
        "/v1/moods",
        "/v1/open",
        "/v1/paint",
        "/v1/palettes",
        "/v1/palettes/{name}",
        "/v1/projects/layers",
        "/v1/projects/picture",
        "/v1/size",
        "/v1/sketches",
        "/v1/sketches/composed",
        "/v1/sketches/{name}",
        "/v1/style",
        "/v1/style/of-seed",
        "/v1/style/varied",
    }
    schemas = document["components"]["schemas"]
    tried = 0
    for path, offered in document["paths"].items():
        body = offered.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
        for example in schemas.get(name, {}).get("examples", [])[:1]:
            assert quick.post(path, json=example).status_code == 200, path
            tried += 1
    assert tried >= 2
