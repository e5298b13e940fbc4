"""A published checkpoint becomes one of ours: everything that its weights show is inferred and checked."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from spadework.files import Fault
from spadework.model import Checkpoint, ModelCard
from spadework.modelfile import TrainingRecord
from spadework.nn.encoder import StyleEncoder
from spadework.nn.generator import Generator
from spadework.nn.spectral import Network, fold_spectral_norm, remove_spectral_norm
from spadework.nvlabs.files import Published
from spadework.nvlabs.networks import (
    NUM_UPS,
    EncoderOptions,
    GeneratorOptions,
    load,
    norm_of,
    parse_norm,
)
from spadework.nvlabs.presets import Preset

TERMS = "published SPADE weights: CC BY-NC-SA 4.0, non-commercial; unless their owner says otherwise"


def generator_options(
    state: Mapping[str, Tensor], preset: Preset, stated: Mapping[str, Any]
) -> GeneratorOptions:
    """The options of a generator, read off its weights; `stated` ones (flags, opt.txt) must agree.

    The weights cannot tell 5 doublings from 6 without a style: then the stated ones count, else 5. Raises
    ValueError that says what both are.
    """
    seen = _seen(state)
    for key in seen.keys() & {k for k, v in stated.items() if v is not None}:
        if not _agree(key, seen[key], stated[key]):
            raise Fault(f"the weights have {key} {seen[key]}, but {stated[key]} is stated", f"change --{key}")
    _demand_channels(seen["semantic_nc"], preset)
    if state["fc.weight"].ndim == 2:
        seen["num_upsampling_layers"] = _ups_of_style(state, preset, seen)
    free = {"num_upsampling_layers": stated.get("num_upsampling_layers") or "normal"}
    shape = {"crop_size": preset.crop_size, "aspect_ratio": preset.aspect_ratio}
    return GeneratorOptions.model_validate(shape | free | seen)


def _seen(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What the weights alone say."""
    if "fc.weight" not in state or "head_0.norm_0.mlp_shared.0.weight" not in state:
        raise Fault(
            f"these weights are no published generator (they have {', '.join(sorted(state)[:3])}, ...)",
            "give latest_net_G.pth",
        )
    fc, shared = state["fc.weight"], state["head_0.norm_0.mlp_shared.0.weight"]
    seen: dict[str, Any] = {
        "semantic_nc": shared.shape[1],
        "norm_G": norm_of(state),
        "ngf": state["head_0.conv_0.bias"].shape[0] // 16,
        "use_vae": fc.ndim == 2,
    }
    if fc.ndim == 2:
        seen["z_dim"] = fc.shape[1]
    if any(name.startswith("up_4.") for name in state):
        seen["num_upsampling_layers"] = "most"
    return seen


def _agree(key: str, seen: Any, stated: Any) -> bool:
    if key == "norm_G":
        return parse_norm(seen) == parse_norm(str(stated))
    return str(seen) == str(stated)


def _demand_channels(found: int, preset: Preset) -> None:
    wanted = preset.semantics
    if found != wanted.semantic_nc:
        classes = preset.label_nc
        unknown = preset.contain_dontcare_label
        raise Fault(
            f"the weights take {found} semantic channels, {preset.name} gives {wanted.semantic_nc} = "
            f"{classes} classes + {int(unknown)} unknown + {int(preset.instances)} instance edges",
            "choose "
            "another preset, or state --label_nc, --contain_dontcare_label, --no_instance as at training",
        )


def _ups_of_style(state: Mapping[str, Tensor], preset: Preset, seen: Mapping[str, Any]) -> str:
    cells = state["fc.weight"].shape[0] // (16 * seen["ngf"])
    known = ["most"] if "num_upsampling_layers" in seen else ["normal", "more"]
    for name in known:
        width = preset.crop_size >> NUM_UPS[name]
        if width * round(width / preset.aspect_ratio) == cells:
            return name
    raise Fault(
        f"the style's first grid has {cells} cells, which {preset.crop_size} pixels and aspect "
        f"{preset.aspect_ratio} give with no number of doublings",
        "state --crop_size and --aspect_ratio",
    )


def convert(
    published: Published, preset: Preset, name: str, stated: Mapping[str, Any] | None = None
) -> Checkpoint:
    """A model of ours with the published weights: float32, folded, ready to paint and to save.

    Raises ValueError where weights, options and preset do not agree.
    """
    known = {k: v for k, v in published.options.items() if k in ("ngf", "num_upsampling_layers", "norm_G")}
    state = published.states["generator"]
    options = generator_options(
        state, preset, known | {k: v for k, v in (stated or {}).items() if v is not None}
    )
    with torch.random.fork_rng(devices=[]):
        generator = _filled(
            Generator(options.config()), "generator", state, parse_norm(options.norm_G).spectral
        )
        encoder = _encoder(published.states.get("encoder")) if options.use_vae else None
    card = ModelCard(
        name=name,
        generator=generator.config,
        encoder=encoder.config if encoder else None,
        semantics=preset.semantics,
        palette=preset.names(),
        training=_record(published, preset),
        licence_weights=TERMS,
    )
    return Checkpoint(card, generator, encoder)


def _record(published: Published, preset: Preset) -> TrainingRecord:
    return TrainingRecord(
        recipe=f"published SPADE, imported from {published.origin}",
        data=preset.name,
        terms=TERMS,
        images_seen=0,
        seconds=0,
        machine="not told by the checkpoint",
    )


def _encoder(state: Mapping[str, Tensor] | None) -> StyleEncoder | None:
    if state is None:
        return None
    if "fc_mu.weight" not in state or ("layer1.0.bias" not in state and "layer1.0.weight_orig" not in state):
        raise ValueError(f"these weights are no published encoder: {', '.join(sorted(state)[:3])}, ...")
    spectral = any(name.endswith("weight_orig") for name in state)
    first = state.get("layer1.0.weight_orig", state.get("layer1.0.weight"))
    layers = max(int(name[5]) for name in state if name.startswith("layer"))
    options = EncoderOptions(
        crop_size=256 if layers == 6 else 128, ngf=first.shape[0] if first is not None else 64
    )
    network, _ = options.network()
    return _filled(network, "encoder", state, spectral)  # type: ignore[return-value]


def _filled(network: Network, kind: str, state: Mapping[str, Tensor], spectral: bool) -> Network:
    if not spectral:
        remove_spectral_norm(network)
    load(network, kind, {k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    folded: nn.Module = fold_spectral_norm(network)
    folded.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return folded  # type: ignore[return-value]
