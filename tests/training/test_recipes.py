"""Recipes: what may be set, what is refused and with which words, and the networks that come out."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from small import small

from spadework.nn.discriminator import BackboneDiscriminator, MultiscaleDiscriminator, UNetDiscriminator
from spadework.nn.encoder import StyleEncoder
from spadework.nn.generator import Generator
from spadework.sketch.palette import Palette
from spadework.training.painter_recipe import Recipe
from spadework.training.recipes import RECIPES, changed, checked, landscape, named, toy
from spadework.training.rundir import RunDir


@pytest.fixture
def without_numbers(monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """The device of shapes alone, where power iterations have nothing to do."""
    for module in ("spade", "generator", "encoder", "discriminator"):
        monkeypatch.setattr(f"spadework.nn.{module}.spectral_norm", lambda layer: layer)
    return torch.device("meta")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_builds_its_networks(name: str, without_numbers: torch.device):
    recipe = named(name)
    assert recipe.name == name
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    backbone = recipe.over_backbone((16, 24, 48, 120, 352))
    with without_numbers:
        generator, patches = Generator(recipe.generator), MultiscaleDiscriminator(recipe.patch)
        judge, unet = BackboneDiscriminator(backbone), UNetDiscriminator(recipe.unet)
        encoder = StyleEncoder(recipe.encoder) if recipe.encoder else None
        sides = zip(backbone.feature_channels, (32, 16, 8, 4, 2), strict=True)
        features = [torch.empty(1, channels, side, side) for channels, side in sides]
        segmap, photo = torch.empty(1, recipe.semantics.semantic_nc, 64, 64), torch.empty(1, 3, 64, 64)
        assert patches(segmap, photo)[0][-1].shape[:2] == (1, 1)
        assert unet(photo).shape == (1, recipe.label_nc + 1, 64, 64)
        assert judge(segmap, photo, features).logits.shape == (1, backbone.classes + 1, 64, 64)
    assert generator.config.size == recipe.size
    palette = Palette.load(recipe.palette or "")
    assert (recipe.label_nc, recipe.unknown) == (palette.label_nc, palette.unknown is not None)
    if encoder is not None:
        assert encoder.config.z_dim == generator.config.z_dim


def test_the_landscape_model_fits_its_file(without_numbers: torch.device):
    recipe = named("landscape")
    assert recipe.encoder is not None
    with without_numbers:
        nets = [Generator(recipe.generator), StyleEncoder(recipe.encoder)]
    values = sum(p.numel() for net in nets for p in net.parameters())
    assert 2 * values < 32 * 2**20  # half precision


def test_the_paper_recipe_is_the_papers():
    recipe = named("spade_256")
    assert tuple(block.out_channels for block in recipe.generator.blocks) == (
        1024,
        1024,
        1024,
        512,
        256,
        128,
        64,
    )
    assert (recipe.lr, recipe.ttur, recipe.betas) == (2e-4, True, (0.0, 0.9))
    assert (recipe.lambda_feat, recipe.lambda_perceptual, recipe.lambda_kl) == (10.0, 10.0, 0.05)


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ("size=128", "size", (128, 128)),
        ("size=[64,96]", "size", (64, 96)),
        ("widths=null", "widths", None),
        ("widths=[9,8,7,6,5,4,3]", "widths", (9, 8, 7, 6, 5, 4, 3)),
        ("hidden=[9,8,7,6,5,4,3]", "hidden", (9, 8, 7, 6, 5, 4, 3)),
        ("lr=1e-5", "lr", 1e-5),
        ("flip=false", "flip", False),
        ("z_dim=null", "z_dim", None),
        ("discriminator=backbone", "discriminator", "backbone"),
        ("vgg=weights/vgg=19.pth", "vgg", "weights/vgg=19.pth"),
        ("palette=null", "palette", None),
    ],
)
def test_settings_are_json_or_text(change: str, field: str, value: Any):
    recipe = named("toy", [change])
    assert getattr(recipe, field) == value
    assert recipe.model_copy(update={field: getattr(toy(), field)}) == toy()


def test_later_settings_win_and_nothing_is_changed_in_place():
    before = toy()
    after = changed(before, ["lr=0.5", "seed=3", "lr=0.25"])
    assert (after.lr, after.seed) == (0.25, 3)
    assert before == toy()
    with pytest.raises(ValidationError, match="frozen"):
        before.lr = 1.0  # type: ignore[misc]


def test_the_oasis_recipe_is_the_papers():
    recipe = named("oasis_256")
    assert recipe.unet.widths == (3, 128, 128, 256, 256, 512, 512)
    assert (recipe.lr / 2, recipe.lr * 2, recipe.ttur, recipe.betas) == (1e-4, 4e-4, True, (0.0, 0.999))
    assert (recipe.lambda_pixel, recipe.lambda_mix, recipe.z_dim, recipe.encoder) == (1.0, 10.0, 64, None)


def test_concat_bn_is_the_published_recipe_but_for_what_follows_a_norm():
    assert changed(named("concat_bn"), ["modulation=spade", "name=spade_256"]) == named("spade_256")


def test_near_misses_are_named():
    with pytest.raises(
        ValueError, match=r"no recipe 'lanscape'; did you mean landscape\? known: spade_256, "
    ):
        named("lanscape")
    with pytest.raises(
        ValueError, match=r"no recipe 'xyz'; known: spade_256, oasis_256, concat_bn, landscape, toy"
    ):
        named("xyz")
    with pytest.raises(ValueError, match=r"no setting 'batchsize'; did you mean batch_size\? known: name, "):
        named("toy", ["batchsize=3"])
    with pytest.raises(ValueError, match=r"--set lr: expected key=value, for example --set batch_size=4"):
        named("toy", ["lr"])


BAD = [
    *[
        (f"{key}=0", key)
        for key in ("batch_size", "accumulate", "total_images", "save_every", "sample_every")
    ],
    *[(f"{key}=0", key) for key in ("lr", "ngf", "hidden", "z_dim", "encoder_ngf", "encoder_size", "ndf")],
    *[(f"{key}=0", key) for key in ("scales", "init_gain", "label_nc")],
    *[(f"lambda_{key}=-1", f"lambda_{key}") for key in ("gan", "feat", "perceptual", "pixel", "color", "kl")],
    *[
        ("lr=NaN", "lr"),
        ("lr=Infinity", "lr"),
        ("lambda_kl=NaN", "lambda_kl"),
        ("lr=fast", "lr"),
        ("lr=-1", "lr"),
    ],
    *[("seed=-1", "seed"), ("seed=1.5", "seed"), ("batch_size=2.5", "batch_size"), ("flip=maybe", "flip")],
    *[
        ("betas=[0.5]", "betas"),
        ("betas=[0,1]", "betas"),
        ("ema=1", "ema"),
        ("sketch_share=1.5", "sketch_share"),
    ],
    *[
        ("decay_from=-0.1", "decay_from"),
        ("precision=half", "precision"),
        ("discriminator=jury", "discriminator"),
    ],
    *[("num_ups=8", "num_ups"), ("kernel=4", "kernel"), ("norm=layer", "norm"), ("backbone=0", "backbone")],
    *[
        ("discriminator_widths=[1,2]", "discriminator_widths"),
        ("widths=[1,2,3]", "widths has 3 entries; 5 doublings have 7 blocks"),
    ],
    *[
        ("hidden=[1,2,3]", "hidden has 3 entries"),
        ("widths=[0,1,1,1,1,1,1]", "widths.0"),
        ("size=big", "size"),
    ],
    *[
        ("size=100", "use multiples of 32, for example 96x96"),
        ("size=[64]", "size"),
        ("size=-64", "multiples of 32"),
    ],
    *[
        ("size=[0,64]", "for example 32x64"),
        ("scale=[0.5,1]", "1 <= low <= high"),
        ("scale=[1.3,1.2]", "low <= high"),
    ],
    *[("accumulate=3", "accumulate 3 does not divide batch_size 4"), ("palette=lanscape", "'landscape'")],
    *[
        (
            "label_nc=14",
            "palette landscape has 15 classes, label_nc is 14: set label_nc to that, or palette=null",
        )
    ],
    *[
        ("name=", "name"),
        ("label_nc=300", "label_nc"),
    ],
]


@pytest.mark.parametrize(("change", "words"), BAD, ids=[change for change, _ in BAD])
def test_bad_values_are_refused_in_one_line(change: str, words: str):
    with pytest.raises(ValueError, match=r"^recipe toy: ") as caught:
        named("toy", [change])
    said = str(caught.value)
    assert words in said
    assert "\n" not in said
    assert len(said) < 250


def test_instance_norm_of_one_pixel_is_refused():
    with pytest.raises(ValueError, match="use 33 or more, or encoder_norm=batch"):
        named("toy", ["encoder_size=32", "encoder_norm=instance"])


def test_too_few_channels_are_refused():
    with pytest.raises(ValueError, match="ngf 1 leaves the last block without channels: use 2 or more"):
        named("toy", ["ngf=1", "num_ups=7", "size=128"])


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Recipe.model_validate(toy().model_dump() | {"nfg": 3})


finite = st.floats(1e-9, 1e9)
settings_ = st.fixed_dictionaries(
    {},
    optional={
        "lr": finite,
        "ema": st.floats(0, 1, exclude_max=True),
        "betas": st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
        "size": st.tuples(st.integers(1, 9), st.integers(1, 9)).map(lambda s: (32 * s[0], 32 * s[1])),
        "scale": st.floats(1, 9).map(lambda low: (low, low + 1)),
        "hidden": st.integers(1, 99) | st.tuples(*[st.integers(1, 99)] * 7),
        "widths": st.none() | st.tuples(*[st.integers(1, 99)] * 7),
        "z_dim": st.none() | st.integers(1, 999),
        "lambda_kl": st.floats(0, 1e9),
        "init_gain": st.none() | finite,
        "vgg": st.none() | st.text(),
        "seed": st.integers(0, 2**63),
        "edges": st.booleans(),
        "discriminator": st.sampled_from(["patch", "backbone"]),
    },
)


@given(settings_)
def test_json_keeps_every_value(values: dict[str, Any]):
    recipe = Recipe.model_validate(toy().model_dump() | values)
    text = recipe.model_dump_json()
    assert Recipe.model_validate_json(text) == recipe
    again = changed(
        toy(), [f"{key}={json.dumps(value)}" for key, value in json.loads(text).items() if key != "name"]
    )
    assert again == recipe


def test_the_run_folder_keeps_the_recipe(tmp_path: Path):
    RunDir(tmp_path).create(small())
    RunDir(tmp_path).state.touch()
    assert RunDir(tmp_path).recipe() == small()


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "toy"}', '{"nam": 1}', ""])
def test_a_damaged_config_is_said(tmp_path: Path, text: str):
    (tmp_path / "config.json").write_text(text)
    RunDir(tmp_path).state.touch()
    with pytest.raises(ValueError, match=r"^\S*config\.json") as caught:
        RunDir(tmp_path).recipe()
    assert "\n" not in str(caught.value)


def test_settings_have_their_names_of_before_too():
    changes = ["discriminator=backbone", "discriminator_widths=[4,4,4,4,4]"]
    recipe = named("toy", changes)
    assert named("toy", [change.replace("discriminator", "judge") for change in changes]) == recipe
    values = recipe.model_dump()
    for key in ("discriminator", "discriminator_widths"):
        values[key.replace("discriminator", "judge")] = values.pop(key)
    assert checked(values, "config.json", Recipe) == recipe


@pytest.mark.parametrize("parts", [["batch_size=2"], ["batch_size=8", "accumulate=4"]])
def test_parts_in_which_a_term_finds_no_picture_are_refused(parts: list[str]) -> None:
    with pytest.raises(ValueError, match=r"in parts of 2 .*: use parts of 4 and more, or set both to 0"):
        changed(landscape(), parts)
    assert changed(landscape(), [*parts, "lambda_seek=0", "lambda_style=0"]).batch_size
    assert changed(landscape(), ["batch_size=8", "accumulate=2"]).accumulate == 2
