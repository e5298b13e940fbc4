"""The training loop: one flat story from data to a saved state."""

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ..data.loader import batches
from ..data.sample import Batch, Sample
from ..memory import keep_freed_memory
from .objectives import Inputs
from .recipes import Recipe
from .rundir import RunDir
from .samples import sample_grid
from .state import TrainState, new_state, update_average
from .steps import step_discriminator, step_generator

CALIBRATION_PHOTOS = 192


@dataclass(frozen=True)
class Progress:
    """What a listener hears after every step; ``seconds_left`` is from the speed of this session."""

    step: int
    images_seen: int
    total_images: int
    images_per_s: float
    seconds_left: float
    losses: dict[str, float]


class TrainingDiverged(ValueError):
    """A loss is no longer finite."""


def train(
    recipe: Recipe,
    data: Sequence[Sample],
    out: str | Path,
    *,
    previews: Sequence[Sample] = (),
    resume: bool = False,
    begin: Callable[[TrainState], None] = lambda state: None,
    listener: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> TrainState:
    """Trains until ``recipe.total_images`` photos were seen, or until ``stop()``; both save the state.

    ``data`` are the training pairs, ``previews`` the pairs of the sample grids (default: the first of data).
    ``begin`` may give a new run's networks other first weights.
    Raises TrainingDiverged when a loss is not finite; the last good state stays on disk.
    """
    run = RunDir(out)
    if resume:
        run.recipe()  # there is one
    else:
        run.create(recipe)
    keep_freed_memory()
    state = new_state(recipe)
    if resume:
        state.load(run.state)
        run.forget_after(state.step)
    else:
        begin(state)
    previews = previews or [data[i] for i in range(min(8, len(data)))]
    curves = _tensorboard(run)

    with closing(run_batches(recipe, data, state.step)) as stream:
        if state.step == 0:
            state.objective.calibrate([batch.image for batch in _photos(recipe, data)])
        began, began_images = time.monotonic(), state.images_seen
        before, spent = state.seconds, 0.0
        while state.images_seen < recipe.total_images and not stop():
            batch = next(stream)
            _set_learning_rates(state, recipe)
            parts = [Inputs.of(part, recipe) for part in _split(batch, recipe.accumulate)]

            losses, fakes = step_generator(state, recipe, parts)
            repaint = recipe.judge == "patch"  # as published; the backbone judge sees the paintings just made
            losses |= step_discriminator(state, recipe, parts, None if repaint else fakes)
            broken = [f"{k} = {v}" for k, v in losses.items() if not math.isfinite(v)]
            if broken:
                what = f"{', '.join(broken)} in batch {', '.join(batch.names)}"
                raise TrainingDiverged(_divergence(state.step + 1, state.images_seen, what, run))
            update_average(state.average, state.painter, recipe.ema, state.step)

            state.step += 1
            state.images_seen += len(batch)
            spent = time.monotonic() - began
            state.seconds = before + spent
            speed = (state.images_seen - began_images) / spent
            left = (recipe.total_images - state.images_seen) / speed
            place = {"step": state.step, "images": state.images_seen, "seconds": round(state.seconds, 2)}
            run.log(place | losses | {"contexts": _table_grids(parts)})
            listener(Progress(state.step, state.images_seen, recipe.total_images, speed, left, losses))
            for name, value in losses.items():
                curves(name, value, state.images_seen)

            if _passed(state.images_seen, len(batch), recipe.sample_every):
                sample_grid(state, recipe, previews).save(run.sample(state.images_seen))
            if _passed(state.images_seen, len(batch), recipe.save_every):
                _save(state, run)

    _save(state, run)
    return state


def run_batches(recipe: Recipe, data: Sequence[Sample], start: int = 0) -> Generator[Batch, None, None]:
    """The batches that a run of this recipe sees, from number ``start`` on."""
    return batches(
        data,
        recipe.size,
        recipe.batch_size,
        recipe.seed,
        start_batch=start,
        sketch_share=recipe.sketch_share,
        scale=recipe.scale,
        flip=recipe.flip,
    )


def _photos(recipe: Recipe, data: Sequence[Sample]) -> Iterator[Batch]:
    """The first batches of the run, about CALIBRATION_PHOTOS photos."""
    with closing(run_batches(recipe, data)) as stream:
        for _ in range(max(1, CALIBRATION_PHOTOS // recipe.batch_size)):
            yield next(stream)


def _table_grids(parts: Sequence[Inputs]) -> list[int]:
    """Heights of the grids on which label contexts stood for the dense map, in any part of the batch."""
    return sorted({height for inputs in parts for height, _ in inputs.contexts.levels})


def _split(batch: Batch, parts: int) -> list[Batch]:
    length = -(-len(batch) // parts)
    return [batch[start : start + length] for start in range(0, len(batch), length)]


def _set_learning_rates(state: TrainState, recipe: Recipe) -> None:
    """Constant until ``decay_from``, then linear to zero."""
    done = state.images_seen / recipe.total_images
    factor = 1.0 if done < recipe.decay_from else (1 - done) / (1 - recipe.decay_from)
    g, d = (0.5, 2.0) if recipe.ttur else (1.0, 1.0)
    for optimizer, scale in ((state.optimizer_g, g), (state.optimizer_d, d)):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr * scale * factor


def _save(state: TrainState, run: RunDir) -> None:
    """Puts no lost state over a good one: a finite loss may have had an infinite gradient."""
    weights = [(n, k, v) for n, part in state.parts().items() for k, v in part.named_parameters()]
    lost = [f"{name}.{key}" for name, key, value in weights if not value.isfinite().all()]
    if lost:
        what = f"{len(lost)} weights are not finite, the first is {lost[0]}"
        raise TrainingDiverged(_divergence(state.step, state.images_seen, what, run))
    state.save(run.state)


def _passed(images_seen: int, batch: int, every: int) -> bool:
    return images_seen // every > (images_seen - batch) // every


def _divergence(step: int, images_seen: int, what: str, run: RunDir) -> str:
    kept = (
        f"the last good state is {run.state}: resume it"
        if run.state.exists()
        else "no state was saved: start"
    )
    return (
        f"training diverged at step {step} (after {images_seen} images): {what}; "
        f"{kept} with a smaller --set lr, or with --set precision=float32"
    )


def _tensorboard(run: RunDir) -> Callable[[str, float, int], None]:
    """A writer of curves, or one that does nothing where TensorBoard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return lambda name, value, step: None
    return SummaryWriter(str(run.root / "tensorboard")).add_scalar
