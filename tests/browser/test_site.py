"""The studio without a server: it paints what the engine paints, and works with its host away."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from driving import Studio
from sites import Host

from spadework.data.folder import PairedFolder
from spadework.data.geometry import Geometry
from spadework.engine import MODELS, Engine
from spadework.model import load_checkpoint
from spadework.sketch.examples import SKETCHES
from spadework.sketch.labelmap import LabelMap
from spadework.studio.runtime import Runtime, Unfetched
from spadework.studio.site import write_site

DATA = os.environ.get("SPADEWORK_DATA")

BUDGET = 45e6
"""Bytes of a first visit."""

HALF_PSNR = 40.0

PAINT = """(async ([ids, width, height, query]) => {
  const { service } = await import(new URL("js/api.js", location.href).href);
  const body = Uint8Array.from(ids);
  const path = `/api/paint?width=${width}&height=${height}&${query}`;
  const answer = await service.ask(path, { method: "POST", body });
  if (!answer.ok) throw new Error(await answer.text());
  return Array.from(new Uint8Array(await answer.arrayBuffer()));
})(a)"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    try:
        host = Host(tmp_path_factory.mktemp("host"))
    except Unfetched as error:
        pytest.skip(str(error))
    yield host
    host.close()


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load("landscape", enlarger=None)


def psnr(studio: Studio, engine: Engine, sketch: LabelMap, seed: int) -> float:
    """Of the browser's picture to the engine's, in dB."""
    height, width = sketch.size
    query = f"seed={seed}&style=seed:{seed // 2}"
    rgba = studio.js(PAINT, [sketch.ids.reshape(-1).tolist(), width, height, query])
    theirs = np.array(rgba, np.float64).reshape(height, width, 4)[..., :3]
    ours = engine.paint(sketch, seed, engine.sample_style(seed // 2, sketch)).pixels
    return float(10 * np.log10(255**2 / max(np.square(theirs - ours).mean(), 1e-9)))


def drawings(engine: Engine) -> list[LabelMap]:
    return [LabelMap.read(file, engine.palette) for file in sorted(SKETCHES.glob("*.png"))]


def test_a_visitor_paints_as_the_engine_also_with_the_host_away(
    host: Host, open_studio: Callable[..., Studio], engine: Engine
) -> None:
    studio = open_studio(f"{host.url}studio.html")
    assert studio.js("crossOriginIsolated")
    assert "thread" in studio.js("document.body.dataset.provider")
    alpine, *_, last = drawings(engine)
    assert psnr(studio, engine, alpine, 0) > HALF_PSNR
    assert psnr(studio, engine, last, 4294967295) > HALF_PSNR  # after another one, with rows of both
    studio.until("caches.open('spadework-parts').then(async (parts) => (await parts.keys()).length > 15)")
    host.away = True
    studio.page.reload()
    studio.ready()
    host.away = False
    assert studio.js("studio.painter.state") == "done"


@pytest.mark.soak
def test_all_sketches_are_painted_as_by_the_engine(
    host: Host, open_studio: Callable[..., Studio], engine: Engine
) -> None:
    studio = open_studio(f"{host.url}studio.html")
    assert all(psnr(studio, engine, sketch, seed) > HALF_PSNR for seed, sketch in enumerate(drawings(engine)))


@pytest.mark.soak
@pytest.mark.skipif(not DATA, reason="SPADEWORK_DATA names no folder with landscapes/")
def test_maps_of_photos_are_painted_as_by_the_engine(
    host: Host, open_studio: Callable[..., Studio], engine: Engine
) -> None:
    """Twenty of them, spread over the held-out ones."""
    studio = open_studio(f"{host.url}studio.html")
    pairs = PairedFolder(Path(DATA or "") / "landscapes", "val", 256, engine.palette)
    chosen = [pairs[i] for i in np.linspace(0, len(pairs) - 1, 20).astype(int)]
    maps = [Geometry.center(pair.labels.shape, (256, 256))(pair).labels for pair in chosen]
    found = [psnr(studio, engine, LabelMap(ids, engine.palette), n) for n, ids in enumerate(maps)]
    assert min(found) > HALF_PSNR


def test_a_first_visit_is_small(host: Host) -> None:
    assert host.site.first < BUDGET
    parts = list((host.site.folder / "parts").iterdir())
    assert max(part.stat().st_size for part in parts) < 4.3e6


def test_random_numbers_are_those_of_torch(host: Host, open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(host.url, ready=False)
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


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear")
    with pytest.raises(ValueError, match="has other files in it: name an empty folder"):
        write_site(load_checkpoint(MODELS["landscape"]), tmp_path, Runtime({}, ""))
    assert [file.name for file in tmp_path.iterdir()] == ["diary.txt"]
