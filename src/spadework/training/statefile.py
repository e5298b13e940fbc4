"""One .safetensors file of a training's networks, optimisers and random numbers, whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from spadework.files import remedy_for


def write_state(
    path: Path, counts: dict[str, Any], parts: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
) -> None:
    """Writes the networks ``parts``, the ``optimizers`` and torch's random state; ``counts`` as JSON."""
    tensors = {f"{n}.{k}": v for n, part in parts.items() for k, v in part.state_dict().items()}
    for name, optimizer in optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}.{index}.{slot}": value for slot, value in slots.items()}
    tensors["rng"] = torch.get_rng_state()
    hidden = path.with_name(f".{path.name}.tmp")
    try:
        save_file({k: v.contiguous() for k, v in tensors.items()}, hidden, {"state": json.dumps(counts)})
        hidden.replace(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(_not_saved(path, error)) from error
    finally:
        hidden.unlink(missing_ok=True)


def _not_saved(path: Path, error: Exception) -> str:
    if not path.exists():
        return f"cannot save the state: no state was saved before; {path}: {remedy_for(error)}"
    seen = f"{_read_counts(path).get('images_seen', 0):,} images"
    return (
        f"cannot save the state, the one after {seen} is whole: go on from there with --resume; "
        f"{path}: {remedy_for(error)}"
    )


def survivor(path: Path) -> str:
    """Words on the state that is left when something else cannot be written."""
    if not path.exists():
        return "no state was saved before: begin again"
    try:
        seen = _read_counts(path).get("images_seen", 0)
    except (SafetensorError, OSError, TypeError, KeyError, ValueError):
        return f"{path} is damaged as well: begin again with another --out"
    return f"{path}, after {seen:,} images, is whole: go on from there with --resume"


def _read_counts(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["state"])


def read_state(
    path: Path, parts: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
) -> dict[str, Any]:
    """Restores what ``write_state`` wrote and returns the counts.

    ValueError if the file is damaged or another recipe's.
    """
    counts, tensors = _read(path)
    for name, part in parts.items():
        prefix = f"{name}."
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        try:
            part.load_state_dict(own)
        except RuntimeError as error:
            raise ValueError(
                f"{path} does not fit this recipe ({name}: {str(error).splitlines()[1].strip()}); "
                "resume it without those --set that shape a network"
            ) from error
    for name, optimizer in optimizers.items():
        _restore(optimizer, name, tensors)
    torch.set_rng_state(tensors["rng"])
    return counts


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, "pt") as file:
            counts = json.loads(file.metadata()["state"])
            return counts, {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is damaged or no training state ({error}); start a new run") from error


def _restore(optimizer: Optimizer, name: str, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        owner, _, rest = key.partition(".")
        if owner == name:
            index, slot = rest.split(".")
            state.setdefault(int(index), {})[slot] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
