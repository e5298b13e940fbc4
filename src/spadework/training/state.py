"""Everything a training run is at one moment, saved and resumed bit for bit."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from spadework.files import remedy_for, replacing
from spadework.nn import together
from spadework.nn.encoder import StyleEncoder
from spadework.nn.generator import Generator
from spadework.training.objectives import OBJECTIVES, Objective
from spadework.training.painter_recipe import Recipe

COUNTS = ("step", "images_seen", "seconds")

FORMERLY = {"painter.": "networks."}
"""Beginnings of names in older state files."""


@dataclass(kw_only=True)
class State:
    """`networks` are what a model is made of, `average` their moving average; steps count batches."""

    networks: nn.ModuleDict
    average: nn.ModuleDict
    optimizers: dict[str, Optimizer]
    step: int = 0
    images_seen: int = 0
    seconds: float = 0.0
    calibrated: bool = False  # what is measured of real photos before the first step was measured

    def parts(self) -> dict[str, nn.Module]:
        """The networks whose weights a state file holds."""
        return {"networks": self.networks, "average": self.average}

    def compile(self) -> None:
        """Lets PyTorch compile what runs in every step, once for each size of view: a minute or two."""
        for network in self.networks.values():
            network.compile(dynamic=False)

    def save(self, path: Path) -> None:
        """Writes networks, optimisers and torch's random state as one .safetensors file, whole or not at all.

        Raises ValueError, one line that names the state which is left.
        """
        tensors = {f"{n}.{k}": v for n, part in self.parts().items() for k, v in part.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            for index, slots in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}.{index}.{slot}": value for slot, value in slots.items()}
        tensors["rng"] = torch.get_rng_state()
        counts = json.dumps({name: getattr(self, name) for name in COUNTS})
        try:
            with replacing(path) as hidden:
                save_file({k: v.contiguous() for k, v in tensors.items()}, hidden, {"state": counts})
        except (ValueError, SafetensorError) as error:
            raise ValueError(_not_saved(path, error)) from error

    def load(self, path: Path) -> None:
        """Restores what `save` wrote; ValueError if the file is damaged or another recipe's."""
        counts, tensors = together.from_first(lambda: _read(path))
        for name, part in self.parts().items():
            try:
                part.load_state_dict(_under(tensors, name))
            except RuntimeError as error:
                raise ValueError(
                    f"{path} does not fit this recipe ({name}: {str(error).splitlines()[1].strip()}); "
                    "resume it without those --set that shape a network"
                ) from error
        for name, optimizer in self.optimizers.items():
            _restore(optimizer, _under(tensors, name))
        torch.set_rng_state(tensors["rng"])
        self.step, self.images_seen, self.seconds = (counts[name] for name in COUNTS)


@dataclass(kw_only=True)
class TrainState(State):
    """The state of a training against a discriminator, which the objective owns."""

    objective: Objective

    @property
    def generator(self) -> Generator:
        """The generator that learns."""
        return self.networks["generator"]  # type: ignore[return-value]

    @property
    def encoder(self) -> StyleEncoder | None:
        """The style encoder that learns, if there is a style."""
        return dict(self.networks.items()).get("encoder")  # type: ignore[return-value]

    @property
    def optimizer_g(self) -> Optimizer:
        """Of what paints."""
        return self.optimizers["optimizer_g"]

    @property
    def optimizer_d(self) -> Optimizer:
        """Of the discriminator."""
        return self.optimizers["optimizer_d"]

    def compile(self) -> None:
        """As of every state, and what judges too."""
        super().compile()
        for network in self.objective.networks():
            network.compile(dynamic=False)

    def parts(self) -> dict[str, nn.Module]:
        """The networks whose weights a state file holds."""
        parts = super().parts() | {"discriminator": self.objective.discriminator}
        features = getattr(self.objective, "features", None)
        return parts if features is None else parts | {"features": features}


def new_state(recipe: Recipe, device: torch.device | str = "cpu") -> TrainState:
    """Fresh networks and optimisers on a device, the same for the same recipe and seed."""
    torch.manual_seed(recipe.seed)
    generator = Generator(recipe.generator)
    generator.recompute = recipe.recompute
    networks = nn.ModuleDict({"generator": generator})
    if recipe.encoder:
        networks["encoder"] = StyleEncoder(recipe.encoder)
    objective = OBJECTIVES[recipe.discriminator](recipe)
    if recipe.init_gain is not None:
        for net in (networks, objective.discriminator):
            initialise(net, recipe.init_gain)
    if recipe.precision == "float64":
        for net in (networks, *objective.networks()):
            net.double()
    shares = (0.5, 2.0) if recipe.ttur else (1.0, 1.0)
    return state_of(networks, objective, recipe.lr, recipe.betas, device, shares)


def state_of(
    networks: nn.ModuleDict,
    objective: Objective,
    lr: float,
    betas: tuple[float, float],
    device: torch.device | str,
    shares: tuple[float, float] = (1.0, 1.0),
) -> TrainState:
    """A state at its beginning: networks on a device, their average, optimisers by `shares` of the rate."""
    for net in (networks, objective.discriminator):
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for net in (networks, *objective.networks()):
        net.to(device)
    # PyTorch's fused Adam is wrong on a CPU where gradient and weight have different memory layouts
    fused = torch.device(device).type == "cuda"
    learning = {"optimizer_g": networks, "optimizer_d": objective.discriminator}
    optimizers: dict[str, Optimizer] = {}
    for (name, net), share in zip(learning.items(), shares, strict=True):
        groups = [{"params": list(net.parameters()), "share": share}]
        optimizers[name] = torch.optim.Adam(groups, lr * share, betas, fused=fused)
    return TrainState(
        networks=networks, average=average_of(networks), optimizers=optimizers, objective=objective
    )


def average_of(networks: nn.ModuleDict) -> nn.ModuleDict:
    """The moving average at its beginning: a copy that learns nothing by itself."""
    return copy.deepcopy(networks).eval().requires_grad_(False)


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Every group of parameters gets its own share of the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["share"]


def initialise(net: nn.Module, gain: float) -> None:
    """Xavier normal for every convolution and linear layer, biases zero (the paper's code: gain 0.02)."""
    for name, parameter in net.named_parameters():
        if parameter.ndim in (2, 4):
            nn.init.xavier_normal_(parameter, gain=gain)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


@torch.no_grad()
def update_average(average: nn.Module, source: nn.Module, decay: float, step: int) -> None:
    """Moves the average towards the source; the first steps move faster (warm-up).

    Spectral norm's vectors are taken as they are: means of unit vectors are shorter than 1, which would make
    the averaged weights too large.
    """
    weight = 1 - min(decay, (1 + step) / (10 + step))
    for (name, a), b in zip(average.state_dict().items(), source.state_dict().values(), strict=True):
        if a.dtype.is_floating_point and not name.endswith(("._u", "._v")):
            a.lerp_(b, weight)
        else:
            a.copy_(b)


def survivor(path: Path) -> str:
    """Words on the state that is left when something else cannot be written."""
    if not path.exists():
        return "no state was saved before: begin again"
    try:
        seen = _read_counts(path)["images_seen"]
    except ValueError:
        return f"{path} is damaged as well: begin again with another --out"
    return f"{path}, after {seen:,} images, is whole: go on from there with --resume"


def _not_saved(path: Path, error: Exception) -> str:
    reason = remedy_for(error.__cause__ if isinstance(error.__cause__, OSError) else error)
    if not path.exists():
        return f"cannot save the state: no state was saved before; {path}: {reason}"
    try:
        seen = _read_counts(path)["images_seen"]
    except ValueError:
        return f"cannot save the state, and the one before is damaged: {reason}"
    return (
        f"cannot save the state, the one after {seen:,} images is whole: go on from there with --resume; "
        f"{path}: {reason}"
    )


def _read_counts(path: Path) -> dict[str, Any]:
    """ValueError where the file is damaged or something else."""
    try:
        with safe_open(path, "pt") as file:
            counts = json.loads(file.metadata()["state"])
        return {name: counts[name] for name in COUNTS}
    except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged or no training state ({error}); start a new run") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    counts = _read_counts(path)
    with safe_open(path, "pt") as file:
        tensors = {_today(k): file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    if "rng" not in tensors:
        raise ValueError(f"{path} is damaged or no training state (no random state); start a new run")
    return counts, tensors


def _today(name: str) -> str:
    for old, new in FORMERLY.items():
        name = new + name.removeprefix(old) if name.startswith(old) else name
    return name


def _under(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _restore(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, slot = key.split(".")
        state.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
