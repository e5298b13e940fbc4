"""A batch as the networks see it, and as it is judged.

Shapes: B batch, K semantic channels, (H, W) pixels.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from spadework.data.sample import Batch
from spadework.fast.labels import ContextLabels
from spadework.nn import together
from spadework.nn.labels import channel_of_ids, edges_of, one_hot
from spadework.training.painter_recipe import Recipe
from spadework.training.sharing import Roles
from spadework.training.views import WHOLE, View, alike, draw_view


@dataclass(frozen=True)
class Inputs:
    """A batch as the networks see it: channels (B, H, W) int64, segmap (B, K, H, W), image (B, 3, H, W).

    `painted` are the maps as the generator takes them. Photos and paintings are judged through `view`.
    The first `swapped` maps are painted in other photos' styles, and the first `twins` of them are the
    same maps and styles as the next so many.
    """

    channels: Tensor
    segmap: Tensor
    image: Tensor
    painted: ContextLabels
    view: View = WHOLE
    swapped: int = 0
    twins: int = 0

    @property
    def roles(self) -> Roles:
        """Those of the whole batch, of which this process has a part."""
        return Roles(*(together.count() * n for n in (len(self.image), self.swapped, self.twins)))

    @classmethod
    def of(cls, batch: Batch, recipe: Recipe) -> "Inputs":
        """Every map whole, in its own photo's style."""
        channels, segmap = maps_of(batch, recipe)
        return cls(channels, segmap, photos_of(batch, recipe), _painted(channels, segmap, recipe))

    @classmethod
    def staged(cls, batch: Batch, recipe: Recipe) -> "Inputs":
        """As it is trained: a random view, floods, other photos' styles, twins; whole where none is asked."""
        roles, processes = recipe.roles(len(batch) * together.count()), together.count()
        swapped, twins = roles.swapped // processes, roles.twins // processes
        channels, segmap = maps_of(batch, recipe)
        channels, segmap, image = (alike(x, twins) for x in (channels, segmap, photos_of(batch, recipe)))
        view, painted = draw_view(recipe.view, channels, recipe.label_nc, twins, roles)
        map_ = segmap if painted is channels else one_hot(painted, recipe.semantics, None, segmap.dtype)
        return cls(channels, segmap, image, _painted(painted, map_, recipe), view, swapped, twins)


def maps_of(batch: Batch, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Channel numbers (B, H, W), and the segmap (B, K, H, W) in the precision that training runs in."""
    channels = channel_of_ids(batch.labels, recipe.semantics)
    edges = edges_of(batch.labels, recipe.semantics, batch.instances)
    return channels, one_hot(channels, recipe.semantics, edges, getattr(torch, recipe.precision))


def photos_of(batch: Batch, recipe: Recipe) -> Tensor:
    """Photos (B, 3, H, W), in float64 where all is."""
    return batch.image.double() if recipe.precision == "float64" else batch.image


def _painted(channels: Tensor, segmap: Tensor, recipe: Recipe) -> ContextLabels:
    if not recipe.contexts or channels.device.type != "cpu":  # a GPU convolves faster than it looks up
        return ContextLabels(segmap, {})
    edges = segmap[:, -1] > 0 if recipe.edges else None
    return _agreed(ContextLabels.for_generator(segmap, channels, recipe.generator, edges), recipe)


def _agreed(labels: ContextLabels, recipe: Recipe) -> ContextLabels:
    """With contexts on those grids alone where all processes have them: they exchange means in step."""
    count = together.count()
    if count == 1:
        return labels
    grids = sorted({*recipe.generator.grids(labels.size)})
    have = together.total(torch.tensor([float(grid in labels.levels) for grid in grids])).tolist()
    return ContextLabels(
        labels.segmap, {grid: labels.levels[grid] for grid, n in zip(grids, have, strict=True) if n == count}
    )


@dataclass(frozen=True)
class Seen:
    """A batch as it is judged: channels (B, h, w), segmap (B, K, h, w), photo and painting (B, 3, h, w)."""

    channels: Tensor
    segmap: Tensor
    image: Tensor
    painting: Tensor

    @classmethod
    def of(cls, inputs: Inputs, painting: Tensor, recipe: Recipe) -> "Seen":
        """Photos and paintings (B, 3, H, W) through the batch's view."""
        view = inputs.view
        if view is WHOLE:
            return cls(inputs.channels, inputs.segmap, inputs.image, painting)
        channels = view.channels(inputs.channels, recipe.label_nc)
        segmap = one_hot(channels, recipe.semantics, None, inputs.segmap.dtype)
        return cls(channels, segmap, view.image(inputs.image), view.image(painting))
