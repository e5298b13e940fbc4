"""The first weights of a run: from a model, which is fine-tuned, or from a light state, which goes on."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from spadework.model import Checkpoint, load_checkpoint
from spadework.modelfile import is_model
from spadework.training.classes import change_of_classes, classes_of, with_classes
from spadework.training.lightstate import LightState, fill_from, read_light
from spadework.training.painter_recipe import Recipe
from spadework.training.state import TrainState

FOLDED, LEARNED = "weight", "parametrizations.weight"
"""Where a layer with spectral norm keeps its weight in a model, and in training."""


FREE = ("padding", "label_padding", "bilinear_ups")
"""Settings of a generator that shape no weight: a run may begin with a model that has others."""


def _free(recipe: Recipe) -> tuple[str, ...]:
    """As FREE; and the size, where the style does not lay down every cell of the first grid."""
    grid = recipe.start == "grid" and recipe.z_dim is not None and not recipe.z_map
    return FREE if grid else (*FREE, "size")


Start = Checkpoint | LightState


def read_start(path: Path) -> Start:
    """A model, a light state or a discriminator, whichever the file holds. Raises ValueError as these do."""
    return load_checkpoint(path) if is_model(path) else read_light(path)


def demand_fit(recipe: Recipe, start: Start) -> None:
    """ValueError where the recipe makes other networks than the start has, or has nothing left to train."""
    if isinstance(start, Checkpoint):
        theirs, seen, what = start.card, start.card.training.images_seen, f"model {start.card.name}"
    elif start.recipe is not None:
        theirs, seen, what = start.recipe, start.images_seen, start.origin
    else:
        return
    for part in ("generator", "encoder", "semantics"):
        free = _free(recipe) if part == "generator" else ()
        differing = _differing(getattr(recipe, part), getattr(theirs, part), free)
        if differing:
            raise ValueError(
                f"recipe {recipe.name} makes another {part} than {what} has ({differing}): "
                "change it with --set, or choose the recipe that made the model"
            )
    if recipe.total_images <= seen:
        raise ValueError(
            f"{what} has seen {seen:,} images, and the run ends at "
            f"total_images {recipe.total_images:,}, which counts them: --set total_images=N with a larger N"
        )


def _differing(ours, theirs, free: Sequence[str]) -> str:
    """The settings of two configs that differ, in words; empty where none does."""
    if ours is None or theirs is None:
        return "" if ours is theirs else "one of the two has none"
    a, b = ours.model_dump(), theirs.model_dump()
    return ", ".join(f"{key} {a[key]}, not {b[key]}" for key in a if a[key] != b.get(key) and key not in free)


def with_run_classes(starts: Sequence[Start], recipe: Recipe) -> tuple[list[Start], tuple[str, ...]]:
    """The starts as ones of the run's classes, and what begins as what, a sentence a class.

    A discriminator alone is of the same classes as the start beside it that says its own.
    """
    stated = [known for known in map(classes_of, starts) if known is not None]
    if not stated:
        return list(starts), ()
    changes = [change_of_classes(classes_of(start) or stated[0], recipe) for start in starts]
    changed = [s if c is None else with_classes(s, c, recipe) for s, c in zip(starts, changes, strict=True)]
    return changed, next((change.told for change in changes if change is not None), ())


def begin_from(state: TrainState, recipe: Recipe, start: Start) -> None:
    """Fills networks with the start's weights; images and seconds go on from its counts.

    The discriminator is in no model and starts anew: give the recipe a `warm_up`. A light state also says
    which batch and which random numbers come next.
    """
    demand_fit(recipe, start)
    if isinstance(start, Checkpoint):
        _begin_from_model(state, start)
    else:
        fill_from(state, start)
        if start.recipe is not None:
            state.step, state.images_seen, state.seconds = start.step, start.images_seen, start.seconds
    if isinstance(start, Checkpoint) or start.recipe is not None:
        _strengthen(state, recipe)


def _begin_from_model(state: TrainState, model: Checkpoint) -> None:
    _unfold(state.generator, model.generator)
    if state.encoder is not None and model.encoder is not None:
        _unfold(state.encoder, model.encoder)
    state.average.load_state_dict(state.networks.state_dict())
    state.images_seen, state.seconds = model.card.training.images_seen, model.card.training.seconds


@torch.no_grad()
def _strengthen(state: TrainState, recipe: Recipe) -> None:
    """Noise as the recipe wants it at first: what was learned without a use for it is nearly silent."""
    names = [block.name for block in recipe.generator.blocks]
    grids = dict(zip(names, recipe.generator.grids(recipe.size), strict=True))
    for networks in (state.networks, state.average):
        for name, block in networks["generator"].blocks.items():  # type: ignore[operator,union-attr]
            coarse = grids[name][0] * 8 <= recipe.size[0]
            gain = recipe.noise_gain * (recipe.coarse_noise_gain if coarse else 1)
            if block.noise_strength is not None:
                block.noise_strength.mul_(gain)


@torch.no_grad()
def _unfold(network: nn.Module, folded: nn.Module) -> None:
    """Weights that were divided by their spectral norms become learnable ones of norm 1."""
    for name, part in folded.named_modules():
        mine = network.get_submodule(name)
        for key, value in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
            if key == FOLDED and hasattr(mine, "parametrizations"):
                mine.get_parameter(f"{LEARNED}.original").copy_(value)
                left, _, right = torch.linalg.svd(value.flatten(1), full_matrices=False)
                mine.get_buffer(f"{LEARNED}.0._u").copy_(left[:, 0])
                mine.get_buffer(f"{LEARNED}.0._v").copy_(right[0])
            else:
                getattr(mine, key).copy_(value)
