"""Training of a segmenter: its state, its step, and the model that comes out."""

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.data.geometry import Geometry
from spadework.data.sample import Batch, Sample, collate, moved
from spadework.nn import together
from spadework.picture import Picture
from spadework.segmenter.network import FeatureGaussian, SegmenterNet
from spadework.segmenter.segmenter import Segmenter, SegmenterCard
from spadework.training.clock import Clock
from spadework.training.export import palette_of, record_of
from spadework.training.loop import Step, shown
from spadework.training.samples import colorized, montage
from spadework.training.segmenter_recipe import SegmenterRecipe
from spadework.training.sharing import Roles, drawn
from spadework.training.state import State, average_of, set_rate

CENSUS = 1000
"""So many label maps are counted for the weights of the classes."""

PHOTOS = 4096
"""So many training photos tell what photos look like."""

PREVIEWED = 8
"""Rows of a sample grid."""

STEEPEST = 5.0
"""Gradients longer than this are cut to it."""


@dataclass(frozen=True)
class SegmenterTraining:
    """As `loop.Training`. `previews`: pairs of the sample grids; without any the first of the data."""

    recipe: SegmenterRecipe
    pairs: Sequence[Sample]
    previews: Sequence[Sample] = ()

    @cached_property
    def weights(self) -> Tensor:
        """Of the classes (K,)."""
        return census_weights(self.recipe, self.pairs)

    def roles(self) -> list[Roles]:
        return [Roles(self.recipe.batch_size)]

    def new_state(self, device: torch.device | str = "cpu", fresh: bool = True) -> State:
        return new_segmenter_state(self.recipe, device, fresh)

    def calibrate(self, state: State, photos: Iterator[Batch]) -> None:
        """Nothing to measure."""

    def set_rates(self, state: State, clock: Clock) -> None:
        set_learning_rates(state, self.recipe, clock)

    def step(self, state: State, batch: Batch) -> Step:
        return step_segmenter(state, self.recipe, batch, self.weights), {}

    def sample(self, state: State) -> Picture:
        return segmented_grid(state, self.recipe, shown(self.previews, self.pairs, PREVIEWED))

    def export(self, state: State, path: Path, data_name: str, terms: str) -> tuple[str, ...]:
        export_segmenter(state, self.recipe, self.pairs, path, data_name, terms)
        return "label", "--from-photo", "PHOTO", "--segmenter", str(path)

    def keep(self, state: State, path: Path) -> bool:
        return False


def new_segmenter_state(
    recipe: SegmenterRecipe, device: torch.device | str = "cpu", fresh: bool = True
) -> State:
    """A fresh network and optimiser; not `fresh`: to be loaded, so the package weights are not needed."""
    torch.manual_seed(recipe.seed)
    net = SegmenterNet(recipe.network)
    if fresh and recipe.trunk is None:
        net.trunk.learn_from_package(recipe.backbone)
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    trunk = [p for p in net.trunk.parameters() if p.requires_grad]
    rest = [p for name, p in net.named_parameters() if not name.startswith("trunk.")]
    groups = [{"params": trunk, "share": recipe.trunk_lr}, {"params": rest, "share": 1.0}]
    optimizer = torch.optim.AdamW(groups, recipe.lr, weight_decay=recipe.weight_decay)
    networks = nn.ModuleDict({"segmenter": net})
    return State(networks=networks, average=average_of(networks), optimizers={"optimizer": optimizer})


@torch.no_grad()
def segmented_grid(state: State, recipe: SegmenterRecipe, samples: Sequence[Sample]) -> Picture:
    """By the averaged weights; rows are samples: photo | as it is read | as it is labelled."""
    crops = [Geometry.center(s.labels.shape, recipe.size)(s) for s in samples]
    batch = collate(crops, next(state.average.parameters()).device)
    scores = F.interpolate(state.average["segmenter"](batch.image), size=recipe.size, mode="bilinear")
    read = scores.argmax(1).byte().cpu().numpy()
    columns = [np.stack([s.image for s in crops])]
    columns += [np.stack([colorized(recipe, m) for m in maps]) for maps in (read, batch.labels.cpu().numpy())]
    return Picture(montage(columns), {"images_seen": str(state.images_seen), "recipe": recipe.name})


def export_segmenter(
    state: State,
    recipe: SegmenterRecipe,
    data: Sequence[Sample],
    path: str | Path,
    data_name: str = "unnamed",
    terms: str = "unstated",
) -> Segmenter:
    """Writes the averaged weights of `state` as a segmenter file and returns the segmenter in it.

    What photos look like to it is measured on at most PHOTOS of the training photos.
    """
    card = SegmenterCard(
        name=recipe.name,
        network=recipe.network,
        palette=palette_of(recipe),
        training=record_of(state, recipe, data_name, terms),
        licence_weights=terms,
    )
    net: SegmenterNet = copy.deepcopy(state.average["segmenter"]).cpu()  # type: ignore[assignment]
    photos = FeatureGaussian(sum(net.trunk.channels))
    Segmenter(card, net, photos).save(path)
    segmenter = Segmenter.load(path)  # with the weights as they were rounded
    rows = [segmenter.features(data[i].image) for i in _spread(len(data), PHOTOS)]
    segmenter.fit_photos(torch.stack(rows))
    segmenter.save(path)
    return segmenter


def _spread(length: int, most: int) -> list[int]:
    """At most so many positions, evenly over a length."""
    return np.unique(np.linspace(0, length - 1, min(most, length)).astype(int)).tolist()


def census_weights(recipe: SegmenterRecipe, data: Sequence[Sample]) -> Tensor:
    """(K,) weights share ** -balance, with mean 1 over the pixels of maps spread evenly over the data.

    A class that they lack weighs as much as the rarest of them. ValueError if they have none at all.
    """
    counts = np.zeros(256, np.int64)
    for index in _spread(len(data), CENSUS):
        counts += np.bincount(data[index].labels.reshape(-1), minlength=256)
    counts[recipe.unknown_id] = 0
    known = counts[: recipe.label_nc]
    if not known.any():
        raise ValueError(
            f"no pixel of the label maps is one of the {recipe.label_nc} classes: check their ids"
        )
    share = known / known.sum()
    weights = np.maximum(share, share[share > 0].min()) ** -recipe.balance
    return torch.from_numpy(weights / (weights * share).sum()).float()


def step_segmenter(state: State, recipe: SegmenterRecipe, batch: Batch, weights: Tensor) -> dict[str, Tensor]:
    """Updates the network; the loss, at half the size of the photos, is the mean over the known pixels."""
    labels = batch.labels[:, ::2, ::2].long()
    with torch.autocast(batch.image.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        scores = state.networks["segmenter"](jittered(batch.image, recipe.jitter))
    weights = weights.to(scores.device)
    scores = F.interpolate(scores, size=labels.shape[1:], mode="bilinear")
    known = labels[labels != recipe.unknown_id]
    summed = F.cross_entropy(scores, labels, weights, ignore_index=recipe.unknown_id, reduction="sum")
    seen = together.total(torch.stack([weights[known].sum(), torch.ones_like(known).sum().to(weights)]))
    weight, pixels = seen / together.count()
    loss = summed / weight.clamp(min=1e-6)  # there may be none
    accuracy = (scores.detach().argmax(1) == labels).sum() / pixels.clamp(min=1)
    optimizer = state.optimizers["optimizer"]
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    together.average_gradients(state.networks.parameters())
    torch.nn.utils.clip_grad_norm_(state.networks.parameters(), STEEPEST)
    optimizer.step()
    return {"cross_entropy": loss.detach(), "accuracy": accuracy}


def jittered(image: Tensor, strength: float) -> Tensor:
    """Photos (B, 3, H, W) in [-1, 1], each with its own random light, contrast, saturation and tint."""
    roles = Roles(len(image) * together.count())
    both = drawn(lambda b: torch.rand(2, b, 1, 1, 1).transpose(0, 1), roles).transpose(0, 1)
    contrast, saturation = moved(1 + strength * (2 * both - 1), image.device).unbind(0)
    light = strength * (2 * drawn(lambda b: torch.rand(b, 1, 1, 1), roles) - 1)
    tint = 0.3 * strength * (2 * drawn(lambda b: torch.rand(b, 3, 1, 1), roles) - 1)
    grey = image.mean(1, keepdim=True)
    shift = moved(light + tint, image.device)
    return torch.lerp(grey, image, saturation).mul_(contrast).add_(shift).clamp_(-1, 1)


def set_learning_rates(state: State, recipe: SegmenterRecipe, clock: Clock | None = None) -> None:
    """Rises linearly during the warm-up, then falls as half a cosine to zero."""
    done = (clock or Clock(recipe.total_images)).share(state.images_seen)
    if done < recipe.warm_up:
        factor = (done + recipe.batch_size / recipe.total_images) / recipe.warm_up
    else:
        factor = 0.5 + 0.5 * math.cos(math.pi * (done - recipe.warm_up) / (1 - recipe.warm_up))
    set_rate(state.optimizers["optimizer"], recipe.lr * min(1.0, factor))
