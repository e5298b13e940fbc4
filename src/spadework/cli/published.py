"""Commands that take the published flags: their options are made from the fields of a model."""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from types import NoneType
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel, ValidationError

from spadework.cli.telling import tell
from spadework.files import Misfit
from spadework.nvlabs.flags import Ignored


def published(flags: type[BaseModel], ignored: Mapping[str, Ignored]) -> Callable[[Callable[..., None]], Any]:
    """Decorates a command whose first parameter takes what was typed of `flags`, as a dict of text and bools.

    The command gets an option for every field, and hidden ones for `ignored`, which are only noted,
    with the reason. Its own parameters come first and keep their names.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(command, eval_str=True).parameters.values()
        taken = {parameter.name for parameter in own}
        shown = {name: field for name, field in flags.model_fields.items() if name not in taken}
        added = [_parameter(name, _kind(field), _help(field)) for name, field in shown.items()]
        added += [_parameter(name, str if flag.valued else bool, None) for name, flag in ignored.items()]

        @wraps(command)
        def wrapper(**values: Any) -> None:
            typed = {p.name: values.pop(p.name) for p in added}
            typed = {name: value for name, value in typed.items() if value is not None and value is not False}
            _note({name: ignored[name].why for name in typed if name in ignored})
            command({name: value for name, value in typed.items() if name in shown}, **values)

        both = [*own, *added]
        wrapper.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
        wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in both}
        return wrapper

    return decorate


def checked(flags: type[BaseModel], typed: dict[str, Any]) -> Any:
    """What was typed, as the model. Raises ValueError that names the flag."""
    try:
        return flags.model_validate(typed)
    except ValidationError as error:
        first = Misfit.first_of(error)
        raise ValueError(f"--{first.where.partition('.')[0]} {first.came}: {first.said}") from error


def _note(unused: Mapping[str, str]) -> None:
    if unused:
        told = ", ".join(f"--{name} ({why})" for name, why in unused.items())
        tell(f"without effect here: {told}")


def _kind(field: Any) -> type:
    kinds = [part for part in get_args(field.annotation) if part is not NoneType]
    kind = kinds[0] if len(kinds) == 1 else field.annotation
    return kind if kind in (int, float, bool) else str


def _help(field: Any) -> str:
    default = f" (default {field.default})" if field.default not in (None, False) else ""
    return f"{(field.description or '').rstrip('.')}{default}."


def _parameter(name: str, kind: type, help: str | None) -> inspect.Parameter:
    option = typer.Option(f"--{name}", help=help, hidden=help is None, show_default=False)
    kind, default = (bool, False) if kind is bool else (kind | None, None)  # type: ignore[assignment]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )
