"""A model in one file: weights as .safetensors, and in its header a card that says everything about them."""

import copy
import json
import os
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, Self, TypeVar

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.utils import parametrize

from spadework import __version__
from spadework.files import atomic_write, read_bytes
from spadework.nn.encoder import StyleEncoder, StyleEncoderConfig
from spadework.nn.generator import Generator, GeneratorConfig
from spadework.nn.prior import StylePrior, StylePriorConfig
from spadework.palette import Palette, near_misses
from spadework.tensors import SemanticsConfig

FORMAT = 1
"""Raised when an older spadework could no longer read what this one writes."""

CARD = "spadework"
"""The header key that holds the card as JSON."""

SHOWN = 3
"""So many of the tensors that do not fit are named in an error."""

Words = Annotated[str, Field(min_length=1)]
Network = TypeVar("Network", bound=nn.Module)


class TrainingRecord(BaseModel):
    """Where the weights come from. `seconds` of wall time on `machine`; `terms` are those of the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Words
    data: Words
    terms: Words
    images_seen: int = Field(ge=0)
    seconds: float = Field(ge=0)
    machine: Words


class ModelCard(BaseModel):
    """What a model is, what it was made of and what it may be used for. `format` is that of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Words
    format: int = FORMAT
    spadework: str = __version__
    generator: GeneratorConfig
    encoder: StyleEncoderConfig | None = None
    prior: StylePriorConfig | None = None
    semantics: SemanticsConfig
    palette: Palette
    training: TrainingRecord
    metrics: dict[str, float | str] = {}
    licence_code: Words = "Apache-2.0"
    licence_weights: Words

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


def fold_spectral_norm(module: Network) -> Network:
    """A copy in eval mode whose weights are divided by their spectral norms once, not at every call.

    Its pictures equal the original's in eval mode to float rounding; the original stays as it is.
    """
    return _fold(copy.deepcopy(module).eval())


def _fold(module: Network) -> Network:
    # Not remove_parametrizations: it strips the class, which a deep copy shares with its original.
    for part in list(module.modules()):
        if parametrize.is_parametrized(part, "weight"):
            weight = nn.Parameter(torch.as_tensor(part.weight).detach())
            part.__class__ = parametrize.type_before_parametrizations(part)
            del part.parametrizations
            part.register_parameter("weight", weight)
    return module


def save_checkpoint(
    path: str | os.PathLike[str],
    card: ModelCard,
    generator: Generator,
    encoder: StyleEncoder | None = None,
    prior: StylePrior | None = None,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write one .safetensors file, whole or not at all: what was learned in `dtype`, statistics in float32.

    Raises ValueError when the card describes other networks, a weight is too large for `dtype` or not a
    number, the name does not end in .safetensors, or the file cannot be written.
    """
    if not str(path).endswith(".safetensors"):
        raise ValueError(f"cannot write {path}: a model is one .safetensors file: give it that ending")
    configs = generator.config, encoder and encoder.config, prior and prior.config
    if configs != (card.generator, card.encoder, card.prior):
        raise ValueError(
            f"the card of {card.name} describes other networks than those given: make its card anew"
        )
    tensors = _packed(generator, "generator", dtype)
    if encoder is not None:
        tensors |= _packed(encoder, "encoder", dtype)
    if prior is not None:
        tensors |= {f"prior.{key}": value.to("cpu", dtype) for key, value in prior.state_dict().items()}
    atomic_write(path, safetensors.torch.save(tensors, {CARD: card.model_dump_json()}))


def _packed(network: nn.Module, name: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors of a folded copy, under "name.": those that were learned in `dtype`."""
    folded = fold_spectral_norm(network)
    learned = {key for key, _ in folded.named_parameters()}
    packed = {}
    for key, value in folded.state_dict().items():
        value = value.detach().to("cpu", dtype if key in learned else None)
        if not value.isfinite().all():
            raise ValueError(
                f"{name}.{key} has values beyond {value.dtype}: train on, or save with another dtype"
            )
        packed[f"{name}.{key}"] = value.contiguous()
    return packed


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """The model in a .safetensors file. Nothing is unpickled.

    Raises ValueError, one line with the remedy, for a missing, damaged or foreign file, a card that cannot
    be understood, a newer format, and weights that are not the card's (with their names and shapes).
    """
    data = read_bytes(path)
    card = _card(_header(data, path), path)
    try:
        tensors = safetensors.torch.load(data)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged or truncated ({error}): copy or download it again") from error
    generator, encoder = _networks(card, path)
    prior = StylePrior(card.prior) if card.prior else None
    named = {"generator": generator, "encoder": encoder, "prior": prior}
    parts: dict[str, nn.Module] = {name: part for name, part in named.items() if part is not None}
    _demand_fit(tensors, parts, path)
    for name, network in parts.items():
        _fill(
            network, {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}
        )
    return Checkpoint(card, generator, encoder, prior)


def write_metrics(path: str | os.PathLike[str], metrics: dict[str, float | str]) -> ModelCard:
    """Adds measured figures to the card of a model file; its weights stay as they are, to the bit.

    Raises ValueError as `load_checkpoint` does.
    """
    data = read_bytes(path)
    card = _card(_header(data, path), path)
    card = ModelCard.model_validate(card.model_dump() | {"metrics": card.metrics | metrics})
    atomic_write(path, safetensors.torch.save(safetensors.torch.load(data), {CARD: card.model_dump_json()}))
    return card


def _header(data: bytes, path: str | os.PathLike[str]) -> dict[str, str]:
    """The text fields of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    if data[8:9] != b"{" or length < 2:
        raise ValueError(_foreign(data, path))
    if len(data) < 8 + length:
        raise ValueError(f"{path} is truncated ({len(data):,} bytes): copy or download it again")
    try:
        return json.loads(data[8 : 8 + length]).get("__metadata__", {})
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged (its header is not JSON): copy or download it again") from error


def _foreign(data: bytes, path: str | os.PathLike[str]) -> str:
    if data[:2] == b"PK" or data[:1] == b"\x80":
        return (
            f"{path} is a pickled PyTorch file, which could run code when opened: give a .safetensors model"
        )
    return f"{path} is not a .safetensors file: give a model that spadework wrote"


def _card(header: dict[str, str], path: str | os.PathLike[str]) -> ModelCard:
    if CARD not in header:
        raise ValueError(f"{path} has weights but no model card: give a model that spadework wrote")
    try:
        raw = json.loads(header[CARD])
        _demand_known_format(raw, path)
        return ModelCard.model_validate_json(header[CARD])
    except ValidationError as error:
        raise ValueError(f"{path}: its card cannot be understood: {_fault(error)}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: its card is not JSON ({error}): copy or download it again") from error


def _demand_known_format(raw: Any, path: str | os.PathLike[str]) -> None:
    found = raw.get("format") if isinstance(raw, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise ValueError(
            f"{path} has format {found}, written by spadework {raw.get('spadework')}; this is spadework "
            f"{__version__}, which reads up to format {FORMAT}: type pip install --upgrade spadework"
        )


def _fault(error: ValidationError) -> str:
    """The first fault, with the key that was probably meant."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "card"
    hint = near_misses(where, ModelCard.model_fields) if first["type"] == "extra_forbidden" else ""
    what = "unknown key, remove it" if first["type"] == "extra_forbidden" else first["msg"]
    return f"{where}: {what}.{hint}"


def _networks(card: ModelCard, path: str | os.PathLike[str]) -> tuple[Generator, StyleEncoder | None]:
    """Folded networks whose weights are still to come; the caller's random numbers are not touched."""
    try:
        with torch.random.fork_rng(devices=[]):
            encoder = _fold(StyleEncoder(card.encoder)) if card.encoder else None
            return _fold(Generator(card.generator)), encoder
    except RuntimeError as error:
        raise ValueError(
            f"{path}: its card describes impossible networks ({error}): copy it again"
        ) from error


def _demand_fit(
    tensors: dict[str, Tensor], parts: dict[str, nn.Module], path: str | os.PathLike[str]
) -> None:
    """The file's tensors are exactly those of the networks that the card describes."""
    expected = {f"{name}.{k}": _form(v) for name, part in parts.items() for k, v in part.state_dict().items()}
    found = {name: _form(tensor) for name, tensor in tensors.items()}
    faults = [
        f"{name} is {found.get(name, 'missing')}, the card says {expected.get(name, 'there is none')}"
        for name in sorted(expected.keys() | found.keys())
        if found.get(name) != expected.get(name)
    ]
    if faults:
        _refuse(faults, path)


def _form(tensor: Tensor) -> str:
    """Its shape, and its type where that is not some floating point."""
    shape = str(tuple(tensor.shape))
    return shape if tensor.is_floating_point() else f"{shape} {tensor.dtype}"


def _refuse(faults: list[str], path: str | os.PathLike[str]) -> NoReturn:
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    raise ValueError(
        f"{path}: weights and card do not belong together: {'; '.join(faults[:SHOWN])}{more}: "
        "save the model again with the card of its own run"
    )


def _fill(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give a network its weights and make it ready to paint."""
    whole = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    network.load_state_dict(whole, assign=True)
    network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
