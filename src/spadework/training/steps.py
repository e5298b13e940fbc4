"""One generator step and one discriminator step: tensors and networks in, named losses out."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import losses
from ..nn.encoder import reparameterize
from .objectives import Inputs, Losses, Painting
from .recipes import Recipe
from .state import TrainState


def precision(recipe: Recipe, image: Tensor) -> torch.autocast:
    """Autocast to the recipe's precision on the picture's device (nothing happens for float32)."""
    return torch.autocast(image.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16")


def paint(state: TrainState, inputs: Inputs) -> tuple[Tensor, Losses]:
    """Paints every map in its own photo's style: ((B, 3, H, W), the KL term if there is a style)."""
    if state.encoder is None:
        return state.generator(inputs.contexts), {}
    mu, logvar = (t.float() for t in state.encoder(inputs.image))
    return state.generator(inputs.contexts, reparameterize(mu, logvar)), {"kl": losses.kl(mu, logvar)}


def step_generator(
    state: TrainState, recipe: Recipe, parts: Sequence[Inputs]
) -> tuple[dict[str, float], list[Painting]]:
    """Updates generator and encoder; returns the losses and the paintings."""
    state.optimizer_g.zero_grad(set_to_none=True)
    state.objective.discriminator.requires_grad_(False)
    seen, paintings = [], []
    for inputs in parts:
        with precision(recipe, inputs.image):
            fake, terms = paint(state, inputs)
            # summed over a batch as published, where all else is a mean: a sum over the parts too
            terms = {k: recipe.lambda_kl * len(parts) * v for k, v in terms.items()}
            judged, painting = state.objective.generator_losses(inputs, fake)
            terms |= judged
        _total(terms, len(parts)).backward()
        seen.append(terms)
        paintings.append(painting)
    state.objective.discriminator.requires_grad_(True)
    state.optimizer_g.step()
    return _report(seen), paintings


def step_discriminator(
    state: TrainState, recipe: Recipe, parts: Sequence[Inputs], paintings: Sequence[Painting] | None
) -> dict[str, float]:
    """Updates the discriminator on photos and ``paintings``; None paints anew, as the paper's code does."""
    state.optimizer_d.zero_grad(set_to_none=True)
    seen = []
    for i, inputs in enumerate(parts):
        with precision(recipe, inputs.image):
            if paintings is None:
                with torch.no_grad():
                    painting = Painting(paint(state, inputs)[0])
            else:
                painting = paintings[i]
            terms = state.objective.discriminator_losses(inputs, painting)
        _total(terms, len(parts)).backward()
        seen.append(terms)
    state.optimizer_d.step()
    return _report(seen)


def _total(terms: Losses, parts: int) -> Tensor:
    return torch.stack([t.float() for t in terms.values()]).sum() / parts


def _report(seen: list[Losses]) -> dict[str, float]:
    return {k: sum(float(terms[k].detach()) for terms in seen) / len(seen) for k in seen[0]}
