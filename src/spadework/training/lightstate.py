"""Light states: all that a training can go on from anywhere, but its optimisers, in half precision.

A model file holds no discriminator, and a new one costs thousands of images; a whole state holds the weights
four times. A light state has the averaged networks, the discriminator, and what was measured of its frozen
features: 36 MB for the shipped model's training.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from spadework import __version__
from spadework.files import atomic_write, read_bytes
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import checked
from spadework.training.state import TrainState

HEADER = "light"
PARTS = ("average", "discriminator", "features")
MEASURED = ("mean_", "scale_")
"""Of the features these are written; their network comes from its package."""


@dataclass(frozen=True)
class LightState:
    """Tensors by part of PARTS. Without recipe and counts it is a discriminator's alone."""

    origin: str
    parts: Mapping[str, Mapping[str, Tensor]]
    recipe: Recipe | None = None
    step: int = 0
    images_seen: int = 0
    seconds: float = 0.0
    rng: Tensor | None = None


def write_light(path: Path, state: TrainState, recipe: Recipe) -> None:
    """Writes one .safetensors file, whole or not at all; ValueError where it cannot be written."""
    tensors = {"rng": torch.get_rng_state()}
    for part, network in state.parts().items():
        if part in PARTS:
            kept = {
                k: v for k, v in network.state_dict().items() if part != "features" or k.startswith(MEASURED)
            }
            tensors |= {f"{part}.{key}": _half(value) for key, value in kept.items()}
    counts = {"step": state.step, "images_seen": state.images_seen, "seconds": state.seconds}
    about = {"spadework": __version__, "recipe": recipe.model_dump(mode="json"), **counts}
    atomic_write(path, safetensors.torch.save(tensors, {HEADER: json.dumps(about)}))


def _half(value: Tensor) -> Tensor:
    value = value.detach().to("cpu")
    return (value.half() if value.dtype in (torch.float32, torch.float64) else value).contiguous()


def read_light(path: str | Path) -> LightState:
    """What `write_light` wrote, or a file of tensors "discriminator.*" and "features.*".

    Raises ValueError for every other file.
    """
    data = read_bytes(path)
    try:
        tensors = safetensors.torch.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        about: dict[str, Any] = json.loads(header.get("__metadata__", {}).get(HEADER, "{}"))
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"{path} is damaged or no .safetensors file ({error}): copy it again") from error
    parts = {part: _under(tensors, part) for part in PARTS}
    if not parts["discriminator"]:
        raise ValueError(
            f"{path} holds no discriminator: give a model, a light state (light-*.safetensors of a run), or "
            "a file of tensors named discriminator.*"
        )
    counts = {key: about.get(key, 0) for key in ("step", "images_seen", "seconds")}
    recipe = checked(about["recipe"], str(path), Recipe) if "recipe" in about else None
    return LightState(str(path), parts, recipe, **counts, rng=tensors.get("rng"))


def _under(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    return {k.removeprefix(f"{part}."): v for k, v in tensors.items() if k.startswith(f"{part}.")}


def fill_from(state: TrainState, light: LightState) -> None:
    """Gives the networks of a new run its weights; ValueError that names what does not fit."""
    networks: dict[str, tuple[nn.Module, ...]] = {"discriminator": (state.objective.discriminator,)}
    if light.parts["average"]:
        networks["average"] = (state.average, state.networks)
    for part, filled in networks.items():
        for network in filled:
            try:
                network.load_state_dict(dict(light.parts[part]))
            except RuntimeError as error:
                reason = str(error).splitlines()[1].strip()
                raise ValueError(
                    f"{light.origin} does not fit this recipe ({part}: {reason}): leave out those --set that "
                    "shape a network"
                ) from error
    if "features" in state.parts() and light.parts["features"]:
        state.parts()["features"].load_state_dict(dict(light.parts["features"]), strict=False)
        state.calibrated = True
    if light.rng is not None:
        torch.set_rng_state(light.rng)
