"""Partners by their paths, through links and tars; whatever is passed over is said."""

import io
import os
import tarfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spadework.data.doctor import diagnose
from spadework.data.folder import PairedFolder
from spadework.data.listing import list_pairs
from spadework.nvlabs.layouts import custom


def names(root: Path, split: str | None = None) -> list[str]:
    return [pair.name for pair in list_pairs(root, split).pairs]


def put(path: Path, value: int = 3) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(path)
    return path


def tar_of(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def png(value: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((8, 8), value, np.uint8)).save(out, "PNG")
    return out.getvalue()


# ---- partners


def test_partners_have_one_path_below_their_folders(tmp_path: Path) -> None:
    for number, place in enumerate(("seq1/0001", "seq1/0002", "seq2/0001")):
        put(tmp_path / "images" / f"{place}.jpg", 100 + number)
        put(tmp_path / "labels" / f"{place}.png", number)
    data = PairedFolder(tmp_path, short_side=8)
    assert [(sample.name, int(sample.labels[0, 0]), int(sample.image[0, 0, 0])) for sample in data] == [
        ("seq1/0001", 0, 100),
        ("seq1/0002", 1, 101),
        ("seq2/0001", 2, 102),
    ]
    found = custom(tmp_path / "labels", tmp_path / "images", None)
    assert [entry.name for entry in found] == ["seq1/0001", "seq1/0002", "seq2/0001"]
    assert all(entry.photo and entry.photo.parent.name == entry.labels.parent.name for entry in found)


def test_one_name_in_other_folders_is_no_partner(tmp_path: Path) -> None:
    put(tmp_path / "images" / "seq2" / "0001.jpg")
    put(tmp_path / "labels" / "seq1" / "0001.png")
    with pytest.raises(ValueError, match=r"no label map: seq2/0001.*have no photo: seq1/0001"):
        list_pairs(tmp_path)
    with pytest.raises(ValueError, match=r"have no photo: seq1/0001.*of the same path and name"):
        custom(tmp_path / "labels", tmp_path / "images", None)


def test_names_stay_short_where_stems_are_unique(tmp_path: Path) -> None:
    put(tmp_path / "lab" / "a" / "1.png")
    put(tmp_path / "lab" / "b" / "2.png")
    assert [entry.name for entry in custom(tmp_path / "lab", None, None)] == ["1", "2"]


def test_folders_below_images_may_be_splits(tmp_path: Path) -> None:
    for split in ("train", "val"):
        put(tmp_path / "images" / split / f"{split}.jpg")
        put(tmp_path / "labels" / split / f"{split}.png")
    assert (names(tmp_path), names(tmp_path, "val")) == (["train"], ["val"])


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_composed_and_decomposed_names_are_partners(tmp_path: Path, forms: tuple[str, str]) -> None:
    photo, labels = (unicodedata.normalize(form, "Zürich/café") for form in forms)  # type: ignore[arg-type]
    put(tmp_path / "images" / f"{photo}.jpg")
    put(tmp_path / "labels" / f"{labels}.png")
    assert names(tmp_path) == [unicodedata.normalize("NFC", "Zürich/café")]
    assert custom(tmp_path / "labels", tmp_path / "images", None)[0].photo is not None


def test_two_files_of_one_name_are_refused_in_every_layout(tmp_path: Path) -> None:
    put(tmp_path / "labels" / "x.png")
    put(tmp_path / "images" / "x.png")
    put(tmp_path / "images" / "x.jpg")
    for listing in (list_pairs, lambda root: custom(root / "labels", root / "images", None)):
        with pytest.raises(ValueError, match=r"x\.jpg and .*x\.png: rename or remove one of each"):
            listing(tmp_path)
    put(tmp_path / "labels" / "x.jpg")
    (tmp_path / "images" / "x.jpg").unlink()
    with pytest.raises(ValueError, match="1 label maps share their stem"):
        custom(tmp_path / "labels", tmp_path / "images", None)


# ---- what is not read


@pytest.mark.parametrize(
    ("photo", "words"),
    [
        ("a.tif", r"images/a\.tif is of a type that is not read: make it PNG, JPEG or WebP"),
        ("a.bmp", r"images/a\.bmp is of a type that is not read"),
        ("a.jpg.png", r"is a\.jpg its photo\? then give both one name"),
        ("a_rgb.jpg", r"is a_rgb its photo\?"),
    ],
)
def test_what_may_have_been_meant_is_named(tmp_path: Path, photo: str, words: str) -> None:
    put(tmp_path / "labels" / "a.png")
    put(tmp_path / "images" / photo)
    with pytest.raises(ValueError, match=words):
        list_pairs(tmp_path)


def test_label_maps_of_other_types_are_named(tmp_path: Path) -> None:
    put(tmp_path / "labels" / "a.tif")
    put(tmp_path / "images" / "a.png")
    with pytest.raises(ValueError, match=r"labels/a\.tif is of a type that is not read: make it PNG\)"):
        list_pairs(tmp_path)


def test_what_is_passed_over_is_counted_aloud(tmp_path: Path, write_pair: Callable[..., None]) -> None:
    write_pair(tmp_path, "a")
    for name in ("b.tif", "c.tif", "notes.txt", "bare"):
        (tmp_path / "images" / name).write_bytes(b"x")
    (tmp_path / "images" / ".hidden").write_bytes(b"x")
    told = "passed over, as of other types: 2 .tif, 1 without ending, 1 .txt"
    assert list_pairs(tmp_path).notes == [told]
    assert told in diagnose(tmp_path).warnings
    assert told in custom(tmp_path / "labels", tmp_path / "images", None).notes


# ---- links


def test_links_to_folders_are_followed_and_not_in_circles(tmp_path: Path) -> None:
    for kind, ending in (("images", "jpg"), ("labels", "png")):
        put(tmp_path / "disk" / kind / "bonn" / f"1.{ending}")
        put(tmp_path / "set" / kind / "aachen" / f"1.{ending}")
        (tmp_path / "set" / kind / "bonn").symlink_to(tmp_path / "disk" / kind / "bonn")
        (tmp_path / "set" / kind / "aachen" / "round").symlink_to(tmp_path / "set" / kind)
        (tmp_path / "set" / kind / "gone.png").symlink_to(tmp_path / "nowhere.png")
    found = list_pairs(tmp_path / "set")
    assert [pair.name for pair in found.pairs] == ["aachen/1", "bonn/1"]
    assert len([note for note in found.notes if "leads back to" in note]) == 2
    assert len([note for note in found.notes if "leads nowhere" in note]) == 2
    listed = custom(tmp_path / "set" / "labels", tmp_path / "set" / "images", None)
    assert [entry.name for entry in listed] == ["aachen/1", "bonn/1"]


def test_a_linked_split_is_read(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "train").symlink_to(folder / "train")
    assert names(tmp_path / "other") == ["a", "b", "c"]


def test_hard_links_of_tars_are_the_files_that_they_name(tmp_path: Path) -> None:
    kinds = [("images", 90), ("labels", 2)]
    members = [(member(f"train/{kind}/a.png"), png(value)) for kind, value in kinds]
    members += [
        (member(f"val/{kind}/b.png", tarfile.LNKTYPE, f"train/{kind}/a.png"), b"") for kind, _ in kinds
    ]
    tar = tar_of(tmp_path / "x.tar", members)
    sample = PairedFolder(tar, "val", short_side=8)[0]
    assert (sample.name, int(sample.labels[0, 0]), int(sample.image[0, 0, 0])) == ("b", 2, 90)
    assert list_pairs(tar).notes == []


def test_other_links_of_tars_are_named(tmp_path: Path) -> None:
    members = [(member(f"{kind}/a.png"), png(1)) for kind in ("images", "labels")]
    members += [
        (member("images/b.png", tarfile.SYMTYPE, "/etc/passwd"), b""),
        (member("labels/b.png", tarfile.LNKTYPE, "gone.png"), b""),
    ]
    notes = list_pairs(tar_of(tmp_path / "x.tar", members)).notes
    assert notes == [
        "passed over: x.tar:images/b.png is a link to /etc/passwd",
        "passed over: x.tar:labels/b.png is a link to gone.png",
    ]


def test_of_members_of_one_name_the_last_wins(tmp_path: Path) -> None:
    members = [(member(f"{kind}/a.png"), png(1)) for kind in ("images", "labels")]
    tar = tar_of(tmp_path / "x.tar", [*members, (member("./labels/a.png"), png(7))])
    data = PairedFolder(tar, short_side=8)
    assert int(data[0].labels[0, 0]) == 7
    assert data.notes == [
        "x.tar:./labels/a.png is there more than once: the last one counts, as when unpacked"
    ]


# ---- the pixel cache


def test_a_full_disk_is_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, pixel_cache: Path
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("spadework.data.cache.present_ids", full)
    with pytest.raises(ValueError, match=r"cannot write the pixel cache .*No space.*SPADEWORK_CACHE"):
        PairedFolder(folder, short_side=40).decode()
    assert list(pixel_cache.iterdir()) == []


def test_a_damaged_index_says_what_to_delete(folder: Path) -> None:
    path = PairedFolder(folder).decode().cache_path
    (path / "index.json").write_text("{")
    with pytest.raises(ValueError, match=f"damaged; delete {path}"):
        PairedFolder(folder)
