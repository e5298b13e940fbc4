"""What is asked of a new run, as one types it or as a file `run.yaml` says it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from spadework.files import Fault, Misfit, read_bytes, text_of
from spadework.sketch.palette import Palette
from spadework.training.recipes import meant, nearest_name

NAME = "run.yaml"
"""The file in the folder of a run that says how it began."""

HEAD = f"# How this run began. The same once more: spadework train --config {NAME} --out OTHER\n"

REMEDY = "write `key: value` in every line, for example `recipe: toy`"

Service = Literal["wandb", "mlflow"]


class RunConfig(BaseModel):
    """Everything of `spadework train` that makes a run what it is. Paths are as seen from where one types."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    recipe: str | None = Field(None, description="name of a recipe")
    data: str | None = Field(None, description="folder or tar of images/ and labels/")
    palette: str | Palette | None = Field(None, description="a palette's name, a .json file, or a whole one")
    out: str | None = Field(None, description="folder of the run; it is not in the file that a run writes")
    settings: dict[str, Any] = Field({}, alias="set", description="settings of the recipe that are changed")
    starts: tuple[str, ...] = Field((), alias="from", description="files whose weights it begins with")
    minutes: float | None = Field(None, ge=0.01, description="end by the clock after so many")
    device: str = Field("auto", description="auto, cpu, cuda or mps")
    compile: bool = Field(False, description="whether the networks are compiled")
    terms: str = Field("unstated", description="what the data's terms allow")
    track: tuple[Service, ...] = Field((), description="what else keeps figures: wandb, mlflow")
    flags: dict[str, str | bool | int | float] = Field({}, description="flags of SPADE's train.py")

    @field_validator("starts", "track", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        """One word stands for a list of it."""
        return [value] if isinstance(value, str) else value

    @field_validator("settings")
    @classmethod
    def _meant(cls, value: dict[str, Any]) -> dict[str, Any]:
        return {key: meant(key, given) for key, given in value.items()}

    @classmethod
    def read(cls, path: Path) -> Self:
        """What a file says. Raises ValueError, which names the line, for what is no config of a run."""
        lines: dict[str, int] = {}
        try:
            text = text_of(read_bytes(path))
            lines |= _lines(text, path)
            return cls.model_validate(yaml.safe_load(text) or {})
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            place = f"{path}, line {mark.line + 1}" if mark else str(path)
            raise Fault(f"{place} is no YAML ({error.problem})", REMEDY) from error
        except ValidationError as error:
            raise ValueError(_told(path, lines, error)) from error

    def over(self, other: "RunConfig") -> Self:
        """What was typed, `self`, over what a file says: every setting and flag of its own wins."""
        typed = {name: getattr(self, name) for name in self.model_fields_set}
        typed |= {name: getattr(other, name) | getattr(self, name) for name in ("settings", "flags")}
        return other.model_copy(update=typed)  # type: ignore[return-value]

    def going_on(self) -> Self:
        """What of it a resumed run needs: all else is in its folder, or was for its beginning."""
        kept = self.model_fields_set & {"data", "device", "compile", "terms", "track", "flags"}
        return type(self)(**{name: getattr(self, name) for name in kept})

    def text(self) -> str:
        """The file that makes the same run from anywhere: with whole paths, and the palette itself."""
        palette = Palette.load(self.palette) if str(self.palette).endswith(".json") else self.palette  # type: ignore[arg-type]
        update = {"palette": palette, "out": None, "starts": tuple(map(_whole, self.starts))}
        update |= {"data": None if self.data is None else _whole(self.data)}
        values = self.model_copy(update=update).model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return HEAD + yaml.safe_dump(
            values, sort_keys=False, default_flow_style=None
        )  # in ASCII: YAML folds other line ends


def _whole(path: str) -> str:
    """A path from the root on; names of shipped models stay as they are."""
    return str(Path(path).resolve()) if Path(path).exists() else path


def _lines(text: str, path: Path) -> dict[str, int]:
    """The line of every key. Raises ValueError where one is there twice, and for what has no keys."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise Fault(f"{path} holds no keys", REMEDY)
    return dict(_places(root, "", path))


def _places(node: yaml.MappingNode, above: str, path: Path) -> Iterator[tuple[str, int]]:
    seen: set[str] = set()
    for key, value in node.value:
        name, line = str(key.value), key.start_mark.line + 1
        if name in seen:
            raise Fault(f"{path}, line {line}: {above}{name} is there twice", "keep one of them")
        seen.add(name)
        yield above + name, line
        if isinstance(value, yaml.MappingNode):
            yield from _places(value, f"{above}{name}.", path)


def _told(path: Path, lines: Mapping[str, int], error: ValidationError) -> str:
    """One sentence for the first of the faults."""
    first = Misfit.first_of(error)
    known = [field.alias or name for name, field in RunConfig.model_fields.items()]
    key = first.where.partition(".")[0]
    place = f"{path}, line {lines[key]}" if key in lines else str(path)
    if first.kind == "extra_forbidden":
        return f"{place}: no key {key!r}; {nearest_name(key, known)}known: {', '.join(known)}"
    return f"{place}: {key} is {first.came!r}: {first.said}"
