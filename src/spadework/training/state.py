"""Everything a training run is at one moment, saved and resumed bit for bit."""

import copy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from spadework.nn.encoder import StyleEncoder
from spadework.nn.generator import Generator
from spadework.training.objectives import OBJECTIVES, Objective
from spadework.training.painter_recipe import Recipe
from spadework.training.statefile import read_state, write_state


@dataclass
class TrainState:
    """``painter`` holds generator and encoder, ``average`` their moving average; steps count batches.

    calibrated: what the objective needs of real photos was measured.
    """

    step: int
    images_seen: int
    seconds: float
    painter: nn.ModuleDict
    average: nn.ModuleDict
    objective: Objective
    optimizer_g: torch.optim.Optimizer
    optimizer_d: torch.optim.Optimizer
    calibrated: bool = False

    @property
    def generator(self) -> Generator:
        """The generator that learns."""
        return self.painter["generator"]  # type: ignore[return-value]

    @property
    def encoder(self) -> StyleEncoder | None:
        """The style encoder that learns, if there is a style."""
        return dict(self.painter.items()).get("encoder")  # type: ignore[return-value]

    def compile(self) -> None:
        """Lets PyTorch compile what runs in every step, once for each size of view: a minute or two."""
        for network in (*self.painter.values(), *self.objective.networks()):
            network.compile(dynamic=False)

    def parts(self) -> dict[str, nn.Module]:
        """The networks whose weights a state file holds."""
        parts = {"painter": self.painter, "average": self.average}
        parts |= {"discriminator": self.objective.discriminator}
        features = getattr(self.objective, "features", None)
        return parts if features is None else parts | {"features": features}

    def save(self, path: Path) -> None:
        """Writes one .safetensors file, whole or not at all."""
        counts = {"step": self.step, "images_seen": self.images_seen, "seconds": self.seconds}
        write_state(path, counts, self.parts(), self._optimizers())

    def load(self, path: Path) -> None:
        """Restores what ``save`` wrote; ValueError if the file is damaged or another recipe's."""
        counts = read_state(path, self.parts(), self._optimizers())
        self.step, self.images_seen, self.seconds = (counts[k] for k in ("step", "images_seen", "seconds"))

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        return {"optimizer_g": self.optimizer_g, "optimizer_d": self.optimizer_d}


def new_state(recipe: Recipe, device: torch.device | str = "cpu") -> TrainState:
    """Fresh networks and optimisers on a device, the same for the same recipe and seed."""
    torch.manual_seed(recipe.seed)
    painter = nn.ModuleDict({"generator": Generator(recipe.generator)})
    if recipe.encoder:
        painter["encoder"] = StyleEncoder(recipe.encoder)
    objective = OBJECTIVES[recipe.judge](recipe)
    if recipe.init_gain is not None:
        for net in (painter, objective.discriminator):
            initialise(net, recipe.init_gain)
    rates = (recipe.lr / 2, recipe.lr * 2) if recipe.ttur else (recipe.lr, recipe.lr)
    return state_of(painter, objective, rates, recipe.betas, device)


def state_of(
    networks: nn.ModuleDict,
    objective: Objective,
    rates: tuple[float, float],
    betas: tuple[float, float],
    device: torch.device | str,
) -> TrainState:
    """A state at its beginning: networks on a device, their average, and optimisers of these two rates."""
    for net in (networks, objective.discriminator):
        net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for net in (networks, *objective.networks()):
        net.to(device)
    average = copy.deepcopy(networks).eval().requires_grad_(False)
    # PyTorch's fused Adam is wrong on a CPU where gradient and weight have different memory layouts
    fused = torch.device(device).type == "cuda"
    optimizer_g = torch.optim.Adam(networks.parameters(), rates[0], betas, fused=fused)
    optimizer_d = torch.optim.Adam(objective.discriminator.parameters(), rates[1], betas, fused=fused)
    return TrainState(0, 0, 0.0, networks, average, objective, optimizer_g, optimizer_d)


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
