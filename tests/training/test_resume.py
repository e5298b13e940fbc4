"""Twenty steps are ten, a saved state and ten more: bit for bit."""

import errno
import importlib.util
import itertools
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from small import BACKBONE, OASIS, PHOTOS, PLAIN, differing, needs_backbone, run, small, snapshot

from spadework import picture
from spadework.training import loop, rundir, state
from spadework.training.painter_recipe import Recipe
from spadework.training.rundir import RunDir

BRIEF = "total_images=16"
"""Eight steps."""

CASES = [
    pytest.param(small(f"precision={precision}", *judge), id=f"{name}-{precision}", marks=[*marks, *long])
    for precision, long in (("float32", []), ("bfloat16", [pytest.mark.soak]))
    for name, judge, marks in (("patch", [], []), ("backbone", [*BACKBONE, BRIEF], [needs_backbone]))
]
CASES += [
    pytest.param(small(*OASIS), id="oasis", marks=pytest.mark.soak),
    pytest.param(small(*PLAIN, BRIEF), id="plain"),
]


@pytest.fixture(autouse=True)
def brief_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CALIBRATION_PHOTOS", 8)


def next_batch(recipe: Recipe, step: int) -> list[torch.Tensor]:
    stream = loop.run_batches(recipe, PHOTOS, step)
    batch = next(stream)
    stream.close()
    return [batch.labels, batch.image]


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], Path]:
    """Everything after twenty steps of the smallest run, and its folder."""
    out = tmp_path_factory.mktemp("straight")
    return snapshot(run(small(), out)), out


@pytest.mark.parametrize("recipe", CASES)
def test_a_run_is_its_two_halves(
    recipe: Recipe, tmp_path: Path, straight: tuple[dict[str, torch.Tensor], Path]
):
    whole = straight[0] if recipe == small() else snapshot(run(recipe, tmp_path / "straight"))
    steps = recipe.total_images // recipe.batch_size
    half = run(recipe, tmp_path / "halves", steps=steps // 2)
    assert (half.step, half.images_seen) == (steps // 2, recipe.total_images // 2)
    middle = snapshot(half)
    assert differing(whole, middle)  # the second half does change something
    torch.manual_seed(99)
    torch.randn(7)  # another process has other random numbers
    resumed = run(recipe, tmp_path / "halves", resume=True)

    assert (resumed.step, resumed.images_seen) == (steps, recipe.total_images)
    assert differing(whole, snapshot(resumed)) == []
    assert resumed.seconds > half.seconds
    for ours, theirs in zip(next_batch(recipe, resumed.step), next_batch(recipe, steps), strict=True):
        assert torch.equal(ours, theirs)


def test_the_check_sees_a_lost_random_state(tmp_path: Path):
    """Negative control: everything but the random numbers comes back, and the runs part."""
    recipe = small()
    run(recipe, tmp_path, steps=2)
    path = RunDir(tmp_path).state
    intact = path.read_bytes()
    whole = snapshot(run(recipe, tmp_path, steps=1, resume=True))
    path.write_bytes(intact)
    tensors = load_file(path)
    tensors["rng"] = torch.manual_seed(5).get_state()
    save_file(tensors, path, {"state": json.dumps({"step": 2, "images_seen": 8, "seconds": 0.0})})
    parted = snapshot(run(recipe, tmp_path, steps=1, resume=True))
    assert any(name.startswith("networks.generator") for name in differing(whole, parted))


def test_a_batch_depends_on_its_number_alone():
    recipe = small("sketch_share=0.5")
    with_start = next_batch(recipe, 7)
    stream = loop.run_batches(recipe, PHOTOS, 0)
    from_zero = next(itertools.islice(stream, 7, None))
    stream.close()
    assert torch.equal(with_start[0], from_zero.labels)
    assert torch.equal(with_start[1], from_zero.image)
    assert not torch.equal(with_start[1], next_batch(recipe, 8)[1])


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "stats.jsonl").read_text().splitlines()]


class Killed(Exception):
    """What a power cut looks like from inside."""


def test_records_are_whole_after_a_kill(tmp_path: Path, straight: tuple[dict[str, torch.Tensor], Path]):
    recipe = small("save_every=24")  # every six steps

    def die(progress: loop.Progress) -> None:
        if progress.step == 9:
            raise Killed

    with pytest.raises(Killed):
        run(recipe, tmp_path / "killed", listener=die)
    assert [r["step"] for r in records(tmp_path / "killed")] == list(range(1, 10))
    with (tmp_path / "killed" / "stats.jsonl").open("a") as file:
        file.write('{"step": 10, "images": 4')  # the line that was being written
    cut = [tmp_path / "killed" / place / f".{'0a' * 8}.tmp" for place in (".", "samples")]
    for path in cut:
        path.write_bytes(b"half a file")
    kept = tmp_path / "killed" / ".mine.tmp"
    kept.touch()
    resumed = snapshot(run(recipe, tmp_path / "killed", resume=True))
    whole, out = straight
    assert differing(resumed, whole) == []
    assert [path.exists() for path in (*cut, kept)] == [False, False, True]

    ours, theirs = records(tmp_path / "killed"), records(out)
    assert [r["step"] for r in ours] == list(range(1, 21))
    assert [r["images"] for r in ours] == list(range(4, 84, 4))
    for a, b in zip(ours, theirs, strict=True):
        assert {k: v for k, v in a.items() if k != "seconds"} == {
            k: v for k, v in b.items() if k != "seconds"
        }
    assert all(a["seconds"] <= b["seconds"] for a, b in itertools.pairwise(ours))


def test_a_finished_run_resumes_to_nothing(tmp_path: Path):
    recipe = small("total_images=8")
    first = snapshot(run(recipe, tmp_path))
    again = run(recipe, tmp_path, resume=True)
    assert again.step == 2
    assert differing(first, snapshot(again)) == []
    assert len(records(tmp_path)) == 2


def test_a_longer_total_goes_on(tmp_path: Path):
    run(small("total_images=8"), tmp_path)
    state = run(small("total_images=16"), tmp_path, resume=True)
    assert state.step == 4


def test_a_run_is_not_overwritten(tmp_path: Path):
    run(small("total_images=4"), tmp_path)
    before = RunDir(tmp_path).state.read_bytes()
    with pytest.raises(ValueError, match=r"already holds a run; continue it with --resume or choose another"):
        run(small("total_images=4"), tmp_path)
    assert RunDir(tmp_path).state.read_bytes() == before
    assert len(records(tmp_path)) == 1


def test_nothing_to_resume_is_said(tmp_path: Path):
    with pytest.raises(ValueError, match=r"nothing to resume in .*leaving out --resume"):
        run(small(), tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()


def test_a_state_with_names_of_former_days_goes_on(tmp_path: Path):
    whole = snapshot(run(small("total_images=8"), tmp_path / "whole"))
    run(small("total_images=4"), tmp_path / "old")
    path = RunDir(tmp_path / "old").state
    counts, tensors = state._read(path)
    renamed = {key.replace("networks.", "painter."): value for key, value in tensors.items()}
    assert renamed.keys() != tensors.keys()
    save_file(renamed, path, {"state": json.dumps(counts)})
    assert differing(whole, snapshot(run(small("total_images=8"), tmp_path / "old", resume=True))) == []


@pytest.mark.parametrize("header", [None, {"state": "[1"}, {"state": "{}"}, {"other": "{}"}])
def test_a_damaged_header_is_one_sentence(tmp_path: Path, header: dict[str, str] | None):
    run(small("total_images=4"), tmp_path)
    path = RunDir(tmp_path).state
    save_file(load_file(path), path, header)
    with pytest.raises(ValueError, match=r"state\.safetensors is damaged or no training state .*new run"):
        run(small("total_images=8"), tmp_path, resume=True)


def test_a_state_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    order: list[str] = []
    for name in ("fsync", "replace"):
        whole = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, whole=whole: (order.append(n), whole(*a))[1])
    run(small("total_images=4"), tmp_path)
    assert order[-2:] == ["fsync", "replace"]


def test_a_state_of_other_networks_is_refused(tmp_path: Path):
    run(small("total_images=4"), tmp_path)
    with pytest.raises(ValueError, match=r"state\.safetensors does not fit this recipe.*without those --set"):
        run(small("total_images=8", "ngf=4"), tmp_path, resume=True)


def test_a_full_disk_leaves_the_last_state_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run(small("total_images=4"), tmp_path)
    before = RunDir(tmp_path).state.read_bytes()

    def full(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(state, "save_file", full)
    with pytest.raises(
        ValueError, match=r"the one after 4 images is whole: go on .*--resume.*the disk is full"
    ):
        run(small("total_images=8"), tmp_path, resume=True)
    assert RunDir(tmp_path).state.read_bytes() == before
    with pytest.raises(ValueError, match=r"no state was saved before.*the disk is full"):
        run(small("total_images=4"), tmp_path / "other")
    assert not list((tmp_path / "other").glob(".*"))


def test_records_that_cannot_be_written_are_one_sentence(tmp_path: Path):
    run(small("total_images=4"), tmp_path)
    (tmp_path / "stats.jsonl").unlink()
    (tmp_path / "stats.jsonl").mkdir()
    with pytest.raises(
        ValueError, match=r"cannot write .*stats\.jsonl: .*; .*state\.safetensors, after 4 images"
    ):
        RunDir(tmp_path).log({"step": 1})


def full(path: object, data: object = b"") -> None:
    error = OSError(errno.ENOSPC, "No space left on device", str(path))
    raise ValueError(f"cannot write {path}: the disk is full") from error


def test_a_grid_that_cannot_be_written_leaves_a_state_to_go_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = small("total_images=12", "sample_every=4", "save_every=8")
    monkeypatch.setattr(picture, "atomic_write", full)
    with pytest.raises(
        ValueError, match=r"cannot write .*samples.*the disk is full; .*, after 4 images, is whole"
    ):
        run(recipe, tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(loop, "CALIBRATION_PHOTOS", 8)
    assert run(recipe, tmp_path, resume=True).images_seen == 12
    assert [record["images"] for record in records(tmp_path)][-1] == 12


def test_where_nothing_can_be_written_the_last_state_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fails(*_: object) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    recipe = small("total_images=12", "sample_every=8", "save_every=4")
    run(small("total_images=4"), tmp_path)
    before = RunDir(tmp_path).state.read_bytes()
    monkeypatch.setattr(picture, "atomic_write", full)
    monkeypatch.setattr(state, "save_file", fails)
    with pytest.raises(ValueError, match=r"samples.*full; .*, after 4 images, is whole"):
        run(recipe, tmp_path, resume=True)
    with pytest.raises(ValueError, match=r"samples.*full; no state was saved before: begin again"):
        run(small("total_images=12", "sample_every=4", "save_every=8"), tmp_path / "new")
    assert RunDir(tmp_path).state.read_bytes() == before


def test_records_are_taken_up_again_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run(small("total_images=4"), tmp_path)
    monkeypatch.setattr(rundir, "atomic_write", full)
    with pytest.raises(ValueError, match=r"stats\.jsonl: the disk is full; .*, after 4 images, is whole"):
        run(small("total_images=8"), tmp_path, resume=True)


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="TensorBoard is not installed")
@pytest.mark.parametrize("where", ["at the start", "while writing"])
def test_curves_that_cannot_be_written_are_one_sentence(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    from tensorboard.summary.writer.record_writer import RecordWriter

    run(small("total_images=4"), tmp_path)

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "at the start":
        for file in (tmp_path / "tensorboard").iterdir():
            file.unlink()
        (tmp_path / "tensorboard").rmdir()
        (tmp_path / "tensorboard").write_bytes(b"no folder")
    else:
        monkeypatch.setattr(RecordWriter, "write", fails)
    with pytest.raises(
        ValueError, match=r"cannot write .*; .*state\.safetensors, after \d+ images, is whole"
    ):
        run(small("total_images=40"), tmp_path, resume=True)
    assert "Traceback" not in capfd.readouterr().err


def test_a_damaged_state_is_refused(tmp_path: Path):
    run(small("total_images=4"), tmp_path)
    path = RunDir(tmp_path).state
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"state\.safetensors is damaged .*start a new run"):
        run(small("total_images=8"), tmp_path, resume=True)


def test_a_run_folder_that_cannot_be_made_is_said(tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(ValueError, match=r"cannot make the run folder .*choose another --out"):
        run(small(), tmp_path / "file" / "run")


@pytest.mark.parametrize(
    "changes", [["contexts=true"], ["contexts=false"], ["precision=bfloat16", "accumulate=2"]]
)
def test_features_that_are_computed_again_change_nothing(changes: list[str], tmp_path: Path) -> None:
    """Weights, running statistics, spectral norms and random numbers are the same bits."""
    kept = snapshot(run(small("total_images=16", *changes), tmp_path / "kept"))
    again = snapshot(run(small("total_images=16", "recompute=true", *changes), tmp_path / "again"))
    assert differing(kept, again) == []
