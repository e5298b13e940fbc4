"""The studio as files for any static host: the page, and all that paints in the visitor's browser."""

import gzip
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from spadework.engine import Engine
from spadework.executor import NOISE_SEED
from spadework.files import Fault, atomic_write
from spadework.model import Checkpoint
from spadework.nn.prior import StylePrior
from spadework.onnx.contexts import context_files, steps
from spadework.onnx.encoder import encoder_bytes
from spadework.project import packed
from spadework.service.schemas import ModelInfo, SeedQuery
from spadework.sketch.examples import SKETCHES
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.studio import PAGE, example, scenes
from spadework.studio.composing import PALETTE
from spadework.studio.runtime import PLAIN, WEBGPU, Runtime

SITE = Path(__file__).parent / "site"
"""What only a site has: its first page, its manifest, its service worker, its headers."""

PART = 4 * 2**20
"""Bytes of a part before it is packed: small enough for every host."""

STARTS = 8
"""So many sets of composed sketches travel with a site."""

MARK = ".spadework-site"
"""A file by which a folder is known to be a site of ours, which may be written anew."""


@dataclass(frozen=True)
class Site:
    """A folder of files. `first`: bytes that a first visit transfers, without WebGPU; `psnr` in dB."""

    folder: Path
    files: int
    first: int
    psnr: float


class Parts:
    """Large files, packed and cut; a part's name is its content's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: dict[str, dict[str, Any]] = {}

    def add(self, name: str, data: bytes) -> None:
        """Writes the parts of a file."""
        parts = []
        for start in range(0, len(data), PART):
            part = gzip.compress(data[start : start + PART], 6, mtime=0)
            parts.append(f"{hashlib.sha256(part).hexdigest()[:16]}.part")
            atomic_write(self._folder / parts[-1], part)
        self.files[name] = {"bytes": len(data), "parts": parts}


def write_site(checkpoint: Checkpoint, folder: Path, runtime: Runtime, docs: str | None = None) -> Site:
    """Write the studio of a model into a folder that is empty, or a site already.

    `docs`: the address to which the first page sends those who want to read more.
    Raises ValueError for a folder with other things in it, and for models as `context_files` does.
    """
    _demand_ours(folder)
    files, engine = context_files(checkpoint), Engine(checkpoint)
    for name in ("parts", "ort", "js", "sketches", "pictures"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    atomic_write(folder / MARK, b"")
    parts = Parts(folder / "parts")
    parts.add("tables", files.tables)
    parts.add("painter", files.painter)
    _add_styles(parts, checkpoint)
    parts.add("starts", json.dumps(_starts(engine)).encode())
    for build, names in {"wasm": PLAIN, "webgpu": WEBGPU}.items():
        parts.add(build, runtime.files[names[2]])
        for name in names[:2]:
            atomic_write(folder / "ort" / name, runtime.files[name])
    atomic_write(folder / "ort" / "LICENSE.txt", runtime.licence.encode())
    _write_page(folder)
    _write_pictures(folder, engine)
    atomic_write(folder / "site.json", json.dumps(facts(checkpoint, engine, parts.files)).encode())
    return _finish(folder, parts, files.psnr, docs)


def _demand_ours(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise Fault(f"{folder} has other files in it", "name an empty folder, or one that is not there yet")


def _add_styles(parts: Parts, checkpoint: Checkpoint) -> None:
    """The encoder, and the prior's tables, where the model has them."""
    if checkpoint.encoder is not None:
        parts.add("encoder", encoder_bytes(checkpoint.encoder))
    if checkpoint.prior is not None:
        for name in ("layouts", "styles"):
            parts.add(name, getattr(checkpoint.prior, name).numpy().astype("<f4").tobytes())


def _starts(engine: Engine) -> list[list[dict[str, Any]]]:
    sets = (scenes(engine.palette, SeedQuery(seed=seed)) for seed in range(STARTS))
    return [
        [
            {"title": title, "width": sketch.size[1], "height": sketch.size[0], "ids": packed(sketch.ids)}
            for title, sketch in found
        ]
        for found in sets
    ]


def facts(checkpoint: Checkpoint, engine: Engine, files: Mapping[str, Any]) -> dict[str, Any]:
    """What the page and its worker must know."""
    config, semantics, prior = checkpoint.card.generator, checkpoint.card.semantics, checkpoint.prior
    grids, side = steps(checkpoint.generator), 2**config.num_ups
    blocks = [side // height for height, _ in config.grids((side, side))]
    shape = config.model_dump(include={"size", "num_ups", "kernel", "label_padding", "noise"})
    model = ModelInfo.of(engine, photo_labels=False).model_copy(update={"psd": False})
    return {
        "model": model.model_dump(),
        "facts": {
            "generator": shape | {"grids": grids, "blocks": blocks},
            "semantics": semantics.model_dump(include={"label_nc", "unknown", "unknown_id"}),
            "noise_seed": NOISE_SEED,
            "files": dict(files),
            "ort": {"wasm": PLAIN[:2], "webgpu": WEBGPU[:2]},
        },
        "z_dim": config.z_dim,
        "prior": _prior_facts(prior),
        "photo_side": checkpoint.encoder.config.size if checkpoint.encoder else 0,
        "examples": [example(file).model_dump() for file in sorted(SKETCHES.glob("*.png"))],
    }


def _prior_facts(prior: StylePrior | None) -> dict[str, int] | None:
    return prior and prior.config.model_dump(include={"references", "drawn", "grid"})


def _write_page(folder: Path) -> None:
    """The page as it is, but started by its own worker; and the site's first page."""
    shutil.copytree(PAGE / "js", folder / "js", dirs_exist_ok=True)
    shutil.copytree(SKETCHES, folder / "sketches", dirs_exist_ok=True)
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
    for _, sketch in scenes(engine.palette, SeedQuery()):
        return sketch
    raise Fault(f"palette {engine.palette.name} has the classes of no scene", "publish a landscape model")


def _finish(folder: Path, parts: Parts, psnr: float, docs: str | None) -> Site:
    """The first page, and the service worker's list of files under a name that changes with any of them."""
    late = {f"parts/{part}" for part in parts.files["webgpu"]["parts"]} | {
        f"ort/{name}" for name in WEBGPU[:2]
    }
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
