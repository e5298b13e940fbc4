"""Training of a painter: generator and style encoder against a discriminator."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from spadework.data.sample import Batch, Sample
from spadework.picture import Picture
from spadework.training.clock import Clock
from spadework.training.enlarger_recipe import EnlargerRecipe
from spadework.training.export import export_model
from spadework.training.inputs import Inputs
from spadework.training.lightstate import write_light
from spadework.training.loop import Step, shown
from spadework.training.painter_recipe import Recipe
from spadework.training.samples import sample_grid
from spadework.training.sharing import Roles
from spadework.training.state import TrainState, new_state, set_rate
from spadework.training.steps import step_discriminator, step_generator

PREVIEWED = 8
"""Rows of a sample grid."""


@dataclass(frozen=True)
class PainterTraining:
    """As `loop.Training`. `previews`: pairs of the sample grids; without any the first of the data."""

    recipe: Recipe
    pairs: Sequence[Sample]
    previews: Sequence[Sample] = ()

    def roles(self) -> list[Roles]:
        parts = self.recipe.accumulate
        return [self.recipe.roles(self.recipe.batch_size // parts)] * parts

    def new_state(self, device: torch.device | str, fresh: bool = True) -> TrainState:
        return new_state(self.recipe, device)

    def calibrate(self, state: TrainState, photos: Iterator[Batch]) -> None:
        state.objective.calibrate([batch.image for batch in photos])

    def set_rates(self, state: TrainState, clock: Clock) -> None:
        set_learning_rates(state, self.recipe, clock)

    def step(self, state: TrainState, batch: Batch) -> Step:
        recipe = self.recipe
        parts = [Inputs.staged(part, recipe) for part in split(batch, recipe.accumulate)]
        repaint = recipe.discriminator != "backbone"  # as published; that one sees the paintings just made
        losses, paintings = step_generator(state, recipe, parts)
        losses |= step_discriminator(state, recipe, parts, None if repaint else paintings)
        return losses, {"contexts": _table_grids(parts)}

    def sample(self, state: TrainState) -> Picture:
        return sample_grid(state, self.recipe, shown(self.previews, self.pairs, PREVIEWED))

    def export(self, state: TrainState, path: Path, data_name: str, terms: str) -> tuple[str, ...]:
        export_model(state, self.recipe, self.pairs, path, data_name, terms)
        return "paint", "SKETCH.png", "--model", str(path)

    def keep(self, state: TrainState, path: Path) -> bool:
        write_light(path, state, self.recipe)
        return True


def split(batch: Batch, parts: int) -> list[Batch]:
    """So many parts of a batch, in order, the last perhaps smaller."""
    length = -(-len(batch) // parts)
    return [batch[start : start + length] for start in range(0, len(batch), length)]


def _table_grids(parts: Sequence[Inputs]) -> list[int]:
    """Heights of the grids on which label contexts stood for the dense map, in any part of the batch."""
    return sorted({height for inputs in parts for height, _ in inputs.painted.levels})


def set_learning_rates(
    state: TrainState, recipe: Recipe | EnlargerRecipe, clock: Clock | None = None
) -> None:
    """Constant until `decay_from`, then linear to zero; the generator's rises over `warm_up` before."""
    clock = clock or Clock(recipe.total_images)
    done, decay_from = clock.share(state.images_seen), clock.decay_from(recipe.decay_from)
    here = state.step * recipe.batch_size
    factor = 1.0 if done < decay_from else (1 - done) / (1 - decay_from)
    rise = min(1.0, here / recipe.warm_up) if recipe.warm_up else 1.0
    set_rate(state.optimizer_g, recipe.lr * rise * factor)
    set_rate(state.optimizer_d, recipe.lr * factor)
