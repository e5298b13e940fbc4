"""From a training state to a model that paints: averaged weights, fresh statistics, styles that fit N(0, 1).

Shapes: B batch, Z style.
"""

import copy
import os
import platform
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import torch
from torch import nn

from spadework.data.loader import ahead
from spadework.data.sample import Sample
from spadework.model import ModelCard, save_checkpoint
from spadework.modelfile import TrainingRecord, fill, packed, unpacked
from spadework.nn.encoder import StyleEncoder
from spadework.nn.generator import Generator
from spadework.nn.labels import Labels
from spadework.nn.prior import StylePrior, StylePriorConfig
from spadework.nn.spectral import fold_spectral_norm
from spadework.sketch.palette import Category, Palette
from spadework.training.inputs import Inputs
from spadework.training.loop import plan_of
from spadework.training.painter_recipe import Recipe
from spadework.training.settings import RunSettings
from spadework.training.state import State, TrainState
from spadework.training.steps import precision

FAITHFUL = 45.0
"""Decibels: by so much pictures may differ that are painted with weights in bytes."""

CHECKED = 16
"""So many training maps are painted to see that."""

STATISTICS_IMAGES = 512
STYLE_IMAGES = 1024
NORMS = (nn.BatchNorm2d, nn.SyncBatchNorm)


def export_model(
    state: TrainState,
    recipe: Recipe,
    data: Sequence[Sample],
    path: str | Path,
    data_name: str = "unnamed",
    terms: str = "unstated",
) -> ModelCard:
    """Writes the averaged weights of `state` as a model file and returns its card.

    Batch-norm statistics are measured anew with the averaged weights on training pairs (moving averages lag
    behind the weights: the classic reason why test pictures look worse than previews), and the style space
    is whitened so that seeds, drawn from N(0, 1), are styles as photos have them.
    """
    average = copy.deepcopy(state.average)
    generator: Generator = average["generator"]  # type: ignore[assignment]
    encoder: StyleEncoder | None = dict(average.items()).get("encoder")  # type: ignore[assignment]
    measure_statistics(generator, encoder, recipe, data)
    prior = None
    if encoder is not None:
        whiten_styles(generator, encoder, recipe, data)
        prior = remember_styles(encoder, recipe, data)
    card = ModelCard(
        name=recipe.name,
        generator=generator.config,
        encoder=recipe.encoder,
        prior=prior and prior.config,
        semantics=recipe.semantics,
        palette=palette_of(recipe),
        training=record_of(state, recipe, data_name, terms),
        licence_weights=terms,
    )
    weights = torch.int8 if bytes_suffice(generator, encoder, recipe, data) else torch.float16
    save_checkpoint(path, card, generator, encoder, prior, weights)
    return card


@torch.no_grad()
def bytes_suffice(
    generator: Generator, encoder: StyleEncoder | None, recipe: Recipe, data: Sequence[Sample]
) -> bool:
    """Whether pictures of weights in bytes are FAITHFUL to those of half precision, on CHECKED maps."""
    half, whole = (_rounded(generator, dtype) for dtype in (torch.float16, torch.int8))
    recipe, errors = recipe.model_copy(update={"precision": "float32"}), []  # as pictures are painted
    for batch in _pairs(recipe, data, CHECKED, _device(generator)):
        maps, z = Inputs.of(batch, recipe).painted, None if encoder is None else encoder(batch.image)[0]
        if encoder is None and recipe.z_dim is not None:
            z = torch.randn(len(batch), recipe.z_dim, device=batch.image.device)
        noise = generator.draw_noise(len(batch), recipe.size) if recipe.noise else None
        apart = (whole(maps, z, noise) - half(maps, z, noise)) / 2
        errors.append(apart.square().flatten(1).mean(1))
    return bool(-10 * torch.cat(errors).clamp(min=1e-12).log10().min() >= FAITHFUL)


def _rounded(generator: Generator, dtype: torch.dtype) -> Generator:
    """A copy whose weights are as they would be read from a file."""
    folded = fold_spectral_norm(generator)
    read = unpacked(packed(folded, "generator", dtype), "generator")
    fill(folded, {k.removeprefix("generator."): v.to(_device(generator)) for k, v in read.items()})
    return folded


def record_of(state: State, recipe: RunSettings, data_name: str, terms: str) -> TrainingRecord:
    """What a card says of the training so far."""
    return TrainingRecord(
        recipe=recipe.name,
        data=data_name,
        terms=terms,
        images_seen=state.images_seen,
        seconds=round(state.seconds),
        machine=machine(),
    )


def machine() -> str:
    """The computer in words: processor architecture, threads, torch version."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} CPU"
    return f"{device}, {torch.get_num_threads()} of {os.cpu_count()} threads, torch {torch.__version__}"


def palette_of(recipe: RunSettings) -> Palette:
    """The recipe's palette; without one its classes are numbered."""
    if recipe.classes is not None:
        return recipe.classes
    classes = tuple(Category(id=i, name=f"class {i}") for i in range(recipe.label_nc))
    return Palette(name=recipe.name, unknown=255 if recipe.unknown else None, classes=classes)


def _pairs(recipe: Recipe, data: Sequence[Sample], images: int, device: torch.device | str = "cpu"):
    """Training batches as the run sees them, about `images` photos."""
    with closing(ahead(plan_of(recipe, data), 0, device=device)) as stream:
        for _ in range(max(1, images // recipe.batch_size)):
            yield next(stream)


def _device(network: nn.Module) -> torch.device:
    return next(network.parameters()).device


@torch.no_grad()
def measure_statistics(
    generator: Generator, encoder: StyleEncoder | None, recipe: Recipe, data: Sequence[Sample]
) -> None:
    """Replaces the running statistics of every batch norm by plain means over training batches."""
    nets = [net for net in (generator, encoder) if net is not None]
    norms = [m for net in nets for m in net.modules() if isinstance(m, NORMS)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over all batches
        norm.train()
    for batch in _pairs(recipe, data, STATISTICS_IMAGES, _device(generator)):
        inputs = Inputs.of(batch, recipe)
        with precision(recipe, inputs.image):
            z = encoder(inputs.image)[0].float() if encoder is not None else None
            generator(inputs.painted, z)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.eval()


@torch.no_grad()
def whiten_styles(
    generator: Generator, encoder: StyleEncoder, recipe: Recipe, data: Sequence[Sample]
) -> None:
    """Moves the Gaussian fitted to all photos' styles to N(0, 1), in encoder and generator alike.

    A photo's picture stays the same; only what a random style means changes: z = mean + root @ z'.
    """
    encoded = [encoder(batch.image) for batch in _pairs(recipe, data, STYLE_IMAGES, _device(encoder))]
    mu = torch.cat([mu for mu, _ in encoded]).double()
    variance = torch.cat([logvar for _, logvar in encoded]).double().exp().mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(mu.T) + torch.diag(variance))
    root = (vectors * values.clamp(min=1e-8).sqrt()) @ vectors.T
    mean, inverse = mu.mean(0), torch.linalg.inv(root)
    for layer in generator.style_layers():
        weight = layer.weight.double()
        layer.bias.copy_(layer.bias.double() + weight @ mean)
        layer.weight.copy_(weight @ root)
    encoder.fc_mu.weight.copy_(inverse @ encoder.fc_mu.weight.double())
    encoder.fc_mu.bias.copy_(inverse @ (encoder.fc_mu.bias.double() - mean))
    # of the turned posterior the encoder can say the variances alone
    encoder.fc_var.bias.add_((inverse.square() @ variance / variance).log().to(encoder.fc_var.bias.dtype))


@torch.no_grad()
def remember_styles(encoder: StyleEncoder, recipe: Recipe, data: Sequence[Sample]) -> StylePrior:
    """The styles of training photos beside the layouts of their maps."""
    references = min(STYLE_IMAGES, len(data)) // recipe.batch_size * recipe.batch_size
    config = StylePriorConfig(
        semantic_nc=recipe.semantics.semantic_nc, z_dim=encoder.config.z_dim, references=max(references, 1)
    )
    prior = StylePrior(config)
    for i, batch in enumerate(_pairs(recipe, data, references, _device(encoder))):
        kept = slice(0, config.references - i * recipe.batch_size)
        segmap = Labels.of(batch.labels[kept], recipe.semantics).segmap
        prior.remember(segmap, encoder(batch.image[kept])[0], i * recipe.batch_size)
    return prior
