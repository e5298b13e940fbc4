"""What a training tells while it goes on, and what it leaves behind: records, curves, states, its end."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from ..data.sample import Batch
from .rundir import RunDir


@dataclass(frozen=True)
class Progress:
    """What a listener hears after every step; ``seconds_left`` is from the speed of this session."""

    step: int
    images_seen: int
    total_images: int
    images_per_s: float
    seconds_left: float
    losses: dict[str, float]


Listener = Callable[[Progress], None]


class TrainingDiverged(ValueError):
    """A loss is no longer finite."""


class State(Protocol):
    """What any training is at one moment."""

    step: int
    images_seen: int
    seconds: float

    def parts(self) -> Mapping[str, nn.Module]:
        """The networks whose weights a state file holds."""
        ...

    def save(self, path: Path) -> None:
        """Writes one file, whole or not at all."""
        ...


class Journal:
    """Counts the steps of one session of a run and writes them down."""

    def __init__(self, run: RunDir, state: State, total_images: int, listener: Listener):
        self.run, self.state, self.total_images, self.listener = run, state, total_images, listener
        self.began, self.first, self.before = time.monotonic(), state.images_seen, state.seconds
        self.curves = _tensorboard(run)

    def demand_finite(self, losses: Mapping[str, float], batch: Batch) -> None:
        """Raises TrainingDiverged, which names the batch, if a loss is not finite."""
        broken = [f"{k} = {v}" for k, v in losses.items() if not math.isfinite(v)]
        if broken:
            self._diverged(self.state.step + 1, f"{', '.join(broken)} in batch {', '.join(batch.names)}")

    def note(self, batch: Batch, losses: dict[str, float], **more: Any) -> None:
        """One more step: counts it, logs its losses (and ``more``), tells the listener."""
        state = self.state
        state.step += 1
        state.images_seen += len(batch)
        spent = time.monotonic() - self.began
        state.seconds = self.before + spent
        speed = (state.images_seen - self.first) / spent
        left = (self.total_images - state.images_seen) / speed
        place = {"step": state.step, "images": state.images_seen, "seconds": round(state.seconds, 2)}
        self.run.log(place | losses | more)
        self.listener(Progress(state.step, state.images_seen, self.total_images, speed, left, losses))
        for name, value in losses.items():
            self.curves(name, value, state.images_seen)

    def save(self) -> None:
        """Puts no lost state over a good one: a finite loss may have had an infinite gradient."""
        weights = [(n, k, v) for n, part in self.state.parts().items() for k, v in part.named_parameters()]
        lost = [f"{name}.{key}" for name, key, value in weights if not value.isfinite().all()]
        if lost:
            self._diverged(self.state.step, f"{len(lost)} weights are not finite, the first is {lost[0]}")
        self.state.save(self.run.state)

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


def passed(images_seen: int, batch: Batch, every: int) -> bool:
    """Whether this batch took the count over a multiple of ``every``."""
    return images_seen // every > (images_seen - len(batch)) // every


def _tensorboard(run: RunDir) -> Callable[[str, float, int], None]:
    """A writer of curves, or one that does nothing where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return lambda name, value, step: None
    return SummaryWriter(str(run.root / "tensorboard")).add_scalar
