"""`spadework import` and `convert`: published weights become models; what is no such thing is explained."""

import io
import os
import pickle
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from layouts import generator_state, published_state
from typer.testing import CliRunner, Result

from spadework.cli import app
from spadework.engine import Engine
from spadework.model import load_checkpoint
from spadework.nn.labels import Labels
from spadework.nn.pixels import to_bytes
from spadework.nvlabs import networks
from spadework.nvlabs.files import find, read_options


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["import", *map(str, words)])


def refused(*words: object) -> str:
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    folder = tmp_path / "coco_mine"
    folder.mkdir()
    torch.save(generator_state(184), folder / "latest_net_G.pth")
    text = "----- Options -----\n    ngf: 2      \t[default: 64]\n   use_vae: False\n   name: coco_mine\n"
    (folder / "opt.txt").write_text(text)
    (folder / "opt.pkl").write_bytes(b"never opened")
    return folder


def test_a_folder_becomes_a_model_that_paints_the_same(coco: Path) -> None:
    result = run(coco, "--preset", "coco", "--crop_size", 64, "-o", "model.safetensors", "--verify")
    assert result.exit_code == 0, result.output
    assert "184 = 182 classes + unknown + edges" in result.output
    assert re.search("largest difference [01] of 255", result.output)  # truncated: rounding may cross a level
    engine = Engine.load("model.safetensors", "cpu")
    options = {"semantic_nc": 184, "crop_size": 64, "ngf": 2, "norm_G": "spectralspadebatch3x3"}
    published = networks.build("generator", options, find(coco).states["generator"])
    ids = np.repeat(np.repeat(np.array([[0, 181], [255, 3]], np.uint8), 32, 0), 32, 1)
    with torch.inference_mode():
        labels = Labels.of(torch.from_numpy(ids)[None], engine.card.semantics)
        expected = to_bytes(published(labels))[0].astype(int)
    difference = np.abs(engine.paint(ids).pixels - expected)
    assert difference.max() <= 1
    assert engine.card.palette.name == "coco_stuff"
    assert "CC BY-NC-SA" in engine.card.licence_weights


def test_ade20k_is_painted_from_raw_ids(tmp_path: Path) -> None:
    torch.save(generator_state(151), "latest_net_G.pth")
    assert (
        run("latest_net_G.pth", "--preset", "ade20k", "--crop_size", 64, "-o", "a.safetensors").exit_code == 0
    )
    card = load_checkpoint("a.safetensors").card
    assert (card.semantics.label_nc, card.semantics.unknown, card.palette.name) == (151, False, "ade20k")
    segmap = Labels.of(torch.tensor([[[0, 1], [150, 150]]]), card.semantics).segmap
    assert segmap.argmax(1).tolist() == [[[0, 1], [150, 150]]]


def test_a_vae_brings_its_encoder(tmp_path: Path) -> None:
    torch.save(generator_state(13, use_vae=True, crop_size=128, num_upsampling_layers="more"), "G.pth")
    torch.save(published_state("encoder", crop_size=128, ngf=2), "E.pth")
    words = ["G.pth", "--preset", "facades", "--crop_size", 128, "-o", "f.safetensors"]
    result = run(*words, "--encoder", "E.pth", "--verify")
    assert result.exit_code == 0, result.output
    engine = Engine.load("f.safetensors", "cpu")
    assert (engine.card.generator.num_ups, engine.card.generator.z_dim) == (6, 256)
    assert engine.style_of(np.zeros((50, 50, 3), np.uint8)).z.shape == (256,)
    assert "the weights have num_upsampling_layers" not in result.output
    assert "styles come from seeds only" in run(*words).output


@pytest.mark.parametrize("kind", ["w", "w:gz"])
def test_archives_are_read_and_nothing_is_unpacked(coco: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("checkpoints.tar" if kind == "w" else "checkpoints.tar.gz")
    torch.save(generator_state(36), tmp_path / "other.pth")
    with tarfile.open(path, kind) as tar:  # type: ignore[call-overload]
        tar.add(coco, "checkpoints/coco_pretrained")
        tar.add(tmp_path / "other.pth", "checkpoints/cityscapes_pretrained/latest_net_G.pth")
    before = sorted(tmp_path.rglob("*"))
    found = find(path, wanted="cityscapes_")
    assert found.states["generator"]["fc.weight"].shape[1] == 36
    assert (found.origin, sorted(tmp_path.rglob("*"))) == ("cityscapes_pretrained", before)
    assert "has 2 checkpoints" in refused(path, "--preset", "ade20k")


@pytest.mark.parametrize("name", ["../evil.pth", "/evil.pth", "link"])
def test_archives_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)
    if name == "link":
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(member, io.BytesIO(b""))
    assert "is a link or leads outside" in refused("a.tar", "--preset", "coco")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


class Bomb:
    def __reduce__(self) -> tuple:
        return os.system, ("touch exploded",)


def test_a_malicious_pickle_is_refused_with_an_explanation(tmp_path: Path) -> None:
    torch.save({"fc.weight": Bomb()}, "zip.pth")
    Path("plain.pth").write_bytes(pickle.dumps(Bomb()))
    for name in ("zip.pth", "plain.pth"):
        line = refused(name, "--preset", "coco")
        assert "is refused: when opened, it would call code" in line
        assert "system" in line
    assert not Path("exploded").exists()


def test_files_that_are_no_checkpoint(coco: Path, tmp_path: Path) -> None:
    weights = (coco / "latest_net_G.pth").read_bytes()
    Path("half.pth").write_bytes(weights[: len(weights) // 2])
    Path("text.pth").write_text("hello")
    torch.save({"a": torch.zeros(1)}, "other.pth")
    torch.save([1, 2], "list.pth")
    torch.save(published_state("encoder", crop_size=64, ngf=2), "E.pth")
    (tmp_path / "empty").mkdir()
    cases = {
        "half.pth is damaged, truncated": ["half.pth"],
        "text.pth is": ["text.pth"],
        "no published generator (they have a": ["other.pth"],
        "list.pth holds list with more than tensors": ["list.pth"],
        "no published generator": ["E.pth"],
        "empty has no latest_net_G.pth: put one there": ["empty"],
        "nowhere.pth does not exist": ["nowhere.pth"],
    }
    for words, arguments in cases.items():
        assert words in refused(*arguments, "--preset", "coco")
    assert (
        "take 184 semantic channels, ade20k gives 151 = 150 classes + 1 unknown + 0 instance edges"
        in refused(coco, "--preset", "ade20k")
    )
    assert "no data set 'coko'" in refused(coco, "--preset", "coko")
    (coco / "opt.txt").write_text("ngf: 64\n")
    assert "the weights have ngf 2, but 64 is stated" in refused(coco, "--preset", "coco")
    assert not list(tmp_path.glob("*.safetensors"))


def test_options_are_read_as_text() -> None:
    text = "----\n   aspect_ratio: 2.0      \t[default: 1.0]\n  dataroot: ./a b \n    name: x: y\n---"
    assert read_options(text) == {"aspect_ratio": "2.0", "dataroot": "./a b", "name": "x: y"}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {f"module.{name}": value for name, value in state.items()},
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"netG": {f"module.module.{name}": value for name, value in state.items()}, "lr": 0.1},
    ],
)
def test_wrapped_states_are_read(tmp_path: Path, wrap: Callable[[dict], dict]) -> None:
    state = generator_state(184)
    torch.save(wrap(state), tmp_path / "G.pth")
    found = find(tmp_path / "G.pth").states["generator"]
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_several_networks_in_one_file_are_named(tmp_path: Path) -> None:
    torch.save({"G": generator_state(184), "D": generator_state(13), "epoch": 1}, tmp_path / "both.pth")
    said = refused(tmp_path / "both.pth", "--preset", "coco")
    assert "(it has G, D): give the state of one network" in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "a pointer of Git LFS and no weights",
        ),
        (b"<!DOCTYPE html><html><body>Quota exceeded</body></html>", "a web page (HTML) and no weights"),
        (b'{"error": "not found"}', "JSON text and no weights"),
    ],
)
@pytest.mark.parametrize("name", ["G.pth", "checkpoints.tar.gz"])
def test_what_a_download_leaves_in_place_of_weights(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert words in refused(tmp_path / name, "--preset", "coco")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    state = generator_state(184)
    name = next(key for key in state if key.endswith("conv_0.bias"))
    state[name][0] = value
    torch.save(state, tmp_path / "G.pth")
    said = refused(tmp_path / "G.pth", "--preset", "coco")
    assert f"no numbers (NaN or infinite) in 1 tensors, the first is {name}" in said
