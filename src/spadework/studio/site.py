"""The studio as files for any static host: the page, and all that paints in the visitor's browser."""

import gzip
import hashlib
import json
import shutil
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from spadework.api.facts import starts
from spadework.engine import Engine
from spadework.enlarger.enlarger import Enlarger
from spadework.files import Fault, atomic_write, remedy_for
from spadework.model import Checkpoint
from spadework.onnx.contexts import context_files
from spadework.onnx.encoder import encoder_bytes
from spadework.onnx.enlarger import enlarger_bytes
from spadework.onnx.segmenter import segmenter_bytes
from spadework.segmenter.segmenter import Segmenter
from spadework.service.composing import PALETTE, scenes
from spadework.sketch.examples import SKETCHES
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.studio import PAGE
from spadework.studio.facts import facts
from spadework.studio.runtime import PLAIN, WEBGPU, Runtime

SITE = Path(__file__).parent / "site"
"""What only a site has: its first page, its manifest, its service worker, its headers."""

PART = 4 * 2**20
"""Bytes of a part before it is packed: small enough for every host."""

STARTS = 8
"""So many sets of composed sketches travel with a site."""

MARK = ".spadework-site"
"""A file by which a folder is known to be a site of ours, which may be written anew."""


Parts = dict[str, dict[str, Any]]
"""Name -> how many bytes a large file has, and the names of its parts."""


@dataclass(frozen=True)
class Site:
    """A folder of files. `first`: bytes that a first visit transfers, without WebGPU; `psnr` in dB."""

    folder: Path
    files: int
    first: int
    psnr: float


def write_site(
    checkpoint: Checkpoint,
    folder: Path,
    runtime: Runtime,
    segmenter: Segmenter | None = None,
    enlarger: Enlarger | None = None,
    docs: str | None = None,
) -> Site:
    """Write the studio of a model into a folder that is empty, or a site already.

    `segmenter`, `enlarger`: for the model's classes, if there are any. `docs`: the address to which the first
    page sends those who want to read more.
    Raises ValueError for a folder with other things in it or that cannot be written, and for models as
    `context_files` does.
    """
    _demand_ours(folder)
    files, engine = context_files(checkpoint), Engine(checkpoint, enlarger=enlarger)
    large = {
        "tables": files.tables,
        "painter": files.painter,
        **_style_files(checkpoint),
        **({"segmenter": segmenter_bytes(segmenter)} if segmenter else {}),
        **({"enlarger": enlarger_bytes(enlarger)} if enlarger else {}),
        "starts": json.dumps(_starts(engine)).encode(),
        "wasm": runtime.files[PLAIN[2]],
        "webgpu": runtime.files[WEBGPU[2]],
    }
    try:
        parts = _write_large(folder, large, runtime)
        _write_page(folder)
        _write_pictures(folder, engine)
        about = facts(checkpoint, engine, segmenter, parts)
        atomic_write(folder / "site.json", json.dumps(about).encode())
        return _finish(folder, parts, files.psnr, docs)
    except OSError as error:
        raise Fault(f"cannot write the site to {folder}", remedy_for(error)) from error


def _write_large(folder: Path, large: dict[str, bytes], runtime: Runtime) -> Parts:
    """Into folders that are emptied before."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / MARK, b"")
    for name in ("parts", "ort", "js", "sketches", "pictures"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
    parts = {name: _packed(folder / "parts", data) for name, data in large.items()}
    for name in (*PLAIN[:2], *WEBGPU[:2]):
        atomic_write(folder / "ort" / name, runtime.files[name])
    atomic_write(folder / "ort" / "LICENSE.txt", runtime.licence.encode())
    return parts


def _packed(folder: Path, data: bytes) -> dict[str, Any]:
    """Writes a large file in parts; a part's name is its content's."""
    parts = []
    for start in range(0, len(data), PART):
        part = gzip.compress(data[start : start + PART], 6, mtime=0)
        parts.append(f"{hashlib.sha256(part).hexdigest()[:16]}.part")
        atomic_write(folder / parts[-1], part)
    return {"bytes": len(data), "parts": parts}


def _demand_ours(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise Fault(f"{folder} has other files in it", "name an empty folder, or one that is not there yet")


def _style_files(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The encoder, and the prior's tables, where the model has them."""
    encoder, prior = checkpoint.encoder, checkpoint.prior
    found = {"encoder": encoder_bytes(encoder)} if encoder else {}
    for name in ("layouts", "styles") if prior else ():
        found[name] = getattr(prior, name).numpy().astype("<f4").tobytes()
    return found


def _starts(engine: Engine) -> list[list[dict[str, Any]]]:
    sets = (starts(engine.palette, seed) for seed in range(STARTS))
    return [[start.model_dump(mode="json") for start in found] for found in sets]


def _write_page(folder: Path) -> None:
    """The page as it is, but started by its own worker; and the site's first page."""
    (folder / "js" / "here").mkdir()
    for file in (PAGE / "js").rglob("*.js"):
        shutil.copyfile(file, folder / file.relative_to(PAGE))
    for file in SKETCHES.glob("*.png"):
        shutil.copyfile(file, folder / "sketches" / file.name)
    for name in ("style.css", "icons.svg", "icon.svg"):
        shutil.copyfile(PAGE / name, folder / name)
    for file in sorted(SITE.glob("*")):
        shutil.copyfile(file, folder / file.name)
    page = (PAGE / "index.html").read_text(encoding="utf-8")
    head = (SITE / "head.html").read_text(encoding="utf-8")
    old = '<script type="module" src="js/app.js"></script>\n'
    assert page.count(old) == 1
    atomic_write(folder / "studio.html", page.replace(old, head).encode())
    (folder / "head.html").unlink()


def _write_pictures(folder: Path, engine: Engine) -> None:
    """What the first page shows: a sketch, its photograph, and another light."""
    sketch = _shown(engine)
    atomic_write(folder / "pictures" / "sketch.png", sketch.to_bytes())
    for name, seed in (("photograph", 0), ("evening", 7)):
        picture = engine.paint(sketch, 0, engine.sample_style(seed, sketch))
        atomic_write(folder / "pictures" / f"{name}.png", picture.to_bytes())


def _shown(engine: Engine) -> LabelMap:
    """The first example sketch; of palettes that do not know its classes, a scene that they know."""
    if engine.palette.classes == Palette.load(PALETTE).classes:
        return LabelMap.read(min(SKETCHES.glob("*.png")), engine.palette)
    for _, sketch in scenes(engine.palette, 0):
        return sketch
    raise Fault(f"palette {engine.palette.name} has the classes of no scene", "publish a landscape model")


def _finish(folder: Path, parts: Parts, psnr: float, docs: str | None) -> Site:
    """The first page, and the service worker's list of files under a name that changes with any of them."""
    late = {f"parts/{part}" for part in parts["webgpu"]["parts"]} | {f"ort/{name}" for name in WEBGPU[:2]}
    aside = {"worker.js", MARK, "ort/LICENSE.txt"}
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    names = [name for name in names if name not in aside]
    first = sum(_sent(folder / name) for name in (*names, "worker.js") if name not in late)
    link = f' <a href="{escape(docs)}">Read more</a>.' if docs else ""
    page = (SITE / "index.html").read_text(encoding="utf-8")
    page = page.replace("{first}", f"{first / 1e6:.0f}").replace("{docs}", link)
    atomic_write(folder / "index.html", page.encode())
    large = [name for name in names if name.startswith(("parts/", "ort/"))]
    lists = {
        "core": [name for name in names if name not in large],
        "rest": [name for name in large if name not in late],
    }
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in names)).hexdigest()[:16]
    values = f'const VERSION = "{digest}";\nconst FILES = {json.dumps(lists)};\n'
    atomic_write(folder / "worker.js", (values + (SITE / "worker.js").read_text(encoding="utf-8")).encode())
    return Site(folder, len(names) + len(aside), first, psnr)


def _sent(path: Path) -> int:
    """Bytes on the wire; static hosts compress text."""
    data = path.read_bytes()
    return len(data) if path.suffix in (".part", ".png") else len(gzip.compress(data, 6))
