"""`--plan` and `--memory`: what a training will need, and the settings with which it fits."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spadework.cli.planning import recipe_asked
from spadework.cli.telling import show_table, tell

if TYPE_CHECKING:
    from spadework.bench.budget import Forecast
    from spadework.bench.cost import Cost
    from spadework.training.recipes import AnyRecipe
    from spadework.training.runconfig import RunConfig

CHOSEN = ("batch_size", "accumulate", "recompute", "precision")
"""Settings that decide how much is in memory at once."""


def afford(asked: "RunConfig", memory: str | None, resume: bool) -> "RunConfig":
    """What was asked with the settings that fit into so many GB ("auto": what there is), told as a table.

    Without `memory` nothing is changed. Real steps are taken, in other processes.
    """
    from spadework.bench.budget import Forecast, fitted, memory_of, precision_for
    from spadework.bench.cost import measure
    from spadework.executor import device_of

    if asked.flags or os.environ.get("WORLD_SIZE", "1") not in ("", "1"):
        raise ValueError(
            "--plan and --memory are of a RECIPE in one process: leave out torchrun and SPADE's flags"
        )
    device, recipe = device_of(asked.device), recipe_asked(asked, resume)
    data = Path(asked.data) if asked.data else None
    if data is None and recipe.name != "toy":
        tell("no --data: toy pictures are measured instead, whose regions are simpler than photos'")

    def cost(way: "AnyRecipe") -> "Cost":
        how = ", features computed again" if getattr(way, "recompute", False) else ""
        tell(f"real steps of two small batches on {device}{how} ...")
        return measure(way, data, device)

    there = memory_of(device)
    if memory is None:
        _show(Forecast.of(recipe, cost(recipe)), there, device)
        return asked
    given = there if memory == "auto" else _mib(memory)
    if "precision" not in asked.settings and recipe.precision != "float64":
        recipe = recipe.model_copy(update={"precision": precision_for(device)})
    forecast = fitted(recipe, given, cost, frozenset(asked.settings))
    _show(forecast, given, device)
    chosen = {key: getattr(forecast.recipe, key) for key in CHOSEN if hasattr(forecast.recipe, key)}
    return asked.model_copy(update={"settings": asked.settings | chosen})


def _mib(text: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise ValueError(f"--memory {text}: give GB, for example 8, 12, 24 or 80, or auto for what there is")
    return round(1024 * value)


def _show(forecast: "Forecast", given: int, device: str) -> None:
    recipe, minutes = forecast.recipe, round(60 * forecast.hours)
    rows: list[Sequence[str]] = [
        ["recipe", f"{recipe.name}, {recipe.size[1]}x{recipe.size[0]}"],
        ["device", device],
        *([key, str(getattr(recipe, key))] for key in CHOSEN if hasattr(recipe, key)),
        ["memory", f"about {forecast.mib:,} MiB of {given:,}"],
        ["images/s", f"{forecast.images_per_s:.2f}"],
        ["time", f"{minutes // 60}:{minutes % 60:02} hours to {recipe.total_images:,} images"],
    ]
    show_table(["plan", ""], rows)
