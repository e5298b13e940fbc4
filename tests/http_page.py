"""docs/http.md: the OpenAPI document of `spadework serve` as a page that people read."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tiny_model import write

from spadework.api.app import REFUSALS, create_api
from spadework.api.shelf import Shelf

Schema = Mapping[str, Any]

HEAD = """# Over HTTP

Made from the OpenAPI document that `spadework serve` gives at `/v1/openapi.json`; {again}.
[The service's own page](serve.md) tells how it is started and how it behaves;
[the cookbook](cookbook/engines.md) has clients in C# and GDScript.

With keys, every request carries `Authorization: Bearer KEY`. Bodies are JSON, and unknown fields are refused.
"""

GROUPS = {
    "Pictures": ("/v1/paint", "/v1/projects", "/v1/film"),
    "Styles": ("/v1/style", "/v1/moods"),
    "Label maps and other files": ("/v1/labels", "/v1/open"),
    "What there is": ("/v1/models", "/v1/palettes", "/v1/size", "/v1/sketches"),
    "The service": ("/health", "/ready", "/metrics"),
}
"""How the addresses of a group begin."""


def document() -> dict[str, Any]:
    """The OpenAPI document, of a service with one model; which one that is does not stand in it."""
    with tempfile.TemporaryDirectory() as folder:
        return create_api(Shelf({"landscape": write(Path(folder) / "tiny.safetensors")})).openapi()


def page(again: str) -> str:
    """docs/http.md."""
    api = document()
    schemas: dict[str, Schema] = api["components"]["schemas"]
    parts = [HEAD.format(again=again), *addresses(api["paths"], schemas), refusals()]
    parts += ["## What travels\n", *(f"### {name}\n\n{told(schemas[name])}" for name in schemas)]
    return "\n".join(parts)


def addresses(paths: Mapping[str, Any], schemas: Mapping[str, Schema]) -> Iterator[str]:
    """A part for every group, and one for each of its addresses."""
    alone = [path for path in paths if not path.startswith(tuple(sum(GROUPS.values(), ())))]
    assert not alone, f"give {alone} a group"
    for group, begin in GROUPS.items():
        yield f"## {group}\n"
        for path in (path for path in paths if path.startswith(begin)):
            for method, what in paths[path].items():
                yield from address(method, path, what, schemas)


def address(method: str, path: str, what: Schema, schemas: Mapping[str, Schema]) -> Iterator[str]:
    """What one takes, and what it answers."""
    yield f"### {method.upper()} {path}\n\n{what['description']}\n"
    body = what.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        yield f"Body: {kind(body)}.\n"
        yield from examples(schemas[named(body)])
    asked = [of for of in what.get("parameters", ()) if of["in"] == "query"]
    if asked:
        rows = (field(of["name"], of["schema"], of["required"]) for of in asked)
        yield "\n".join(["| query | what it holds | |", "|---|---|---|", *rows, ""])
    told = what["responses"]
    yield f"Answer: {answer(told['200'])}.\n"
    if "headers" in told["200"]:
        rows = (f"| `{name}` | {of['description']} |" for name, of in told["200"]["headers"].items())
        yield "\n".join(["| header | what it tells |", "|---|---|", *rows, ""])
    if "204" in told:
        yield f"Or 204, without a body: {told['204']['description']}\n"


def examples(schema: Schema) -> Iterator[str]:
    """Bodies that may be sent so."""
    for example in schema.get("examples", []):
        yield f"```json\n{json.dumps(example)}\n```\n"


def answer(response: Mapping[str, Any]) -> str:
    """What comes back when all is well."""
    content = response.get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return kind(schema) if schema else ", ".join(f"`{form}`" for form in content)


def refusals() -> str:
    """The statuses that are no success."""
    rows = "\n".join(f"| {status} | {what['description']} |" for status, what in REFUSALS.items())
    return f"## Refusals\n\nAll of them are a [Refused](#refused).\n\n| status | why |\n|---|---|\n{rows}\n"


def told(schema: Schema) -> str:
    """What a schema says of itself, and its fields."""
    rows = [field(name, of, name in schema.get("required", ())) for name, of in schema["properties"].items()]
    head = "| field | what it holds | |\n|---|---|---|"
    return f"{schema['description']}\n\n{head}\n" + "\n".join(rows) + "\n"


def field(name: str, schema: Schema, required: bool) -> str:
    """A row of the table."""
    default = schema.get("default")
    else_ = "needed" if required else "" if default is None else f"else `{json.dumps(default)}`"
    return f"| `{name}` | {kind(schema)} | {else_} |"


def kind(schema: Schema) -> str:
    """A schema in words."""
    if "$ref" in schema:
        return f"[{named(schema)}](#{named(schema).lower()})"
    if "anyOf" in schema:
        return " or ".join(kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "oneOf" in schema:
        return " or ".join(kind(one) for one in schema["oneOf"])
    if "enum" in schema:
        return "one of " + ", ".join(f"`{value}`" for value in schema["enum"])
    if "prefixItems" in schema:
        return f"[{', '.join(kind(one) for one in schema['prefixItems'])}]"
    if schema.get("type") == "array":
        items = schema["items"]
        return f"list of {f'({kind(items)})' if 'oneOf' in items else kind(items)}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {kind(schema['additionalProperties'])} by name"
    return " ".join(filter(None, [schema.get("type", "anything"), bounds(schema), hint(schema)]))


def hint(schema: Schema) -> str:
    """What a string must look like."""
    told = schema.get("description", "").rstrip(".")
    pattern = schema.get("pattern")
    return f"({told})" if told else f"like `{pattern}`" if pattern else ""


def bounds(schema: Schema) -> str:
    """From where to where a number goes."""
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high = schema.get("maximum")
    if low is None and above is None:
        return ""
    start = f"above {above:g}" if low is None else f"from {int(low)}"
    return start if high is None else f"{start} to {int(high)}"


def named(schema: Schema) -> str:
    """The name that a reference ends in."""
    return schema["$ref"].rpartition("/")[2]
