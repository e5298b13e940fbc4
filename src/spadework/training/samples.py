"""The sample grid of a run: sketch | random style | encoded style | photo."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from spadework.data.geometry import Geometry
from spadework.data.loader import collate
from spadework.data.sample import Sample
from spadework.nn.generator import Generator
from spadework.nn.labels import Labels
from spadework.nn.pixels import to_bytes
from spadework.picture import Picture
from spadework.training.painter_recipe import Recipe
from spadework.training.settings import RunSettings
from spadework.training.state import TrainState


def sample_grid(state: TrainState, recipe: Recipe, samples: Sequence[Sample]) -> Picture:
    """Painted by the averaged weights; rows are samples, the random styles are the same in every grid."""
    crops = [Geometry.center(s.labels.shape, recipe.size)(s) for s in samples]
    device = next(state.average.parameters()).device
    batch = collate(crops, device)
    columns = [np.stack([colorized(recipe, s.labels) for s in crops])]
    rng = torch.Generator().manual_seed(0)
    generator: Generator = state.average["generator"]  # type: ignore[assignment]
    labels = Labels.of(batch.labels, recipe.semantics, batch.instances)
    noise = generator.draw_noise(len(crops), recipe.size, rng) if recipe.noise else None
    styles: list[Tensor | None] = [None]
    if recipe.z_dim is not None:
        styles = [torch.randn(len(crops), recipe.z_dim, generator=rng).to(device)]
    if recipe.encoder is not None:
        styles.append(state.average["encoder"](batch.image)[0])
    columns += [to_bytes(generator(labels, z, noise)) for z in styles]
    columns.append(np.stack([s.image for s in crops]))
    return Picture(montage(columns), {"images_seen": str(state.images_seen), "recipe": recipe.name})


def colorized(recipe: RunSettings, labels: np.ndarray) -> np.ndarray:
    """Label maps in the palette's colours, or in greys: (H, W) uint8 -> (H, W, 3)."""
    known = recipe.classes
    if known is None:
        grey = (labels.astype(int) * 255 // max(1, recipe.label_nc)).astype(np.uint8)
        return np.repeat(grey[..., None], 3, 2)
    return known.colorize(labels)


def montage(columns: Sequence[np.ndarray]) -> np.ndarray:
    """(B, H, W, 3) per column -> (B*H, columns*W, 3)."""
    return np.concatenate([column.reshape(-1, *column.shape[2:]) for column in columns], axis=1)
