"""Bytes to and from the disk: whole or not at all, errors with their remedy."""

import errno
import os
from pathlib import Path

import pytest

from spadework.files import atomic_write, read_bytes


def test_writes_and_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    for data in (b"first", b"", b"x" * 100_000):
        atomic_write(target, data)
        assert target.read_bytes() == data
        assert os.listdir(tmp_path) == ["a.bin"]


def test_new_files_have_ordinary_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    atomic_write(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_bytes_are_on_the_disk_before_the_name_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (order.append("replace"), replace(a, b)))
    atomic_write(tmp_path / "a", b"1")
    assert order == ["fsync", "replace"]


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    atomic_write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_interrupted_writes_keep_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, fault: BaseException
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr(os, step, fail)
    with pytest.raises((ValueError, KeyboardInterrupt)):
        atomic_write(target, b"new")
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.EACCES, "choose a folder of your own"),
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "choose another place"),
        (errno.EIO, "choose another place"),
    ],
)
def test_faults_of_the_disk_name_their_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, remedy: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ValueError, match=remedy) as caught:
        atomic_write(tmp_path / "a", b"1")
    assert str(tmp_path / "a") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_impossible_destinations(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ValueError, match="create the folder"):
        atomic_write(tmp_path / "none" / "a", b"1")
    with pytest.raises(ValueError, match="a folder: give the name of a file"):
        atomic_write(tmp_path, b"1")
    with pytest.raises(ValueError, match="is a file, not a folder"):
        atomic_write(tmp_path / "file" / "a", b"1")
    with pytest.raises(ValueError, match="choose a shorter"):
        atomic_write(tmp_path / ("n" * 300), b"1")


def test_devices_are_never_replaced() -> None:
    with pytest.raises(ValueError, match="a device"):
        atomic_write("/dev/null", b"1")
    assert not Path("/dev/null").is_file()


def test_read_bytes_gives_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\x00\xff")
    assert read_bytes(tmp_path / "a") == b"\x00\xff"


def test_unreadable_files_name_their_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "alpine.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"did you mean .*alpine\.png\?"):
        read_bytes(tmp_path / "alpin.png")
    with pytest.raises(ValueError, match="check the path"):
        read_bytes(tmp_path / "quite different")
    with pytest.raises(ValueError, match="check the path"):
        read_bytes(tmp_path / "zoo.png")
    with pytest.raises(ValueError, match="no folder"):
        read_bytes(tmp_path / "none" / "a.png")
    with pytest.raises(ValueError, match="a file in it"):
        read_bytes(tmp_path)
    with pytest.raises(ValueError, match="0 bytes"):
        read_bytes(tmp_path / "alpine.png")

    def deny(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    with pytest.raises(ValueError, match="chmod"):
        read_bytes(tmp_path / "alpine.png")
