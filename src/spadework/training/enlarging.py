"""Training of an enlarger: small pictures in, photographs of twice their size to be like.

Half of the small pictures are photos made small, whose large self is known; half are paintings of the small
label map in the photo's style, as the enlarger will meet them, and of these only what photos look like is
known. The frozen classifier judges all of them, as it judges paintings.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.data.sample import Batch, Sample
from spadework.enlarger.enlarger import Enlarger, EnlargerCard
from spadework.enlarger.network import EnlargerNet
from spadework.fast.labels import ContextLabels
from spadework.model import Checkpoint
from spadework.nn.labels import Labels
from spadework.nn.pixels import to_bytes
from spadework.picture import Picture
from spadework.training.card import Card
from spadework.training.clock import Clock
from spadework.training.enlarger_recipe import EnlargerRecipe
from spadework.training.export import palette_of, record_of
from spadework.training.inputs import Inputs, maps_of
from spadework.training.journal import Journal, Listener
from spadework.training.loop import Step, photos, run_batches, set_learning_rates, take_steps
from spadework.training.objectives import (
    BackboneObjective,
    Losses,
    Painting,
    painting_losses,
)
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import landscape
from spadework.training.rundir import RunDir
from spadework.training.samples import montage
from spadework.training.state import TrainState, state_of
from spadework.training.steps import precision, step_discriminator
from spadework.training.views import draw_view

JUDGED = (
    *("palette", "label_nc", "unknown", "size", "batch_size", "precision", "lr", "betas"),
    *("backbone", "judge_widths"),
    *("lambda_gan", "lambda_pixel", "lambda_statistics", "lambda_phase", "lambda_spectrum"),
)
"""Settings that an enlarger's discriminator shares with a painter's."""

OF_PAINTERS = {
    **dict.fromkeys(("lambda_feat", "lambda_means", "lambda_region_color", "lambda_color"), 0.0),
    **{"swap_share": 0.0, "lambda_seek": 0.0, "lambda_style": 0.0, "statistics_strides": (2, 4, 8)},
}
"""What only painters are held to."""

PREVIEWED = 4
"""Rows of a sample grid."""


def judge_of(recipe: EnlargerRecipe) -> Recipe:
    """The painter's recipe whose judge looks at enlarged pictures."""
    shared = {key: getattr(recipe, key) for key in JUDGED}
    return landscape().model_copy(update=shared | OF_PAINTERS)


def new_enlarger_state(recipe: EnlargerRecipe, device: torch.device | str = "cpu") -> TrainState:
    """A fresh enlarger and judge, the same for the same recipe and seed."""
    torch.manual_seed(recipe.seed)
    networks = nn.ModuleDict({"enlarger": EnlargerNet(recipe.network)})
    return state_of(
        networks, BackboneObjective(judge_of(recipe)), (recipe.lr, recipe.lr), recipe.betas, device
    )


def train_enlarger(
    recipe: EnlargerRecipe,
    data: Sequence[Sample],
    out: str | Path,
    painter: Checkpoint,
    *,
    previews: Sequence[Sample] = (),
    resume: bool = False,
    begin: Callable[[TrainState], None] = lambda state: None,
    listener: Listener = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    device: torch.device | str = "cpu",
    deadline: float | None = None,
    compiled: bool = False,
) -> TrainState:
    """As ``train``, of an enlarger; half of what it enlarges are pictures by ``painter``."""
    run = RunDir(out)
    run.begin(recipe, resume)
    state = new_enlarger_state(recipe, device)
    if resume:
        state.load(run.state)
        run.forget_after(state.step)
    else:
        begin(state)
    for network in (painter.generator, painter.encoder):
        if network is not None:
            network.to(device)
    shown = [data[i] for i in range(min(PREVIEWED, len(data)))]

    def step(batch: Batch) -> Step:
        set_learning_rates(state, recipe, clock)
        return step_enlarger(state, recipe, painter, batch), {}

    with closing(run_batches(recipe, data, state.step, device)) as stream:
        if state.step == 0 and not state.calibrated:
            state.objective.calibrate([batch.image for batch in photos(recipe, data, device)])
        journal = Journal(run, state, recipe.total_images, listener, deadline, Card.of(device))
        clock = Clock(recipe.total_images, deadline)
        grid = next(run_batches(recipe, previews or shown, 0, device))[:PREVIEWED]
        take_steps(
            state,
            recipe,
            journal,
            clock,
            stream,
            step,
            stop=stop,
            compiled=compiled,
            sample=lambda: enlarged_grid(state, recipe, painter, grid).save(run.sample(state.images_seen)),
        )
    return state


def step_enlarger(state: TrainState, recipe: EnlargerRecipe, painter: Checkpoint, batch: Batch) -> Losses:
    """Updates enlarger and discriminator; returns the weighted losses."""
    judge, count = judge_of(recipe), int(len(batch) * recipe.painted_share)
    channels, segmap = maps_of(batch, judge)
    view, _ = draw_view(recipe.view, channels, recipe.label_nc)
    inputs = Inputs(channels, segmap, batch.image, ContextLabels(segmap, {}), view)
    small = small_pictures(painter, judge, batch.image, segmap, count)
    state.optimizer_g.zero_grad(set_to_none=True)
    state.objective.discriminator.requires_grad_(False)
    with precision(judge, batch.image):
        large = state.painter["enlarger"](small, segmap)
        terms, seen = state.objective.generator_losses(inputs, large)
        terms |= painting_losses(inputs, large, judge) | _kept(
            recipe, large.float(), small, batch.image, count
        )
    torch.stack([term.float() for term in terms.values()]).sum().backward()
    state.objective.discriminator.requires_grad_(True)
    state.optimizer_g.step()
    told = {name: term.detach() for name, term in terms.items()}
    return told | step_discriminator(state, judge, [inputs], [Painting(seen.image, seen.features)])


def _kept(recipe: EnlargerRecipe, large: Tensor, small: Tensor, photos: Tensor, painted: int) -> Losses:
    """What an enlarged picture shares with the small one, and with the photo where there is one."""
    keep = F.l1_loss(F.avg_pool2d(large, 2), small)
    terms = {"g_keep": recipe.lambda_keep * keep}
    if recipe.lambda_photo and painted < len(large):
        terms["g_photo"] = recipe.lambda_photo * F.l1_loss(large[painted:], photos[painted:])
    return terms


@torch.no_grad()
def small_pictures(
    painter: Checkpoint, judge: Recipe, photos: Tensor, segmap: Tensor, painted: int
) -> Tensor:
    """Paintings of the first ``painted`` maps in their photos' styles, half as large, and small photos.

    (B, 3, 2H, 2W) and (B, K, 2H, 2W) -> (B, 3, H, W) in [-1, 1].
    """
    small = F.avg_pool2d(photos, 2)
    if not painted:
        return small
    with precision(judge, photos):
        z = None if painter.encoder is None else painter.encoder(photos[:painted])[0].float()
        paintings = painter.generator(Labels(segmap[:painted, :, ::2, ::2].contiguous()), z)
    return torch.cat([paintings.float(), small[painted:]])


@torch.no_grad()
def enlarged_grid(state: TrainState, recipe: EnlargerRecipe, painter: Checkpoint, batch: Batch) -> Picture:
    """By the averaged weights: painting, small photo, each bicubic and enlarged; and the photo."""
    judge = judge_of(recipe)
    _, segmap = maps_of(batch, judge)
    columns, net = [], state.average["enlarger"]
    for painted in (len(batch), 0):
        small = small_pictures(painter, judge, batch.image, segmap, painted)
        plain = F.interpolate(small, scale_factor=2.0, mode="bicubic")
        columns += [to_bytes(plain), to_bytes(net(small, segmap.float()))]
    columns.append(to_bytes(batch.image))
    return Picture(montage(columns), {"images_seen": str(state.images_seen), "recipe": recipe.name})


def export_enlarger(
    state: TrainState,
    recipe: EnlargerRecipe,
    path: str | Path,
    data_name: str = "unnamed",
    terms: str = "unstated",
) -> Enlarger:
    """Writes the averaged weights of ``state`` as a model file and returns the enlarger in it."""
    card = EnlargerCard(
        name=recipe.name,
        network=recipe.network,
        semantics=recipe.semantics,
        palette=palette_of(recipe),
        training=record_of(state, recipe, data_name, terms),
        licence_weights=terms,
    )
    net: EnlargerNet = state.average["enlarger"]  # type: ignore[assignment]
    Enlarger(card, net).save(path)
    return Enlarger.load(path)
