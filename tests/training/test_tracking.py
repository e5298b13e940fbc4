"""Services that follow a run, in their offline modes: what they kept is read back from the disk.

They run in a process of its own, for their packages warn, and warnings are errors here.
"""

import importlib.util
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small import run as run_small
from small import small

import spadework
from spadework.training import tracking
from spadework.training.rundir import RunDir

WORK = """
import sys
from small import run, small
out, *services = sys.argv[1:]
changes = ["total_images=16", "sample_every=8", "save_every=8"]
run(small(*changes), out, steps=2, track=services)
run(small(*changes), out, resume=True)
"""

READ = """
import json, sys
from wandb.proto import wandb_internal_pb2
for line in sys.stdin:
    record = wandb_internal_pb2.Record()
    record.ParseFromString(bytes.fromhex(line))
    if record.WhichOneof("record_type") == "history":
        items = record.history.item
        print(json.dumps({i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in items}))
"""
"""What was logged, of the records of a file that `wandb sync` would send."""

SERVICES = [name for name in tracking.PACKAGES if importlib.util.find_spec(name)]


def needs(package: str) -> pytest.MarkDecorator:
    reason = f"{package} is not installed: pip install 'spadework[track]'"
    return pytest.mark.skipif(package not in SERVICES, reason=reason)


def python(code: str, *words: object, given: str = "") -> str:
    paths = [str(Path(spadework.__file__).parents[1]), str(Path(__file__).parent)]
    known = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    command = [sys.executable, "-c", code, *map(str, words)]
    done = subprocess.run(command, env=os.environ | known, input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps, and two more after it was resumed, which nobody told to track."""
    folder = tmp_path_factory.mktemp("followed") / "run"
    python(WORK, folder, *SERVICES)
    return folder


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]


def losses(record: dict) -> dict[str, float]:
    return {key: v for key, v in record.items() if key not in ("step", "images", "seconds", "contexts")}


def known(folder: Path, service: str) -> str:
    return json.loads((folder / "track.json").read_text())[service]


@needs("mlflow")
@pytest.mark.soak
def test_mlflow_keeps_what_the_run_kept(followed: Path) -> None:
    kept = records(followed)
    assert [record["images"] for record in kept] == [4, 8, 12, 16]
    (found,) = [path.parent for path in (followed / "mlruns").rglob("metrics")]
    assert found.name == known(followed, "mlflow")
    for name in losses(kept[0]):
        lines = [line.split() for line in (found / "metrics" / name).read_text().splitlines()]
        told = [(float(value), int(step)) for _, value, step, *_ in lines]
        assert told == [(pytest.approx(record[name]), record["images"]) for record in kept]
    assert (found / "params" / "batch_size").read_text() == "4"
    for name in ("00000008.png", "00000016.png"):
        grid = (found / "artifacts" / "samples" / name).read_bytes()
        assert grid == (followed / "samples" / name).read_bytes()
    assert "status: 3" in (found / "meta.yaml").read_text()  # finished


@needs("wandb")
def test_wandb_keeps_what_the_run_kept(followed: Path) -> None:
    files = sorted((followed / "wandb").glob(f"offline-run-*/run-{known(followed, 'wandb')}.wandb"))
    assert len(files) == 2  # one of each session, of one run
    told = "\n".join(record.hex() for file in files for record in log_records(file.read_bytes()))
    histories = [json.loads(line) for line in python(READ, given=told).splitlines()]
    grids = [history for history in histories if any(key.startswith("samples") for key in history)]
    figures = [history for history in histories if history not in grids]
    assert [history["images"] for history in figures] == [4, 8, 12, 16]
    assert [history["images"] for history in grids] == [8, 16]
    for history, record in zip(figures, records(followed), strict=True):
        assert {key: history[key] for key in losses(record)} == pytest.approx(losses(record))
    assert len(list((followed / "wandb").rglob("media/images/samples_*.png"))) == 2


def log_records(data: bytes) -> Iterator[bytes]:
    """Of a log as LevelDB writes it, in blocks of 32 KiB."""
    at, whole = 7, b""  # after the file's own header
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


def test_tensorboard_keeps_figures_and_grids(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run_small(small("total_images=8", "sample_every=8"), tmp_path)
    events = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for name in losses(records(tmp_path)[0]):
        values = [(e.step, e.value) for e in events.Scalars(name)]
        assert values == [(r["images"], pytest.approx(r[name], rel=1e-6)) for r in records(tmp_path)]
    (grid,) = events.Images("samples")
    assert (grid.step, grid.width) == (8, 4 * 32)


def test_what_is_missing_is_told_before_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    for service in tracking.PACKAGES:
        with pytest.raises(ValueError, match=rf"--track {service} needs .* pip install 'spadework\[track\]'"):
            run_small(small("total_images=4"), tmp_path / service, track=[service])
    with pytest.raises(ValueError, match="--track visdom is unknown: give wandb or mlflow"):
        tracking.demand_installed(["visdom"])


def test_a_new_run_is_nobodys_old_one(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.tracked.write_text('{"wandb": "old"}')
    run_small(small("total_images=4"), tmp_path)
    assert not run.tracked.exists()
