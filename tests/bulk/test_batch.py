"""The command, painting in this process: what it writes is what `paint` paints, however it is stored."""

import json
import pickle
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_model import write

from spadework.bulk import beginning, cluster, processes
from spadework.bulk.manifest import LINES
from spadework.bulk.painting import Painter, Setup, groups_of
from spadework.bulk.tasks import Painting
from spadework.cli import app
from spadework.engine import Engine
from spadework.picture import Picture


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No processes are started."""

    def paint_all(setup: Setup, tasks: list, count: int) -> Iterator[list[Painting]]:
        painter = Painter(setup)
        yield from map(painter.paint, groups_of(tasks))

    monkeypatch.setattr(processes, "paint_all", paint_all)
    monkeypatch.setattr(beginning, "begun", lambda: None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Five maps and a broken one."""
    folder = tmp_path / "maps"
    folder.mkdir()
    for n in range(5):
        Image.fromarray(ids(n)).save(folder / f"map-{n}.png")
    (folder / "none.png").write_bytes(b"no map")
    return folder


def ids(n: int) -> np.ndarray:
    blocks = np.random.default_rng(n).integers(0, 15, (4, 4), np.uint8)
    return np.kron(blocks, np.ones((10, 14), np.uint8))


def run(*words: object) -> int:
    return app(["batch", *map(str, words)], standalone_mode=False) or 0


def pictures(out: Path) -> dict[str, bytes]:
    if out.suffix == ".tar":
        with tarfile.open(out) as tar:
            read = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
        whole = {name: data for name, data in read.items() if name.endswith(".png")}
        return {name[:-4]: data for name, data in whole.items() if not name.endswith(".labels.png")}
    if out.suffix == ".parquet":
        pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
        table = pq.read_table(out)
        return dict(zip(table["key"].to_pylist(), table["picture"].to_pylist(), strict=True))
    return {file.stem: file.read_bytes() for file in out.glob("*.png")}


@pytest.mark.parametrize("name", ["out", "out.tar", "out.parquet"])
def test_every_output_holds_what_paint_paints(
    name: str, maps: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "parquet" in name:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    engine, words = Engine.load(model, "cpu"), [maps, "-o", tmp_path / name, "--model", model, "--seeds", 2]
    assert run(*words) == 2
    assert "none" in capsys.readouterr().err
    painted = pictures(tmp_path / name)
    expected = {f"map-{n}-{seed}": engine.paint(ids(n), seed) for n in range(5) for seed in range(2)}
    assert {key: Picture.from_bytes(data) for key, data in painted.items()} == expected
    assert run(*words) == 2
    assert pictures(tmp_path / name) == painted
    assert "10 pictures in" in capsys.readouterr().out


def test_scores_are_the_segmenters(maps: Path, tmp_path: Path) -> None:
    from spadework.candidates import scores_of
    from spadework.segmenter.segmenter import Segmenter
    from spadework.sketch.labelmap import LabelMap

    (maps / "none.png").unlink()
    assert run(maps / "map-1.png", "-o", tmp_path / "out", "--size", "64x48", "--scores") == 0
    row = json.loads((tmp_path / "out" / LINES).read_text().splitlines()[1])
    engine, segmenter = Engine.load("landscape", "cpu"), Segmenter.load()
    sketch = LabelMap(ids(1), engine.palette)
    found = scores_of(sketch, Picture.read(tmp_path / "out" / "map-1.png"), segmenter)
    assert (row["obedience"], row["realism"]) == pytest.approx(found, abs=1e-4)


@pytest.mark.parametrize("name", [".", "out", "%05d.tar"])
def test_pictures_do_not_lie_among_maps(
    name: str, maps: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(maps, "-o", maps / name, "--model", model) == 2
    assert f"would lie among the maps of {maps}: choose another -o" in capsys.readouterr().err
    assert run(maps / "map-0.png", "-o", maps, "--model", model) == 2
    assert f"would lie among the maps of {maps / 'map-0.png'}: choose" in capsys.readouterr().err
    assert len(list(maps.iterdir())) == 6


def test_an_actor_paints_what_a_process_paints(maps: Path, model: Path) -> None:
    from spadework.bulk.sources import items_in
    from spadework.bulk.tasks import tasks_of

    setup, tasks = Setup(str(model), "cpu", "float32", None, None), tasks_of(items_in([maps]), [3])
    answer = cluster.RayPainter(setup)({"tasks": pickle.dumps(tasks)})
    actors, own = pickle.loads(answer["paintings"]), Painter(setup).paint(tasks)
    assert [one.png for one in actors] == [one.png for one in own]
    assert [one.row.error is None for one in actors] == [False] + [True] * 5


@pytest.mark.parametrize(
    ("module", "words", "told"),
    [
        ("ray", ["--ray"], "pip install 'spadework[ray]'"),
        ("ray", ["--address", "auto"], "pip install 'spadework[ray]'"),
        ("pyarrow", ["-o", "x.parquet"], "pyarrow is not installed: pip install 'spadework[parquet]'"),
    ],
)
def test_a_missing_extra_is_named(
    module: str,
    words: list[str],
    told: str,
    maps: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(maps.parent)
    assert run(maps, "-o", "out", "--model", model, *words) == 2
    assert told in capsys.readouterr().err
