"""A model in one file: weights as .safetensors, and in its header a card that says everything about them."""

import os
from dataclasses import dataclass
from typing import Self

import torch
from pydantic import model_validator
from torch import nn

from spadework.files import Fault
from spadework.modelfile import Card, demand_fit, fill, packed, read_model, unpacked, write_model
from spadework.nn.encoder import StyleEncoder, StyleEncoderConfig
from spadework.nn.generator import Generator, GeneratorConfig
from spadework.nn.labels import SemanticsConfig
from spadework.nn.prior import StylePrior, StylePriorConfig
from spadework.nn.spectral import fold_spectral_norm, remove_spectral_norm


class ModelCard(Card):
    """What a model is, what it was made of and what it may be used for."""

    generator: GeneratorConfig
    encoder: StyleEncoderConfig | None = None
    prior: StylePriorConfig | None = None
    semantics: SemanticsConfig

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        channels, z_dim = self.semantics.semantic_nc, self.generator.z_dim
        if self.generator.semantic_nc != channels:
            raise ValueError(
                f"the generator takes {self.generator.semantic_nc} channels, semantics give {channels}"
            )
        if self.encoder and self.encoder.z_dim != z_dim:
            raise ValueError(f"the encoder gives styles of {self.encoder.z_dim}, the generator takes {z_dim}")
        if self.prior and (self.prior.z_dim, self.prior.semantic_nc) != (z_dim, channels):
            raise ValueError(
                f"the prior has styles of {self.prior.z_dim} for {self.prior.semantic_nc} channels, the "
                f"generator takes {z_dim} and {channels}"
            )
        if self.palette.label_nc > self.semantics.label_nc:
            raise ValueError(
                f"palette {self.palette.name} has ids up to {self.palette.label_nc - 1}, "
                f"semantics know {self.semantics.label_nc} classes"
            )
        return self


@dataclass(frozen=True)
class Checkpoint:
    """A model ready to paint: float32, eval mode, channels_last, no gradients, spectral norm folded."""

    card: ModelCard
    generator: Generator
    encoder: StyleEncoder | None
    prior: StylePrior | None = None


def save_checkpoint(
    path: str | os.PathLike[str],
    card: ModelCard,
    generator: Generator,
    encoder: StyleEncoder | None = None,
    prior: StylePrior | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write one .safetensors file, whole or not at all: what was learned in `dtype`, statistics in float32.

    In int8 the generator takes half of what it takes in float16, and pictures differ by a fraction of a grey
    level (54 dB for the shipped model); the others are float16, as styles are to be exact.

    Raises ValueError when the card describes other networks, a weight is too large for `dtype` or not a
    number, the name does not end in .safetensors, or the file cannot be written.
    """
    configs = generator.config, encoder and encoder.config, prior and prior.config
    if configs != (card.generator, card.encoder, card.prior):
        raise Fault(
            f"the card of {card.name} describes other networks than those given",
            "make its card anew",
        )
    tensors = packed(fold_spectral_norm(generator), "generator", dtype)
    half = torch.float16 if dtype is torch.int8 else dtype
    if encoder is not None:
        tensors |= packed(fold_spectral_norm(encoder), "encoder", half)
    if prior is not None:
        tensors |= {f"prior.{key}": value.to("cpu", half) for key, value in prior.state_dict().items()}
    write_model(path, card, tensors)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """The model in a .safetensors file. Nothing is unpickled.

    Raises ValueError, one line with the remedy, for a missing, damaged or foreign file, a card that cannot
    be understood, a newer format, and weights that are not the card's (with their names and shapes).
    """
    card, tensors = read_model(path, ModelCard)
    tensors = unpacked(tensors, path)
    generator, encoder = _networks(card, path)
    prior = StylePrior(card.prior) if card.prior else None
    named = {"generator": generator, "encoder": encoder, "prior": prior}
    parts: dict[str, nn.Module] = {name: part for name, part in named.items() if part is not None}
    demand_fit(tensors, parts, path)
    for name, network in parts.items():
        fill(network, {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")})
    return Checkpoint(card, generator, encoder, prior)


def write_metrics(path: str | os.PathLike[str], metrics: dict[str, float | str]) -> ModelCard:
    """Adds measured figures to the card of a model file; its weights stay as they are, to the bit.

    Raises ValueError as `load_checkpoint` does.
    """
    card, tensors = read_model(path, ModelCard)
    card = ModelCard.model_validate(card.model_dump() | {"metrics": card.metrics | metrics})
    write_model(path, card, tensors)
    return card


def _networks(card: ModelCard, path: str | os.PathLike[str]) -> tuple[Generator, StyleEncoder | None]:
    """Folded networks whose weights are still to come; the caller's random numbers are not touched."""
    try:
        with torch.random.fork_rng(devices=[]):
            encoder = remove_spectral_norm(StyleEncoder(card.encoder)) if card.encoder else None
            return remove_spectral_norm(Generator(card.generator)), encoder
    except RuntimeError as error:
        raise Fault(f"{path}: its card describes impossible networks ({error})", "copy it again") from error
