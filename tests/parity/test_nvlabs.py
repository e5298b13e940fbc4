"""Names, options and quirks of the published code, without any file of it."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spadework import nvlabs
from spadework.nn.spectral import remove_spectral_norm

OPTIONS: dict[str, dict[str, Any]] = {
    "spade": {"norm_nc": 6, "semantic_nc": 4, "config": "spadesyncbatch3x3"},
    "resblock": {"fin": 6, "fout": 4, "semantic_nc": 4},
    "generator": {"semantic_nc": 4, "ngf": 2, "crop_size": 64, "norm_G": "spectralspadesyncbatch3x3"},
    "discriminator": {"input_nc": 7, "ndf": 4},
    "encoder": {"ngf": 2, "crop_size": 256},
}


def published_name(kind: str, ours: str) -> str:
    """The inverse of `nvlabs.our_name`."""
    name = ours.replace("parametrizations.weight.original", "weight_orig")
    name = re.sub(r"parametrizations\.weight\.0\._([uv])", r"weight_\1", name)
    if kind == "generator":
        return name.removeprefix("blocks.")
    if kind == "encoder":
        return re.sub(r"^layers\.(\d+)", lambda match: f"layer{int(match[1]) + 1}", name)
    return re.sub(r"^scales\.(\d+)\.layers\.(\d+)", r"discriminator_\1.model\2.0", name)


def fresh(kind: str, **changes: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Options and random weights of that form, under published names."""
    options = {"norm_G": "spectralspadesyncbatch3x3", **OPTIONS[kind], **changes}
    module, spectral = nvlabs.KINDS[kind].model_validate(options).network()
    if not spectral:
        remove_spectral_norm(module)
    return options, {published_name(kind, k): v for k, v in module.state_dict().items()}


@pytest.mark.parametrize("kind", nvlabs.KINDS)
def test_names_map_onto_ours_and_say_their_kind(kind: str) -> None:
    options, state = fresh(kind)
    module = nvlabs.build(kind, options, state)
    assert {nvlabs.our_name(kind, name) for name in state} == module.state_dict().keys()
    assert nvlabs.kind_of(state) == kind
    assert all(torch.equal(module.state_dict()[nvlabs.our_name(kind, k)], v) for k, v in state.items())


@pytest.mark.parametrize(
    ("kind", "published", "ours"),
    [
        ("generator", "fc.weight", "fc.weight"),
        ("generator", "up_4.conv_s.weight_u", "blocks.up_4.conv_s.parametrizations.weight.0._u"),
        ("generator", "G_middle_1.norm_0.mlp_shared.0.bias", "blocks.G_middle_1.norm_0.mlp_shared.0.bias"),
        ("discriminator", "discriminator_1.model0.0.weight", "scales.1.layers.0.weight"),
        (
            "discriminator",
            "discriminator_0.model3.0.0.weight_v",
            "scales.0.layers.3.0.parametrizations.weight.0._v",
        ),
        ("encoder", "layer6.0.weight_orig", "layers.5.0.parametrizations.weight.original"),
    ],
)
def test_our_name(kind: str, published: str, ours: str) -> None:
    assert nvlabs.our_name(kind, published) == ours


def test_parse_norm() -> None:
    assert nvlabs.parse_norm("spectralspadesyncbatch3x3") == (True, "batch", 3)
    assert nvlabs.parse_norm("spadeinstance5x5") == (False, "instance", 5)
    for wrong in ("spadesyncinstance3x3", "spadebatch3x5", "spadebatch4x4", "spade", ""):
        with pytest.raises(ValueError, match=re.escape(f"norm {wrong!r} is not of the form [spectral]spade")):
            nvlabs.parse_norm(wrong)
    with pytest.raises(ValueError, match="Did you mean 'spectralspadesyncbatch3x3'"):
        nvlabs.parse_norm("spectralspadesyncbach3x3")


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        ("spade", {"config": "spadebatch5x5"}, (5, nn.BatchNorm2d)),
        ("resblock", {"norm_G": "spadeinstance3x3"}, (3, nn.InstanceNorm2d)),
        ("generator", {"norm_G": "spectralspadeinstance5x5"}, (5, nn.InstanceNorm2d)),
    ],
)
def test_a_norm_that_the_options_leave_out_is_read_off_the_weights(
    kind: str, changes: dict[str, Any], told: tuple[int, type]
) -> None:
    options, state = fresh(kind, **changes)
    for name in changes:
        del options[name]
    module = nvlabs.build(kind, {k: v for k, v in options.items() if k != "norm_G"}, state)
    layer = next(m for m in module.modules() if hasattr(m, "mlp_gamma"))
    kernel, norm = told
    assert layer.mlp_gamma.kernel_size[0] == kernel
    assert isinstance(layer.param_free_norm, norm)


def test_options_may_be_nested_and_say_the_mode() -> None:
    options, state = fresh("generator")
    notes = {"what": "a note", "scalar": "another"}
    assert not nvlabs.build("generator", {"options": options, "train": False, **notes}, state).training
    assert nvlabs.build("generator", {**options, "train": True}, state).training


def test_weights_keep_their_dtype() -> None:
    options, state = fresh("resblock")
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    assert {p.dtype for p in nvlabs.build("resblock", options, half).parameters()} == {torch.float16}


@pytest.mark.parametrize(("ups", "doublings"), [("normal", 5), ("more", 6), ("most", 7)])
def test_generator_starts_at_width_over_aspect(ups: str, doublings: int) -> None:
    options, _ = fresh("generator", crop_size=512, aspect_ratio=2.0, num_upsampling_layers=ups)
    config = nvlabs.GeneratorOptions.model_validate(options).config()
    assert (config.num_ups, config.size) == (doublings, (256, 512))
    assert config.start_size(config.size) == (256 >> doublings, 512 >> doublings)


@pytest.mark.parametrize("use_vae", [False, True])
def test_generator_paints_at_its_trained_size_whatever_the_map(use_vae: bool) -> None:
    options, state = fresh("generator", crop_size=96, aspect_ratio=1.5, use_vae=use_vae, z_dim=5)
    generator = nvlabs.build("generator", options, state)
    assert generator(torch.rand(1, 4, 61, 96)).shape == (1, 3, 64, 96)


def test_discriminator_takes_the_pair_as_one_tensor() -> None:
    discriminator = nvlabs.build("discriminator", *fresh("discriminator", num_D=3, n_layers_D=3))
    pair = torch.rand(2, 7, 32, 32)
    whole, split = discriminator(pair), discriminator(pair[:, :4], pair[:, 4:])
    assert [len(scale) for scale in whole] == [4, 4, 4]
    assert all(
        torch.equal(a, b) for x, y in zip(whole, split, strict=True) for a, b in zip(x, y, strict=True)
    )


def test_encoder_of_small_crops_has_a_layer_less() -> None:
    encoder = nvlabs.build("encoder", *fresh("encoder", crop_size=128))
    assert [x.shape for x in encoder(torch.rand(1, 3, 50, 70))] == [(1, 256), (1, 256)]
    assert len(encoder.layers) == 5


def test_networks_without_spectral_norm() -> None:
    for kind, option in (("discriminator", {"norm_D": "instance"}), ("encoder", {"norm_E": "instance"})):
        options, state = fresh(kind, **option)
        assert not any("weight_orig" in name for name in state)
        nvlabs.build(kind, options, state)


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        ("generater", {}, "no kind 'generater'; known: spade, .* Did you mean 'generator'"),
        (
            "generator",
            {"num_upsampling_layers": "mots"},
            "'mots' is not one of normal, more, most. Did you mean 'most'",
        ),
        (
            "generator",
            {"num_upsampling_layer": "most"},
            "no option 'num_upsampling_layer'. Did you mean 'num_upsam",
        ),
        ("generator", {"crop_size": "big"}, "generator: option crop_size: .*integer.* .got 'big'."),
        ("generator", {"norm_G": "spectralinstance"}, "norm 'spectralinstance' is not of the form"),
        (
            "discriminator",
            {"norm_D": "spectralbatch"},
            "norm_D 'spectralbatch' is not spectralinstance or instance",
        ),
    ],
)
def test_wrong_options_are_explained(kind: str, changes: dict[str, Any], told: str) -> None:
    options, state = fresh("generator" if kind == "generater" else kind)
    with pytest.raises(ValueError, match=told):
        nvlabs.build(kind, {**options, **changes}, state)


def test_a_missing_option_is_named() -> None:
    options, state = fresh("spade")
    with pytest.raises(ValueError, match=r"spade: option norm_nc: Field required; known: .*semantic_nc"):
        nvlabs.build("spade", {k: v for k, v in options.items() if k != "norm_nc"}, state)


def test_weights_that_do_not_fit_are_named() -> None:
    options, state = fresh("generator")
    bias = state.pop("conv_img.bias")
    with pytest.raises(ValueError, match=r"not that of a generator.*missing .our names.: conv_img.bias$"):
        nvlabs.build("generator", options, state)
    with pytest.raises(ValueError, match=r"unexpected: conv_img.bais; missing .our names.: conv_img.bias$"):
        nvlabs.build("generator", options, {**state, "conv_img.bais": bias})
    with pytest.raises(ValueError, match=r"conv_img.bias is \(4,\) in the state and \(3,\) by the options"):
        nvlabs.build("generator", options, {**state, "conv_img.bias": torch.zeros(4)})
    with pytest.raises(ValueError, match=r"missing .our names.: fc.weight, fc.bias, .* and \d+ more"):
        nvlabs.build("generator", options, {})


def test_kind_of_strangers() -> None:
    with pytest.raises(
        ValueError, match=r"no published network has these names \(a, b, ...\); expected one of"
    ):
        nvlabs.kind_of(["b", "a"])
