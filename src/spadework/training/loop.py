"""The training loop: one flat story from data to a saved state."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from spadework.data.loader import BatchPlan, ahead
from spadework.data.resident import ResidentPairs
from spadework.data.sample import Batch, Sample
from spadework.training.card import Card
from spadework.training.clock import Clock
from spadework.training.enlarger_recipe import EnlargerRecipe
from spadework.training.inputs import Inputs
from spadework.training.journal import Journal, Listener, Progress, TrainingDiverged, passed
from spadework.training.objectives import Losses
from spadework.training.painter_recipe import Recipe
from spadework.training.rundir import RunDir
from spadework.training.samples import sample_grid
from spadework.training.state import TrainState, new_state, update_average
from spadework.training.steps import step_discriminator, step_generator

__all__ = ["Progress", "TrainingDiverged", "run_batches", "train"]

CALIBRATION_PHOTOS = 192


def train(
    recipe: Recipe,
    data: Sequence[Sample],
    out: str | Path,
    *,
    previews: Sequence[Sample] = (),
    resume: bool = False,
    begin: Callable[[TrainState], None] = lambda state: None,
    listener: Listener = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    device: torch.device | str = "cpu",
    deadline: float | None = None,
    compiled: bool = False,
) -> TrainState:
    """Trains until ``recipe.total_images`` photos were seen, or until ``stop()``; both save the state.

    ``data`` are the training pairs, ``previews`` the pairs of the sample grids (default: the first of data).
    ``begin`` may give a new run's networks other first weights. With a ``deadline`` (of time.monotonic) the
    learning rate is zero and the training ends at that time, however many photos were seen. ``compiled``
    networks are faster from the second step on, after a minute or two.
    Raises TrainingDiverged when a loss is not finite; the last good state stays on disk.
    """
    run = RunDir(out)
    run.begin(recipe, resume)
    state = new_state(recipe, device)
    if resume:
        state.load(run.state)
        run.forget_after(state.step)
    else:
        begin(state)
    previews = previews or [data[i] for i in range(min(8, len(data)))]

    def step(batch: Batch) -> Step:
        set_learning_rates(state, recipe, clock)
        parts = [Inputs.staged(part, recipe) for part in _split(batch, recipe.accumulate)]
        repaint = recipe.judge == "patch"  # as published; the backbone judge sees the paintings just made
        losses, paintings = step_generator(state, recipe, parts)
        losses |= step_discriminator(state, recipe, parts, None if repaint else paintings)
        return losses, {"contexts": _table_grids(parts)}

    with closing(run_batches(recipe, data, state.step, device)) as stream:
        if state.step == 0 and not state.calibrated:
            state.objective.calibrate([batch.image for batch in photos(recipe, data, device)])
        journal = Journal(run, state, recipe.total_images, listener, deadline, Card.of(device))
        clock = Clock(recipe.total_images, deadline)
        take_steps(
            state,
            recipe,
            journal,
            clock,
            stream,
            step,
            stop=stop,
            compiled=compiled,
            sample=lambda: sample_grid(state, recipe, previews).save(run.sample(state.images_seen)),
        )
    return state


Step = tuple[Losses, dict[str, Any]]
"""The losses of a step, and what else its record holds."""


def take_steps(
    state: TrainState,
    recipe: Recipe | EnlargerRecipe,
    journal: Journal,
    clock: Clock,
    stream: Iterator[Batch],
    step: Callable[[Batch], Step],
    *,
    stop: Callable[[], bool],
    compiled: bool,
    sample: Callable[[], None],
) -> None:
    """Step after step until the clock or ``stop()`` says so; the state is saved on the way and at the end."""
    first = state.step
    while clock.share(state.images_seen) < 1 and not stop():
        batch = next(stream)
        with journal.card.counting(len(batch)):
            losses, more = step(batch)
        numbers = journal.read(losses, batch)
        update_average(state.average, state.painter, recipe.ema, state.step)
        journal.note(batch, numbers, **more)
        if compiled and state.step == first + 1:
            state.compile()  # not before: what a compiled step multiplies cannot be counted
        if passed(state.images_seen, batch, recipe.sample_every):
            journal.draw(sample)
        if passed(state.images_seen, batch, recipe.save_every):
            journal.save()
    journal.save()


def run_batches(
    recipe: Recipe | EnlargerRecipe,
    data: Sequence[Sample],
    start: int = 0,
    device: torch.device | str = "cpu",
) -> Generator[Batch, None, None]:
    """The batches that a run of this recipe sees, from number ``start`` on, on a device."""
    plan = plan_of(recipe, data)
    if ResidentPairs.suits(plan, torch.device(device)):
        return ResidentPairs(plan, device).batches(start)
    return ahead(plan, start, device=device)


def plan_of(recipe: Recipe | EnlargerRecipe, data: Sequence[Sample]) -> BatchPlan:
    """Which batches a run of this recipe sees."""
    shape = recipe.size, recipe.batch_size, recipe.seed, recipe.sketch_share
    return BatchPlan(data, *shape, scale=recipe.scale, flip=recipe.flip)


def photos(
    recipe: Recipe | EnlargerRecipe, data: Sequence[Sample], device: torch.device | str
) -> Iterator[Batch]:
    """The first batches of the run, about CALIBRATION_PHOTOS photos."""
    with closing(ahead(plan_of(recipe, data), 0, device=device)) as stream:
        for _ in range(max(1, CALIBRATION_PHOTOS // recipe.batch_size)):
            yield next(stream)


def _table_grids(parts: Sequence[Inputs]) -> list[int]:
    """Heights of the grids on which label contexts stood for the dense map, in any part of the batch."""
    return sorted({height for inputs in parts for height, _ in inputs.painted.levels})


def _split(batch: Batch, parts: int) -> list[Batch]:
    length = -(-len(batch) // parts)
    return [batch[start : start + length] for start in range(0, len(batch), length)]


def set_learning_rates(
    state: TrainState, recipe: Recipe | EnlargerRecipe, clock: Clock | None = None
) -> None:
    """Constant until ``decay_from``, then linear to zero; the generator's rises over ``warm_up`` before."""
    clock = clock or Clock(recipe.total_images)
    done, decay_from = clock.share(state.images_seen), clock.decay_from(recipe.decay_from)
    here = state.step * recipe.batch_size
    factor = 1.0 if done < decay_from else (1 - done) / (1 - decay_from)
    g, d = (0.5, 2.0) if isinstance(recipe, Recipe) and recipe.ttur else (1.0, 1.0)
    rise = min(1.0, here / recipe.warm_up) if recipe.warm_up else 1.0
    for optimizer, scale in ((state.optimizer_g, g * rise), (state.optimizer_d, d)):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * scale * factor
