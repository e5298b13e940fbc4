"""What a training tells while it goes on, and what it leaves behind: records, curves, states, its end."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spadework.data.sample import Batch
from spadework.nn import together
from spadework.picture import Picture
from spadework.training.card import Card
from spadework.training.rundir import RunDir
from spadework.training.state import State
from spadework.training.tracking import Tracker


@dataclass(frozen=True)
class Progress:
    """What a listener hears after every step; `seconds_left` is from the speed of this session."""

    step: int
    images_seen: int
    total_images: int
    images_per_s: float
    seconds_left: float
    losses: dict[str, float]
    peak_share: float | None = None  # of what the GPU could do


Listener = Callable[[Progress], None]

READ_EVERY = 20
"""Steps after which losses are read from a GPU: reading waits for it."""


class TrainingDiverged(ValueError):
    """A loss is no longer finite."""


class Journal:
    """Counts the steps of one session of a run and writes them down."""

    def __init__(
        self,
        run: RunDir,
        state: State,
        total_images: int,
        listener: Listener,
        deadline: float | None = None,
        card: Card | None = None,
        trackers: Sequence[Tracker] = (),
    ):
        self.run, self.state, self.total_images, self.listener = run, state, total_images, listener
        self.deadline, self.card = deadline, card or Card(None)
        self.began, self.first, self.before = time.monotonic(), state.images_seen, state.seconds
        self.trackers = trackers
        self._unread: list[tuple[Mapping[str, Tensor], Batch]] = []
        self._last: dict[str, float] = {}

    def read(self, losses: Mapping[str, Tensor], batch: Batch) -> dict[str, float]:
        """The losses as numbers; from a GPU their means of READ_EVERY steps, and nothing in between.

        Raises TrainingDiverged, which names the batches, if one is not finite.
        """
        self._unread.append((losses, batch))
        on_cpu = all(value.device.type == "cpu" for value in losses.values())
        if not on_cpu and len(self._unread) < READ_EVERY:
            return {}
        names = {name: None for terms, _ in self._unread for name in terms}
        means = [torch.stack([t[name] for t, _ in self._unread if name in t]).mean() for name in names]
        numbers = dict(zip(names, torch.stack([m.double() for m in means]).tolist(), strict=True))
        seen = [name for _, batch in self._unread for name in batch.names]
        self._unread.clear()
        self.demand_finite(numbers, seen)
        return numbers

    def demand_finite(self, losses: Mapping[str, float], names: Sequence[str]) -> None:
        """Raises TrainingDiverged, with the names of the batch, if a loss is not finite."""
        broken = [f"{k} = {v}" for k, v in losses.items() if not math.isfinite(v)]
        if broken:
            self._diverged(self.state.step + 1, f"{', '.join(broken)} in batch {', '.join(names)}")

    def note(self, images: int, losses: dict[str, float], **more: Any) -> None:
        """One more step of so many images: counts it, logs its losses (and `more`), tells the listener."""
        state = self.state
        state.step += 1
        state.images_seen += images
        spent = time.monotonic() - self.began
        state.seconds = self.before + spent
        speed = (state.images_seen - self.first) / spent
        left = (self.total_images - state.images_seen) / speed
        if self.deadline is not None:
            left = min(left, max(0.0, self.deadline - time.monotonic()))
        self._last = losses or self._last
        if losses:
            place = {"step": state.step, "images": state.images_seen, "seconds": round(state.seconds, 2)}
            self.run.log(place | losses | more)
        progress = state.step, state.images_seen, self.total_images, speed, left, self._last
        self.listener(Progress(*progress, peak_share=self.card.share(speed / together.count())))
        if losses:
            for tracker in self.trackers:
                tracker.figures(losses, state.images_seen)

    def draw(self, sample: Callable[[], Picture]) -> None:
        """Writes a sample grid, in one process. Where it cannot, the state is saved first, if there is room.

        Raises ValueError, one line, that names the state which is left.
        """
        try:
            together.from_first(lambda: self._keep(sample()))
        except (OSError, ValueError):
            with suppress(ValueError):
                self.save()
            with self.run.surviving():
                raise

    def _keep(self, picture: Picture) -> None:
        """Writes a sample grid, and shows it to the trackers."""
        path = self.run.sample(self.state.images_seen)
        picture.save(path)
        for tracker in self.trackers:
            tracker.picture(path, picture, self.state.images_seen)

    def save(self) -> None:
        """Puts no lost state over a good one: a finite loss may have had an infinite gradient."""
        weights = [(n, k, v) for n, part in self.state.parts().items() for k, v in part.named_parameters()]
        lost = [f"{name}.{key}" for name, key, value in weights if not value.isfinite().all()]
        if lost:
            self._diverged(self.state.step, f"{len(lost)} weights are not finite, the first is {lost[0]}")
        together.from_first(lambda: self.state.save(self.run.state))

    def _diverged(self, step: int, what: str) -> None:
        kept = (
            f"the last good state is {self.run.state}: resume it"
            if self.run.state.exists()
            else "no state was saved: start"
        )
        raise TrainingDiverged(
            f"training diverged at step {step} (after {self.state.images_seen} images): {what}; "
            f"{kept} with a smaller --set lr, or with --set precision=float32"
        )


def passed(images_seen: int, images: int, every: int) -> bool:
    """Whether the last images took the count over a multiple of `every`."""
    return images_seen // every > (images_seen - images) // every
