"""The first weights of a run from a model: fine-tuning, or going on where only the model was kept."""

import torch
from torch import nn

from ..checkpoint import Checkpoint
from .recipes import Recipe
from .state import TrainState

FOLDED, LEARNED = "weight", "parametrizations.weight"
"""Where a layer with spectral norm keeps its weight in a model, and in training."""


def demand_fit(recipe: Recipe, model: Checkpoint) -> None:
    """ValueError where the recipe makes other networks than the model has, or has nothing left to train."""
    card = model.card
    ours, theirs = (
        {"generator": r.generator, "encoder": r.encoder, "semantics": r.semantics} for r in (recipe, card)
    )
    for part, config in ours.items():
        differing = _differing(config, theirs[part])
        if differing:
            raise ValueError(
                f"recipe {recipe.name} makes another {part} than model {card.name} has ({differing}): "
                "change it with --set, or choose the recipe that made the model"
            )
    if recipe.total_images <= card.training.images_seen:
        raise ValueError(
            f"model {card.name} has seen {card.training.images_seen:,} images, and the run ends at "
            f"total_images {recipe.total_images:,}, which counts them: --set total_images=N with a larger N"
        )


def _differing(ours, theirs) -> str:
    """The settings of two configs that differ, in words; empty where none does."""
    if ours is None or theirs is None:
        return "" if ours is theirs else "one of the two has none"
    a, b = ours.model_dump(), theirs.model_dump()
    return ", ".join(f"{key} {a[key]}, not {b[key]}" for key in a if a[key] != b.get(key))


def begin_from(state: TrainState, recipe: Recipe, model: Checkpoint) -> None:
    """Fills generator and encoder with the model's weights; images and seconds go on from its card.

    The discriminator is in no model and starts anew: give the recipe a ``warm_up``.
    """
    demand_fit(recipe, model)
    _unfold(state.generator, model.generator)
    if state.encoder is not None and model.encoder is not None:
        _unfold(state.encoder, model.encoder)
    state.average.load_state_dict(state.painter.state_dict())
    state.images_seen, state.seconds = model.card.training.images_seen, model.card.training.seconds


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
