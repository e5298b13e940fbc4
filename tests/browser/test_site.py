"""The studio without a server: it paints what the engine paints, and works with its host away."""

import io
import json
import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from driving import Studio, ids_in, wait
from PIL import Image
from sites import Host

from spadework.api.wire import Runs
from spadework.data.folder import PairedFolder
from spadework.data.geometry import Geometry
from spadework.engine import Engine
from spadework.enlarger.enlarger import noise_at
from spadework.lights import Lights
from spadework.segmenter.segmenter import Segmenter
from spadework.service.opening import open_photo
from spadework.sketch.examples import SKETCHES
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

SAME = 0.995
"""At least this share of a photograph's pixels gets the class that the engine's segmenter gives it."""

DATA = os.environ.get("SPADEWORK_DATA")

BUDGET = 45e6
"""Bytes of a first visit, as static hosts send them: text in gzip."""

HALF_PSNR = 40.0

ASK = """(async ([path, body]) => {
  const { service } = await import(new URL("js/api.js", location.href).href);
  const answer = await service.ask(path, { method: "POST", body });
  if (!answer.ok) throw new Error(await answer.text());
  const data = new Uint8Array(await answer.arrayBuffer());
  return Array.from(data, (byte) => String.fromCharCode(byte)).join("");
})(a)"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load("landscape")


def asked(studio: Studio, path: str, **body: Any) -> bytes:
    """What the page's painter answers."""
    return studio.js(ASK, [path, json.dumps(body)]).encode("latin1")


def labelled(studio: Studio, photo: bytes) -> bytes:
    """What it makes of a photograph."""
    return asked(studio, "/v1/labels/from-photo", photo=b64encode(photo).decode())


def psnr(
    studio: Studio, engine: Engine, sketch: LabelMap, seed: int, numbers: np.ndarray | None = None
) -> float:
    """Of the browser's picture to the engine's, in dB. `numbers`: where it is in the light of seed 7."""
    height, width = sketch.size
    lit = None if numbers is None else {"parts": Runs.of(numbers).model_dump(), "styles": [{"seed": 7}]}
    runs, style = Runs.of(sketch.ids).model_dump(), {"seed": seed // 2}
    rgba = asked(studio, "/v1/paint", runs=runs, seed=seed, style=style, lights=lit)
    theirs = np.frombuffer(rgba, np.uint8).reshape(height, width, 4)[..., :3].astype(float)
    lights = Lights(numbers, (engine.sample_style(7, sketch),)) if numbers is not None else None
    ours = engine.paint(sketch, seed, engine.sample_style(seed // 2, sketch), lights=lights).pixels
    return float(10 * np.log10(255**2 / max(np.square(theirs - ours).mean(), 1e-9)))


def drawings(engine: Engine) -> list[LabelMap]:
    return [LabelMap.read(file, engine.palette) for file in sorted(SKETCHES.glob("*.png"))]


def test_a_visitor_paints_as_the_engine_also_with_the_host_away(
    shipped_site: Host, open_page: Callable[..., Studio], engine: Engine
) -> None:
    before = shipped_site.sent
    studio = open_page(f"{shipped_site.url}studio.html", service_workers="allow")
    assert studio.js("crossOriginIsolated")
    assert "thread" in studio.js("document.body.dataset.provider")
    alpine, *_, last = drawings(engine)
    assert psnr(studio, engine, alpine, 0) > HALF_PSNR
    assert psnr(studio, engine, last, 4294967295) > HALF_PSNR  # after another one, with rows of both
    numbers = np.zeros(alpine.size, np.uint8)
    numbers[100:, 150:] = 1
    assert psnr(studio, engine, alpine, 0, numbers) > HALF_PSNR
    upright = labelled(studio, turned_photo())
    assert same_share(upright, open_photo(turned_photo(), engine, Segmenter.load()).sketch) >= SAME
    count = "caches.open('spadework-parts').then(async (parts) => (await parts.keys()).length)"
    wait(lambda: studio.js(count) == kept_parts(shipped_site), "all that is needed later is kept")
    assert 0.9 * shipped_site.site.first < shipped_site.sent - before < BUDGET
    shipped_site.away = True
    studio.page.reload()
    studio.ready()
    shipped_site.away = False
    assert studio.js("studio.painter.state") == "done"


@pytest.mark.soak
def test_all_sketches_are_painted_as_by_the_engine(
    shipped_site: Host, open_page: Callable[..., Studio], engine: Engine
) -> None:
    studio = open_page(f"{shipped_site.url}studio.html", service_workers="allow")
    assert all(psnr(studio, engine, sketch, seed) > HALF_PSNR for seed, sketch in enumerate(drawings(engine)))


@pytest.mark.soak
@pytest.mark.skipif(not DATA, reason="SPADEWORK_DATA names no folder with landscapes/")
def test_maps_of_photos_are_painted_as_by_the_engine(
    shipped_site: Host, open_page: Callable[..., Studio], engine: Engine
) -> None:
    """Twenty of them, spread over the held-out ones."""
    studio = open_page(f"{shipped_site.url}studio.html", service_workers="allow")
    pairs = PairedFolder(Path(DATA or "") / "landscapes", "val", 256, engine.palette)
    chosen = [pairs[i] for i in np.linspace(0, len(pairs) - 1, 20).astype(int)]
    maps = [Geometry.center(pair.labels.shape, (256, 256))(pair).labels for pair in chosen]
    found = [psnr(studio, engine, LabelMap(ids, engine.palette), n) for n, ids in enumerate(maps)]
    assert min(found) > HALF_PSNR


@pytest.mark.soak
@pytest.mark.skipif(not DATA, reason="SPADEWORK_DATA names no folder with landscapes/")
def test_photos_become_sketches_as_by_the_engine(
    shipped_site: Host, open_page: Callable[..., Studio], engine: Engine
) -> None:
    """Twenty held-out ones, as JPEG."""
    studio, segmenter = open_page(f"{shipped_site.url}studio.html"), Segmenter.load()
    pairs = PairedFolder(Path(DATA or "") / "landscapes", "val", 384, engine.palette)
    shares = []
    for i in np.linspace(0, len(pairs) - 1, 20).astype(int):
        photo = jpeg(pairs[i].image)
        read = labelled(studio, photo)
        shares.append(same_share(read, open_photo(photo, engine, segmenter).sketch))
    assert min(shares) >= SAME, shares


@pytest.mark.soak
def test_large_sheets_are_enlarged_as_by_the_engine(
    shipped_site: Host, open_page: Callable[..., Studio], engine: Engine
) -> None:
    studio = open_page(f"{shipped_site.url}studio.html")
    sketch = drawings(engine)[0].resize((512, 768))
    assert psnr(studio, engine, sketch, 3) > HALF_PSNR


def test_sizes_are_those_of_the_engine(
    shipped_site: Host, open_page: Callable[..., Studio], engine: Engine
) -> None:
    studio, rng = open_page(shipped_site.url, ready=False), np.random.default_rng(0)
    sizes = [(1024, 1536), (384, 384), *rng.integers(4, 2049, (300, 2)).tolist()]
    plan = """Promise.all([import(new URL("js/here/sizes.js", location.href).href), fetch("site.json")]).then(
      async ([{ plan }, answer]) => {
        const { facts, sizes } = await answer.json();
        return a.map(([height, width]) => plan({ width, height }, facts.generator, sizes, true));
      })"""
    for (height, width), told in zip(sizes, studio.js(plan, sizes), strict=True):
        (h, w), doublings = engine.plan((height, width))
        assert told == {"size": {"width": w, "height": h}, "doublings": doublings}, (height, width)


def kept_parts(host: Host) -> int:
    """How many parts, and files of onnxruntime, a visitor without WebGPU keeps."""
    files = json.loads((host.site.folder / "site.json").read_text())["facts"]["files"]
    return 2 + len({part for name, file in files.items() if name != "webgpu" for part in file["parts"]})


def jpeg(pixels: np.ndarray, orientation: int = 1) -> bytes:
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(out, "JPEG", quality=90, exif=exif)
    return out.getvalue()


def turned_photo() -> bytes:
    """A sketch in its colours, grained and blurred, as a camera that was held upright saves it."""
    sketch = LabelMap.read(min(SKETCHES.glob("*.png")), Palette.load("landscape")).resize((700, 1000))
    grain = np.random.default_rng(0).normal(0, 12, (*sketch.size, 3))
    pixels = (sketch.palette.colorize(sketch.ids) + grain).clip(0, 255).astype(np.uint8)
    return jpeg(np.rot90(pixels).copy(), orientation=6)


def same_share(answer: bytes, sketch: LabelMap) -> float:
    ids = ids_in(json.loads(answer)["runs"])
    assert ids.shape == sketch.size
    return float((ids == sketch.ids).mean())


def test_parts_are_small(shipped_site: Host) -> None:
    parts = list((shipped_site.site.folder / "parts").iterdir())
    assert max(part.stat().st_size for part in parts) < 4.3e6


def test_random_numbers_are_those_of_torch(shipped_site: Host, open_page: Callable[..., Studio]) -> None:
    studio = open_page(shipped_site.url, ready=False)
    draw = """import(new URL("js/here/random.js", location.href).href).then(({ Twister }) => {
      const twister = new Twister(a[0]);
      return [...a[1].map((n) => [...twister.normals(n)]), [...twister.permutation(1024)]];
    })"""
    for seed in (0, 4294967295):
        rng, counts = torch.Generator().manual_seed(seed), [16, 1000, 5, 8, 37]
        *fields, order = studio.js(draw, [seed, counts])
        for count, field in zip(counts, fields, strict=True):
            wanted = torch.randn(count, generator=rng)
            assert torch.allclose(torch.tensor(field), wanted, atol=2e-6), count
        assert order == torch.randperm(1024, generator=rng).tolist()


def test_an_enlargers_noise_is_that_of_numpy(shipped_site: Host, open_page: Callable[..., Studio]) -> None:
    studio = open_page(shipped_site.url, ready=False)
    draw = """import(new URL("js/here/philox.js", location.href).href).then(({ keysOf, normals }) =>
      a.map(([high, low, stream, i, j]) => [...normals(keysOf([high, low], stream), i, j, 4096)]))"""
    places = [(1, 0, 0, 0, 0), (2, 4294967295, 1, 5, 3)]
    for (high, low, stream, i, j), field in zip(places, studio.js(draw, places), strict=True):
        rows, columns = (slice(64 * n, 64 * n + 64) for n in (i, j))
        wanted = noise_at((high << 32) + low, stream, rows, columns)
        assert np.allclose(np.reshape(field, (64, 64)), wanted, atol=2e-6)


def test_pictures_are_resized_as_by_pillow(shipped_site: Host, open_page: Callable[..., Studio]) -> None:
    studio = open_page(shipped_site.url, ready=False)
    resize = """import(new URL("js/here/resampling.js", location.href).href).then((found) => {
      const pixels = Uint8Array.from(a[0].match(/../g), (pair) => parseInt(pair, 16));
      const old = { pixels, width: 23, height: 17 };
      return [...found.resampled(old, { width: a[1], height: a[2] }, found[a[3]]).pixels];
    })"""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (17, 23, 3), np.uint8))
    for width, height, name in [(9, 6, "LANCZOS"), (64, 48, "LANCZOS"), (9, 40, "BICUBIC")]:
        wanted = image.resize((width, height), Image.Resampling[name])
        made = studio.js(resize, [image.convert("RGBA").tobytes().hex(), width, height, name])
        assert (np.reshape(made, (height, width, 4))[..., :3] == np.asarray(wanted)).all(), (width, name)


@pytest.mark.parametrize("name", ["index.html", "studio.html"])
def test_a_site_on_the_disk_says_what_to_do(
    shipped_site: Host, open_page: Callable[..., Studio], name: str
) -> None:
    studio = open_page((shipped_site.site.folder / name).as_uri(), ready=False)
    note = studio.page.locator("#from-disk")
    note.wait_for()
    assert "python3 -m http.server" in note.inner_text()
    studio.trouble.clear()  # the browser's notes of what it did not load
