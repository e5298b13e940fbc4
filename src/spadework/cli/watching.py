"""A training as one watches it: its bar or its lines, and how it is stopped."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from spadework.cli.planning import Plan
from spadework.cli.telling import bar, tell

if TYPE_CHECKING:
    from spadework.training.journal import Progress
    from spadework.training.loop import Training
    from spadework.training.rundir import RunDir
    from spadework.training.state import State

LINE_EVERY = 30.0
"""Seconds between lines of progress where no bar can be drawn."""

MAIN_LOSSES = ("g_gan", "g_feat", "g_perceptual", "g_pixel", "d_real", "d_fake", "cross_entropy", "accuracy")


def train_watched(
    training: "Training",
    plan: Plan,
    run: "RunDir",
    device: str,
    deadline: float | None,
    compiled: bool,
    track: Sequence[str],
) -> "State":
    """Trains, and tells how it goes; Ctrl-C and SIGTERM end it after the step, with everything saved."""
    from spadework.fast.memory import keep_freed_memory
    from spadework.training.loop import train as train_until

    keep_freed_memory()  # of this process, so not of a library's call
    with _stoppable() as stop, bar("{task.fields[pace]}", "{task.fields[losses]}") as progress:
        task = progress.add_task(plan.recipe.name, total=plan.recipe.total_images, pace="", losses="")
        told = time.monotonic()

        def listen(step: "Progress") -> None:
            nonlocal told
            pace, losses = _pace(step), _losses(step)
            progress.update(task, completed=step.images_seen, pace=pace, losses=losses)
            if progress.disable and time.monotonic() - told > LINE_EVERY:
                tell(f"{step.images_seen:,} of {step.total_images:,} images, {pace}, {losses}")
                told = time.monotonic()

        return train_until(
            training,
            run.root,
            resume=plan.resume,
            begin=plan.begin,
            listener=listen,
            stop=stop,
            device=device,
            deadline=deadline,
            compiled=compiled,
            track=track,
        )


def _pace(step: "Progress") -> str:
    minutes, seconds = divmod(int(step.seconds_left), 60)
    hours, minutes = divmod(minutes, 60)
    share = "" if step.peak_share is None else f" ({step.peak_share:.0%} of the card's peak)"
    return f"{step.images_per_s:.1f} images/s{share}, {hours}:{minutes:02}:{seconds:02} left"


def _losses(step: "Progress") -> str:
    return " ".join(f"{name} {step.losses[name]:.2f}" for name in MAIN_LOSSES if name in step.losses)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM has come. A second one no longer waits for the step to end."""
    asked = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
