"""One generator step and one discriminator step: tensors and networks in, named losses out."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.nn import together
from spadework.nn.encoder import reparameterize
from spadework.nn.pixels import precise
from spadework.training import losses
from spadework.training.inputs import Inputs
from spadework.training.objectives import Losses, Painting, painting_losses
from spadework.training.painter_recipe import Recipe
from spadework.training.sharing import drawn
from spadework.training.state import TrainState
from spadework.training.views import alike


def precision(recipe: Recipe, image: Tensor) -> torch.autocast:
    """Autocast to the recipe's precision on the picture's device (nothing happens for float32)."""
    return torch.autocast(image.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16")


NEARBY = 0.1
"""Deviation of another photo's style around what the encoder says of it."""


def paint(state: TrainState, recipe: Recipe, inputs: Inputs, parts: int = 1) -> tuple[Tensor, Losses]:
    """Paints every map in its own photo's style, or those that are to be swapped in another's.

    Returns paintings (B, 3, H, W) and the weighted terms of the style; one part of `parts` of a batch.
    """
    roles = inputs.roles
    if state.encoder is None:
        drawn_z = _free_styles(recipe, inputs)
        return state.generator(inputs.painted, drawn_z, _noise(state, recipe, inputs)), {}
    mu, logvar = (precise(t) for t in state.encoder(inputs.image))
    z = reparameterize(mu, logvar, eps=drawn(_normal(mu), roles))
    others = _others(mu.detach(), inputs)
    styles = torch.cat([others, z[len(others) :]])
    fake = state.generator(inputs.painted, styles, _noise(state, recipe, inputs))
    # summed over a batch as published, where all else is a mean: a sum over parts and processes too
    terms = {"kl": recipe.lambda_kl * parts * together.count() * losses.kl(mu, logvar)}
    if recipe.lambda_style and len(others):
        said, _ = state.average["encoder"](precise(fake[: len(others)]))
        terms["g_style"] = recipe.lambda_style * F.l1_loss(precise(said), others)
    return fake, terms


def _others(mu: Tensor, inputs: Inputs) -> Tensor:
    """Styles for the maps at the front of the batch (n, Z): of the photos at its end, twins the same."""
    own = len(mu) - inputs.swapped
    styles = mu[own:] if own < len(mu) else mu[:0]
    around = drawn(_normal(mu), inputs.roles, inputs.roles.swapped)
    styles = styles + NEARBY * around
    return alike(styles, inputs.twins)


def _free_styles(recipe: Recipe, inputs: Inputs) -> Tensor | None:
    """Standard normal (B, Z) for generators whose styles no encoder reads; None without styles."""
    if recipe.z_dim is None:
        return None
    like = inputs.segmap.new_empty(0, recipe.z_dim)
    return drawn(_normal(precise(like)), inputs.roles)


def _normal(like: Tensor) -> Callable[[int], Tensor]:
    """What draws so many rows like those of (B, Z)."""
    return lambda n: torch.randn(n, like.shape[1], device=like.device, dtype=like.dtype)


def _noise(state: TrainState, recipe: Recipe, inputs: Inputs) -> list[Tensor] | None:
    """The generator's noise, drawn for the whole batch."""
    if not recipe.noise:
        return None
    roles = inputs.roles
    fields = state.generator.draw_noise(roles.length, inputs.painted.size)
    return [drawn(lambda _, field=field: field, roles) for field in fields]


def step_generator(
    state: TrainState, recipe: Recipe, parts: Sequence[Inputs]
) -> tuple[Losses, list[Painting]]:
    """Updates generator and encoder; returns the losses and the paintings."""
    state.optimizer_g.zero_grad(set_to_none=True)
    state.objective.discriminator.requires_grad_(False)
    seen, paintings = [], []
    for inputs in parts:
        with precision(recipe, inputs.image):
            fake, terms = paint(state, recipe, inputs, len(parts))
            judged, painting = state.objective.generator_losses(inputs, fake)
            terms |= judged | painting_losses(inputs, fake, recipe)
        _total(terms, len(parts)).backward()
        seen.append(terms)
        paintings.append(painting)
    state.objective.discriminator.requires_grad_(True)
    together.average_gradients(state.networks.parameters())
    state.optimizer_g.step()
    return _report(seen), paintings


def step_discriminator(
    state: TrainState, recipe: Recipe, parts: Sequence[Inputs], paintings: Sequence[Painting] | None
) -> Losses:
    """Updates the discriminator on photos and `paintings`; None paints anew, as the paper's code does."""
    state.optimizer_d.zero_grad(set_to_none=True)
    seen = []
    for i, inputs in enumerate(parts):
        with precision(recipe, inputs.image):
            if paintings is None:
                with torch.no_grad():
                    painting = Painting(paint(state, recipe, inputs)[0])
            else:
                painting = paintings[i]
            terms = state.objective.discriminator_losses(inputs, painting)
        _total(terms, len(parts)).backward()
        seen.append(terms)
    together.average_gradients(state.objective.discriminator.parameters())
    state.optimizer_d.step()
    return _report(seen)


def _total(terms: Losses, parts: int) -> Tensor:
    return torch.stack([precise(t) for t in terms.values()]).sum() / parts


def _report(seen: list[Losses]) -> Losses:
    """Means over the parts, on their device: to read a number waits for a GPU."""
    return {k: torch.stack([terms[k].detach() for terms in seen]).mean() for k in seen[0]}
