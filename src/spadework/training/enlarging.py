"""Training of an enlarger: small pictures in, photographs of twice their size to be like.

Half of the small pictures are photos made small, whose large self is known; half are paintings of the small
label map in the photo's style, as the enlarger will meet them, and of these only what photos look like is
known. The frozen classifier judges all of them, as it judges paintings.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.data.sample import Batch, Sample
from spadework.enlarger.enlarger import Enlarger, EnlargerCard
from spadework.enlarger.network import EnlargerNet
from spadework.fast.labels import ContextLabels
from spadework.model import Checkpoint
from spadework.nn import together
from spadework.nn.labels import Labels
from spadework.nn.pixels import to_bytes
from spadework.picture import Picture
from spadework.training.clock import Clock
from spadework.training.enlarger_recipe import EnlargerRecipe
from spadework.training.export import palette_of, record_of
from spadework.training.inputs import Inputs, maps_of
from spadework.training.loop import Step, run_batches, shown
from spadework.training.objectives import (
    BackboneObjective,
    Losses,
    Painting,
    painting_losses,
)
from spadework.training.painter_recipe import Recipe
from spadework.training.painting import set_learning_rates
from spadework.training.recipes import landscape
from spadework.training.samples import montage
from spadework.training.sharing import Roles, drawn
from spadework.training.state import TrainState, state_of
from spadework.training.steps import precision, step_discriminator
from spadework.training.views import draw_view

JUDGED = (
    *("palette", "label_nc", "unknown", "size", "batch_size", "precision", "lr", "betas"),
    *("backbone", "discriminator_widths"),
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


def discriminator_recipe(recipe: EnlargerRecipe) -> Recipe:
    """The painter's recipe whose discriminator looks at enlarged pictures."""
    shared = {key: getattr(recipe, key) for key in JUDGED}
    return landscape().model_copy(update=shared | OF_PAINTERS)


def new_enlarger_state(recipe: EnlargerRecipe, device: torch.device | str = "cpu") -> TrainState:
    """A fresh enlarger and discriminator, the same for the same recipe and seed."""
    torch.manual_seed(recipe.seed)
    networks = nn.ModuleDict({"enlarger": EnlargerNet(recipe.network)})
    return state_of(
        networks, BackboneObjective(discriminator_recipe(recipe)), recipe.lr, recipe.betas, device
    )


@dataclass(frozen=True)
class EnlargerTraining:
    """As `loop.Training`; half of what is enlarged are pictures by `painter`."""

    recipe: EnlargerRecipe
    pairs: Sequence[Sample]
    painter: Checkpoint
    previews: Sequence[Sample] = ()

    def roles(self) -> list[Roles]:
        return [roles_of(self.recipe, self.recipe.batch_size)]

    def new_state(self, device: torch.device | str, fresh: bool = True) -> TrainState:
        for network in (self.painter.generator, self.painter.encoder):
            if network is not None:
                network.to(device)
        return new_enlarger_state(self.recipe, device)

    def calibrate(self, state: TrainState, photos: Iterator[Batch]) -> None:
        state.objective.calibrate([batch.image for batch in photos])

    def set_rates(self, state: TrainState, clock: Clock) -> None:
        set_learning_rates(state, self.recipe, clock)

    def step(self, state: TrainState, batch: Batch) -> Step:
        return step_enlarger(state, self.recipe, self.painter, batch), {}

    def sample(self, state: TrainState) -> Picture:
        pairs, device = shown(self.previews, self.pairs, PREVIEWED), next(state.average.parameters()).device
        with closing(run_batches(self.recipe, pairs, 0, device)) as stream:
            grid = next(stream)[:PREVIEWED]
        return enlarged_grid(state, self.recipe, self.painter, grid)

    def export(self, state: TrainState, path: Path, data_name: str, terms: str) -> tuple[str, ...]:
        export_enlarger(state, self.recipe, path, data_name, terms)
        return "paint", "SKETCH.png", "--upscale", "2", "--enlarger", str(path)

    def keep(self, state: TrainState, path: Path) -> bool:
        return False


def roles_of(recipe: EnlargerRecipe, length: int) -> Roles:
    """The first pictures of a batch are paintings."""
    return Roles(length, painted=int(length * recipe.painted_share))


def _noise(painter: Checkpoint, maps: Labels, roles: Roles) -> list[Tensor] | None:
    """The painter's noise, drawn for all paintings of the batch."""
    if not painter.generator.config.noise:
        return None
    fields = painter.generator.draw_noise(roles.painted, maps.size)
    return [drawn(lambda _, field=field: field, roles, roles.painted) for field in fields]


def step_enlarger(state: TrainState, recipe: EnlargerRecipe, painter: Checkpoint, batch: Batch) -> Losses:
    """Updates enlarger and discriminator; returns the weighted losses."""
    against, roles = discriminator_recipe(recipe), roles_of(recipe, len(batch) * together.count())
    count = roles.painted // together.count()
    channels, segmap = maps_of(batch, against)
    view, _ = draw_view(recipe.view, channels, recipe.label_nc, roles=roles)
    inputs = Inputs(channels, segmap, batch.image, ContextLabels(segmap, {}), view)
    small = small_pictures(painter, against, batch.image, segmap, count, roles)
    state.optimizer_g.zero_grad(set_to_none=True)
    state.objective.discriminator.requires_grad_(False)
    net: EnlargerNet = state.networks["enlarger"]  # type: ignore[assignment]
    fields = net.draw_noise(roles.length, (small.shape[2], small.shape[3]))
    noise = [drawn(lambda _, field=field: field, roles) for field in fields]
    with precision(against, batch.image):
        large = net(small, segmap, noise)
        terms, seen = state.objective.generator_losses(inputs, large)
        terms |= painting_losses(inputs, large, against) | _kept(
            recipe, large.float(), small, batch.image, count
        )
    torch.stack([term.float() for term in terms.values()]).sum().backward()
    state.objective.discriminator.requires_grad_(True)
    together.average_gradients(state.networks.parameters())
    state.optimizer_g.step()
    told = {name: term.detach() for name, term in terms.items()}
    return told | step_discriminator(state, against, [inputs], [Painting(seen.image, seen.features)])


def _kept(recipe: EnlargerRecipe, large: Tensor, small: Tensor, photos: Tensor, painted: int) -> Losses:
    """What an enlarged picture shares with the small one, and with the photo where there is one."""
    keep = F.l1_loss(F.avg_pool2d(large, 2), small)
    terms = {"g_keep": recipe.lambda_keep * keep}
    if recipe.lambda_photo and painted < len(large):
        terms["g_photo"] = recipe.lambda_photo * F.l1_loss(large[painted:], photos[painted:])
    return terms


@torch.no_grad()
def small_pictures(
    painter: Checkpoint,
    against: Recipe,
    photos: Tensor,
    segmap: Tensor,
    painted: int,
    roles: Roles | None = None,
) -> Tensor:
    """Paintings of the first `painted` maps in their photos' styles, half as large, and small photos.

    (B, 3, 2H, 2W) and (B, K, 2H, 2W) -> (B, 3, H, W) in [-1, 1].
    """
    small = F.avg_pool2d(photos, 2)
    if not painted:
        return small
    with precision(against, photos):
        z = None if painter.encoder is None else painter.encoder(photos[:painted])[0].float()
        maps = Labels(segmap[:painted, :, ::2, ::2].contiguous())
        noise = _noise(painter, maps, roles or Roles(len(photos), painted=painted))
        paintings = painter.generator(maps, z, noise)
    return torch.cat([paintings.float(), small[painted:]])


@torch.no_grad()
def enlarged_grid(state: TrainState, recipe: EnlargerRecipe, painter: Checkpoint, batch: Batch) -> Picture:
    """By the averaged weights: painting, small photo, each bicubic and enlarged; and the photo."""
    against = discriminator_recipe(recipe)
    _, segmap = maps_of(batch, against)
    columns, net = [], state.average["enlarger"]
    for painted in (len(batch), 0):
        small = small_pictures(painter, against, batch.image, segmap, painted)
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
    """Writes the averaged weights of `state` as a model file and returns the enlarger in it."""
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
