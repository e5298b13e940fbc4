"""Every refusal is a sentence with a remedy, without words of the machine."""

import base64
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from misread import bomb, colors, png
from misread import file_of as written
from serving import coded, packed, refused, runs, sketch

RUNS = runs(sketch())
Z = [1.0] * 8
OURS = re.compile(
    r"[Ii]nput|pattern|parse|\^|\\|Numbers|Seed|Light|Wire|Runs|tuple|dict|None|pydantic|<class|object at"
)
"""Words of Python and of libraries, and names of our classes."""


def ask(client: TestClient, asked: dict[str, Any], status: int, words: str) -> None:
    said = refused(client.post("/v1/paint", json=asked), status, words)
    assert not OURS.search(said), said


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({}, 422, "no sketch came: give one of ids_png, runs, color_map"),
        ({"ids_png": "?"}, 422, "ids_png is not base64"),
        ({"ids_png": packed(sketch())[:100]}, 422, "ids_png is a damaged or truncated PNG"),
        ({"ids_png": coded(b"no png")}, 422, "not a picture"),
        ({"runs": RUNS, "model": "none"}, 404, "No model none is served here: Choose of fake."),
        ({"runs": RUNS, "width": 300, "height": 200}, 413, "300x200 pixels are too many"),
        ({"runs": {"width": 8192, "height": 8192, "runs": [[0, 8192 * 8192]]}}, 413, "8192x8192 pixels"),
        (
            {"runs": {"width": 60, "height": 40, "runs": [[0, 2399]]}},
            422,
            "runs have 2,399 pixels, 60x40",
        ),
        ({"runs": {"width": 8, "height": 8, "runs": [[32, 64]]}}, 422, "id 32"),
        ({"runs": {"width": 9000, "height": 8, "runs": []}}, 422, "runs.width 9000 is not what it can be"),
        ({"runs": {"width": 8, "height": 8, "runs": [[0]]}}, 422, "runs.runs.0.1 is missing"),
        ({"runs": 7}, 422, "runs 7 is not what it can be: Give an object."),
        ({"color_map": packed(sketch()), "palette": "none"}, 404, "No palette none is shipped"),
        ({"runs": RUNS, "seed": -1}, 422, "seed -1 is not what it can be: Give at least 0."),
        ({"runs": RUNS, "seed": 2**32}, 422, "Give at most 4294967295."),
        ({"runs": RUNS, "seed": "x"}, 422, "seed x is not what it can be: Give a whole number."),
        ({"runs": RUNS, "sed": 1}, 422, "sed is not known here: Leave sed out."),
        (
            {"runs": RUNS, "form": "bmp"},
            422,
            "form bmp is not what it can be: Give 'png', ",
        ),
        ({"runs": RUNS, "blend": "x"}, 422, "blend x is not what it can be: Give a number."),
        ({"runs": RUNS, "blend": 1.5}, 422, "Give at most 1."),
        ({"runs": RUNS, "live": "perhaps", "client": "a"}, 422, "Give true or false."),
        ({"runs": RUNS, "live": True}, 422, "a live request came without a client"),
        ({"runs": RUNS, "client": "a b"}, 422, "Give up to 64 letters, digits, dots, - and _."),
        ({"runs": RUNS, "deadline": 0}, 422, "deadline 0"),
        ({"runs": RUNS, "deadline": 601}, 422, "Give at most 600."),
    ],
)
def test_requests_that_cannot_be_painted(quick: TestClient, asked: dict, status: int, told: str) -> None:
    ask(quick, asked, status, told)


@pytest.mark.parametrize("name", ["style", "other"])
@pytest.mark.parametrize(
    ("light", "told"),
    [
        ({"seed": -1}, "{}.seed -1 is not what it can be: Give at least 0."),
        ({"seed": "x"}, "{}.seed x is not what it can be: Give a whole number."),
        ({"z": []}, "{}.z is not what it can be: Give at least 1 values."),
        ({"z": ["x"]}, "{}.z.0 x is not what it can be: Give a number."),
        ({"z": 1}, "{}.z 1 is not what it can be: Give a list."),
        ({"seed": 1, "z": Z}, "{}.z is not known here: Leave {}.z out."),
        ({"z": Z, "id": 7}, "{}.id 7 is not what it can be: Give text."),
        ({"z": Z, "origin": ""}, "{}.origin is not what it can be: Give at least 1 characters."),
        ({}, "{}.z is missing: Send {}.z too."),
        (7, "{} 7 is not what it can be: Give an object."),
        ("dusk", "{} dusk is not what it can be: Give an object."),
        ([1], "{} is not what it can be: Give an object."),
    ],
)
def test_what_is_no_light(quick: TestClient, name: str, light: Any, told: str) -> None:
    ask(quick, {"runs": RUNS, name: light}, 422, told.replace("{}", name))


def test_lights_of_parts_are_told_by_their_place(quick: TestClient) -> None:
    for light, told in (({"seed": -1}, "lights.styles.1.seed -1"), ({}, "lights.styles.1.z is missing")):
        lights = {"parts": RUNS, "styles": [{"seed": 1}, light]}
        ask(quick, {"runs": RUNS, "lights": lights}, 422, told)


def test_numbers_that_are_none(quick: TestClient) -> None:
    """JSON as Python writes it has NaN."""
    body = '{"runs": {"width": 4, "height": 4, "runs": [[0, 16]]}, "blend": NaN}'
    answer = quick.post("/v1/paint", content=body, headers={"content-type": "application/json"})
    assert "blend nan" in refused(answer, 422, "")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"", b"7", b"[]"])
def test_bodies_that_are_no_object(quick: TestClient, content: bytes) -> None:
    answer = quick.post("/v1/paint", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert not OURS.search(refused(answer, answer.status_code, ""))


def test_null_is_nothing(quick: TestClient) -> None:
    asked = dict.fromkeys(("style", "other", "lights", "short", "mood", "width", "height", "model"))
    assert quick.post("/v1/paint", json={"runs": RUNS, **asked}).status_code == 200


def test_addresses_and_methods(quick: TestClient) -> None:
    refused(quick.get("/v1/paint"), 405, "/v1/paint does not take GET: Use POST.")
    for gone in ("/api/paint", "/api/styles", "/api/model"):
        refused(quick.post(gone), 404, f"There is nothing at {gone}")


@pytest.mark.parametrize("path", ["/v1/paint", "/v1/moods"])
def test_our_own_faults_are_not_told_in_detail(quick: TestClient, path: str) -> None:
    answer = quick.post(path, json={"runs": RUNS, "seed": 666})
    assert "broken" not in refused(answer, 500, "The API failed at this request")
    assert quick.post(path, json={"runs": RUNS}).status_code == 200


# ---- files of any kind, at every address that takes one

PICTURE = written(colors())
TAKERS = {
    "/v1/paint": "ids_png",
    "/v1/labels/import": "file",
    "/v1/style": "photo",
    "/v1/labels/write": "ids_png",
}


@pytest.mark.parametrize("path", TAKERS)
def test_forms_and_data_urls_are_the_file_in_them(quick: TestClient, path: str) -> None:
    """Files that a program has wrapped, and then sent as if that were the file."""
    plain = quick.post(path, json={TAKERS[path]: coded(PICTURE)})
    assert plain.status_code == 200, plain.text
    form = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n' + PICTURE
    url = b"data:image/png;base64," + base64.b64encode(PICTURE)
    for wrapped in (form + b"\r\n--x--\r\n", url, base64.b64encode(PICTURE)):
        answer = quick.post(path, json={TAKERS[path]: coded(wrapped)})
        assert answer.status_code == 200, answer.text
        assert answer.content == plain.content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bomb(), "pixels"),
        (b"", "not a picture that can be read"),
        (b"<!DOCTYPE html><html>", "a web page (HTML): download the file itself"),
        (b"PK\3\4" + bytes(80), "a zip archive"),
        (
            b'--x\r\nContent-Disposition: form-data; name="seed"\r\n\r\n3\r\n--x--\r\n',
            "a form without a file",
        ),
        (b"data:image/png;base64,", "a data: URL that is not whole"),
        (PICTURE[:200], "damaged or truncated PNG"),
    ],
    ids=["bomb", "empty", "html", "zip", "form", "url", "half"],
)
@pytest.mark.parametrize("path", TAKERS)
def test_other_files_are_called_what_they_are(
    quick: TestClient, path: str, content: bytes, words: str
) -> None:
    answer = quick.post(path, json={TAKERS[path]: coded(content)})
    assert answer.status_code in (413, 422), answer.text
    assert not OURS.search(refused(answer, answer.status_code, words))


def test_photographs_of_absurd_sizes_are_not_decoded(quick: TestClient) -> None:
    large = png(0, 8, [], (9_000, 9_000))
    answer = quick.post("/v1/style", json={"photo": coded(large)})
    refused(answer, 413, "Use at most 67,108,864 pixels.")
