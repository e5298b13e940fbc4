"""What batch norm and SPADE make of features of the shipped model."""

import torch
from drawing import heat, sheet
from PIL import Image
from watching import model, sketch, steps

from spadework.nn.spade import SPADE

NAME, NORM = "alpine-lake", "blocks.up_1.norm_0"
FULL = {"x": 3.0, "norm(x)": 3.0, "1 + gamma": 9.0, "beta": 9.0, "SPADE": 9.0}
"""Where a colour is full."""


def modulation() -> dict[str, torch.Tensor]:
    """All that happens in one SPADE, (C, h, w) each: x, its norm, 1 + gamma, beta and the sum."""
    spade = model().generator.get_submodule(NORM)
    assert isinstance(spade, SPADE)
    seen = steps(NAME)
    x = seen.norms[NORM][None]
    taken: dict[str, torch.Tensor] = {}
    hooks = [
        getattr(spade, part).register_forward_hook(lambda _, __, out, part=part: taken.update({part: out[0]}))
        for part in ("param_free_norm", "mlp_gamma", "mlp_beta")
    ]
    with torch.inference_mode():
        left = spade(x, seen.labels.segmap)[0]
    for hook in hooks:
        hook.remove()
    gamma, beta = taken["mlp_gamma"], taken["mlp_beta"]
    return {
        "x": x[0],
        "norm(x)": taken["param_free_norm"],
        "1 + gamma": 1 + gamma,
        "beta": beta,
        "SPADE": left,
    }


def figure() -> Image.Image:
    """The three channels whose gamma varies most, a row each."""
    parts = modulation()
    chosen = parts["1 + gamma"].flatten(1).std(1).argsort(descending=True)[:3].tolist()
    colors = sketch(NAME).colorize()
    rows = [[colors, *(heat(part[c], FULL[name]) for name, part in parts.items())] for c in chosen]
    return sheet(rows, ["sketch", *parts], [f"channel {c}" for c in chosen])
