"""What is wrong with a request, in words."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from spadework.files import Fault

EXPECTED = {
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "too_long": "at most {max_length} values",
    "too_short": "at least {min_length} values",
    "literal_error": "{expected}",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number that is finite",
    "bool_parsing": "true or false",
    "json_invalid": "JSON",
    "string_type": "text",
    "tuple_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
}
"""By the kind of fault, what was expected instead."""

NAMES = {
    "palette": "the name of a shipped palette",
    "client": "up to 64 letters, digits, dots, - and _",
}
"""What a text of a certain form is, by where it stands."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""The names by which a machine calls itself."""

LONGEST = 40
"""More characters of what came are not repeated."""


class Refusal(Exception):
    """A request that is not served: HTTP status, sentence and remedy."""

    def __init__(self, status: int, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence}: {remedy}")
        self.status, self.sentence, self.remedy = status, sentence, remedy

    def response(self, headers: Mapping[str, str] | None = None) -> JSONResponse:
        """The refusal as JSON."""
        return JSONResponse({"sentence": self.sentence, "remedy": self.remedy}, self.status, headers)


def told(error: ValueError) -> tuple[str, str]:
    """Sentence and remedy of an error for people."""
    if isinstance(error, Fault):
        return error.sentence, error.remedy
    return str(error), "Try another one."


def told_fault(fault: Any) -> tuple[str, str]:
    """Sentence and remedy for the first fault that pydantic found in a request."""
    if fault["type"] == "value_error":  # a validator's own
        return told(fault["ctx"]["error"])
    parts = [str(part) for part in fault["loc"][1:]]
    where = ".".join(part for part in parts if not part[:1].isupper()) or "the body"  # no union's member
    kind = fault["type"]
    if kind == "missing":
        return f"{where} is missing", f"Send {where} too."
    if kind == "extra_forbidden":
        return f"{where} is not known here", f"Leave {where} out."
    expected = NAMES.get(where) if kind == "string_pattern_mismatch" else EXPECTED.get(kind)
    expected = (expected or "another value").format(**fault.get("ctx", {}))
    came = fault.get("input")
    plain = isinstance(came, str | int | float) and came != "" and kind != "json_invalid"
    shown = f" {came}"[: LONGEST + 1] if plain else ""
    return f"{where}{shown} is not what it can be", f"Give {expected}."


def told_refusal(request: Request, error: HTTPException) -> Refusal:
    """What the framework refuses by itself: no such address, another method, a body that is no JSON."""
    path, status = request.url.path, error.status_code
    if status == 404:
        return Refusal(status, f"There is nothing at {path}", "Check the address.")
    if status == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        return Refusal(status, f"{path} does not take {request.method}", f"Use {allowed}.")
    if status == 400:
        return Refusal(status, "The body is no JSON in UTF-8", "Send a JSON object.")
    return Refusal(status, f"{path}: {error.detail}", "Send it in another way.")
