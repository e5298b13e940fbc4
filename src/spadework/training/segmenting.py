"""Training of a segmenter: its state, its step, its loop, and the model that comes out."""

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.data.loader import batches
from spadework.data.sample import Batch, Sample
from spadework.segmenter.network import FeatureGaussian, SegmenterNet
from spadework.segmenter.segmenter import Segmenter, SegmenterCard
from spadework.training.export import palette_of, record_of
from spadework.training.journal import Journal, Listener, passed
from spadework.training.rundir import RunDir
from spadework.training.segmenter_recipe import SegmenterRecipe
from spadework.training.state import update_average
from spadework.training.statefile import read_state, write_state

IGNORED = 255
"""The id of pixels without a class; they teach nothing."""

CENSUS = 1000
"""So many label maps are counted for the weights of the classes."""

PHOTOS = 4096
"""So many training photos tell what photos look like."""

STEEPEST = 5.0
"""Gradients longer than this are cut to it."""


@dataclass
class SegmenterState:
    """``average`` is the moving average of ``net``; steps count batches."""

    step: int
    images_seen: int
    seconds: float
    net: SegmenterNet
    average: SegmenterNet
    optimizer: torch.optim.Optimizer

    def parts(self) -> dict[str, nn.Module]:
        """The networks whose weights a state file holds."""
        return {"net": self.net, "average": self.average}

    def save(self, path: Path) -> None:
        """Writes one .safetensors file, whole or not at all."""
        counts = {"step": self.step, "images_seen": self.images_seen, "seconds": self.seconds}
        write_state(path, counts, self.parts(), {"optimizer": self.optimizer})

    def load(self, path: Path) -> None:
        """Restores what ``save`` wrote; ValueError if the file is damaged or another recipe's."""
        counts = read_state(path, self.parts(), {"optimizer": self.optimizer})
        self.step, self.images_seen, self.seconds = (counts[k] for k in ("step", "images_seen", "seconds"))


def new_segmenter_state(recipe: SegmenterRecipe, fresh: bool = True) -> SegmenterState:
    """A fresh network and optimiser; not ``fresh``: to be loaded, so the package weights are not needed."""
    torch.manual_seed(recipe.seed)
    net = SegmenterNet(recipe.network)
    if fresh and recipe.trunk is None:
        net.trunk.learn_from_package(recipe.backbone)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trunk = [p for p in net.trunk.parameters() if p.requires_grad]
    rest = [p for name, p in net.named_parameters() if not name.startswith("trunk.")]
    groups = [{"params": trunk, "share": recipe.trunk_lr}, {"params": rest, "share": 1.0}]
    optimizer = torch.optim.AdamW(groups, recipe.lr, weight_decay=recipe.weight_decay)
    average = copy.deepcopy(net).eval().requires_grad_(False)
    return SegmenterState(0, 0, 0.0, net, average, optimizer)


def train_segmenter(
    recipe: SegmenterRecipe,
    data: Sequence[Sample],
    out: str | Path,
    *,
    resume: bool = False,
    listener: Listener = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> SegmenterState:
    """Trains until ``recipe.total_images`` photos were seen, or until ``stop()``; both save the state.

    Raises TrainingDiverged when the loss is not finite; the last good state stays on disk.
    """
    run = RunDir(out)
    run.begin(recipe, resume)
    state = new_segmenter_state(recipe, fresh=not resume)
    if resume:
        state.load(run.state)
        run.forget_after(state.step)
    weights = class_weights(recipe, data)
    stream = batches(
        data, recipe.size, recipe.batch_size, recipe.seed, state.step, scale=recipe.scale, flip=recipe.flip
    )
    with closing(stream):
        journal = Journal(run, state, recipe.total_images, listener)
        while state.images_seen < recipe.total_images and not stop():
            batch = next(stream)
            _set_learning_rates(state, recipe)
            losses = step_segmenter(state, recipe, batch, weights)
            journal.demand_finite(losses, batch.names)
            update_average(state.average, state.net, recipe.ema, state.step)
            journal.note(batch, losses)
            if passed(state.images_seen, batch, recipe.save_every):
                journal.save()
    journal.save()
    return state


def export_segmenter(
    state: SegmenterState,
    recipe: SegmenterRecipe,
    data: Sequence[Sample],
    path: str | Path,
    data_name: str = "unnamed",
    terms: str = "unstated",
) -> Segmenter:
    """Writes the averaged weights of ``state`` as a segmenter file and returns the segmenter in it.

    What photos look like to it is measured on at most PHOTOS of the training photos.
    """
    card = SegmenterCard(
        name=recipe.name,
        network=recipe.network,
        palette=palette_of(recipe),
        training=record_of(state, recipe, data_name, terms),
        licence_weights=terms,
    )
    photos = FeatureGaussian(sum(state.average.trunk.channels))
    Segmenter(card, state.average, photos).save(path)
    segmenter = Segmenter.load(path)  # with the weights as they were rounded
    rows = [segmenter.features(data[i].image) for i in _spread(len(data), PHOTOS)]
    segmenter.fit_photos(torch.stack(rows))
    segmenter.save(path)
    return segmenter


def _spread(length: int, most: int) -> list[int]:
    """At most so many positions, evenly over a length."""
    return np.unique(np.linspace(0, length - 1, min(most, length)).astype(int)).tolist()


def class_weights(recipe: SegmenterRecipe, data: Sequence[Sample]) -> Tensor:
    """(K,) weights share ** -balance, with mean 1 over the pixels of maps spread evenly over the data.

    A class that they lack weighs as much as the rarest of them. ValueError if they have none at all.
    """
    counts = np.zeros(256, np.int64)
    for index in _spread(len(data), CENSUS):
        counts += np.bincount(data[index].labels.reshape(-1), minlength=256)
    known = counts[: recipe.label_nc]
    if not known.any():
        raise ValueError(
            f"no pixel of the label maps is one of the {recipe.label_nc} classes: check their ids"
        )
    share = known / known.sum()
    weights = np.maximum(share, share[share > 0].min()) ** -recipe.balance
    return torch.from_numpy(weights / (weights * share).sum()).float()


def step_segmenter(
    state: SegmenterState, recipe: SegmenterRecipe, batch: Batch, weights: Tensor
) -> dict[str, float]:
    """Updates the network; the loss, at half the size of the photos, is the mean over the known pixels."""
    labels = batch.labels[:, ::2, ::2].long()
    with torch.autocast(batch.image.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
        scores = state.net(jittered(batch.image, recipe.jitter))
    scores = F.interpolate(scores, size=labels.shape[1:], mode="bilinear")
    known = labels[labels != IGNORED]
    summed = F.cross_entropy(scores, labels, weights, ignore_index=IGNORED, reduction="sum")
    loss = summed / weights[known].sum().clamp(min=1e-6)  # there may be none
    accuracy = (scores.detach().argmax(1) == labels).sum() / max(1, known.numel())
    state.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(state.net.parameters(), STEEPEST)
    state.optimizer.step()
    return {"cross_entropy": float(loss.detach()), "accuracy": float(accuracy)}


def jittered(image: Tensor, strength: float) -> Tensor:
    """Photos (B, 3, H, W) in [-1, 1], each with its own random light, contrast, saturation and tint."""
    b = image.shape[0]
    contrast, saturation = (1 + strength * (2 * torch.rand(2, b, 1, 1, 1) - 1)).unbind(0)
    light = strength * (2 * torch.rand(b, 1, 1, 1) - 1)
    tint = 0.3 * strength * (2 * torch.rand(b, 3, 1, 1) - 1)
    grey = image.mean(1, keepdim=True)
    return torch.lerp(grey, image, saturation).mul_(contrast).add_(light + tint).clamp_(-1, 1)


def _set_learning_rates(state: SegmenterState, recipe: SegmenterRecipe) -> None:
    """Rises linearly during the warm-up, then falls as half a cosine to zero."""
    done = state.images_seen / recipe.total_images
    if done < recipe.warm_up:
        factor = (done + recipe.batch_size / recipe.total_images) / recipe.warm_up
    else:
        factor = 0.5 + 0.5 * math.cos(math.pi * (done - recipe.warm_up) / (1 - recipe.warm_up))
    for group in state.optimizer.param_groups:
        group["lr"] = recipe.lr * group["share"] * min(1.0, factor)
