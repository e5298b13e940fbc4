"""Which settings let a training fit into so much memory, by what its steps cost. MiB."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from spadework.bench.cost import Cost
from spadework.executor import precision_of
from spadework.files import Fault
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import AnyRecipe

SHARE = 0.9
"""Of the memory a training may plan with so much: the rest is for what no step shows."""

Measure = Callable[[AnyRecipe], Cost]


@dataclass(frozen=True)
class Forecast:
    """What a training of a recipe will need: the peak of its memory, and how fast it goes."""

    recipe: AnyRecipe
    mib: int
    images_per_s: float

    @classmethod
    def of(cls, recipe: AnyRecipe, cost: Cost) -> "Forecast":
        """From the cost of its steps."""
        at_once = pictures_at_once(recipe)
        return cls(recipe, cost.mib(at_once), at_once / cost.seconds(at_once))

    @property
    def hours(self) -> float:
        """Until `total_images`."""
        return self.recipe.total_images / self.images_per_s / 3600


def pictures_at_once(recipe: AnyRecipe) -> int:
    """In one part of a batch."""
    return recipe.batch_size // recipe.accumulate if isinstance(recipe, Recipe) else recipe.batch_size


def fitted(recipe: AnyRecipe, mib: int, measure: Measure, fixed: frozenset[str] = frozenset()) -> Forecast:
    """The first way of `ways` that fits into so much memory. Raises ValueError where none does.

    `measure` finds the cost of a recipe's steps; `fixed`: settings that stay as they are.
    """
    costs: dict[bool, Cost] = {}
    nearest: Forecast | None = None
    for way in ways(recipe, fixed):
        again = isinstance(way, Recipe) and way.recompute
        if again not in costs:
            costs[again] = measure(way)
        forecast = Forecast.of(way, costs[again])
        if forecast.mib <= SHARE * mib:
            return forecast
        nearest = forecast if nearest is None or forecast.mib < nearest.mib else nearest
    assert nearest is not None
    raise Fault(
        f"{recipe.name} needs about {nearest.mib / SHARE / 1024:.1f} GB, and {mib / 1024:.1f} GB are given",
        "give more --memory, or make it smaller, for example by --set size=128 or a smaller ngf",
    )


def ways(recipe: AnyRecipe, fixed: frozenset[str] = frozenset()) -> Iterator[AnyRecipe]:
    """The recipe with less and less at once: features computed again, and then in more and more parts.

    To compute features again changes no result, and parts have their own statistics in batch norm. Parts
    are so large that every picture keeps its role. A recipe without parts gets smaller batches.
    """
    if not isinstance(recipe, Recipe):
        sizes = [recipe.batch_size] if "batch_size" in fixed else range(recipe.batch_size, 0, -1)
        yield from (recipe.model_copy(update={"batch_size": n}) for n in sizes)
        return
    batch, least = recipe.batch_size, recipe.least_part
    parts = [n for n in range(1, batch + 1) if batch % n == 0 and batch // n >= least]
    for accumulate in [recipe.accumulate] if "accumulate" in fixed else parts:
        for again in [recipe.recompute] if "recompute" in fixed else [False, True]:
            yield recipe.model_copy(update={"accumulate": accumulate, "recompute": again})


def precision_for(device: str) -> str:
    """The one that trains faster there."""
    if torch.device(device).type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    return str(precision_of("auto", device)).removeprefix("torch.")


def memory_of(device: str) -> int:
    """What there is: of a GPU all, of a computer what is free. ValueError where that cannot be known."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[1] // 2**20
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) // 1024
    except (OSError, StopIteration) as error:
        raise Fault("nobody here knows how much memory is free", "give it in GB: --memory 12") from error
