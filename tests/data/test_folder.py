import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spadework.data.folder import PairedFolder


def pixels(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def same(a: PairedFolder, b: PairedFolder) -> bool:
    return len(a) == len(b) and all(
        x.name == y.name and np.array_equal(x.image, y.image) and np.array_equal(x.labels, y.labels)
        for x, y in zip(a, b, strict=True)
    )


def test_pairs_are_sorted_and_read_as_they_are(folder):
    data = PairedFolder(folder, short_side=40)
    assert data.split == "train"
    assert [sample.name for sample in data] == ["a", "b", "c"]
    assert np.array_equal(data[1].image, pixels(folder / "train/images/b.png"))
    assert np.array_equal(data[1].labels, pixels(folder / "train/labels/b.png"))
    assert (data[1].image.dtype, data[1].labels.dtype, data[1].instances) == (np.uint8, np.uint8, None)


def test_split_is_chosen_by_name(folder):
    assert [sample.name for sample in PairedFolder(folder, "val")] == ["d"]
    with pytest.raises(ValueError, match="no split 'test': it has train, val"):
        PairedFolder(folder, "test")


def test_a_plain_folder_needs_no_split(folder):
    assert same(PairedFolder(folder / "train"), PairedFolder(folder, "train"))


def test_several_splits_without_train_ask_for_a_name(folder):
    (folder / "train").rename(folder / "test")
    with pytest.raises(ValueError, match="name one of test, val"):
        PairedFolder(folder)


@pytest.mark.parametrize("prefix", ["train", "./train", "deep/er/train"])
def test_tar_equals_folder(folder, pack, tmp_path, prefix):
    tar = pack(folder / "train", tmp_path / "x.tar", prefix)
    assert same(PairedFolder(tar, short_side=40), PairedFolder(folder, short_side=40))
    assert same(PairedFolder(tar, short_side=40).decode(), PairedFolder(folder, short_side=40))


def test_tar_without_split(folder, pack, tmp_path):
    tar = pack(folder / "train", tmp_path / "x.tar", "")
    assert same(PairedFolder(tar), PairedFolder(folder))


def test_folder_of_tars_joins_them(folder, pack, tmp_path, write_pair):
    write_pair(tmp_path / "more", "z", 9)
    tars = tmp_path / "tars"
    tars.mkdir()
    pack(folder / "train", tars / "0.tar", "train")
    pack(tmp_path / "more", tars / "1.tar", "train")
    pack(folder / "val", tars / "2.tar", "val")
    assert [pair.name for pair in PairedFolder(tars).pairs] == ["a", "b", "c", "z"]
    assert [pair.name for pair in PairedFolder(tars, "val").pairs] == ["d"]


@pytest.mark.parametrize("suffix", [".webp", ".JPG", ".jpeg"])
def test_photo_formats(tmp_path, write_pair, suffix):
    write_pair(tmp_path / "set", "a", suffix=suffix)
    (tmp_path / "set/images/.a.png").write_bytes(b"resource fork")
    assert PairedFolder(tmp_path / "set", short_side=40)[0].image.shape == (40, 56, 3)


def test_index_png_keeps_its_ids(tmp_path, write_pair):
    write_pair(tmp_path, "a", size=(16, 16))
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(ids)
    image.putpalette(bytes(reversed(range(256))) * 3)
    image.save(tmp_path / "labels/a.png")
    assert np.array_equal(PairedFolder(tmp_path, short_side=16)[0].labels, ids)


@pytest.mark.parametrize("size", [(40, 56), (56, 40)])
def test_short_side_is_resized_and_ids_stay_ids(tmp_path, write_pair, size):
    write_pair(tmp_path, "a", size=size)
    labels = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), size)
    Image.fromarray(labels).save(tmp_path / "labels/a.png")
    sample = PairedFolder(tmp_path, short_side=20)[0]
    assert sample.labels.shape == sample.image.shape[:2] == (size[0] // 2, size[1] // 2)
    assert set(np.unique(sample.labels)) == {0, 255}


def test_cache_holds_what_direct_access_gives(folder):
    direct, cached = PairedFolder(folder, short_side=24), PairedFolder(folder, short_side=24)
    seen = []
    assert cached.decode(progress=lambda done, total: seen.append((done, total))) is cached
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert cached.cache_path.is_dir()
    assert same(direct, cached)
    assert np.array_equal(cached[-1].labels, direct[-1].labels)


def test_second_construction_reuses_the_cache(folder, pixel_cache):
    PairedFolder(folder).decode()
    again = PairedFolder(folder)
    assert again.cache_path.is_dir()
    again.decode(progress=lambda done, total: pytest.fail("decoded again"))
    assert [path.name for path in pixel_cache.iterdir()] == [again.cache_path.name]


def test_a_changed_file_or_size_gets_another_cache(folder):
    first = PairedFolder(folder).decode()
    assert PairedFolder(folder, short_side=32).cache_path != first.cache_path
    os.utime(folder / "train/labels/a.png", ns=(1, 1))
    assert not PairedFolder(folder).cache_path.exists()


def test_a_damaged_cache_says_what_to_delete(folder):
    path = PairedFolder(folder).decode().cache_path
    (path / "labels.u8").write_bytes(b"short")
    with pytest.raises(ValueError, match=f"damaged; delete {path}"):
        PairedFolder(folder)


def test_the_cache_of_a_faster_process_is_taken(folder):
    slow = PairedFolder(folder)
    PairedFolder(folder).decode()
    assert same(slow.decode(), PairedFolder(folder))


def test_nothing_there_says_what_was_expected(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match=r"images/NAME.*labels/NAME\.png"):
            PairedFolder(path)


def test_a_file_that_is_no_tar(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"not a tar" * 200)
    with pytest.raises(ValueError, match=r"x\.tar: not a readable uncompressed tar"):
        PairedFolder(tmp_path)


def test_missing_partners_are_counted_and_named(folder, write_pair):
    for number in range(7):
        write_pair(folder / "train", f"n{number}")
        (folder / f"train/labels/n{number}.png").unlink()
    (folder / "train/images/a.png").unlink()
    expected = (
        r"7 photos have no label map: n0, n1, n2, n3, n4 and 2 more; 1 label maps have no photo: a: add"
    )
    with pytest.raises(ValueError, match=expected):
        PairedFolder(folder)


def test_two_photos_of_one_stem(folder, write_pair):
    write_pair(folder / "train", "a", suffix=".webp")
    with pytest.raises(ValueError, match=r"1 files share their stem.*a\.png and .*a\.webp"):
        PairedFolder(folder)


def test_all_bad_pairs_are_reported_together(folder, write_pair, pixel_cache):
    train = folder / "train"
    photo = train / "images/a.png"
    photo.write_bytes(photo.read_bytes()[:200])
    Image.new("L", (10, 12)).save(train / "labels/b.png")
    Image.new("RGB", (56, 40)).save(train / "labels/c.png")
    write_pair(train, "d")
    (train / "labels/d.png").write_text("no picture")
    Image.new("I;16", (56, 40), 300).save(train / "labels/e.png")
    Image.new("L", (56, 40)).save(train / "images/e.png")
    with pytest.raises(ValueError, match="5 of 5 pairs are bad") as caught:
        PairedFolder(folder).decode()
    _, *lines = str(caught.value).splitlines()
    assert "images/a.png is a damaged or truncated PNG" in lines[0]
    assert "train/images/b.png is 56x40 but train/labels/b.png is 10x12" in lines[1]
    assert "labels/c.png is a picture of colours, expected one id per pixel" in lines[2]
    assert "labels/d.png is not a picture that can be read" in lines[3]
    assert "labels/e.png has values up to 300: expected ids of 0 to 255" in lines[4]
    assert list(pixel_cache.iterdir()) == []


def test_a_long_list_of_bad_pairs_is_cut(tmp_path, write_pair):
    for number in range(25):
        write_pair(tmp_path, f"n{number:02d}", size=(8, 8))
        Image.new("L", (9, 9)).save(tmp_path / f"labels/n{number:02d}.png")
    with pytest.raises(ValueError, match="and 5 more") as caught:
        PairedFolder(tmp_path).decode()
    assert len(str(caught.value).splitlines()) == 22


def test_a_file_that_shrank_after_listing(folder, pack, tmp_path):
    tar = pack(folder / "train", tmp_path / "x.tar", "train")
    data = PairedFolder(tar)
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(ValueError, match="bytes are left"):
        data.decode()


def test_a_full_disk_is_told_before_decoding(folder, monkeypatch, pixel_cache):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1000))
    with pytest.raises(ValueError, match=r"needs 2\.69e-05 GB, .* has 1e-06 GB free; set SPADEWORK_CACHE"):
        PairedFolder(folder, short_side=40).decode()
    assert list(pixel_cache.iterdir()) == []


def test_a_cache_that_cannot_be_written(folder, pixel_cache):
    pixel_cache.write_text("a file stands here")
    with pytest.raises(ValueError, match=r"cannot write the pixel cache .* set SPADEWORK_CACHE"):
        PairedFolder(folder).decode()


@pytest.mark.parametrize("decoded", [False, True])
def test_ids_beyond_the_palette(folder, decoded):
    labels = pixels(folder / "train/labels/b.png")
    labels[0, :2] = 77, 99
    Image.fromarray(labels).save(folder / "train/labels/b.png")
    data = PairedFolder(folder, short_side=40)
    if decoded:
        data.decode()
    data.check_ids({*range(15), 77, 99})
    with pytest.raises(ValueError, match=r"1 of 3 label maps .* \(77 in 1, 99 in 1\):\n  b: 77, 99$"):
        data.check_ids(set(range(15)))


def test_the_real_set(monkeypatch):
    root = os.environ.get("SPADEWORK_DATA")
    if not root or not (Path(root) / "landscapes").is_dir():
        pytest.skip("SPADEWORK_DATA does not name a folder with landscapes/ in it")
    data = PairedFolder(Path(root) / "landscapes", "val")
    assert len(data) == 500
    sample = data[250]
    assert min(sample.labels.shape) == 256
    assert set(np.unique(sample.labels)) <= {*range(15), 255}
