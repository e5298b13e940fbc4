"""Where onnxruntime for browsers comes from, and what is said where it does not come."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from spadework.studio import runtime as runtimes
from spadework.studio.runtime import PACKAGE, PLAIN, VERSION, WEBGPU, Unfetched, runtime

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An npm that does what a script says, before all others."""
    program = folder / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def package(names: tuple[str, ...]) -> bytes:
    """A packed one that has some files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in names:
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(name)
            archive.addfile(entry, io.BytesIO(name.encode()))
    return out.getvalue()


def test_without_npm_there_is_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unfetched, match=r"which fetches it, is not there: install Node\.js"):
        runtime(tmp_path)


def test_a_registry_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm(tmp_path, "echo 'npm error network ENOTFOUND registry.npmjs.org' >&2; exit 1", monkeypatch)
    said = rf"npm cannot fetch {PACKAGE} {VERSION} \(npm error network ENOTFOUND .*\): look at the network"
    with pytest.raises(Unfetched, match=said):
        runtime(tmp_path)


def test_another_package_than_npm_published_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").write_bytes(package((*PLAIN, *WEBGPU)))
    npm(tmp_path, f'for last; do :; done; cp "{tmp_path}/other" "$last/package.tgz"', monkeypatch)
    with pytest.raises(ValueError, match="is not what npm published: do not use this network's registry"):
        runtime(tmp_path)


def test_what_npm_published_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And above a folder that has it nothing is fetched."""
    data = package((*PLAIN, *WEBGPU))
    (tmp_path / "other").write_bytes(data)
    npm(tmp_path, f'for last; do :; done; cp "{tmp_path}/other" "$last/package.tgz"', monkeypatch)
    monkeypatch.setattr(runtimes, "INTEGRITY", runtimes.integrity(data))
    found = runtime(tmp_path)
    assert found.files == {name: name.encode() for name in (*PLAIN, *WEBGPU)}
    assert "MIT" in found.licence

    dist = tmp_path / "node_modules" / PACKAGE / "dist"
    dist.mkdir(parents=True)
    (dist.parent / "package.json").write_text(f'{{"version": "{VERSION}"}}')
    for name in PLAIN:
        (dist / name).write_bytes(b"here")
    with pytest.raises(ValueError, match=rf"{WEBGPU[0]} is not there: type npm install {PACKAGE}@{VERSION}"):
        runtime(tmp_path / "below")
    for name in WEBGPU:
        (dist / name).write_bytes(b"here")
    assert set(runtime(tmp_path / "below").files.values()) == {b"here"}
