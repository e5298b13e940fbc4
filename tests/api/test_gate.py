"""Who may ask, and for how much: names, pages, keys, cookies, bodies; and a line in the log for each."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from serving import HERE, LIMITS, refused, runs, sketch

from spadework.api.app import create_api
from spadework.api.gate import COOKIE, Limits
from spadework.api.shelf import Shelf
from spadework.studio import create_studio

RUNS = runs(sketch())
MODELS = "/v1/models"
FAR = "http://painter.example"


@pytest.fixture(scope="module")
def shelf(model: Path) -> Shelf:
    engine = FakeEngine()
    return Shelf({"tiny": model}, load=lambda _: engine)


@contextmanager
def serving(shelf: Shelf, address: str = HERE, **given: Any) -> Iterator[TestClient]:
    with TestClient(create_api(shelf, LIMITS, **given), address) as client:
        yield client


@contextmanager
def studio(shelf: Shelf, address: str = HERE, token: str | None = None) -> Iterator[TestClient]:
    with TestClient(create_studio(shelf, token), address, follow_redirects=False) as client:
        yield client


# ---- names and pages


def test_other_names_and_foreign_pages_are_refused(quick: TestClient) -> None:
    told = quick.get(MODELS, headers={"Host": "evil.example"})
    refused(told, 403, "This API does not answer to the name evil.example")
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9", f"{HERE}.evil.example"):
        response = quick.get(MODELS, headers={"Origin": origin})
        refused(response, 403, f"Pages of {origin} may not use this API: Start it with --origin.")
        asked = quick.post("/v1/paint", json={"runs": RUNS}, headers={"Origin": origin})
        assert asked.status_code == 403
    for host in ("localhost:7430", "[::1]:7430", "127.0.0.1"):
        assert quick.get(MODELS, headers={"Host": host}).status_code == 200
    refused(quick.get("/nothing"), 404, "There is nothing at /nothing")


def test_pages_of_its_own_origin_are_served(quick: TestClient, shelf: Shelf) -> None:
    own = {"Origin": HERE}
    assert quick.get(MODELS, headers=own).status_code == 200
    assert quick.post("/v1/paint", json={"runs": RUNS}, headers=own).status_code == 200
    with serving(shelf, FAR, keys=["one"]) as far:
        key = {"Authorization": "Bearer one"}
        assert far.get(MODELS, headers=key | {"Origin": FAR}).status_code == 200
        assert far.get(MODELS, headers=key | {"Origin": HERE}).status_code == 403
        refused(far.get(MODELS, headers={"Origin": FAR}), 401, "No valid API key came")


def test_keys_and_listed_origins(shelf: Shelf) -> None:
    with serving(shelf, FAR, keys=["one", "two"], origins=["https://mine.example"]) as client:
        for headers in ({}, {"authorization": "Bearer three"}, {"authorization": "Bearer "}):
            refused(client.get(MODELS, headers=headers), 401, "No valid API key came")
        assert client.get("/metrics").status_code == 401
        assert client.get("/health").status_code == 200
        own = {"authorization": "Bearer two", "origin": "https://mine.example"}
        response = client.get(MODELS, headers=own)
        assert response.headers["access-control-allow-origin"] == "https://mine.example"
        assert client.get(MODELS, headers=own | {"origin": "https://evil.example"}).status_code == 403


# ---- cookies, and what a page has


def test_a_token_in_the_address_of_the_page_becomes_a_cookie(shelf: Shelf) -> None:
    with studio(shelf, "http://studio.lan:80", token="open") as client:
        for locked in ("/", MODELS, "/?token=wrong", "/?token=", f"{MODELS}?token=open", "/js/app.js"):
            told = refused(client.get(locked), 401, "No valid API key came")
            assert "Open the address that the command printed" in told
        bearer = {"Authorization": "Bearer open"}
        assert client.get(MODELS, headers=bearer).status_code == 200
        welcome = client.get("/?token=open")
        assert (welcome.status_code, welcome.headers["location"]) == (303, "/")
        for flag in ("HttpOnly", "SameSite=strict"):
            assert flag in welcome.headers["set-cookie"]
        assert "content-security-policy" in welcome.headers
        for open_now in ("/", MODELS, "/js/app.js"):
            assert client.get(open_now).status_code == 200
        assert client.post("/v1/paint", json={"runs": RUNS}).status_code == 200
    with studio(shelf, "http://studio.lan:80", token="open") as client:
        client.cookies.set(COOKIE, "wrong")
        refused(client.get(MODELS), 401, "No valid API key came")


def test_a_service_without_a_page_has_no_cookie_way_in(shelf: Shelf) -> None:
    with serving(shelf, FAR, keys=["open"]) as client:
        welcome = client.get("/?token=open", follow_redirects=False)
        refused(welcome, 401, "Send Authorization: Bearer KEY.")
        assert "set-cookie" not in welcome.headers
        client.cookies.set(COOKIE, "open")
        refused(client.get(MODELS), 401, "No valid API key came")


def test_without_a_token_the_page_sets_no_cookie(shelf: Shelf) -> None:
    with studio(shelf) as client:
        for address in ("/?token=open", "/?token="):
            page = client.get(address)
            assert page.status_code == 200
            assert "set-cookie" not in page.headers


OF_PAGE = ("content-security-policy", "referrer-policy", "cross-origin-resource-policy")


def test_the_page_loads_nothing_from_elsewhere(shelf: Shelf) -> None:
    with studio(shelf) as client:
        page = client.get("/")
        assert "//" not in page.text
        foreign = client.get("/", headers={"Origin": "http://evil.example"})
        refused(foreign, 403, "Open its own address.")
        answers = (page, foreign, client.get(MODELS), client.get("/js/app.js"), client.get("/v1/none"))
        for answer in answers:
            assert "default-src 'self'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"
            assert answer.headers["x-content-type-options"] == "nosniff"
        examples = client.get("/v1/sketches").json()
        assert len(examples) >= 8
        for each in examples:
            assert client.get(f"/{each['url']}").status_code == 200


def test_a_service_has_no_headers_of_a_page(quick: TestClient) -> None:
    for answer in (quick.get(MODELS), quick.get("/"), quick.post("/v1/paint", json={"runs": RUNS})):
        assert not set(OF_PAGE) & set(answer.headers)
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert quick.get("/").status_code == 404


def test_what_was_painted_is_not_stored_and_the_page_may_be(shelf: Shelf, quick: TestClient) -> None:
    for address in (MODELS, "/metrics", "/health"):
        assert quick.get(address).headers["cache-control"] == "no-store"
    with studio(shelf) as client:
        assert client.get(MODELS).headers["cache-control"] == "no-store"
        assert client.post("/v1/paint", json={"runs": RUNS}).headers["cache-control"] == "no-store"
        assert "no-store" not in client.get("/js/app.js").headers.get("cache-control", "")


# ---- bodies


def test_large_and_slow_bodies(quick: TestClient) -> None:
    refused(quick.post("/v1/paint", content=b" " * 100_001), 413, "The body is larger than")
    pieces = (b" " * 10_000 for _ in range(11))
    refused(quick.post("/v1/paint", content=pieces), 413, "The body is larger than")
    refused(quick.post("/v1/paint", headers={"content-length": "x"}), 400, "The length of the body is no")


def test_a_body_that_does_not_arrive(shelf: Shelf) -> None:
    app = create_api(shelf, LIMITS.model_copy(update={"body_seconds": 0.05}))
    slow = TestClient(_Slowly(app), HERE)
    refused(slow.post("/v1/paint", content=b"{}"), 408, "The body did not arrive in time")


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


def test_limits_are_checked() -> None:
    for wrong in ({"together": 0}, {"waiting": 0}):
        with pytest.raises(ValueError, match="greater than or equal to 1"):
            Limits(**wrong)


# ---- the log


def test_every_request_has_a_name_in_the_log(quick: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "spadework.api"):
        response = quick.post("/v1/paint", json={"runs": RUNS}, headers={"x-request-id": "mine-1"})
        other = quick.get(MODELS, headers={"x-request-id": 'no"name'})
        foreign = quick.get(MODELS, headers={"host": "evil.example"})
    assert response.headers["x-request-id"] == "mine-1"
    assert len(other.headers["x-request-id"]) == 32
    first, second, third = (json.loads(record.message) for record in caplog.records)
    assert (first["request"], first["path"], first["status"]) == ("mine-1", "/v1/paint", 200)
    assert first["together"] == 1
    assert second["request"] == other.headers["x-request-id"]
    assert (third["request"], third["status"]) == (foreign.headers["x-request-id"], 403)
