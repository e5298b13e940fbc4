"""What people send: forms, data URLs, bombs and other files, to every address that takes one."""

import base64

import numpy as np
import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from misread import LANDSCAPE, bomb, colors, file_of, png, truth

PICTURE = file_of(colors())


@pytest.mark.parametrize("address", ["/api/paint", "/api/labels/read", "/api/styles"])
def test_forms_and_data_urls_are_the_file_in_them(client: TestClient, address: str) -> None:
    plain = client.post(address, content=PICTURE)
    assert plain.status_code == 200, plain.text
    url = b"data:image/png;base64," + base64.b64encode(PICTURE)
    answers = [
        client.post(address, files={"file": ("sketch.png", PICTURE, "image/png")}),
        client.post(address, files={"file": ("s.png", PICTURE)}, data={"seed": "3"}),
        client.post(address, content=url),
        client.post(address, content=base64.b64encode(PICTURE)),
    ]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        if address == "/api/styles":
            assert answer.json()["z"] == plain.json()["z"]
        else:
            assert answer.content == plain.content


def test_a_form_beside_width_and_height_is_understood(client: TestClient, engine: FakeEngine) -> None:
    size = {"width": 64, "height": 48}
    answer = client.post("/api/paint", params=size, files={"file": ("ids.raw", truth().tobytes())})
    assert answer.status_code == 200, answer.text
    assert engine.asked[-1][0] == (48, 64)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bomb(), "pixels"),
        (b"<!DOCTYPE html><html>", "a web page (HTML): download the file itself"),
        (b"PK\3\4" + bytes(80), "a zip archive"),
        (
            b'--x\r\nContent-Disposition: form-data; name="seed"\r\n\r\n3\r\n--x--\r\n',
            "a form without a file",
        ),
        (b"data:image/png;base64,", "a data: URL that is not whole"),
        (PICTURE[:200], "damaged or truncated PNG"),
    ],
)
@pytest.mark.parametrize("address", ["/api/paint", "/api/labels/read", "/api/styles"])
def test_other_bodies_are_called_what_they_are(
    client: TestClient, address: str, content: bytes, words: str
) -> None:
    answer = client.post(address, content=content)
    assert answer.status_code in (413, 422), answer.text
    told = answer.json()
    said = f"{told['sentence']}: {told['remedy']}"
    assert words in said
    assert "object at" not in said


def test_photographs_of_absurd_sizes_are_not_decoded(client: TestClient) -> None:
    large = png(0, 8, [], (9_000, 9_000))
    answer = client.post("/api/styles", content=large)
    assert answer.status_code == 413
    assert answer.json()["remedy"] == "Use at most 67,108,864 pixels."


def test_ids_that_look_like_text_are_ids(client: TestClient, engine: FakeEngine) -> None:
    """Raw ids go through unchanged, whatever bytes they are."""
    ids = np.resize(LANDSCAPE.ids()[:15], (48, 64)).astype(np.uint8)
    answer = client.post("/api/paint", params={"width": 64, "height": 48}, content=ids.tobytes())
    assert answer.status_code == 200
    assert engine.asked[-1][0] == (48, 64)
