"""`spadework bench` on a tiny network: the figures are there and the pictures agree."""

import json
import os
import re
from pathlib import Path

import pytest
import torch
from tiny_model import write
from typer.testing import CliRunner

from spadework.bench import alone, baseline, batch, engine, peak, shapes, subject, train
from spadework.cli import app

KEYS = {
    *("name", "shape", "size", "dtype", "maps", "published_s", "dense_s", "engine_s", "ratio"),
    *("ratio_published", "max_abs_diff", "psnr_db"),
}
ALONE = ["--repeats", "2", "--no-compile", "--no-memory"]


def figures(*words: str) -> dict:
    result = CliRunner().invoke(app, ["bench", *words, *ALONE, "--json", "-"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "gigaflops", lambda: 1.0)
    made = figures("engine", "--case", "engine-tiny", "--case", "repaint-tiny")
    assert {case["name"]: case["maps"] for case in made["cases"]} == {"engine-tiny": 3, "repaint-tiny": 2}
    for case in made["cases"]:
        assert case.keys() >= KEYS
        assert 0 < case["mean_abs_diff"] < case["max_abs_diff"] < 1e-5
        assert case["engine_s"] <= case["engine_p95_s"]
        assert min(case["engine_s"], case["dense_s"], case["published_s"]) > 0


@pytest.mark.parametrize("name", ["train-tiny", "train-step-toy"])
def test_training(name: str) -> None:
    (case,) = figures("train", "--case", name)["cases"]
    differences = case["grad_rel_diff"], case["grad_rel_layout"]
    assert differences == (None, None) if "step" in name else 0 < min(differences) <= max(differences) < 1e-4
    assert case["images_per_s"] > 0
    assert case["dense_images_per_s"] > 0


@pytest.mark.parametrize("version", subject.VERSIONS)
def test_memory_of_painting(version: str) -> None:
    assert alone.measure_painting("tiny", "float32", version) > 100  # what a process with PyTorch takes


def test_memory_is_that_of_a_process_of_its_own() -> None:
    ballast = bytearray(os.urandom(1)) * (400 * 2**20)
    assert 100 < peak.child("train", "train-tiny", "float32", "contexts") < peak.peak_mib()
    del ballast


def test_figures_are_shown_and_written(tmp_path: Path) -> None:
    target = tmp_path / "figures.json"
    words = ["bench", "train", "--case", "train-tiny", *ALONE, "--json", str(target)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    told, figures = result.stdout, json.loads(target.read_text())
    assert "train-tiny float32, 64x64, batches of 2\n" in told
    assert f"gradients differ by {figures['cases'][0]['grad_rel_diff']:.1e} of their norm" in told
    assert max(map(len, told.splitlines()[:-1])) <= 110
    assert figures["machine"]["threads"] >= 1


def test_a_compiler_that_fails_leaves_dense_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(network: object) -> object:
        raise RuntimeError("no compiler")

    monkeypatch.setattr("torch.compile", fails)
    tiny = subject.Subject.of(shapes.SHAPES["tiny"], torch.float32)
    first = engine.SMOKE[0].chosen()[0]
    assert tiny.try_compiled(first) == "eager, torch.compile failed: RuntimeError"
    assert tiny.plain(first).shape == (1, 3, 64, 64)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_dense_is_compiled_and_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda net: compile_(net, backend="eager"))  # takes no compiler
    tiny = subject.Subject.of(shapes.SHAPES["tiny"], torch.float32)
    first = engine.SMOKE[0].chosen()[0]
    expected = tiny.plain(first)
    assert re.fullmatch(r"(eager|compiled), eager [\d.]+ s, compiled [\d.]+ s", tiny.try_compiled(first))
    torch.testing.assert_close(tiny.plain(first), expected)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_every_network_is_compiled_however_many_there_were(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_, graphs = torch.compile, []

    def backend(graph: torch.fx.GraphModule, _: object) -> object:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda net: compile_(net, backend=backend))
    with torch._dynamo.config.patch(recompile_limit=1):
        for _ in range(2):
            tiny = subject.Subject.of(shapes.SHAPES["tiny"], torch.float32)
            tiny.try_compiled(engine.SMOKE[0].chosen()[0])
            assert graphs
            graphs.clear()


@pytest.mark.soak
def test_batch_beside_a_loop(tmp_path: Path) -> None:
    (case,) = batch.run(batch.SMOKE, 1, str(write(tmp_path / "tiny.safetensors")))
    assert (case.maps, case.differing) == (9, 0)
    assert case.ratio == pytest.approx(case.loop_s / case.batch_s)
    assert case.ratio_running > 0
    assert f"{case.ratio:.2f} times as fast" in case.lines()[1]


def test_no_map_of_the_bench_of_batches_comes_twice() -> None:
    maps = [ids.tobytes() for ids in batch._sketches(batch.Scenario("", 60, (64, 64)))]
    assert len(set(maps)) == 60


@pytest.mark.parametrize("module", [engine, train, batch])
def test_quick_names_cases(module: object) -> None:
    assert set(module.QUICK) <= {scenario.name for scenario in module.SCENARIOS}  # type: ignore[attr-defined]


def test_relabelled_maps_keep_their_regions() -> None:
    maps = engine.SCENARIOS[-1].chosen(most=1)
    (labels, _), shape = maps[0], shapes.SHAPES["cityscapes"]
    assert labels.shape == (1, 256, 512)
    assert int(labels.max()) < shape.semantics.label_nc
    assert len(labels.unique()) > 2


def test_an_unknown_case_is_one_line() -> None:
    result = CliRunner().invoke(app, ["bench", "engine", "--case", "nothing"], standalone_mode=False)
    assert "no case begins with nothing: known are engine-coco" in result.stderr


def test_the_landscape_shape_is_the_recipes() -> None:
    from spadework.training.recipes import named

    assert named("landscape").generator == shapes.LANDSCAPE
