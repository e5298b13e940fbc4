"""Training: the same steps on contexts and dense, in turns, with the same weights and batches."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from spadework.bench import maps, peak
from spadework.bench.shapes import SHAPES, Shape
from spadework.bench.subject import seconds
from spadework.data.sample import Batch
from spadework.fast.labels import context_labels
from spadework.fast.memory import keep_freed_memory
from spadework.nn.generator import Generator
from spadework.nn.labels import Labels
from spadework.training.inputs import Inputs
from spadework.training.recipes import RECIPES
from spadework.training.state import new_state
from spadework.training.steps import step_discriminator, step_generator

Work = Callable[[], Generator]
"""One step; the generator has its gradients afterwards."""


class TrainCase(BaseModel):
    """Medians over repeats. The gradients' difference is that of the first step, relative to dense's norm.

    Beside it stands what rounding does to dense itself: its difference from dense in PyTorch's other memory
    layout. Of a whole step there is none: behind the discriminator's kinks the smallest difference grows.
    """

    name: str
    shape: str
    size: tuple[int, int]
    dtype: str
    batch: int
    images_per_s: float
    dense_images_per_s: float
    ratio: float
    grad_rel_diff: float | None
    grad_rel_layout: float | None
    peak_mib: dict[str, int] | None

    def lines(self) -> list[str]:
        """The figures for people."""
        h, w = self.size
        made = [
            f"{self.name} {self.dtype}, {h}x{w}, batches of {self.batch}",
            f"  contexts {self.images_per_s:.2f} images/s",
            f"  dense {self.dense_images_per_s:.2f} images/s, a step takes {self.ratio:.2f} times ours",
        ]
        if self.grad_rel_diff is not None:
            made.append(
                f"  gradients differ by {self.grad_rel_diff:.1e} of their norm, "
                f"dense's in another memory layout by {self.grad_rel_layout:.1e}"
            )
        return made + peak.lines(self.peak_mib)


@dataclass(frozen=True)
class TrainScenario:
    """Forward and backward of a shape's generator; of a `recipe` the whole step, both networks and Adam."""

    name: str
    shape: str
    dtype: str
    batch: int
    recipe: str | None = None


SCENARIOS = [
    TrainScenario("train-step-landscape", "landscape", "bfloat16", 8, recipe="landscape"),
    TrainScenario("train-landscape", "landscape", "bfloat16", 8),
    TrainScenario("train-landscape", "landscape", "float32", 8),
    TrainScenario("train-landscape-wide", "wide", "float32", 4),
    TrainScenario("train-coco", "coco", "float32", 4),
]
SMOKE = [
    TrainScenario("train-tiny", "tiny", "float32", 2),
    TrainScenario("train-step-toy", "tiny", "float32", 2, "toy"),
]
QUICK = ("train-landscape",)


def _batch(shape: Shape, size: tuple[int, int], count: int) -> tuple[Tensor, Tensor]:
    """Ids and instance ids (B, H, W) of real maps, or of the example sketches."""
    found = maps.coco(size) if shape.name == "coco" else maps.landscapes(size)
    found = found or maps.relabelled(size, shape.semantics)
    chosen = [found[i % len(found)] for i in range(count)]
    labels = torch.cat([ids for ids, _ in chosen])
    instances = [ids.long() if instances is None else instances for ids, instances in chosen]
    return labels, torch.cat(instances)


def generator_work(
    scenario: TrainScenario, contexts: bool, layout: torch.memory_format = torch.channels_last
) -> Work:
    """Forward and backward of the generator alone, from one-hot maps or contexts that are there already."""
    shape, dtype = SHAPES[scenario.shape], getattr(torch, scenario.dtype)
    torch.manual_seed(0)
    net = Generator(shape.generator).to(memory_format=layout)  # type: ignore[call-overload]
    size = shape.generator.size
    labels, instances = _batch(shape, size, scenario.batch)
    if contexts:
        given = context_labels(labels, shape.semantics, shape.generator, instances)
    else:
        given = Labels.of(labels, shape.semantics, instances)
    given.segmap = given.segmap.contiguous(memory_format=layout)
    z = torch.randn(scenario.batch, shape.generator.z_dim) if shape.generator.z_dim else None
    noise = net.draw_noise(scenario.batch, size) if shape.generator.noise else None

    def step() -> Generator:
        net.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            picture = net(given, z, noise).float()
        weight = torch.linspace(-1, 1, picture.numel()).view_as(picture)
        (picture * weight).mean().backward()
        return net

    return step


def recipe_work(scenario: TrainScenario, contexts: bool) -> Work:
    """A whole step of a recipe on random pictures: contexts found, both networks updated."""
    assert scenario.recipe is not None
    recipe = RECIPES[scenario.recipe]().model_copy(
        update={"precision": scenario.dtype, "contexts": contexts, "batch_size": scenario.batch}
    )
    state = new_state(recipe)
    size = recipe.generator.size
    labels, instances = _batch(SHAPES[scenario.shape], size, scenario.batch)
    image = torch.randn(scenario.batch, 3, *size).clamp(-1, 1).contiguous(memory_format=torch.channels_last)
    batch = Batch(labels, image, instances if recipe.edges else None, ["none"] * scenario.batch)
    state.objective.calibrate([image])

    def step() -> Generator:
        parts = [Inputs.of(batch, recipe)]
        _, paintings = step_generator(state, recipe, parts)
        step_discriminator(state, recipe, parts, None if recipe.discriminator != "backbone" else paintings)
        return state.generator

    return step


def work(scenario: TrainScenario, contexts: bool) -> Work:
    """What the scenario repeats."""
    return recipe_work(scenario, contexts) if scenario.recipe else generator_work(scenario, contexts)


def _gradient(net: nn.Module) -> Tensor:
    """As one vector."""
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


def _distances(scenario: TrainScenario, contexts: nn.Module, dense: nn.Module) -> tuple[float, float]:
    """How far dense's gradients are from those on contexts and from dense's in the other layout, relative."""
    reference = _gradient(dense)
    others = contexts, generator_work(scenario, False, torch.contiguous_format)()
    near, far = (float((_gradient(net) - reference).norm() / reference.norm()) for net in others)
    return near, far


def measure(scenario: TrainScenario, repeats: int, memory: bool = True) -> TrainCase:
    """Both start from the same weights; their first steps give the differences and are not timed."""
    ours, theirs = work(scenario, True), work(scenario, False)
    contexts, dense = ours(), theirs()
    near, far = (None, None) if scenario.recipe else _distances(scenario, contexts, dense)
    times = [(seconds(ours)[0], seconds(theirs)[0]) for _ in range(repeats)]
    fast, slow = (median(column) for column in zip(*times, strict=True))
    shape = SHAPES[scenario.shape]
    return TrainCase(
        name=scenario.name,
        shape=shape.name,
        size=shape.generator.size,
        dtype=scenario.dtype,
        batch=scenario.batch,
        images_per_s=scenario.batch / fast,
        dense_images_per_s=scenario.batch / slow,
        ratio=median(slow / fast for fast, slow in times),
        grad_rel_diff=near,
        grad_rel_layout=far,
        peak_mib=peak.training_peaks(scenario.name, scenario.dtype) if memory else None,
    )


def measure_memory(name: str, dtype: str, version: str) -> int:
    """The peak of two steps in this process, MiB."""
    scenario = next(
        scenario for scenario in (*SCENARIOS, *SMOKE) if (scenario.name, scenario.dtype) == (name, dtype)
    )
    step = work(scenario, version == "contexts")
    peak.reset_peak()
    for _ in range(2):
        step()
    return peak.peak_mib()


def run(scenarios: Sequence[TrainScenario], repeats: int = 3, memory: bool = True) -> Iterator[TrainCase]:
    """Every scenario, with freed memory kept as the training loop does."""
    keep_freed_memory()
    for scenario in scenarios:
        yield measure(scenario, repeats, memory)
