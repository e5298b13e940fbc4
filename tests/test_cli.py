"""The doors: every command in process, and every user's error as one line, exit code 2 and no file."""

import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from fake_reader import NearestColor
from PIL import Image
from tiny_model import card, networks, write
from typer.testing import CliRunner, Result

import spadework
from spadework.cli import app, paint
from spadework.data.toy import ToyLandscapes
from spadework.engine import Engine
from spadework.model import load_checkpoint, save_checkpoint
from spadework.picture import Picture
from spadework.sketch.palette import Palette
from spadework.training import export, painting

TOY = ["toy", "--set", "batch_size=2", "ngf=1", "hidden=2", "encoder_ngf=1", "--set", "ndf=1", "lr=0.001"]
COLORS = Palette.load("landscape").colors()


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object) -> str:
    """The one line of an error."""
    result = run(*words)
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.strip()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPADEWORK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(Path(spadework.__file__).parents[1]))
    monkeypatch.setattr(export, "STATISTICS_IMAGES", 4)
    monkeypatch.setattr(export, "STYLE_IMAGES", 16)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


def png(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format="PNG", **options)
    return out.getvalue()


def ids(height: int = 20, width: int = 30, seed: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 15, (4, 4), dtype=np.uint8)
    return small[np.arange(height)[:, None] * 4 // height, np.arange(width) * 4 // width]


def sketch(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png(Image.fromarray(ids(seed=seed))))
    return path


def files(folder: Path) -> list[str]:
    return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if f.is_file())


# ---- paint


def test_paint_one_sketch(tmp_path: Path, model: Path) -> None:
    result = run("paint", sketch(tmp_path / "hill.png"), "--model", model)
    assert result.exit_code == 0, result.output
    assert "1 picture in out/" in result.output
    assert files(tmp_path / "out") == ["hill.png"]
    assert bare(Picture.read("out/hill.png")) == Engine.load(model, "cpu").paint(ids(), seed=0)


def bare(picture: Picture) -> Picture:
    """A painted picture without the drawing that it carries."""
    told = dict(picture.provenance)
    assert told.pop("project")["format"] == "spadework-project"
    return Picture(picture.pixels, told)


def test_paint_a_folder(tmp_path: Path, model: Path) -> None:
    for seed, name in enumerate(["a.png", "b.PNG", ".hidden.png"]):
        sketch(tmp_path / "maps" / name, seed)
    (tmp_path / "maps" / "notes.txt").write_text("no sketch")
    result = run("paint", "maps", "-o", "deep/er", "--model", model, "--seed", 4)
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "deep") == ["er/a.png", "er/b.png"]
    assert re.search(r"b\.PNG +4 +b\.png +30x20 +\d+", result.output)
    assert Picture.read("deep/er/b.png").provenance["seed"] == 4


def test_paint_into_a_named_file(tmp_path: Path, model: Path) -> None:
    result = run("paint", sketch(tmp_path / "a.png"), "-o", "new/photo.png", "--model", model)
    assert result.exit_code == 0, result.output
    assert "1 picture in new/photo.png" in result.output
    assert Picture.read("new/photo.png").size == (20, 30)


def test_the_best_candidate_is_kept_and_all_scores(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paint, "load_segmenter", lambda name, palette: NearestColor(palette))
    words = ["paint", sketch(tmp_path / "a.png"), "--candidates", 3, "--seed", 7, "--model", model]
    result = run(*words, "-o", "best")
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "best") == ["a.json", "a.png"]
    scores = json.loads((tmp_path / "best" / "a.json").read_text())
    best = scores["candidates"][0]
    assert sorted(c["seed"] for c in scores["candidates"]) == [7, 8, 9]
    assert "sum of the ranks" in scores["order"]
    picture = Picture.read("best/a.png")
    painted = Engine.load(model, "cpu").paint(ids(), seed=best["seed"])
    assert np.array_equal(picture.pixels, painted.pixels)
    assert {k: picture.provenance[k] for k in best} == best
    result = run(*words, "-o", "all", "--keep-all")
    assert result.exit_code == 0, result.output
    assert files(tmp_path / "all") == ["a.json", "a.png", "a/7.png", "a/8.png", "a/9.png"]
    assert Picture.read(f"all/a/{best['seed']}.png") == Picture.read("all/a.png")


def test_candidates_need_a_segmenter(tmp_path: Path, model: Path) -> None:
    words = ["paint", sketch(tmp_path / "a.png"), "--candidates", 2, "--model", model]
    assert "no segmenter 'segmenter_sea'" in refused(*words, "--segmenter", "segmenter_sea")
    assert files(tmp_path) == ["a.png"]


def test_style_size_and_upscale(tmp_path: Path, model: Path) -> None:
    Image.new("RGB", (50, 40), (200, 90, 10)).save(tmp_path / "dusk.jpg")
    words = ["--style", "dusk.jpg", "--device", "cpu", "--enlarger", "none"]
    result = run("paint", sketch(tmp_path / "a.png"), "--model", model, *words, "--size", "100x60")
    assert result.exit_code == 0, result.output
    picture = Picture.read("out/a.png")
    assert picture.size == (60, 100)
    assert picture.provenance["style"] == "photo dusk.jpg"
    assert picture.provenance["painted_size"] == [64, 96]
    assert run("paint", sketch(tmp_path / "a.png"), "--model", model, *words, "--upscale", 2).exit_code == 0
    assert Picture.read("out/a.png").size == (40, 60)


def test_large_pictures_are_doubled_and_say_so(tmp_path: Path, model: Path) -> None:
    assert run("paint", sketch(tmp_path / "a.png"), "--model", model, "--size", "96x64").exit_code == 0
    told = Picture.read("out/a.png").provenance
    assert (told["painted_size"], told["enlarged"], told["enlarger"]) == ([32, 64], 2, "enlarger_landscape")


def test_the_light_of_another_seed(tmp_path: Path, model: Path) -> None:
    """The seed decides the place, `--style seed:N` the light."""
    engine = Engine.load(model, "cpu")
    file = sketch(tmp_path / "a.png")
    assert run("paint", file, "--model", model, "--seed", 4, "--style", "seed:9").exit_code == 0
    expected = engine.paint(ids(), seed=4, style=engine.sample_style(9, ids()))
    assert Picture.read("out/a.png").pixels.tolist() == expected.pixels.tolist()


def test_a_painted_picture_is_painted_again_and_lends_its_light(tmp_path: Path, model: Path) -> None:
    file = sketch(tmp_path / "a.png")
    assert run("paint", file, "--model", model, "--seed", 6).exit_code == 0
    assert run("paint", "out/a.png", "--model", model, "-o", "again.png").exit_code == 0
    assert Picture.read("again.png") == Picture.read("out/a.png")
    assert run("paint", file, "--model", model, "--style", "out/a.png", "-o", "light.png").exit_code == 0
    first, light = (Picture.read(name).provenance for name in ("out/a.png", "light.png"))
    assert (light["z"], light["seed"]) == (first["z"], 0)


def test_precision_and_threads(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", asked.append)
    words = ["--model", model, "--device", "cpu", "--precision", "bfloat16", "--threads", 2]
    result = run("paint", sketch(tmp_path / "a.png"), *words)
    assert result.exit_code == 0, result.output
    assert asked == [2]
    exact, near = (
        Engine.load(model, "cpu", precision).paint(ids(), seed=0) for precision in ("float32", "bfloat16")
    )
    assert bare(Picture.read("out/a.png")) == near != exact


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--precision", "half"], "choose one of auto, float32, bfloat16"),
        (["--threads", 0], "give 1 or more"),
    ],
)
@pytest.mark.parametrize("command", ["paint", "studio", "test"])
def test_a_precision_that_there_is_not(
    tmp_path: Path, model: Path, command: str, words: list[object], told: str
) -> None:
    maps = sketch(tmp_path / "maps" / "a.png").parent
    named = {
        "paint": [maps, "--model", model],
        "studio": ["--no-browser", "--port", 0, "--model", model],
        "test": ["--name", model, "--dataset_mode", "custom", "--label_dir", maps, "--no_instance"],
    }
    result = run(command, *named[command], *words)
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert told in result.stderr


def test_a_bad_sketch_does_not_stop_the_others(tmp_path: Path, model: Path) -> None:
    sketch(tmp_path / "maps" / "a.png")
    (tmp_path / "maps" / "b.png").write_bytes(b"no picture")
    sketch(tmp_path / "maps" / "c.png")
    result = run("paint", "maps", "--model", model)
    assert result.exit_code == 2
    assert result.stderr.count("error: ") == result.stderr.count("\n") == 1
    assert "maps/b.png is not a picture" in result.stderr
    assert "2 pictures in out/" in result.stdout
    assert files(tmp_path / "out") == ["a.png", "c.png"]


def rgb(seed: int = 0) -> np.ndarray:
    return COLORS[ids(seed=seed)]


def off_color() -> bytes:
    pixels = rgb()
    pixels[:2, :3] = (0x5C, 0x9E, 0xF1)
    return png(Image.fromarray(pixels))


def off_id() -> bytes:
    pixels = ids()
    pixels[:2, :3] = 77
    return png(Image.fromarray(pixels))


def jpeg() -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb()).save(out, format="JPEG")
    return out.getvalue()


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))


BAD_SKETCHES = {
    "not a picture": (b"hello", "is not a picture that can be read: give a sketch saved as PNG"),
    "empty": (b"", "is empty (0 bytes): save or download it again"),
    "jpeg": (jpeg(), "is a JPEG picture, not a PNG: save a sketch as PNG"),
    "truncated": (png(Image.fromarray(rgb()))[:-30], "truncated PNG"),
    "foreign id": (
        off_id(),
        "id 77 on 6 px is not in palette landscape: allowed are 0..14 and 255 (unknown)",
    ),
    "foreign colour": (
        off_color(),
        "colour #5c9ef1 on 6 px is not in palette landscape; the nearest class is sky",
    ),
    "16 bits": (png(Image.fromarray(ids().astype(np.uint16) * 257)), "they are ids times 257"),
    "transparency": (png(Image.new("RGBA", (20, 20), (0, 0, 0, 0))), "transparen"),
    "too small": (png(Image.fromarray(ids(3, 30))), "resize it to 4..8192 pixels a side"),
    "too long": (png(Image.fromarray(np.zeros((4, 8193), np.uint8))), "resize it to 4..8192 pixels a side"),
    "a photo": (png(noise()), "looks like a photograph"),
}


@pytest.mark.parametrize("kind", BAD_SKETCHES)
def test_bad_sketches(tmp_path: Path, model: Path, kind: str) -> None:
    data, words = BAD_SKETCHES[kind]
    (tmp_path / "bad.png").write_bytes(data)
    line = refused("paint", "bad.png", "--model", model)
    assert "bad.png" in line
    assert words in line
    assert files(tmp_path) == ["bad.png"]


def test_other_bad_input_of_paint(tmp_path: Path, model: Path) -> None:
    good = sketch(tmp_path / "good.png")
    (tmp_path / "empty").mkdir()
    sketch(tmp_path / "maps" / "good.png")
    cases: dict[str, list[object]] = {
        "goof.png does not exist: did you mean good.png?": ["goof.png"],
        "no PNG in folder empty": ["empty"],
        "no model 'landscpae': Did you mean 'landscape'?": [good, "--model", "landscpae"],
        "other.safetensors does not exist": [good, "--model", "other.safetensors"],
        "--size 64: give width x height, for example --size 512x256": [good, "--size", "64"],
        "size 2x64 (width x height): give 4 to 8192": [good, "--size", "2x64"],
        "seed -1 is outside 0..4294967295": [good, "--seed", "-1"],
        "--candidates 0: give 1 or more": [good, "--candidates", "0"],
        "give 1 to 273": [good, "--upscale", "1000"],
        "no device 'gpu': choose one of": [good, "--device", "gpu"],
        "photo.jpg does not exist": [good, "--style", "photo.jpg"],
        "-o x.jpg: only PNG is written: give x.png": [good, "-o", "x.jpg"],
        "-o x.png is one file for 2 sketches: give a folder": [good, good, "-o", "x.png"],
        "would both become out/good.png: rename one": [good, "maps"],
        "good.png would be overwritten: choose another place with -o": [good, "-o", tmp_path],
        "maps/good.png would be overwritten": ["maps", "-o", "maps"],
        "cannot make the folder notes": [good, "-o", "notes"],
        "cannot make the folder notes/deep": [good, "-o", "notes/deep/x.png"],
        "No such option: --sede": [good, "--sede", "3"],
        "valid int": [good, "--seed", "many"],
        "Missing argument": [],
    }
    (tmp_path / "notes").write_text("a file, no folder")
    before = files(tmp_path)
    for words, arguments in cases.items():
        tail = [] if "--model" in arguments else ["--model", model]
        line = refused("paint", *arguments, *tail)
        assert words.lower() in line.lower(), line
        assert files(tmp_path) == before


def test_a_style_photo_is_not_overwritten_either(tmp_path: Path, model: Path) -> None:
    sketch(tmp_path / "maps" / "a.png")
    sketch(tmp_path / "a.png")
    assert "a.png would be overwritten" in refused(
        "paint", "maps", "-o", ".", "--style", "a.png", "--model", model
    )


def test_weights_of_another_card(tmp_path: Path) -> None:
    path = write(tmp_path / "m.safetensors")
    data = path.read_bytes()
    tensors = safetensors.torch.load(data)
    tensors["generator.conv_img.bias"] = torch.zeros(4)
    about = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
    path.write_bytes(safetensors.torch.save(tensors, about))
    line = refused("paint", sketch(tmp_path / "a.png"), "--model", path)
    assert "generator.conv_img.bias is (4,), the card says (3,)" in line
    assert not (tmp_path / "out").exists()


def test_faults_of_ours_keep_their_traceback(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Engine, "paint", broken)
    result = run("paint", sketch(tmp_path / "a.png"), "--model", model)
    assert isinstance(result.exception, RuntimeError)
    assert not (tmp_path / "out").exists()


# ---- palettes, help, version


def test_palettes() -> None:
    result = run("palettes")
    assert result.exit_code == 0
    assert re.search(r"landscape +15 +255", result.output)
    result = run("palettes", "landscape")
    assert re.search(r"11 +#1a4a8c +sea", result.output)
    assert re.search(r"255 +#4a0a4a +unknown", result.output)
    assert "Did you mean 'landscape'?" in refused("palettes", "landscap")


def test_help_and_version() -> None:
    for words in ([], ["--help"], ["paint", "-h"], ["train", "--help"], ["--version"]):
        assert run(*words).exit_code == 0
    assert "type spadework --help" in refused("pant")


# ---- train


def test_train_toy_paint_and_resume(tmp_path: Path) -> None:
    result = run("train", *TOY, "total_images=4", "--out", "run")
    assert result.exit_code == 0, result.output
    assert json.loads(Path("run/config.json").read_text())["ndf"] == 1
    model = tmp_path / "run" / "model-00000004.safetensors"
    assert f"spadework paint SKETCH.png --model {model.relative_to(tmp_path)}" in result.output
    about = load_checkpoint(model).card
    assert (about.training.images_seen, about.training.data) == (4, "procedural toy landscapes")
    assert run("paint", sketch(tmp_path / "a.png"), "--model", model).exit_code == 0

    result = run("train", "--out", "run", "--resume", "--set", "total_images=6")
    assert result.exit_code == 0, result.output
    assert json.loads(Path("run/config.json").read_text())["total_images"] == 6
    assert len(Path("run/stats.jsonl").read_text().splitlines()) == 3
    assert Path("run/model-00000006.safetensors").is_file()

    assert "already holds a run: go on with --resume" in refused("train", *TOY, "--out", "run")
    assert "was started with recipe toy, not landscape" in refused(
        "train", "landscape", "--out", "run", "--resume"
    )
    assert "--set ngf cannot change on --resume" in refused(
        "train", "--out", "run", "--resume", "--set", "ngf=2"
    )
    unchanged = run("train", "--out", "run", "--resume", "--set", "ngf=1", "total_images=8")
    assert unchanged.exit_code == 0, unchanged.output
    config = Path("run/config.json")
    config.write_bytes(b"\xef\xbb\xbf" + config.read_bytes())  # saved by Notepad
    assert run("train", "--out", "run", "--resume").exit_code == 0


def test_a_failing_disk_is_one_sentence_in_any_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "out/a.png")

    monkeypatch.setattr("spadework.sketch.palette.Palette.names", full)
    assert refused("palettes") == (
        "error: cannot read or write out/a.png: the disk is full: free some space and try again"
    )


@pytest.mark.parametrize("module", ["modelfile", "training.lightstate"])
def test_a_model_that_cannot_be_written_leaves_the_state(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: bytes) -> None:
        error = OSError(errno.ENOSPC, "No space left on device", str(path))
        raise ValueError(f"cannot write {path}: the disk is full") from error

    with monkeypatch.context() as patch:
        patch.setattr(f"spadework.{module}.atomic_write", full)
        said = refused("train", *TOY, "total_images=4", "--out", "run")
    assert "the disk is full; run/state.safetensors, after 4 images, is whole: go on from there with" in said
    assert run("train", "--out", "run", "--resume").exit_code == 0
    assert Path("run/model-00000004.safetensors").exists()


def test_paint_tells_what_a_folder_has_beside_sketches(tmp_path: Path) -> None:
    from tiny_model import write

    folder = tmp_path / "sketches"
    folder.mkdir()
    sketch(folder / "a.png")
    (folder / "b.tif").write_bytes(b"x")
    (folder / "notes.txt").write_bytes(b"x")
    result = run("paint", folder, "--model", write(tmp_path / "tiny.safetensors"), "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "passed over, as of other types: 1 .tif, 1 .txt" in result.output


def test_stopping_saves_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = painting.step_generator

    def interrupted(*args: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return steps(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(painting, "step_generator", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    result = run("train", *TOY, "total_images=40", "--out", "my run")
    assert result.exit_code == 130, result.output
    assert "stopped after 2 images, all is saved; go on with: spadework train --out 'my run' --resume" in (
        result.output
    )
    assert Path("my run/state.safetensors").is_file()
    assert Path("my run/model-00000002.safetensors").is_file()
    assert signal.getsignal(signal.SIGTERM) is before


def test_ctrl_c_in_a_real_process(tmp_path: Path) -> None:
    script = (
        "from spadework.training import export; export.STATISTICS_IMAGES, export.STYLE_IMAGES = 4, 16\n"
        "from spadework.cli import main; main()"
    )
    words = [sys.executable, "-c", script, "train", *TOY, "total_images=100000", "--out", "run"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    stats = tmp_path / "run" / "stats.jsonl"
    deadline = time.monotonic() + 60
    while not stats.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "go on with: spadework train --out run --resume" in out
    assert "Traceback" not in err


def dataset(root: Path, pairs: int = 2, split: str = "") -> Path:
    toy = ToyLandscapes(pairs, (64, 64))
    for kind in ("images", "labels"):
        (root / split / kind).mkdir(parents=True, exist_ok=True)
    for sample in toy:
        Image.fromarray(sample.image).save(root / split / "images" / f"{sample.name}.png")
        Image.fromarray(sample.labels).save(root / split / "labels" / f"{sample.name}.png")
    return root


def test_train_on_a_folder_with_a_val_split(tmp_path: Path) -> None:
    data = dataset(tmp_path / "my photos", 3, "train")
    dataset(data, 2, "val")
    words = ["total_images=2", "sample_every=2", "--data", data, "--out", "run", "--terms", "CC0"]
    result = run("train", *TOY, *words)
    assert result.exit_code == 0, result.output
    record = load_checkpoint(Path("run/model-00000002.safetensors")).card.training
    assert (record.data, record.terms) == ("my photos", "CC0")
    assert Picture.read("run/samples/00000002.png").size[0] == 2 * 64


def test_a_model_is_trained_on(tmp_path: Path) -> None:
    assert run("train", *TOY, "total_images=4", "--out", "first").exit_code == 0
    first = "first/model-00000004.safetensors"
    result = run("train", *TOY, "total_images=8", "--out", "second", "--from", first)
    assert result.exit_code == 0, result.output
    config = json.loads(Path("second/config.json").read_text())
    assert (config["warm_up"], config["total_images"]) == (2000, 8)
    card = load_checkpoint("second/model-00000008.safetensors").card
    assert card.training.images_seen == 8
    assert card.licence_weights == "unstated; begun with the weights of model toy (unstated)"
    assert len(Path("second/stats.jsonl").read_text().splitlines()) == 2
    assert "has seen 4 images" in refused("train", *TOY, "total_images=4", "--out", "third", "--from", first)
    assert "leave out --resume" in refused("train", "--out", "second", "--resume", "--from", first)
    light = Path("second/light-00000008.safetensors")
    assert f"--from {light}" in result.output
    result = run("train", *TOY, "total_images=12", "--out", "fourth", "--from", light)
    assert result.exit_code == 0, result.output
    stats = Path("fourth/stats.jsonl").read_text().splitlines()
    assert [json.loads(line)["images"] for line in stats] == [10, 12]  # from the next batch on
    assert "a painter" in refused("train", "segmenter_landscape", "--out", "third", "--from", first)
    assert "no model 'landscap'" in refused("train", *TOY, "--out", "third", "--from", "landscap")


def test_settings_may_be_spread_over_the_line() -> None:
    words = ["--set", "total_images=2", "lr=0.002", "--out", "run", "--set=batch_size=1", "seed=3"]
    result = run("train", *words, "toy", "--set", "ngf=1", "hidden=2")
    assert result.exit_code == 0, result.output
    config = json.loads(Path("run/config.json").read_text())
    assert [config[key] for key in ("total_images", "lr", "batch_size", "seed", "ngf")] == [2, 0.002, 1, 3, 1]


def test_list_of_recipes() -> None:
    result = run("train", "--list")
    assert result.exit_code == 0
    for word in ("toy", "landscape", "spade_256", "batch_size", "sketch_share"):
        assert word in result.output


def spoil(root: Path, how: str) -> None:
    """A fault in one pair of a data set."""
    photo, labels = (sorted((root / kind).iterdir())[0] for kind in ("images", "labels"))
    if how == "partner":
        labels.unlink()
    elif how == "size":
        Image.new("RGB", (64, 60)).save(photo)
    elif how == "unreadable":
        photo.write_bytes(photo.read_bytes()[:200])
    elif how == "ids":
        Image.fromarray(np.full((64, 64), 99, np.uint8)).save(labels)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("partner", "1 photos have no label map: toy-00000"),
        ("size", "is 64x60 but labels/toy-00000"),
        ("unreadable", "is a damaged or truncated PNG"),
        ("ids", "have ids that the palette lacks (99 in 1)"),
    ],
)
def test_bad_training_data(tmp_path: Path, how: str, words: str) -> None:
    data = dataset(tmp_path / "data")
    spoil(data, how)
    assert words in refused("train", *TOY, "--data", data, "--out", "run")
    assert not (tmp_path / "run").exists()


def test_other_bad_input_of_train(tmp_path: Path) -> None:
    cases: dict[str, list[object]] = {
        "no --out: name the folder": ["toy"],
        "no recipe named: choose one of": ["--out", "run"],
        "no recipe 'tyo'": ["tyo", "--out", "run"],
        "did you mean batch_size?": [*TOY, "batchsize=3", "--out", "run"],
        "expected key=value": ["toy", "--set", "lr", "--out", "run"],
        "total_images": [*TOY, "total_images=0", "--out", "run"],
        "no --data: give the folder that holds images/ and labels/": ["landscape", "--out", "run"],
        "no such folder": ["landscape", "--data", "nowhere", "--out", "run"],
        "nothing to resume in run": ["--out", "run", "--resume"],
        "make the run folder": [*TOY, "--out", "file/run"],
    }
    (tmp_path / "file").write_text("no folder")
    for words, arguments in cases.items():
        assert words in refused("train", *arguments)
        assert files(tmp_path) == ["file"]


def test_minutes_end_a_training_which_is_then_whole() -> None:
    words = ("train", *TOY, "total_images=1000000", "--minutes", "0.05", "--device", "cpu", "--out", "run")
    result = run(*words)
    assert result.exit_code == 0, result.output
    (model,) = Path("run").glob("model-*.safetensors")
    (light,) = Path("run").glob("light-*.safetensors")
    assert "stopped" not in result.output
    assert model.name in result.output
    assert light.name in result.output
    assert Path("run/state.safetensors").is_file()


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_state(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("train", *TOY, "total_images=4", "--out", "run").exit_code == 0
    before = Path("run/state.safetensors").read_bytes()
    steps = painting.step_generator

    def diverging(*args: object) -> object:
        losses, fakes = steps(*args)  # type: ignore[arg-type]
        return losses | {"g_gan": torch.tensor(float("nan"))}, fakes

    monkeypatch.setattr(painting, "step_generator", diverging)
    line = refused("train", "--out", "run", "--resume", "--set", "total_images=8")
    assert "training diverged at step 3" in line
    assert "the last good state is run/state.safetensors" in line
    assert Path("run/state.safetensors").read_bytes() == before


def test_a_model_that_cannot_encode_takes_no_photo(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "p.png")
    save_checkpoint(tmp_path / "m.safetensors", card(encoder=None), networks()[0])
    words = ["--model", "m.safetensors", "--style", "p.png"]
    assert "cannot read a style" in refused("paint", sketch(tmp_path / "a.png"), *words)
