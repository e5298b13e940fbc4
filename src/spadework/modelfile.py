"""Weights as .safetensors with a card in the header: the one way models of any kind are written and read."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn

from spadework import __version__
from spadework.files import Fault, Misfit, atomic_write, read_bytes, some
from spadework.sketch.palette import Palette, near_misses

FORMAT = 2
"""Raised when an older spadework could no longer read what this one writes."""

CARD = "spadework"
"""The header key that holds the card as JSON."""

SCALE = "int8_scale"
"""Beside a weight in bytes: what one of its units is worth, by output channel."""

ROW = 16
"""Weights with fewer values per output channel are not worth a scale each: they stay in half precision."""

SHOWN = 3
"""So many of the tensors that do not fit are named in an error."""

KINDS = {"painter": "paints sketches", "segmenter": "reads photos", "enlarger": "doubles pictures"}
"""What a file may hold, and what it is good for."""

Words = Annotated[str, Field(min_length=1)]


class TrainingRecord(BaseModel):
    """Where the weights come from. `seconds` of wall time on `machine`; `terms` are those of the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: Words
    data: Words
    terms: Words
    images_seen: int = Field(ge=0)
    seconds: float = Field(ge=0)
    machine: Words


class Card(BaseModel):
    """What every model says of itself: what made it, and what it may be used for. `format` is the file's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Words
    format: int = FORMAT
    spadework: str = __version__
    palette: Palette
    training: TrainingRecord
    metrics: dict[str, float | str] = {}
    licence_code: Words = "Apache-2.0"
    licence_weights: Words


Kind = TypeVar("Kind", bound=Card)


def shipped_file(name_or_path: str | os.PathLike[str], shipped: Mapping[str, Path], what: str) -> Path:
    """The file of a shipped model, or the path itself. Raises ValueError for a name that is not shipped."""
    path, name = Path(name_or_path), str(name_or_path)
    if name not in shipped:
        if path.suffix or path.exists() or len(path.parts) > 1:
            return path
        near, known = near_misses(name, shipped), ", ".join(shipped)
        raise Fault(f"no {what} '{name}'", f"{near} Shipped: {known}; or give a .safetensors file.".strip())
    if not shipped[name].is_file():
        raise Fault(f"the shipped {what} {name} is missing from this installation", "install it again")
    return shipped[name]


def is_model(path: str | os.PathLike[str]) -> bool:
    """Whether a .safetensors file has a card. Raises ValueError where it cannot be read, or is another."""
    return CARD in _header(read_bytes(path), path)


def kind_in(path: str | os.PathLike[str]) -> str:
    """Which of KINDS a model file says it is. Raises ValueError for a file without a card."""
    raw = json.loads(_header(read_bytes(path), path).get(CARD, "{}"))
    return raw.get("kind", "painter") if isinstance(raw, dict) else "painter"


def write_model(path: str | os.PathLike[str], card: Card, tensors: Mapping[str, Tensor]) -> None:
    """Writes one .safetensors file, whole or not at all.

    Raises ValueError when the name does not end in .safetensors, or the file cannot be written.
    """
    if not str(path).endswith(".safetensors"):
        raise Fault(f"cannot write {path}: a model is one .safetensors file", "give it that ending")
    atomic_write(path, safetensors.torch.save(dict(tensors), {CARD: card.model_dump_json()}))


def read_model(path: str | os.PathLike[str], kind: type[Kind]) -> tuple[Kind, dict[str, Tensor]]:
    """Card and tensors of a file. Nothing is unpickled.

    Raises ValueError, one line with the remedy, for a missing, damaged or foreign file, a card of another
    kind, one that cannot be understood, and a newer format.
    """
    data = read_bytes(path)
    card = _card(_header(data, path), path, kind)
    try:
        return card, safetensors.torch.load(data)
    except SafetensorError as error:
        raise Fault(f"{path} is damaged or truncated ({error})", "copy or download it again") from error


def packed(network: nn.Module, name: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """The tensors of a network, under "name.": those that were learned in `dtype`, statistics as they are.

    In int8 a weight (C_out, ...) becomes bytes and a scale by output channel; small ones are float16.
    Raises ValueError for a weight that is too large for `dtype` or not a number.
    """
    learned = {key for key, _ in network.named_parameters()}
    float_type = torch.float16 if dtype is torch.int8 else dtype
    found = {}
    for key, value in network.state_dict().items():
        whole = value.detach().to("cpu")
        value = whole.to(float_type) if key in learned else whole
        if not value.isfinite().all():
            raise Fault(
                f"{name}.{key} has values beyond {value.dtype}",
                "train on, or save with another dtype",
            )
        found[f"{name}.{key}"] = value.contiguous()
        if dtype is torch.int8 and key in learned and whole[0].numel() >= ROW:
            found[f"{name}.{key}"], found[f"{name}.{key}.{SCALE}"] = _in_bytes(whole)
    return found


def _in_bytes(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A weight (C_out, ...) as int8, and the units (C_out,) float32: the largest value becomes 127."""
    rows = weight.float().flatten(1)
    unit = rows.abs().amax(1).clamp(min=torch.finfo(torch.float32).tiny) / 127
    return (rows / unit[:, None]).round().to(torch.int8).view(weight.shape), unit


def unpacked(tensors: Mapping[str, Tensor], path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a file without bytes: these times their scales, in float32.

    Raises ValueError where weights in bytes and scales do not belong together.
    """
    scales = {key.removesuffix(f".{SCALE}"): value for key, value in tensors.items() if key.endswith(SCALE)}
    whole = {key: value for key, value in tensors.items() if not key.endswith(SCALE)}
    bytes_ = {key for key, value in whole.items() if value.dtype is torch.int8}
    faults = [f"{key} has no scale" for key in sorted(bytes_ - scales.keys())]
    faults += [f"{key}.{SCALE} belongs to no weight in bytes" for key in sorted(scales.keys() - bytes_)]
    for key in sorted(bytes_ & scales.keys()):
        if scales[key].shape != whole[key].shape[:1]:
            faults.append(f"{key} is {tuple(whole[key].shape)}, its scale {tuple(scales[key].shape)}")
            continue
        whole[key] = (whole[key].flatten(1) * scales[key].float()[:, None]).view(whole[key].shape)
    if faults:
        _refuse(faults, path)
    return whole


def _header(data: bytes, path: str | os.PathLike[str]) -> dict[str, str]:
    """The text fields of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    if data[8:9] != b"{" or length < 2:
        raise _foreign(data, path)
    if len(data) < 8 + length:
        raise Fault(f"{path} is truncated ({len(data):,} bytes)", "copy or download it again")
    try:
        return json.loads(data[8 : 8 + length]).get("__metadata__", {})
    except (ValueError, RecursionError) as error:
        raise Fault(f"{path} is damaged (its header is not JSON)", "copy or download it again") from error


def _foreign(data: bytes, path: str | os.PathLike[str]) -> Fault:
    if data[:2] == b"PK" or data[:1] == b"\x80":
        pickled = f"{path} is a pickled PyTorch file, which could run code when opened"
        return Fault(pickled, "give a .safetensors model")
    return Fault(f"{path} is not a .safetensors file", "give a model that spadework wrote")


def _card(header: dict[str, str], path: str | os.PathLike[str], kind: type[Kind]) -> Kind:
    if CARD not in header:
        raise Fault(f"{path} has weights but no model card", "give a model that spadework wrote")
    try:
        raw = json.loads(header[CARD])
        _demand_known_format(raw, path)
        _demand_kind(raw, path, kind)
        return kind.model_validate_json(header[CARD])
    except ValidationError as error:
        raise ValueError(f"{path}: its card cannot be understood: {_fault(error, kind)}") from error
    except json.JSONDecodeError as error:
        raise Fault(f"{path}: its card is not JSON ({error})", "copy or download it again") from error


def read_networks(
    path: str | os.PathLike[str], kind: type[Kind], build: Callable[[Kind], dict[str, nn.Module]]
) -> tuple[Kind, dict[str, nn.Module]]:
    """A model file's card, and the networks that are built from it with the file's weights, by name.

    Raises ValueError as `read_model`, and where the weights are not those of such networks.
    """
    card, tensors = read_model(path, kind)
    with torch.random.fork_rng(devices=[]):
        networks = build(card)
    demand_fit(tensors, networks, path)
    for name, network in networks.items():
        prefix = f"{name}."
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        fill(network, own)
    return card, networks


def _demand_known_format(raw: Any, path: str | os.PathLike[str]) -> None:
    found = raw.get("format") if isinstance(raw, dict) else None
    if isinstance(found, int) and found > FORMAT:
        raise Fault(
            f"{path} has format {found}, written by spadework {raw.get('spadework')}; this is spadework "
            f"{__version__}, which reads up to format {FORMAT}",
            "type pip install --upgrade spadework",
        )


def _demand_kind(raw: Any, path: str | os.PathLike[str], kind: type[Card]) -> None:
    """A card that names no kind is a painter's."""
    wanted = kind.model_fields["kind"].default if "kind" in kind.model_fields else "painter"
    found = raw.get("kind", "painter") if isinstance(raw, dict) else wanted
    if found != wanted and found in KINDS:
        raise Fault(f"{path} is a {found}, which {KINDS[found]}", f"give a {wanted}, which {KINDS[wanted]}")


def _fault(error: ValidationError, kind: type[Card]) -> str:
    """The first fault, with the key that was probably meant."""
    first = Misfit.first_of(error)
    if first.kind == "extra_forbidden":
        return f"{first.where}: unknown key, remove it.{near_misses(first.where, kind.model_fields)}"
    return f"{first.where or 'card'}: {first.said}."


def demand_fit(
    tensors: Mapping[str, Tensor], parts: Mapping[str, nn.Module], path: str | os.PathLike[str]
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
    raise Fault(
        f"{path}: weights and card do not belong together: {some(faults, SHOWN, '; ')}",
        "save the model again with the card of its own run",
    )


def fill(network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a network its weights and make it ready to paint."""
    whole = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    network.load_state_dict(whole, assign=True)
    network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
