"""onnxruntime for browsers, from its npm package: what a site without a server paints with."""

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from spadework.files import Fault

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""What npm says of the package; nothing else is taken from the network."""

PLAIN = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
WEBGPU = ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm")
"""What to import, what that imports, and the program that this runs."""


class Unfetched(Fault):
    """npm, or the network that it needs, is not there."""


@dataclass(frozen=True)
class Runtime:
    """The files of both builds, and their licence."""

    files: dict[str, bytes]
    licence: str


def runtime(folder: Path | None = None) -> Runtime:
    """From `node_modules` in a folder (by default this one) or above it, else from npm.

    Raises ValueError, one line with the remedy, where neither has it.
    """
    here = (folder or Path.cwd()).resolve()
    for place in (here, *here.parents):
        package = place / "node_modules" / PACKAGE
        if (package / "package.json").is_file() and f'"version": "{VERSION}"' in _text(
            package / "package.json"
        ):
            return Runtime({name: _bytes(package / "dist" / name) for name in (*PLAIN, *WEBGPU)}, _licence())
    return Runtime(_unpacked(_fetched()), _licence())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Fault(f"{path} is not there", f"type npm install {PACKAGE}@{VERSION}") from error


def _fetched() -> bytes:
    """The package as npm has it."""
    npm = shutil.which("npm")
    if npm is None:
        raise Unfetched(
            f"a studio without a server needs {PACKAGE} {VERSION}, and npm, which fetches it, is not there",
            "install Node.js (on Debian and Ubuntu type apt install npm)",
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", folder]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        packed = list(Path(folder).glob("*.tgz"))
        if ended.returncode or not packed:
            told = (ended.stderr or ended.stdout).strip().splitlines()
            reason = told[0] if told else f"it ended with {ended.returncode}"
            raise Unfetched(
                f"npm cannot fetch {PACKAGE} {VERSION} ({reason})", "look at the network and try again"
            )
        data = packed[0].read_bytes()
    if integrity(data) != INTEGRITY:
        raise Fault(f"{PACKAGE} {VERSION} is not what npm published", "do not use this network's registry")
    return data


def integrity(data: bytes) -> str:
    """A package's checksum, as npm writes it."""
    return base64.b64encode(hashlib.sha512(data).digest()).decode()


def _unpacked(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {name: archive.extractfile(f"package/dist/{name}") for name in (*PLAIN, *WEBGPU)}
        return {name: file.read() for name, file in found.items() if file is not None}


def _licence() -> str:
    """The npm package has none inside; onnxruntime's own is that of the Python package."""
    try:
        import onnxruntime
    except ImportError as error:
        from spadework.onnx.model import missing

        raise ValueError(missing(error)) from error
    folder = Path(onnxruntime.__file__).parent
    texts = [
        _text(folder / name) for name in ("LICENSE", "ThirdPartyNotices.txt") if (folder / name).is_file()
    ]
    return "\n\n".join(texts)
