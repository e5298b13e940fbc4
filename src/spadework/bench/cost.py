"""What a training step costs here, by real steps of the recipe in processes of their own.

Two small batches are measured, and a line through them says what others need: memory is a fixed part
(weights, optimisers, Python and PyTorch) and as much again for every picture that is computed at once. MiB,
seconds.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from spadework.bench import peak
from spadework.data.folder import PairedFolder
from spadework.data.loader import ahead
from spadework.data.sample import Batch, Sample
from spadework.data.toy import ToyLandscapes
from spadework.engine import model_file
from spadework.fast.memory import keep_freed_memory
from spadework.model import load_checkpoint
from spadework.training.kinds import training_of
from spadework.training.loop import Training, plan_of
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import AnyRecipe, checked, kind_of
from spadework.training.state import State, update_average

STEPS = 3
"""So many are done; the first one compiles and warms up, and of the others the fastest counts."""

LEAST = 2
"""Pictures of the smaller batch, at least: one alone has no statistics."""


MOST = 8
"""Pictures of the larger batch, at most, if the smaller one is not as large."""


@dataclass(frozen=True)
class Seen:
    """Of a batch of `images` pictures at once: the peak of its steps, that between steps, seconds a step."""

    images: int
    mib: int
    between: int
    seconds: float


@dataclass(frozen=True)
class Cost:
    """What was seen of a smaller and of a larger batch."""

    small: Seen
    large: Seen

    def mib(self, images: int) -> int:
        """The peak of a training that computes so many pictures at once."""
        slope = max(0.0, (self.large.mib - self.small.mib) / (self.large.images - self.small.images))
        step = self.small.mib + slope * (images - self.small.images)
        return round(max(step, self.small.between))

    def seconds(self, images: int) -> float:
        """Of so many pictures at once."""
        slope = (self.large.seconds - self.small.seconds) / (self.large.images - self.small.images)
        least = self.small.seconds / self.small.images * 0.25  # where the line is too noisy to mean anything
        return self.small.seconds + max(slope, least) * (images - self.small.images)


def measure(recipe: AnyRecipe, data: Path | None, device: str) -> Cost:
    """Takes the steps; `data`: whose pairs they see, else toy pictures. Raises ValueError where one fails."""
    small = max(LEAST, recipe.least_part if isinstance(recipe, Recipe) else 1)
    large = max(2 * small, min(recipe.batch_size, MOST))
    return Cost(*(_alone(recipe, data, device, images) for images in (small, large)))


def _alone(recipe: AnyRecipe, data: Path | None, device: str, images: int) -> Seen:
    """In a process of its own, whose memory nobody else has used."""
    asked = {"recipe": recipe.model_dump(mode="json"), "data": None if data is None else str(data)}
    asked |= {"device": device, "images": images, "threads": torch.get_num_threads()}
    command = [sys.executable, "-m", "spadework.bench.cost"]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise ValueError(f"a step of {images} pictures fails here: {said}")
    return Seen(**json.loads(done.stdout))


def steps(recipe: AnyRecipe, pairs: Sequence[Sample], device: str) -> Seen:
    """Takes real steps in this process, then draws a sample grid and saves the state, as a training does."""
    training = training_of(recipe, pairs, (), lambda name: load_checkpoint(model_file(name)))
    _reset(device)
    state = training.new_state(device, fresh=True)
    times = []
    with closing(ahead(plan_of(recipe, pairs), 0, device=device)) as stream:
        training.calibrate(state, iter([next(stream)]))
        for batch in (next(stream) for _ in range(STEPS)):
            times.append(_step(training, state, batch, device))
    mib = _peak(device)
    _reset(device)
    with torch.random.fork_rng(), tempfile.TemporaryDirectory() as folder:
        training.sample(state)
        state.save(Path(folder) / "state.safetensors")
    return Seen(recipe.batch_size, mib, _peak(device), min(times[1:]))


def _step(training: Training[State], state: State, batch: Batch, device: str) -> float:
    """Seconds."""
    began = time.perf_counter()
    training.step(state, batch)
    update_average(state.average, state.networks, training.recipe.ema, state.step)
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - began


def _reset(device: str) -> None:
    peak.reset_peak()
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak(device: str) -> int:
    """Of this process, or what PyTorch holds of a GPU's memory."""
    if torch.device(device).type == "cuda":
        return round(torch.cuda.max_memory_reserved() / 2**20)
    return peak.peak_mib()


def pairs_of(recipe: AnyRecipe, data: Path | None) -> Sequence[Sample]:
    """The pairs of a folder, none of them decoded, or toy pictures with the recipe's ids."""
    if data is not None:
        return PairedFolder(data, short_side=recipe.short_side, palette=recipe.classes)
    size = recipe.size[0] * 5 // 4, recipe.size[1] * 5 // 4
    return list(_relabelled(ToyLandscapes(8, size, recipe.seed), recipe.label_nc))


def _relabelled(pairs: Sequence[Sample], label_nc: int) -> Iterator[Sample]:
    for i in range(len(pairs)):
        yield replace(pairs[i], labels=(pairs[i].labels % label_nc).astype(np.uint8))


def main() -> None:
    """Reads what is asked from standard input, and writes what was seen."""
    asked = json.load(sys.stdin)
    torch.set_num_threads(asked["threads"])
    keep_freed_memory()
    values = asked["recipe"] | {"batch_size": asked["images"]}
    values |= {"accumulate": 1} if "accumulate" in values else {}
    recipe = checked(values, "the recipe", kind_of(values))
    data = None if asked["data"] is None else Path(asked["data"])
    seen = steps(recipe, pairs_of(recipe, data), asked["device"])
    sys.stdout.write(json.dumps(asdict(seen)))


if __name__ == "__main__":
    main()
