"""ONNX files: onnxruntime paints what the generator paints, at any size, or there is no file."""

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_model import card, write
from torch import nn
from typer.testing import CliRunner, Result

from spadework.cli import app
from spadework.engine import Engine
from spadework.enlarger.enlarger import Enlarger, EnlargerCard
from spadework.executor import noise_of
from spadework.lights import Style
from spadework.model import Checkpoint, load_checkpoint
from spadework.nn.generator import Generator, GeneratorConfig
from spadework.nn.labels import SemanticsConfig
from spadework.nn.pixels import to_bytes
from spadework.nn.spectral import fold_spectral_norm
from spadework.onnx import graph
from spadework.onnx.contexts import context_files
from spadework.onnx.enlarger import export_enlarger_onnx
from spadework.onnx.graph import Graph
from spadework.onnx.model import TOLERANCE, compare, export_onnx, onnx_bytes, tiled_noise, trials_of
from spadework.picture import Picture
from spadework.sketch.examples import sketches

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


def checkpoint(semantics: SemanticsConfig | None = None, **options: object) -> Checkpoint:
    """Random weights and statistics in any shape of the generator."""
    semantics = semantics or SemanticsConfig(label_nc=15, unknown=True)
    parts = {"semantic_nc": semantics.semantic_nc, "size": (64, 32), "ngf": 2, "hidden": 4}
    config = GeneratorConfig.model_validate(parts | options)
    torch.manual_seed(3)
    generator = Generator(config)
    for name, tensor in [*generator.named_parameters(), *generator.named_buffers()]:
        if name.endswith(("noise_strength", "running_mean")):
            nn.init.normal_(tensor)
        if name.endswith("running_var"):
            nn.init.uniform_(tensor, 0.5, 2)
    made = card(generator=config, encoder=None, semantics=semantics)
    return Checkpoint(made, fold_spectral_norm(generator).requires_grad_(False), None)


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": 5},
        {"z_dim": 3},
        {"norm": "instance", "size": (64, 64)},
        {"norm": "syncbatch", "z_dim": 3, "noise": True},
        {"num_ups": 6, "size": (64, 64), "z_dim": 3, "start": "point", "style_blocks": True, "noise": True},
        {"num_ups": 7, "size": (128, 128), "ngf": 4, "noise": True},
        {"padding": "replicate", "label_padding": "replicate", "kernel": 5, "bilinear_ups": 3},
        {
            "num_ups": 6,
            "size": (64, 64),
            "z_dim": 3,
            "padding": "replicate",
            "bilinear_ups": 4,
            "noise": True,
        },
        {"semantics": SemanticsConfig(label_nc=15)},
        {"semantics": SemanticsConfig(label_nc=17, unknown=True, edges=True)},
    ],
)
def test_every_generator_is_exported(options: dict[str, Any]) -> None:
    made = checkpoint(**options)
    batches = trials_of(made)
    difference, psnr, inputs = compare(onnx_bytes(made, seed=4), made, batches, seed=4)
    assert difference < TOLERANCE
    assert psnr > 80
    assert ("edges" in inputs, "z" in inputs) == (
        made.card.semantics.edges,
        made.card.generator.z_dim is not None,
    )
    assert {batch.labels.shape[0] for batch in batches} == {1, 2}


def test_the_check_sees_edges_unknown_pixels_styles_and_noise() -> None:
    made = checkpoint(SemanticsConfig(label_nc=15, unknown=True, edges=True), z_dim=3, noise=True)
    data, (batch, *_) = onnx_bytes(made), trials_of(made)
    assert batch.edges is not None
    assert batch.z is not None
    session = onnxruntime.InferenceSession(data)
    given = {name: getattr(batch, name).numpy() for name in ("labels", "edges", "z")}
    (picture,) = session.run(None, given)
    known = np.where(given["labels"] == 255, 0, given["labels"])
    for changed in ({"edges": ~given["edges"]}, {"z": -given["z"]}, {"labels": known}):
        assert abs(session.run(None, given | changed)[0] - picture).max() > 100 * TOLERANCE
    assert compare(data, made, [batch], seed=1)[0] > 100 * TOLERANCE


@pytest.mark.parametrize("half", [False, True])
def test_noise_may_be_an_input_and_weights_half_as_large(model: Path, tmp_path: Path, half: bool) -> None:
    """One file then paints the place of every seed."""
    target = tmp_path / "tiny.onnx"
    made = export_onnx(load_checkpoint(model), target, seed=None, half=half)
    fields = noise_of(7, load_checkpoint(model).card.generator, (32, 64))
    assert fields is not None
    names = [f"noise_{block}" for block in range(len(fields))]
    assert made.inputs == ("labels", "z", *names)
    engine, ids = Engine.load(model, "cpu"), sketches((32, 64))["beach"]
    style = engine.sample_style(2)
    given = {"labels": ids[None], "z": style.z[None]} | {
        n: f.numpy() for n, f in zip(names, fields, strict=True)
    }
    (picture,) = onnxruntime.InferenceSession(target).run(None, given)
    away = np.abs(to_bytes(torch.from_numpy(picture))[0].astype(int) - engine.paint(ids, 7, style).pixels)
    assert away.max() <= 1
    given["noise_0"] = -given["noise_0"]
    (other,) = onnxruntime.InferenceSession(target).run(None, given)
    assert np.abs(other - picture).max() > 100 * TOLERANCE


def test_half_precision_is_half_as_large_and_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = checkpoint(ngf=16, hidden=32)
    whole, half = onnx_bytes(made), onnx_bytes(made, half=True)
    assert len(half) < 0.6 * len(whole)
    difference, psnr, _ = compare(half, made, trials_of(made), seed=0)
    assert difference > 0
    assert 60 < psnr < 200
    monkeypatch.setattr("spadework.onnx.model.HALF_PSNR", psnr + 1)
    with pytest.raises(ValueError, match=r"in half precision its pictures have .* dB"):
        export_onnx(made, tmp_path / "a.onnx", half=True)
    assert not list(tmp_path.iterdir())


def test_a_program_with_only_the_file_paints_what_the_engine_paints(model: Path, tmp_path: Path) -> None:
    target = tmp_path / "tiny.onnx"
    export_onnx(load_checkpoint(model), target, seed=6)
    session = onnxruntime.InferenceSession(target)
    about = session.get_modelmeta().custom_metadata_map
    styles = json.loads(about["styles"])
    assert json.loads(about["card"])["licence_weights"] == "free"
    ids = sketches((32, 32))["beach"]
    z = np.array([styles["beach"]], np.float32)
    (picture,) = session.run(None, {"labels": ids[None], "z": z})
    expected = Engine.load(model, "cpu").paint(ids, 6, Style(z[0], "metadata"))
    assert np.abs(to_bytes(torch.from_numpy(picture))[0].astype(int) - expected.pixels).max() <= 1


def test_noise_is_repeated_where_pictures_are_larger() -> None:
    config = GeneratorConfig(semantic_nc=16, size=(32, 64), noise=True)
    small, large = (tiled_noise(0, config, size) for size in ((32, 64), (64, 96)))
    assert small is not None
    assert large is not None
    for a, b in zip(small, large, strict=True):
        h, w = a.shape[2:]
        assert torch.equal(b[:, :, :h, :w], a)
        assert torch.equal(b[:, :, h:, :w], a)


@pytest.mark.parametrize(("bias", "told"), [(0.01, r"1\.0e-02"), (float("nan"), "nan")])
def test_a_file_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bias: float, told: str
) -> None:
    made, data = checkpoint(), onnx_bytes(checkpoint())
    with torch.no_grad():
        made.generator.conv_img.bias.add_(bias)
    monkeypatch.setattr("spadework.onnx.model.onnx_bytes", lambda *_: data)
    with pytest.raises(ValueError, match=f"is not written: onnxruntime's pictures differ by {told}"):
        export_onnx(made, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_what_does_not_fit_into_a_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="an ONNX file holds less than 2"):
        onnx_bytes(checkpoint())


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["export", *map(str, words)])


def test_the_command_says_what_it_checked(model: Path, tmp_path: Path) -> None:
    result = run(model, "-o", tmp_path / "out.onnx", "--seed", 3)
    assert result.exit_code == 0, result.output
    assert "inputs: labels, z; output: picture" in result.stdout
    assert "(2 of 32x32 and 1 of 64x32)" in result.stdout
    about = onnxruntime.InferenceSession(tmp_path / "out.onnx").get_modelmeta().custom_metadata_map
    assert about["seed"] == "3"


def test_another_ending_is_refused(model: Path, tmp_path: Path) -> None:
    result = run(model, "-o", tmp_path / "out.pt")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "give the file the ending .onnx" in result.stderr


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_one_line(
    model: Path, tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ImportError(f"No module named '{package}'")
        return real(name, *rest, **more)

    for name in ("graph", "network"):
        monkeypatch.delitem(__import__("sys").modules, f"spadework.onnx.{name}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    result = run(model, "-o", tmp_path / "out.onnx")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "pip install 'spadework[export]'" in result.stderr
    assert not (tmp_path / "out.onnx").exists()


def test_the_program_in_the_docs_runs(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text()
    monkeypatch.chdir(tmp_path)
    export_onnx(load_checkpoint(model), "landscape.onnx")
    exec(page.split("```python\n")[1].split("```")[0], {})
    assert Picture.read(tmp_path / "island.png").size == (256, 256)


def test_an_enlarger_enlarges_the_same(tmp_path: Path) -> None:
    made = export_enlarger_onnx(Enlarger.load(), tmp_path / "e.onnx")
    assert made.inputs == ("labels", "image", "noise_coarse", "noise_fine")
    assert made.difference < 1e-5
    session = onnxruntime.InferenceSession(made.path)
    card = EnlargerCard.model_validate_json(session.get_modelmeta().custom_metadata_map["card"])
    assert card.name == "enlarger_landscape"


def test_an_enlarger_that_differs_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight that is changed between the two is found."""
    enlarger = Enlarger.load()
    honest = Graph.model

    def forged(self: Graph, *args, **kwargs) -> bytes:
        enlarger.net.conv_img.weight.data += 0.01
        return honest(self, *args, **kwargs)

    monkeypatch.setattr(Graph, "model", forged)
    with pytest.raises(ValueError, match="is not written: onnxruntime's pictures differ"):
        export_enlarger_onnx(enlarger, tmp_path / "e.onnx")
    assert not (tmp_path / "e.onnx").exists()


FINE = 60.0
"""dB of half precision: what a wrong row, or a wrong border, would not reach."""


@pytest.mark.parametrize(
    "options",
    [
        {"z_dim": 3, "norm": "batch", "label_padding": "zeros"},
        {"z_dim": 3, "norm": "instance", "label_padding": "replicate"},
        {"z_dim": 3, "norm": "batch", "label_padding": "zeros", "kernel": 5, "noise": False},
    ],
)
def test_tables_paint_as_the_generator(options: dict[str, Any]) -> None:
    assert context_files(checkpoint(**options)).psnr > FINE


def test_models_that_browsers_cannot_paint_with_are_refused() -> None:
    with pytest.raises(ValueError, match="has no styles: browsers paint"):
        context_files(checkpoint(z_dim=None))
    edges = SemanticsConfig(label_nc=15, unknown=True, edges=True)
    with pytest.raises(ValueError, match="has instance maps: browsers paint"):
        context_files(checkpoint(edges))
