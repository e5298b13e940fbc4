"""Folders, tars and Parquet files hold every picture once, wherever a kill falls, and go in again as maps."""

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from spadework.bulk.items import Item
from spadework.bulk.manifest import Manifest, Row, Settings
from spadework.bulk.outputs import FolderOutput, Output, ParquetOutput, TarOutput, output_of
from spadework.bulk.running import stored
from spadework.bulk.sources import items_in
from spadework.bulk.tasks import Painting, Task, tasks_of

KINDS = ["out", "shards/%05d.tar", "one.tar", "out.parquet"]
TASKS = tasks_of([Item(f"far/map-{n}", "") for n in range(20)], [4])


def settings(output: Output) -> Settings:
    return Settings(
        output=output.kind, model="abc", enlarger=None, precision="float32", seed=4, seeds=1, size=None
    )


def painting(task: Task) -> Painting:
    row = Row(item=task.item.name, seed=task.seed, picture=task.picture, style="seed 4", ms=1.5)
    return Painting(row, b"picture of " + task.item.name.encode() * 40, b"map " + task.item.name.encode())


def needs(out: str) -> None:
    if "parquet" in out:
        pytest.importorskip("pyarrow", reason="pyarrow is not installed")


def found(path: Path) -> dict[str, bytes]:
    """What an output holds: key -> picture. Fails where one is there twice."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        table = pq.read_table(path)
        pairs = list(zip(table["key"].to_pylist(), table["picture"].to_pylist(), strict=True))
    elif path.suffix == ".tar":
        tars, others = sorted(path.parent.glob("*.tar")), (".json", ".labels.png")
        pairs = [pair for tar in tars for pair in members(tar) if not pair[0].endswith(others)]
        pairs = [(name.removesuffix(".png"), data) for name, data in pairs]
    else:
        files = path.rglob("*.png")
        pairs = [(file.relative_to(path).with_suffix("").as_posix(), file.read_bytes()) for file in files]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def members(tar: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(tar, "r:") as file:
        return [(member.name, file.extractfile(member).read()) for member in file]  # type: ignore[union-attr]


def opened(path: Path, most: int = 6) -> tuple[Output, Manifest]:
    output = output_of(path, most)
    return output, Manifest(output.manifest, settings(output), output.standing)


def go_on(path: Path, most: int = 6) -> int:
    """Paints what is missing, in groups of four; returns how many that were."""
    output, manifest = opened(path, most)
    with manifest:
        todo = [task for task in TASKS if (task.item.name, task.seed) not in manifest.done]
        groups = (list(map(painting, todo[k : k + 4])) for k in range(0, len(todo), 4))
        list(stored(groups, todo, output, manifest))
    return len(todo)


def rows(output: Output) -> list[Row]:
    lines = output.manifest.read_text().splitlines()[1:]
    return [Row.model_validate_json(line) for line in lines]


EXPECTED = {task.picture.removesuffix(".png"): painting(task).png for task in TASKS}


@pytest.mark.parametrize("out", KINDS)
@pytest.mark.parametrize("told", [0, 1, 3])
def test_a_kill_before_rows_are_told_repeats_and_loses_nothing(out: str, told: int, tmp_path: Path) -> None:
    """Five groups are put down, the rows of the first ones told; the next row is half-written."""
    needs(out)
    path = tmp_path / out
    output, manifest = opened(path)
    with manifest:
        for n in range(5):
            safe = output.put(list(map(painting, TASKS[4 * n : 4 * n + 4])))
            if n < told:
                manifest.add(safe)
    with output.manifest.open("a") as file:
        file.write('{"item":"far/map-1')
    for tar in sorted(tmp_path.rglob("*.tar"))[-1:]:
        with tar.open("r+b") as file:
            file.truncate(tar.stat().st_size - 1500)
    before = {row.item for row in rows_told(output)}
    assert go_on(path) == 20 - len(before)
    assert found(path) == EXPECTED
    assert sorted(row.item for row in rows(output)) == sorted(task.item.name for task in TASKS)
    assert go_on(path) == 0
    assert found(path) == EXPECTED


@pytest.mark.parametrize(("before", "after"), [(4, 100), (100, 4)])
@pytest.mark.parametrize("out", ["shards/%05d.tar", "out.parquet"])
def test_a_kill_and_then_another_size_of_shards(out: str, before: int, after: int, tmp_path: Path) -> None:
    """What was put down and not told lies in a tar that is not written to again."""
    needs(out)
    output, manifest = opened(tmp_path / out, before)
    with manifest:
        manifest.add(output.put(list(map(painting, TASKS[:4]))))
        output.put(list(map(painting, TASKS[4:8])))
    go_on(tmp_path / out, after)
    assert found(tmp_path / out) == EXPECTED


def rows_told(output: Output) -> list[Row]:
    whole = [line for line in output.manifest.read_text().splitlines()[1:] if line.endswith("}")]
    return [Row.model_validate_json(line) for line in whole]


@pytest.mark.parametrize("out", KINDS)
def test_what_was_lost_is_painted_again(out: str, tmp_path: Path) -> None:
    needs(out)
    path = tmp_path / out
    assert go_on(path) == 20
    endings = ("far/*.png", "*.tar", "part-*")
    min(file for ending in endings for file in tmp_path.rglob(ending)).unlink()
    assert 0 < go_on(path) <= 20
    assert found(path) == EXPECTED


def test_a_tar_is_a_shard_of_webdataset(tmp_path: Path) -> None:
    """Members of a sample stand together under one key without a dot; shards are full but for the last."""
    output = output_of(tmp_path / "s" / "%03d.tar", 3)
    assert isinstance(output, TarOutput)
    tasks = tasks_of([Item(f"v1.2/map.{n}", "") for n in range(4)], [0, 1], output.dots)
    with Manifest(output.manifest, settings(output), output.standing) as manifest:
        manifest.add(output.put(list(map(painting, tasks))))
        manifest.write_table()
    shards = [members(tmp_path / "s" / f"{n:03d}.tar") for n in range(3)]
    assert [len(shard) for shard in shards] == [9, 9, 6]
    assert [name for name, _ in shards[0][:3]] == [
        f"v1.2/map_0-0{ending}" for ending in (".png", ".labels.png", ".json")
    ]
    told = json.loads(shards[1][2][1])
    assert (told["item"], told["seed"], told["shard"]) == ("v1.2/map.1", 1, "001.tar")
    assert shards[1][1][1] == b"map v1.2/map.1"
    again = items_in([tmp_path / "s"], field="labels.png")
    assert len(again) == 8
    assert (again[0].name, again[0].read()) == ("v1.2/map_0-0", b"map v1.2/map.0")


def test_names_that_would_meet(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a\.b and a_b would both become a_b\.png: rename one"):
        tasks_of([Item("a.b", ""), Item("a_b", "")], [0], dots=False)
    assert len(tasks_of([Item("a.b", ""), Item("a_b", "")], [0])) == 2


@pytest.mark.parametrize("out", [kind for kind in KINDS if kind != "out"])
def test_files_of_others_are_left_alone(out: str, tmp_path: Path) -> None:
    needs(out)
    path = tmp_path / out
    firsts = {"shards/%05d.tar": "shards/00000.tar", "out.parquet": "out.parquet/part-00000.parquet"}
    theirs = tmp_path / firsts.get(out, out)
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_bytes(b"theirs")
    with pytest.raises(ValueError, match="is there already, of no batch: choose another -o"):
        opened(path)
    assert theirs.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["picture.png", "all.zip", "all.tar.gz"])
def test_files_of_other_kinds_are_no_outputs(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"names a \.\w+ file: give a folder, NAME\.tar, "):
        output_of(tmp_path / name, 3)


@pytest.mark.parametrize("name", ["%s.tar", "%d-%d.tar"])
def test_patterns_that_name_no_tars(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"names no tars: give .*%05d\.tar"):
        output_of(tmp_path / name, 10)


def test_the_same_picture_twice_is_stored_once_and_a_missing_one_is_told(tmp_path: Path) -> None:
    """As of an actor that died when it had told half of what it painted."""
    output, manifest = opened(tmp_path / "one.tar")
    twice = (list(map(painting, TASKS[k : k + 4])) for k in (0, 0, 4, 8, 4, 12))
    with (
        manifest,
        pytest.raises(ValueError, match="4 pictures did not come back: type the same command again"),
    ):
        list(stored(twice, TASKS, output, manifest))
    assert found(tmp_path / "one.tar") == {task.picture[:-4]: painting(task).png for task in TASKS[:16]}
    assert go_on(tmp_path / "one.tar") == 4


def test_parts_wait_for_their_pictures_and_are_written_at_the_end(tmp_path: Path) -> None:
    needs("parquet")
    output, manifest = opened(tmp_path / "out.parquet")
    assert isinstance(output, ParquetOutput)
    groups = (list(map(painting, TASKS[k : k + 4])) for k in (0, 4))
    with manifest:
        going = stored(groups, TASKS[:8], output, manifest)
        next(going)
        assert not rows(output)
        going.close()  # as Ctrl-C does
    assert len(rows(output)) == len(found(tmp_path / "out.parquet")) == 4


def test_errors_are_told_and_tried_again(tmp_path: Path) -> None:
    failed = Painting(Row(item="far/map-0", seed=4, error="unreadable"))
    for out in KINDS:
        needs(out)
        output, manifest = opened(tmp_path / out)
        with manifest:
            list(stored((group for group in [[failed]]), TASKS[:1], output, manifest))
        assert [row.error for row in rows(output)] == ["unreadable"]
        assert go_on(tmp_path / out) == 20


def test_a_manifest_of_other_settings(tmp_path: Path) -> None:
    output = FolderOutput(tmp_path)
    Manifest(output.manifest, settings(output), output.standing).__exit__(None, None, None)
    with pytest.raises(ValueError, match=r"other settings \(seed was 4\): choose another -o"):
        Manifest(output.manifest, settings(output).model_copy(update={"seed": 1}), output.standing)
    output.manifest.write_text("hello\n")
    with pytest.raises(ValueError, match="is no manifest of a batch"):
        Manifest(output.manifest, settings(output), output.standing)


def test_the_manifest_as_parquet(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    _, manifest = opened(tmp_path / "out")
    scored = [Row(item=name, seed=4, picture="x", report=("snapped",), obedience=0.75) for name in "ba"]
    with manifest:
        manifest.add([*scored, Row(item="c", seed=4, error="unreadable")])
        assert manifest.write_table()
    table = pq.read_table(manifest.table)
    assert table["item"].to_pylist() == ["a", "b", "c"]
    assert table["model"].to_pylist() == ["abc"] * 3
    assert table["obedience"].to_pylist() == [0.75, 0.75, None]
    assert table["report"].to_pylist() == [["snapped"], ["snapped"], []]
    assert table["error"].to_pylist() == [None, None, "unreadable"]
    assert json.loads(table.schema.metadata[b"settings"])["seed"] == 4


# ---- Parquet in


def written(path: Path, columns: dict[str, Sequence[object]]) -> Path:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path, row_group_size=70)
    return path


def test_maps_of_parquet_files(tmp_path: Path) -> None:
    """In any order of asking; more rows than are decoded at a time, and a struct as of Hugging Face."""
    count = 150
    maps = [b"map %d" % n for n in range(count)]
    written(tmp_path / "a.parquet", {"name": [f"a/{n}.png" for n in range(count)], "data": maps})
    images = [{"bytes": data, "path": None} for data in maps]
    written(
        tmp_path / "b.parquet",
        {"key": [f"b-{n}" for n in range(count)], "note": ["x"] * count, "image": images},
    )
    items = items_in([tmp_path])
    assert [item.name for item in items] == [f"a/{n}" for n in range(count)] + [
        f"b-{n}" for n in range(count)
    ]
    order = [3, 140, 0, 63, 64, 65, 149, *range(150, 300), 1]
    assert [items[n].read() for n in order] == [maps[n % count] for n in order]


@pytest.mark.parametrize(
    ("columns", "field", "told"),
    [
        ({"key": ["a"], "x": [b"1"], "y": [b"2"]}, None, r"columns x, y of bytes: give --field COLUMN"),
        ({"key": ["a"], "x": [b"1"]}, "z", r"columns x of bytes, not z: give --field COLUMN"),
        ({"key": ["a"]}, None, r"no column of bytes: give --field COLUMN"),
        ({"a": ["a"], "b": ["b"], "x": [b"1"]}, None, r"columns a, b of text: call that of the names key"),
        ({"key": ["../a"], "x": [b"1"]}, None, r"painted outside the folder: rename it"),
    ],
)
def test_parquet_files_that_say_too_little(
    columns: dict, field: str | None, told: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=told):
        items_in([written(tmp_path / "a.parquet", columns)], field)


def test_an_empty_row_is_one_maps_error(tmp_path: Path) -> None:
    items = items_in([written(tmp_path / "a.parquet", {"key": ["a", "b"], "x": [None, b"1"]})])
    assert items[1].read() == b"1"
    with pytest.raises(ValueError, match="has no bytes for a"):
        items[0].read()
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"b\.parquet is no Parquet file"):
        items_in([tmp_path / "b.parquet"])


def test_pictures_in_parquet_go_in_again(tmp_path: Path) -> None:
    needs("parquet")
    go_on(tmp_path / "out.parquet")
    items = items_in([tmp_path / "out.parquet"], field="labels")
    assert {item.name: item.read() for item in items} == {
        task.picture[:-4]: painting(task).labels for task in TASKS
    }
