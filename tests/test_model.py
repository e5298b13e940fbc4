"""Model files: round trip, folding, and what is said about files that are none."""

import contextlib
import json
import pickle
import random
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from pydantic import ValidationError
from tiny_model import ENCODER, GENERATOR, SEMANTICS, card, networks, write
from torch.nn.utils import parametrize

from spadework.model import ModelCard, load_checkpoint, save_checkpoint, write_metrics
from spadework.modelfile import FORMAT, ROW, SCALE
from spadework.nn.encoder import StyleEncoder
from spadework.nn.generator import Generator
from spadework.nn.labels import Labels
from spadework.nn.spectral import fold_spectral_norm
from spadework.training.recipes import landscape


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny.safetensors")


def inputs(generator: Generator) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
    rng = torch.Generator().manual_seed(5)
    segmap = torch.zeros(1, 16, 32, 64)
    segmap.scatter_(1, torch.randint(0, 16, (1, 1, 32, 64), generator=rng), 1.0)
    return Labels(segmap), torch.randn(1, 8, generator=rng), generator.draw_noise(1, (32, 64), rng)


def rewrite(path: Path, change_card=lambda raw: raw, change_tensors=lambda tensors: tensors) -> None:
    """The same file with another card or other tensors."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    raw = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["spadework"])
    tensors = change_tensors(safetensors.torch.load(data))
    path.write_bytes(safetensors.torch.save(tensors, {"spadework": json.dumps(change_card(raw))}))


def refusal(path: Path) -> str:
    with pytest.raises(ValueError, match=re.escape(str(path))) as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- what is written is what is read


def test_float32_round_trip_is_exact_to_rounding(tmp_path: Path) -> None:
    generator, encoder = networks()
    path = tmp_path / "whole.safetensors"
    save_checkpoint(path, card(), generator, encoder, dtype=torch.float32)
    loaded = load_checkpoint(path)
    assert loaded.card == card()
    labels, z, noise = inputs(generator)
    with torch.no_grad():
        torch.testing.assert_close(
            loaded.generator(labels, z, noise), generator(labels, z, noise), rtol=0, atol=5e-5
        )
        photo = torch.rand(1, 3, 32, 32)
        assert loaded.encoder is not None
        torch.testing.assert_close(loaded.encoder(photo)[0], encoder(photo)[0], rtol=1e-4, atol=1e-5)


def test_half_precision_is_the_default_and_spares_statistics(file: Path) -> None:
    tensors = safetensors.torch.load(file.read_bytes())
    assert tensors["generator.conv_img.weight"].dtype == torch.float16
    assert tensors["generator.blocks.head_0.norm_0.param_free_norm.running_var"].dtype == torch.float32
    assert not any("parametrizations" in name for name in tensors)


@pytest.fixture
def in_bytes(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "bytes.safetensors", card(), *networks(), dtype=torch.int8)
    return tmp_path / "bytes.safetensors"


def test_weights_in_bytes_are_within_half_a_unit_of_their_channel(in_bytes: Path) -> None:
    generator = fold_spectral_norm(networks()[0])
    tensors, loaded = safetensors.torch.load(in_bytes.read_bytes()), load_checkpoint(in_bytes)
    for key, weight in generator.named_parameters():
        stored, read = tensors[f"generator.{key}"], loaded.generator.get_parameter(key)
        if stored.dtype == torch.float16:
            assert weight[0].numel() < ROW
            assert torch.equal(read, weight.half().float())
            continue
        units = weight.flatten(1).abs().amax(1) / 127
        assert torch.equal(tensors[f"generator.{key}.{SCALE}"], units)
        assert ((read - weight).flatten(1).abs().amax(1) <= units / 2 * 1.0001).all()
    assert not any(value.dtype == torch.int8 for key, value in tensors.items() if "encoder" in key)
    assert tensors["generator.fc.weight"].dtype == torch.float16  # 8 values per channel
    assert tensors["generator.conv_img.weight"].dtype == torch.int8


def test_pictures_of_weights_in_bytes_are_nearly_those_of_halves(in_bytes: Path, file: Path) -> None:
    ours, theirs = (load_checkpoint(path).generator for path in (in_bytes, file))
    labels, z, noise = inputs(ours)
    with torch.no_grad():
        error = (ours(labels, z, noise) - theirs(labels, z, noise)) / 2
    assert -10 * error.square().mean().log10() > 45
    assert error.abs().max() > 0


def test_figures_are_added_without_touching_weights_in_bytes(in_bytes: Path) -> None:
    before = safetensors.torch.load(in_bytes.read_bytes())
    write_metrics(in_bytes, {"fd": 1.0})
    after = safetensors.torch.load(in_bytes.read_bytes())
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize(
    ("key", "change", "words"),
    [
        (f"generator.conv_img.weight.{SCALE}", None, "generator.conv_img.weight has no scale"),
        (f"generator.conv_img.bias.{SCALE}", torch.ones(3), "belongs to no weight in bytes"),
        (f"generator.conv_img.weight.{SCALE}", torch.ones(2), "is (3, 2, 3, 3), its scale (2,)"),
    ],
)
def test_bytes_and_scales_that_do_not_belong_together(
    in_bytes: Path, key: str, change: torch.Tensor | None, words: str
) -> None:
    def changed(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        rest = {k: v for k, v in tensors.items() if k != key}
        return rest if change is None else rest | {key: change}

    rewrite(in_bytes, change_tensors=changed)
    assert words in refusal(in_bytes)


def test_loaded_networks_are_ready_to_paint(file: Path) -> None:
    loaded = load_checkpoint(file)
    for network in (loaded.generator, loaded.encoder):
        assert network is not None
        assert not network.training
        assert all(p.dtype == torch.float32 and not p.requires_grad for p in network.parameters())
        assert all(not m.training for m in network.modules())
    weight = loaded.generator.conv_img.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "a.safetensors").read_bytes() == write(tmp_path / "b.safetensors").read_bytes()


def test_a_model_without_style_and_encoder(tmp_path: Path) -> None:
    config = GENERATOR.model_copy(update={"z_dim": None})
    generator, _ = networks(config=config)
    save_checkpoint(tmp_path / "m.safetensors", card(generator=config, encoder=None), generator)
    assert load_checkpoint(tmp_path / "m.safetensors").encoder is None


def test_loading_leaves_the_random_numbers_alone(file: Path) -> None:
    before = torch.get_rng_state()
    load_checkpoint(file)
    assert torch.equal(before, torch.get_rng_state())


def test_the_shipped_size_is_a_small_file(tmp_path: Path) -> None:
    recipe = landscape()
    assert recipe.encoder is not None
    about = card(generator=recipe.generator, encoder=recipe.encoder)
    path = tmp_path / "large.safetensors"
    save_checkpoint(path, about, Generator(recipe.generator), StyleEncoder(recipe.encoder))
    assert path.stat().st_size <= 32 * 2**20


# ---- folding


def test_folded_paints_the_same_and_leaves_the_original_whole() -> None:
    generator, _ = networks()
    labels, z, noise = inputs(generator)
    with torch.no_grad():
        before = generator(labels, z, noise)
        folded = fold_spectral_norm(generator)
        torch.testing.assert_close(folded(labels, z, noise), before, rtol=0, atol=1e-6)
        assert torch.equal(generator(labels, z, noise), before)
    assert not any(parametrize.is_parametrized(part) for part in folded.modules())
    assert any(parametrize.is_parametrized(part) for part in generator.modules())
    assert isinstance(folded.get_submodule("blocks.head_0.conv_0"), torch.nn.Conv2d)


def test_the_original_goes_on_training_after_folding() -> None:
    generator, _ = networks()
    fold_spectral_norm(generator)
    fold_spectral_norm(generator)
    generator.train()
    labels, z, noise = inputs(generator)
    generator(labels, z, noise).mean().backward()
    assert generator.get_parameter("blocks.head_0.conv_0.parametrizations.weight.original").grad is not None


def test_without_folding_the_picture_would_differ() -> None:
    generator, _ = networks()
    labels, z, noise = inputs(generator)
    folded = fold_spectral_norm(generator)
    with torch.no_grad():
        weight = generator.get_parameter("blocks.up_0.conv_0.parametrizations.weight.original")
        folded.get_parameter("blocks.up_0.conv_0.weight").copy_(weight)
        assert (folded(labels, z, noise) - generator(labels, z, noise)).abs().max() > 1e-4


# ---- files that are no models


def test_missing_file_names_the_similar_one(file: Path) -> None:
    assert f"did you mean {file}?" in refusal(file.with_name("tyni.safetensors"))


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.touch()
    assert "is empty" in refusal(path)


def test_foreign_bytes(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"GIF89a is no model" * 9)
    assert "is not a .safetensors file" in refusal(path)


class Bomb:
    def __reduce__(self) -> tuple:
        return (sys.exit, ("unpickled",))


def test_a_pickle_is_named_and_never_opened(tmp_path: Path) -> None:
    plain, zipped = tmp_path / "plain.pth", tmp_path / "zipped.pth"
    plain.write_bytes(pickle.dumps(Bomb()))
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb()))
    for path in (plain, zipped):
        assert "pickled PyTorch file" in refusal(path)


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.9999])
def test_truncated(file: Path, keep: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * keep)])
    assert "truncated" in refusal(file)


def test_header_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(struct.pack("<Q", 8) + b"{broken}" + bytes(8))
    assert "damaged" in refusal(path)


def test_weights_without_a_card(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}))
    assert "no model card" in refusal(path)


# ---- cards


def test_unknown_key_in_the_card(file: Path) -> None:
    rewrite(file, lambda raw: raw | {"semantic": 3})
    assert "semantic: unknown key, remove it. Did you mean 'semantics'?" in refusal(file)


def test_unknown_key_deep_in_the_card(file: Path) -> None:
    rewrite(file, lambda raw: raw | {"generator": raw["generator"] | {"attention": True}})
    assert "generator.attention: unknown key" in refusal(file)


def test_card_that_lacks_something(file: Path) -> None:
    rewrite(file, lambda raw: {key: value for key, value in raw.items() if key != "palette"})
    assert "palette: Field required" in refusal(file)


def test_newer_format(file: Path) -> None:
    rewrite(file, lambda raw: raw | {"format": FORMAT + 1, "spadework": "9.9", "invented": 1})
    message = refusal(file)
    assert f"format {FORMAT + 1}, written by spadework 9.9" in message
    assert "pip install --upgrade spadework" in message


def test_card_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(safetensors.torch.save({"a": torch.zeros(1)}, {"spadework": "{"}))
    assert "not JSON" in refusal(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"semantics": SEMANTICS.model_copy(update={"unknown": False})}, "takes 16 channels"),
        ({"encoder": ENCODER.model_copy(update={"z_dim": 9})}, "styles of 9"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_cards_that_contradict_themselves(changes: dict, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        card(**changes)


def test_card_round_trip_and_frozen() -> None:
    about = card()
    assert ModelCard.model_validate_json(about.model_dump_json()) == about
    with pytest.raises(ValidationError, match="frozen"):
        about.name = "other"  # type: ignore[misc]


# ---- weights that are not the card's


def test_mismatch_gives_names_and_both_shapes(file: Path) -> None:
    rewrite(file, lambda raw: raw | {"generator": raw["generator"] | {"hidden": 5}})
    message = refusal(file)
    assert "generator.blocks.G_middle_0.norm_0.mlp_beta.weight is (32, 4, 3, 3)" in message
    assert "the card says (32, 5, 3, 3)" in message
    assert "more" in message


def test_missing_and_surplus_weights(file: Path) -> None:
    def rename(tensors: dict) -> dict:
        return {name.replace("conv_img.bias", "conv_img.bios"): value for name, value in tensors.items()}

    rewrite(file, change_tensors=rename)
    message = refusal(file)
    assert "generator.conv_img.bias is missing, the card says (3,)" in message
    assert "generator.conv_img.bios is (3,), the card says there is none" in message


# ---- what cannot be saved


def test_saving_with_the_card_of_another_model(tmp_path: Path) -> None:
    other = card(generator=GENERATOR.model_copy(update={"hidden": 5}))
    with pytest.raises(ValueError, match="describes other networks"):
        save_checkpoint(tmp_path / "m.safetensors", other, *networks())
    with pytest.raises(ValueError, match="describes other networks"):
        save_checkpoint(tmp_path / "m.safetensors", card(), networks()[0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [1e6, float("nan")])
def test_weights_that_half_precision_cannot_hold(tmp_path: Path, value: float) -> None:
    generator, encoder = networks()
    with torch.no_grad():
        generator.conv_img.weight[0, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"generator\.conv_img\.weight has values beyond torch\.float16"):
        save_checkpoint(tmp_path / "m.safetensors", card(), generator, encoder)
    assert list(tmp_path.iterdir()) == []


def test_wrong_ending(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.safetensors"):
        save_checkpoint(tmp_path / "m.pth", card(), *networks())


def test_loading_needs_no_unpickler(file: Path) -> None:
    script = (
        "import sys, pickle; pickle.Unpickler = pickle.loads = None\n"
        "import torch; torch.load = torch.serialization.load = None\n"
        "from spadework.model import load_checkpoint; load_checkpoint(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", script, str(file)], check=True)


@pytest.mark.soak
def test_spoiled_bytes_are_refused_or_loaded_but_never_crash(file: Path) -> None:
    data, rng = file.read_bytes(), random.Random(0)
    length = int.from_bytes(data[:8], "little") + 8
    for _ in range(2000):
        spoiled = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            spoiled[rng.randrange(length)] = rng.randrange(256)
        file.write_bytes(spoiled[: rng.choice([len(data), rng.randrange(len(data))])])
        with contextlib.suppress(ValueError):
            load_checkpoint(file)
