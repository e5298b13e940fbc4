"""The OpenAPI document is kept: what it allows is answered as it says, what it forbids is refused."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import Receive, Scope, Send

from spadework.api.app import create_api
from spadework.api.shelf import Shelf


def no_fault_of_ours(context: CheckContext, response: Response, case: Case) -> bool | None:
    """No 5xx, but for 504 to whoever gives less time than it takes."""
    if response.status_code == 504:
        assert response.json()["sentence"] == "The deadline has passed"
        asked = case.body if isinstance(case.body, dict) else case.query
        assert asked["deadline"] < 1
        return None
    return not_a_server_error(context, response, case)


CHECKS = [
    no_fault_of_ours,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
WHERE = [
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("GET", "/v1/models"),
    ("GET", "/v1/palettes"),
    ("GET", "/v1/palettes/{name}"),
    ("GET", "/v1/size"),
    ("GET", "/v1/sketches"),
    ("GET", "/v1/sketches/composed"),
    ("GET", "/v1/sketches/{name}"),
    ("POST", "/v1/film"),
    ("POST", "/v1/labels/from-photo"),
    ("POST", "/v1/labels/import"),
    ("POST", "/v1/labels/write"),
    ("POST", "/v1/moods"),
    ("POST", "/v1/open"),
    ("POST", "/v1/paint"),
    ("POST", "/v1/projects/layers"),
    ("POST", "/v1/projects/picture"),
    ("POST", "/v1/style"),
    ("POST", "/v1/style/of-seed"),
    ("POST", "/v1/style/varied"),
]
HERE = {"host": "127.0.0.1"}
Document = schemathesis.schemas.BaseSchema


@pytest.fixture(scope="module")
def document(model: Path) -> Document:
    app = create_api(Shelf({"tiny": model}))

    async def started(scope: Scope, receive: Receive, send: Send) -> None:
        """Without a lifespan, whose end would stop the API before the first case."""
        assert scope["type"] == "http"
        await app(scope, receive, send)

    return schemathesis.openapi.from_asgi("/v1/openapi.json", started, headers=HERE)


def hold(document: Document, method: str, path: str, cases: int) -> None:
    """Some cases of one operation, half of which the document forbids where it has a body."""
    bodies = [GenerationMode.NEGATIVE] if method == "POST" else []
    for mode in (GenerationMode.POSITIVE, *bodies):

        @settings(
            max_examples=cases // 2,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
            database=None,
        )
        @given(document[path][method].as_strategy(generation_mode=mode))
        def holds(case: Case) -> None:
            case.call_and_validate(checks=CHECKS, headers=HERE, timeout=120)

        holds()


def test_all_operations_are_tried(document: Document) -> None:
    found = {(op.ok().method.upper(), op.ok().path) for op in document.get_all_operations()}
    assert found == set(WHERE)


@pytest.mark.parametrize(("method", "path"), WHERE)
def test_the_api_answers_as_its_document_says(document: Document, method: str, path: str) -> None:
    hold(document, method, path, 12)


@pytest.mark.soak
@pytest.mark.parametrize(("method", "path"), WHERE)
def test_the_api_answers_as_its_document_says_ten_thousand_times(
    document: Document, method: str, path: str
) -> None:
    """Seventeen of them have something that can be varied."""
    hold(document, method, path, 10_000 // 17 + 1)
