"""The folder of a run: run.yaml, config.json, stats.jsonl, samples/, state and models (.safetensors)."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spadework.files import atomic_write, discard_unfinished, remedy_for
from spadework.nn import together
from spadework.training.recipes import AnyRecipe, checked, kind_of
from spadework.training.settings import RunSettings
from spadework.training.state import survivor


class RunDir:
    """Paths and records of one training run."""

    def __init__(self, root: str | Path):
        self.root = Path(root)

    @property
    def state(self) -> Path:
        """The state to resume from."""
        return self.root / "state.safetensors"

    @property
    def tracked(self) -> Path:
        """What the run is called at the services that track it."""
        return self.root / "track.json"

    def sample(self, images_seen: int) -> Path:
        """Where the sample grid after so many images lies."""
        return self.root / "samples" / f"{images_seen:08d}.png"

    def model(self, images_seen: int) -> Path:
        """Where the exported model after so many images lies."""
        return self.root / f"model-{images_seen:08d}.safetensors"

    def light(self, images_seen: int) -> Path:
        """Where the light state after so many images lies."""
        return self.root / f"light-{images_seen:08d}.safetensors"

    def begin(self, recipe: RunSettings, resume: bool) -> None:
        """Makes the folder, or checks that there is a run to resume; ValueError with the remedy if not."""
        if resume:
            self.recipe()
        else:
            self.create(recipe)
        for folder in (self.root, self.root / "samples"):
            discard_unfinished(folder)

    def create(self, recipe: RunSettings) -> None:
        """Makes the folder and writes the config; ValueError if a run is already there."""
        if self.state.exists():
            raise ValueError(
                f"{self.root} already holds a run; continue it with --resume or choose another --out folder"
            )
        self._make()
        (self.root / "stats.jsonl").unlink(missing_ok=True)
        self.tracked.unlink(missing_ok=True)
        atomic_write(self.root / "config.json", (recipe.model_dump_json(indent=1) + "\n").encode())

    def describe(self, name: str, text: str) -> None:
        """Writes how a new run begins."""
        self._make()
        atomic_write(self.root / name, text.encode())

    def _make(self) -> None:
        try:
            (self.root / "samples").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"cannot make the run folder {self.root}: {error}; choose another --out"
            ) from error

    def recipe(self) -> AnyRecipe:
        """The recipe the run was started with; ValueError when there is none to resume."""
        config = self.root / "config.json"
        if not config.is_file() or not self.state.is_file():
            raise ValueError(
                f"nothing to resume in {self.root}: expected config.json and state.safetensors there; "
                "start a new run by leaving out --resume"
            )
        try:
            values = json.loads(config.read_bytes())
        except ValueError as error:
            raise ValueError(f"{config} is damaged ({error}): start a new run with another --out") from error
        return checked(values, str(config), kind_of(values))

    def log(self, record: dict[str, Any]) -> None:
        """Appends one line to stats.jsonl; of several processes one does."""
        if together.rank():
            return
        with self.surviving(), (self.root / "stats.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")

    @contextmanager
    def surviving(self) -> Iterator[None]:
        """Turns a failing disk into one sentence, ValueError, that names the state which is left."""
        try:
            yield
        except (OSError, ValueError) as error:
            fault = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(fault, OSError):
                raise
            where = fault.filename or self.root
            told = f"cannot write {where}: {remedy_for(fault)}" if fault is error else str(error)
            raise ValueError(f"{told}; {survivor(self.state)}") from fault

    def forget_after(self, step: int) -> None:
        """Drops the records of steps that a resumed run will take again, and a line that a kill cut off."""
        stats = self.root / "stats.jsonl"
        if not stats.exists():
            return
        lines = stats.read_text().splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        with self.surviving():
            atomic_write(stats, "".join(kept).encode())
