"""The networks of the published code: names, options and quirks (NVlabs, Park et al. 2019).

Quirks kept here: its generator paints at its trained size whatever the map's; its discriminators take map and
picture as one tensor; its synchronised batch norm is plain batch norm in one process; its encoder always ends
in 256 values.
"""

import difflib
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn

from spadework.files import Fault, Misfit, some
from spadework.nn.discriminator import MultiscaleDiscriminator, PatchConfig
from spadework.nn.encoder import StyleEncoder, StyleEncoderConfig
from spadework.nn.generator import Generator, GeneratorConfig
from spadework.nn.labels import Labels
from spadework.nn.spade import SPADE, Norm, SPADEResBlock
from spadework.nn.spectral import remove_spectral_norm
from spadework.sketch.palette import near_misses

NUM_UPS = {"normal": 5, "more": 6, "most": 7}


class NormName(NamedTuple):
    """What a norm string says: spectral norm on the convolutions, SPADE's own norm, its kernel."""

    spectral: bool
    norm: Norm
    kernel: int


def parse_norm(text: str) -> NormName:
    """Reads `spectralspadesyncbatch3x3` and its like; ValueError shows the form."""
    match = re.fullmatch(r"(spectral)?spade(syncbatch|batch|instance)([13579])x\3", text)
    if match is None:
        known = [f"spectralspade{norm}{k}x{k}" for norm in ("syncbatch", "batch", "instance") for k in (3, 5)]
        form = "[spectral]spade(syncbatch|batch|instance)KxK with an odd K"
        raise ValueError(f"norm {text!r} is not of the form {form}.{near_misses(text, known)}")
    return NormName(match[1] is not None, match[2].removeprefix("sync"), int(match[3]))  # type: ignore[arg-type]


def _is_spectral(option: str, text: str) -> bool:
    """For networks without SPADE, whose only norm here is the affine-free instance norm."""
    if text not in ("spectralinstance", "instance"):
        raise Fault(f"{option} {text!r} is not spectralinstance or instance", "spadework has no other")
    return text == "spectralinstance"


class PublishedGenerator(Generator):
    """Paints at the trained size, to which the first grid belongs, whatever the size of the map."""

    def forward(
        self, labels: Labels | Tensor, z: Tensor | None = None, noise: list[Tensor] | None = None
    ) -> Tensor:
        """As Generator; takes a segmap (B, K, H, W) too."""
        return super().forward(_labels(labels), z, noise)

    def start(self, labels: Labels, z: Tensor | None) -> Tensor:
        """The first features (B, C, h, w) on the trained grid."""
        size = self.config.start_size(self.config.size)
        if self.config.z_dim is None:
            return self.fc(labels.resized(size))
        weight = self.fc.weight
        z = torch.randn(len(labels), self.config.z_dim).to(weight) if z is None else z
        return self.fc(z).view(len(z), -1, *size)


class PublishedBlock(SPADEResBlock):
    """Takes a segmap (B, K, any, any) too."""

    def forward(self, x: Tensor, labels: Labels | Tensor, noise: Tensor | None = None) -> Tensor:
        """As SPADEResBlock."""
        return super().forward(x, _labels(labels), noise)


def _labels(given: Labels | Tensor) -> Labels:
    return given if isinstance(given, Labels) else Labels(given)


class PublishedDiscriminator(MultiscaleDiscriminator):
    """Takes the pair also as one tensor (B, K + 3, H, W), the picture last."""

    def forward(self, segmap: Tensor, image: Tensor | None = None) -> list[list[Tensor]]:
        """As MultiscaleDiscriminator; without `image`, `segmap` is the pair."""
        if image is None:
            segmap, image = segmap[:, :-3], segmap[:, -3:]
        return super().forward(segmap, image)


class _Options(BaseModel, ABC):
    """The published options that shape one network; the many others say nothing about it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    train: bool = False

    @abstractmethod
    def network(self) -> tuple[nn.Module, bool]:
        """The network of these options, and whether its convolutions have spectral norm."""


class SpadeOptions(_Options):
    """One SPADE layer."""

    norm_nc: int
    semantic_nc: int
    config: str

    def network(self) -> tuple[nn.Module, bool]:
        norm = parse_norm(self.config)
        return SPADE(self.norm_nc, self.semantic_nc, kernel=norm.kernel, norm=norm.norm), False


class ResBlockOptions(_Options):
    """One residual block."""

    fin: int
    fout: int
    semantic_nc: int
    norm_G: str

    def network(self) -> tuple[nn.Module, bool]:
        norm = parse_norm(self.norm_G)
        block = PublishedBlock(self.fin, self.fout, self.semantic_nc, kernel=norm.kernel, norm=norm.norm)
        return block, norm.spectral


class GeneratorOptions(_Options):
    """The generator; `crop_size` is the width in pixels, `aspect_ratio` width / height."""

    semantic_nc: int
    crop_size: int
    norm_G: str
    ngf: int = 64
    num_upsampling_layers: str = "normal"
    aspect_ratio: float = 1.0
    use_vae: bool = False
    z_dim: int = 256

    def config(self) -> GeneratorConfig:
        """Our config. The first grid is crop_size // 2^ups wide and round(width / aspect) high."""
        name, norm = self.num_upsampling_layers, parse_norm(self.norm_G)
        if name not in NUM_UPS:
            known = ", ".join(NUM_UPS)
            raise ValueError(
                f"num_upsampling_layers {name!r} is not one of {known}.{near_misses(name, NUM_UPS)}"
            )
        step = 2 ** NUM_UPS[name]
        width = self.crop_size // step
        return GeneratorConfig(
            semantic_nc=self.semantic_nc,
            size=(round(width / self.aspect_ratio) * step, width * step),
            num_ups=NUM_UPS[name],  # type: ignore[arg-type]
            ngf=self.ngf,
            kernel=norm.kernel,  # type: ignore[arg-type]
            norm=norm.norm,
            z_dim=self.z_dim if self.use_vae else None,
        )

    def network(self) -> tuple[nn.Module, bool]:
        return PublishedGenerator(self.config()), parse_norm(self.norm_G).spectral


class DiscriminatorOptions(_Options):
    """The multi-scale discriminator."""

    input_nc: int
    ndf: int = 64
    num_D: int = 2
    n_layers_D: int = 4
    norm_D: str = "spectralinstance"

    def network(self) -> tuple[nn.Module, bool]:
        shape = {"ndf": self.ndf, "scales": self.num_D, "layers": self.n_layers_D}
        config = PatchConfig(in_channels=self.input_nc, **shape)
        return PublishedDiscriminator(config), _is_spectral("norm_D", self.norm_D)


class EncoderOptions(_Options):
    """The style encoder. Below a crop_size of 256 it has a layer less and fits pictures of 128."""

    crop_size: int
    ngf: int = 64
    norm_E: str = "spectralinstance"

    def network(self) -> tuple[nn.Module, bool]:
        size, layers = (256, 6) if self.crop_size >= 256 else (128, 5)
        config = StyleEncoderConfig(ngf=self.ngf, z_dim=256, size=size, layers=layers)  # type: ignore[arg-type]
        return StyleEncoder(config), _is_spectral("norm_E", self.norm_E)


KINDS: dict[str, type[_Options]] = {
    "spade": SpadeOptions,
    "resblock": ResBlockOptions,
    "generator": GeneratorOptions,
    "discriminator": DiscriminatorOptions,
    "encoder": EncoderOptions,
}

# the name in a state dict that only this kind has, asked in this order
SIGNS = {
    "generator": "conv_img.weight",
    "discriminator": "discriminator_0.model0.0.weight",
    "encoder": "fc_mu.weight",
    "resblock": "conv_0.bias",
    "spade": "mlp_gamma.weight",
}

_Rule = tuple[str, str | Callable[[re.Match[str]], str]]
_SPECTRAL: tuple[_Rule, ...] = (
    (r"weight_orig$", "parametrizations.weight.original"),
    (r"weight_([uv])$", r"parametrizations.weight.0._\1"),
)
_RULES: dict[str, tuple[_Rule, ...]] = {
    "generator": ((r"^(head|G_middle|up)_\d\.", r"blocks.\g<0>"),),
    "discriminator": ((r"^discriminator_(\d+)\.model(\d+)\.0", r"scales.\1.layers.\2"),),
    "encoder": ((r"^layer(\d+)\.", lambda match: f"layers.{int(match[1]) - 1}."),),
}


def kind_of(names: Iterable[str]) -> str:
    """Which kind of network a published state dict's names belong to; ValueError if to none."""
    names = set(names)
    for kind, sign in SIGNS.items():
        if sign in names:
            return kind
    raise ValueError(
        f"no published network has these names ({', '.join(sorted(names)[:3])}, ...); expected one of "
        + ", ".join(f"{sign} ({kind})" for kind, sign in SIGNS.items())
    )


def our_name(kind: str, published: str) -> str:
    """The name here of a published parameter or buffer of a network of `kind`."""
    for pattern, replacement in (*_RULES.get(kind, ()), *_SPECTRAL):
        published = re.sub(pattern, replacement, published)
    return published


def build(kind: str, options: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> nn.Module:
    """The network of `kind` (see KINDS) with the published weights, in their dtype.

    `options` are the published ones, flat or under a key `options`; `train` chooses the mode. A norm
    string that they do not give is read off the weights. ValueError for unknown kinds, for options that are
    missing, misspelt or not in spadework, and for weights that do not fit.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind {kind!r}; known: {', '.join(KINDS)}.{near_misses(kind, KINDS)}")
    seen = norm_of(state_dict)
    wanted = _read(kind, {"norm_G": seen, "config": seen, **options, **(options.get("options") or {})})
    module, spectral = wanted.network()
    if not spectral:
        remove_spectral_norm(module)
    module.to(next((v.dtype for v in state_dict.values() if v.is_floating_point()), torch.float32))
    load(module, kind, state_dict)
    return module.train(wanted.train)


def load(module: nn.Module, kind: str, state_dict: Mapping[str, Tensor]) -> None:
    """Fills a network of ours with weights under published names; ValueError names what does not fit."""
    here = module.state_dict()
    given = {our_name(kind, name): name for name in state_dict}
    unexpected = [given[name] for name in given if name not in here]
    missing = [name for name in here if name not in given]
    shapes = [
        f"{name} is {tuple(state_dict[name].shape)} in the state and {tuple(here[ours].shape)} by the options"
        for ours, name in given.items()
        if ours in here and state_dict[name].shape != here[ours].shape
    ]
    if unexpected or missing or shapes:
        parts = [("unexpected: ", unexpected), ("missing (our names): ", missing), ("shapes: ", shapes)]
        told = "; ".join(title + some(names, 6) for title, names in parts if names)
        raise ValueError(f"the state dict is not that of a {kind} with these options; {told}")
    module.load_state_dict({ours: state_dict[name] for ours, name in given.items()})


def norm_of(state_dict: Mapping[str, Tensor]) -> str:
    """The norm string that the weights show."""
    ends = {name.rpartition(".")[2] for name in state_dict}
    kernels = [value.shape[-1] for name, value in state_dict.items() if name.endswith("mlp_gamma.weight")]
    kernel = kernels[0] if kernels else 3
    spectral, norm = "spectral" * ("weight_orig" in ends), "batch" if "running_mean" in ends else "instance"
    return f"{spectral}spade{norm}{kernel}x{kernel}"


def _read(kind: str, options: Mapping[str, Any]) -> _Options:
    fields = KINDS[kind].model_fields
    for key in options.keys() - fields.keys():
        close = difflib.get_close_matches(key, fields, n=1, cutoff=0.85)
        if close:
            raise ValueError(f"a {kind} has no option {key!r}. Did you mean {close[0]!r}?")
    try:
        return KINDS[kind].model_validate(dict(options))
    except ValidationError as error:
        first = Misfit.first_of(error)
        got = "" if first.kind == "missing" else f" (got {first.came!r})"
        known = ", ".join(fields)
        raise ValueError(f"{kind}: option {first.where}: {first.said}{got}; known: {known}") from error
