"""The training loop: one flat story from data to a saved state, whatever is trained."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from spadework.data.loader import BatchPlan, ahead
from spadework.data.repeats import odds_of
from spadework.data.resident import ResidentPairs
from spadework.data.sample import Batch, Sample
from spadework.nn import together
from spadework.picture import Picture
from spadework.training.card import Card
from spadework.training.clock import Clock
from spadework.training.journal import Journal, Listener, Progress, TrainingDiverged, passed
from spadework.training.rundir import RunDir
from spadework.training.settings import RunSettings
from spadework.training.sharing import Roles, batch_rows
from spadework.training.state import State, update_average
from spadework.training.tracking import following

__all__ = ["Progress", "TrainingDiverged", "run_batches", "train"]

CALIBRATION_PHOTOS = 192

Step = tuple[dict[str, Tensor], dict[str, Any]]
"""The losses of a step, and what else its record holds."""

S = TypeVar("S", bound=State)


class Training(Protocol[S]):
    """What is particular to the training of one kind of networks."""

    @property
    def recipe(self) -> RunSettings:
        """Its settings."""
        ...

    @property
    def pairs(self) -> Sequence[Sample]:
        """What it learns from."""
        ...

    def roles(self) -> Sequence[Roles]:
        """Of the pictures in the parts of a batch, which several processes share."""
        ...

    def new_state(self, device: torch.device | str, fresh: bool) -> S:
        """Networks and optimisers at their beginning; not `fresh`: to be loaded."""
        ...

    def calibrate(self, state: S, photos: Iterator[Batch]) -> None:
        """Measures what is needed of real photos, once, before the first step."""
        ...

    def set_rates(self, state: S, clock: Clock) -> None:
        """Learning rates of the next step."""
        ...

    def step(self, state: S, batch: Batch) -> Step:
        """Updates the networks."""
        ...

    def sample(self, state: S) -> Picture:
        """What the averaged networks make of a few pairs."""
        ...

    def export(self, state: S, path: Path, data_name: str, terms: str) -> tuple[str, ...]:
        """Writes the model file; returns the words of the command that tries it."""
        ...

    def keep(self, state: S, path: Path) -> bool:
        """Writes what another run may go on from, if there is such a thing for these networks."""
        ...


def train(
    training: Training[S],
    out: str | Path,
    *,
    resume: bool = False,
    begin: Callable[[S], None] = lambda state: None,
    listener: Listener = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    device: torch.device | str = "cpu",
    deadline: float | None = None,
    compiled: bool = False,
    track: Sequence[str] = (),
) -> S:
    """Trains until `total_images` photos were seen, or until `stop()`; both save the state.

    `begin` may give a new run's networks other first weights. With a `deadline` (of time.monotonic) the
    learning rate is zero and the training ends at that time, however many photos were seen. `compiled`
    networks are faster from the second step on, after a minute or two. `track` names services of `tracking`.
    Raises TrainingDiverged when a loss is not finite; the last good state stays on disk.
    """
    run, recipe = RunDir(out), training.recipe
    together.from_first(lambda: run.begin(recipe, resume))
    state = training.new_state(device, not resume)
    if resume:
        state.load(run.state)
        together.from_first(lambda: run.forget_after(state.step))
    else:
        begin(state)
        together.alike(state.parts().values())
    rows = batch_rows(training.roles())
    with (
        closing(run_batches(recipe, training.pairs, state.step, device, rows)) as stream,
        following(run, recipe, track) as trackers,
    ):
        if state.step == 0 and not state.calibrated:
            training.calibrate(state, photos(recipe, training.pairs, device))
        journal = Journal(run, state, recipe.total_images, listener, deadline, Card.of(device), trackers)
        clock, first = Clock(recipe.total_images, deadline), state.step
        while clock.share(state.images_seen) < 1 and not together.anyone(stop()):
            batch = next(stream)
            images = len(batch) * together.count()
            training.set_rates(state, clock)
            with journal.card.counting(len(batch)):
                losses, more = training.step(state, batch)
            numbers = journal.read(together.averaged(losses), batch)
            update_average(state.average, state.networks, recipe.ema, state.step)
            journal.note(images, numbers, **more)
            if compiled and state.step == first + 1:
                state.compile()  # not before: what a compiled step multiplies cannot be counted
            if passed(state.images_seen, images, recipe.sample_every):
                journal.draw(lambda: _drawn(training, state))
            if passed(state.images_seen, images, recipe.save_every):
                journal.save()
        journal.save()
    return state


def _drawn(training: Training[S], state: S) -> Picture:
    """A sample grid, which takes no random number from the training."""
    with torch.random.fork_rng():
        return training.sample(state)


def run_batches(
    recipe: RunSettings,
    data: Sequence[Sample],
    start: int = 0,
    device: torch.device | str = "cpu",
    rows: Sequence[int] | None = None,
) -> Generator[Batch, None, None]:
    """The batches of a run of this recipe, from number `start` on, on a device; or `rows` of each."""
    plan = replace(plan_of(recipe, data), rows=rows)
    if ResidentPairs.suits(plan, torch.device(device)):
        return ResidentPairs(plan, device).batches(start)
    return ahead(plan, start, device=device)


def plan_of(recipe: RunSettings, data: Sequence[Sample]) -> BatchPlan:
    """Which batches a run of this recipe sees."""
    shape = {"size", "batch_size", "seed", "sketch_share", "scale", "flip"}
    classes = set(range(recipe.label_nc)) - ({recipe.unknown_id} if recipe.unknown else set())
    odds = odds_of(data, classes, recipe.repeat_below)
    return BatchPlan(data, **recipe.model_dump(include=shape), odds=odds)


def photos(
    recipe: RunSettings, data: Sequence[Sample], device: torch.device | str = "cpu"
) -> Iterator[Batch]:
    """The first batches of the run, about CALIBRATION_PHOTOS photos."""
    with closing(ahead(plan_of(recipe, data), 0, device=device)) as stream:
        for _ in range(max(1, CALIBRATION_PHOTOS // recipe.batch_size)):
            yield next(stream)


def shown(previews: Sequence[Sample], data: Sequence[Sample], most: int) -> list[Sample]:
    """The pairs of the sample grids: the previews, or else the first of the data."""
    source = previews or data
    return [source[i] for i in range(min(most, len(source)))]
