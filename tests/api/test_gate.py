"""Who may ask: a page of this very service, and whoever has its key; and what every refusal says."""

import re
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from serving import HERE, packed, refused, sketch

from spadework.api.shelf import Shelf
from spadework.studio import create_studio

SKETCH = {"runs": packed(sketch())}


@pytest.fixture
def locked(fake: FakeEngine, model: Path) -> TestClient:
    """A studio that strangers reach, with a token."""
    app = create_studio(Shelf({"tiny": model}, load=lambda _: fake), token="open")
    return TestClient(app, "http://studio.lan:80")


def test_the_page_loads_nothing_from_elsewhere(faked: TestClient) -> None:
    page = faked.get("/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "cache-control" not in page.headers  # its files are asked for again only if they have changed
    assert "//" not in page.text
    assert faked.get("/v1/models").headers["cache-control"] == "no-store"


def test_a_service_without_a_page_has_neither_its_headers_nor_its_way_in(client: TestClient) -> None:
    answer = client.get("/v1/models")
    assert "content-security-policy" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"
    assert client.get("/").status_code == 404


def test_pages_of_this_service_may_use_it_and_others_may_not(faked: TestClient) -> None:
    def models(**headers: str) -> int:
        return faked.get("/v1/models", headers=headers).status_code

    assert models(origin=HERE) == 200
    assert models(origin="http://evil.example") == 403
    assert models(origin="null") == 403
    assert models(origin="http://127.0.0.1:8000") == 403  # another service of this machine
    assert models(host="evil.example") == 403
    assert models(host="evil.example", origin="http://evil.example") == 403  # by a name of its own
    refused(faked.get("/v1/models", headers={"origin": "http://evil.example"}), 403, "Open its own address.")


def test_a_token_opens_what_is_not_loopback(locked: TestClient) -> None:
    assert "token" in refused(locked.get("/v1/models"), 401, "No valid API key came")
    refused(locked.get("/"), 401)
    refused(locked.get("/?token=wrong"), 401)
    refused(locked.get("/v1/models?token=open"), 401)  # only the page's address takes it
    assert locked.get("/v1/models", headers={"Authorization": "Bearer open"}).status_code == 200
    welcome = locked.get("/?token=open", follow_redirects=False)
    assert (welcome.status_code, welcome.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=strict"} <= set(welcome.headers["set-cookie"].split("; "))
    assert "content-security-policy" in welcome.headers
    assert locked.get("/v1/models").status_code == 200  # by the cookie
    foreign = {"origin": "http://evil.example"}
    assert locked.get("/v1/models", headers=foreign).status_code == 403


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"seed": "x"}, "seed x is not what it can be: Give a whole number."),
        ({"seed": -1}, "Give at least 0."),
        ({"width": 9000, "height": 64}, "width 9000 is not what it can be: Give at most 8192."),
        ({"style": "dusk"}, "style dusk is not what it can be: Give an object."),
        ({"style": 7}, "style 7 is not what it can be: Give an object."),
        ({"style": {}}, "style.z is missing: Send style.z too."),
        ({"style": {"seed": -1}}, "style.seed -1 is not what it can be: Give at least 0."),
        ({"style": {"z": []}}, "style.z is not what it can be: Give at least 1 values."),
        ({"style": {"z": [1, "x"]}}, "style.z.1 x is not what it can be: Give a number."),
        ({"style": {"seed": 1, "z": [1]}}, "style.z is not known here: Leave style.z out."),
        ({"form": "bmp"}, "Give 'png', 'webp', 'jpeg' or 'raw'."),
        ({"blend": 2}, "blend 2 is not what it can be: Give at most 1.0."),
        ({"client": "a b"}, "client a b is not what it can be: Give up to 64 letters"),
        ({"sed": 1}, "sed is not known here: Leave sed out."),
        ({"live": "perhaps", "client": "me"}, "Give true or false."),
        ({"live": True}, "a live request came without a client: give client a name of its own"),
        ({"width": 64}, "one of width and height came: give both, or none"),
        (
            {"width": 64, "height": 64, "short": 32},
            "width and short each say how large the picture is: give one",
        ),
        ({"style": {"seed": 1}, "mood": "mist"}, "style and mood each say what the light is: give one"),
        ({"other": {"seed": 1}, "mood": "mist"}, "a mood is blended with nothing: give style and other, or"),
    ],
)
def test_no_words_of_the_machine_in_a_refusal(faked: TestClient, asked: dict, words: str) -> None:
    told = refused(faked.post("/v1/paint", json=SKETCH | asked), 422, words)
    assert not re.search(r"[Ii]nput|pattern|parse|\^|\\|Numbers|Seed|Light", told)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b""])
def test_bodies_that_are_no_object(faked: TestClient, body: bytes) -> None:
    answer = faked.post("/v1/paint", content=body, headers={"Content-Type": "application/json"})
    refused(answer, 400 if body == b"\xff" else 422)
