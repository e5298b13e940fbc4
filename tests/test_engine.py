"""The one inference path: the same for the same arguments, any size, any thread, clear about bad input."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_model import GENERATOR, card, networks, write

import spadework
from spadework import executor
from spadework.engine import MODELS, Engine
from spadework.executor import MAX_SEED, noise_of, precision_of
from spadework.lights import Style
from spadework.model import Checkpoint, save_checkpoint
from spadework.nn.labels import Labels
from spadework.nn.pixels import to_bytes
from spadework.nn.prior import StylePrior, StylePriorConfig
from spadework.nn.spectral import fold_spectral_norm
from spadework.picture import Picture
from spadework.sizes import LONGEST, MOST_PIXELS, painting_size
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

SIZES = st.tuples(st.integers(4, 8192), st.integers(4, 8192))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(write(tmp_path_factory.mktemp("model") / "tiny.safetensors"), device="cpu")


def sketch(height: int = 40, width: int = 56, seed: int = 0) -> np.ndarray:
    """Blocks of random classes, with unknown pixels among them."""
    ids = np.random.default_rng(seed).choice(np.array([*range(15), 255], np.uint8), (8, 8))
    return ids[np.arange(height)[:, None] * 8 // height, np.arange(width) * 8 // width]


def difference(a: Picture, b: Picture) -> float:
    """Mean absolute, 0..255."""
    return float(np.abs(a.pixels.astype(int) - b.pixels).mean())


# ---- determinism


def test_the_same_arguments_give_the_same_picture(engine: Engine) -> None:
    assert engine.paint(sketch(), seed=3) == engine.paint(sketch(), seed=3)


def test_the_same_in_another_process(engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.safetensors")
    script = (
        "import sys; import numpy as np; from spadework import Engine\n"
        "ids = np.arange(40 * 56).reshape(40, 56) // 300\n"
        "Engine.load(sys.argv[1], 'cpu').paint(ids, seed=5).save(sys.argv[2])"
    )
    out = tmp_path / "picture.png"
    subprocess.run([sys.executable, "-c", script, str(path), str(out)], check=True)
    ids = np.arange(40 * 56).reshape(40, 56) // 300
    assert Picture.read(out) == Engine.load(path, "cpu").paint(ids, seed=5)


def test_global_random_numbers_play_no_part(engine: Engine) -> None:
    torch.manual_seed(1)
    first = engine.paint(sketch(), seed=3)
    state = torch.get_rng_state()
    engine.paint(sketch(), seed=4)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert engine.paint(sketch(), seed=3) == first


def test_seeds_maps_and_styles_matter(engine: Engine) -> None:
    base = engine.paint(sketch(), seed=0)
    assert difference(base, engine.paint(sketch(), seed=1)) > 1
    assert difference(base, engine.paint(sketch(seed=9), seed=0)) > 1
    assert difference(base, engine.paint(sketch(), seed=0, style=engine.sample_style(1))) > 0.5


def test_the_seed_decides_the_detail_when_a_style_is_given(engine: Engine) -> None:
    style = engine.sample_style(7)
    pictures = [engine.paint(sketch(), seed=seed, style=style) for seed in (0, 1)]
    assert difference(*pictures) > 0.1
    assert pictures[0].provenance["style"] == "seed 7"


def test_a_seeds_style_is_the_published_stream_and_apart_from_its_noise(engine: Engine) -> None:
    expected = torch.randn(8, generator=torch.Generator().manual_seed(7)).numpy()
    assert np.array_equal(engine.sample_style(7).z, expected)
    noise = noise_of(7, engine.card.generator, (32, 32))
    assert noise is not None
    drawn = torch.cat([field.flatten() for field in noise]).numpy()
    assert not np.isin(expected, drawn).any()


def test_the_picture_is_the_networks_own(engine: Engine) -> None:
    """Against a plain forward pass, at the trained size: nothing is resampled on the way."""
    generator, _ = networks()
    ids = sketch(32, 32)
    style = engine.sample_style(2)
    noise = noise_of(2, engine.card.generator, (32, 32))
    with torch.no_grad():
        half = fold_spectral_norm(generator).half().float()
        labels = Labels.of(torch.from_numpy(ids)[None], card().semantics)
        expected = to_bytes(half(labels, torch.from_numpy(style.z.copy())[None], noise))[0]
    assert np.abs(engine.paint(ids, seed=2).pixels.astype(int) - expected).max() <= 1


# ---- sizes


@pytest.mark.parametrize("size", [(4, 4), (4, 300), (300, 4), (31, 33), (32, 32), (100, 64), (257, 129)])
def test_any_size_comes_back_in_its_own_size(engine: Engine, size: tuple[int, int]) -> None:
    picture = engine.paint(sketch(*size))
    assert picture.size == size
    height, width = picture.provenance["painted_size"]
    assert height % 32 == width % 32 == 0


def test_the_smallest_and_the_longest(engine: Engine) -> None:
    assert engine.paint(np.zeros((8192, 4), np.uint8)).size == (8192, 4)


def test_size_and_upscale(engine: Engine) -> None:
    picture = engine.paint(sketch(), size=(60, 130))
    assert picture.size == (60, 130)
    assert picture.provenance["painted_size"] == [32, 64]
    assert picture.provenance["enlarged"] == 2
    assert engine.paint(sketch(), upscale=2).size == (80, 112)
    with pytest.raises(ValueError, match=r"size 130x60 and upscale 2 .*: give one"):
        engine.paint(sketch(), size=(60, 130), upscale=2)


@given(SIZES)
def test_painting_size_is_legal_and_keeps_the_aspect(size: tuple[int, int]) -> None:
    step, short = 2**GENERATOR.num_ups, min(GENERATOR.size)
    height, width = painting_size(size, GENERATOR)
    assert height % step == width % step == 0
    assert step <= min(height, width) <= short
    assert max(height, width) <= LONGEST
    if max(size) / min(size) < LONGEST / short:
        assert min(height, width) == short
        assert abs(max(height, width) - short * max(size) / min(size)) <= step / 2


@given(SIZES, SIZES)
def test_asked_sizes_are_rounded_or_refused(size: tuple[int, int], asked: tuple[int, int]) -> None:
    if (asked[0] + 16) * (asked[1] + 16) <= MOST_PIXELS:
        painted = painting_size(size, GENERATOR, asked)
        assert all(abs(p - max(a, 32)) <= 16 and p % 32 == 0 for p, a in zip(painted, asked, strict=True))


@pytest.mark.parametrize("asked", [(3, 64), (64, 8193), (0, 0), (-64, 64)])
def test_sizes_out_of_range(engine: Engine, asked: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="4 to 8192 pixels a side"):
        engine.paint(sketch(), size=asked)


def test_absurd_sizes() -> None:
    alone = Engine(Checkpoint(card(), *networks()))
    with pytest.raises(ValueError, match=r"size 8192x4096 \(width x height\) has 33,554,432 pixels, at most"):
        alone.paint(sketch(), size=(4096, 8192))


@pytest.mark.parametrize("upscale", [0, -1, 200])
def test_upscale_out_of_range(engine: Engine, upscale: int) -> None:
    with pytest.raises(ValueError, match="give 1 to 146"):
        engine.paint(sketch(), upscale=upscale)


# ---- styles


def photo(color: tuple[int, int, int], size: tuple[int, int] = (50, 70)) -> np.ndarray:
    return np.full((*size, 3), color, np.uint8)


def test_style_of_a_photo(engine: Engine) -> None:
    red, blue = engine.style_of(photo((200, 30, 20)), "photo red.jpg"), engine.style_of(photo((20, 30, 200)))
    assert red.origin == "photo red.jpg"
    assert red.z.shape == (8,)
    assert not np.array_equal(red.z, blue.z)
    same = engine.style_of(Picture(photo((200, 30, 20), (300, 20))))
    np.testing.assert_allclose(same.z, red.z, atol=1e-5)
    picture = engine.paint(sketch(), style=red)
    assert picture.provenance["style"] == "photo red.jpg"
    told = Style(np.array(Picture.from_bytes(picture.to_bytes()).provenance["z"], np.float32), red.origin)
    assert engine.paint(sketch(), style=told) == picture


def test_set_style_holds_until_it_is_taken_back(engine: Engine) -> None:
    style = engine.sample_style(5)
    engine.set_style(style)
    try:
        assert engine.paint(sketch(), seed=1) == engine.paint(sketch(), seed=1, style=style)
    finally:
        engine.set_style(None)
    assert engine.paint(sketch(), seed=1).provenance["style"] == "seed 1"


def test_blending(engine: Engine) -> None:
    a, b = engine.sample_style(1), engine.sample_style(2)
    assert np.array_equal(a.blend(b, 0).z, a.z)
    assert np.array_equal(a.blend(b, 1).z, b.z)
    half = a.blend(b, 0.5)
    np.testing.assert_allclose(half.z, (a.z + b.z) / 2)
    assert half.origin == "0.50 seed 1 + 0.50 seed 2"
    with pytest.raises(ValueError, match=r"outside 0\.\.1"):
        a.blend(b, 1.5)
    with pytest.raises(ValueError, match="do not blend"):
        a.blend(Style(np.zeros(3, np.float32), "x"), 0.5)


def test_styles_of_another_model(engine: Engine) -> None:
    alien = Style(np.zeros(3, np.float32), "elsewhere")
    for use in (lambda: engine.paint(sketch(), style=alien), lambda: engine.set_style(alien)):
        with pytest.raises(ValueError, match="elsewhere has 3 values, model tiny takes styles of 8 values"):
            use()


@pytest.mark.parametrize("z", [np.zeros(8), np.zeros((1, 8), np.float32), np.full(8, np.nan, np.float32)])
def test_what_is_no_style(z: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite float32"):
        Style(z, "x")


def test_a_model_without_styles(tmp_path: Path) -> None:
    config = GENERATOR.model_copy(update={"z_dim": None, "noise": False})
    save_checkpoint(
        tmp_path / "m.safetensors", card(generator=config, encoder=None), networks(config=config)[0]
    )
    engine = Engine.load(tmp_path / "m.safetensors", "cpu")
    assert engine.paint(sketch(), seed=1).provenance["style"] == "none"
    assert np.array_equal(engine.paint(sketch(), seed=1).pixels, engine.paint(sketch(), seed=2).pixels)
    with pytest.raises(ValueError, match="trained without styles"):
        engine.sample_style(0)
    with pytest.raises(ValueError, match="cannot read a style"):
        engine.style_of(photo((1, 2, 3)))
    with pytest.raises(ValueError, match="takes no styles"):
        engine.paint(sketch(), style=Style(np.zeros(8, np.float32), "x"))


def test_a_seed_takes_the_style_of_a_photo_with_a_like_layout(tmp_path: Path) -> None:
    config = StylePriorConfig(semantic_nc=16, z_dim=8, references=30, drawn=20)
    prior = StylePrior(config)
    ids = np.stack([np.full((16, 16), i % 3, np.uint8) for i in range(30)])
    styles = torch.arange(30.0)[:, None].expand(30, 8)
    prior.remember(Labels.of(torch.from_numpy(ids), card().semantics).segmap, styles, 0)
    save_checkpoint(tmp_path / "m.safetensors", card(prior=config), *networks(), prior)
    engine = Engine.load(tmp_path / "m.safetensors", "cpu")
    sky, clouds = np.zeros((40, 56), np.uint8), np.ones((40, 56), np.uint8)
    for seed in range(5):
        assert engine.sample_style(seed, sky).z[0] % 3 == 0
        assert engine.sample_style(seed, clouds).z[0] % 3 == 1
    touched = sky.copy()
    touched[20:24, 20:24] = 2
    assert np.array_equal(engine.sample_style(3, touched).z, engine.sample_style(3, sky).z)
    assert len({float(engine.sample_style(seed, sky).z[0]) for seed in range(20)}) > 3
    painted = engine.paint(sky, seed=3)
    assert painted == engine.paint(sky, seed=3, style=engine.sample_style(3, sky))
    assert not np.array_equal(engine.sample_style(3).z, engine.sample_style(3, sky).z)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_seeds_out_of_range(engine: Engine, seed: int) -> None:
    with pytest.raises(ValueError, match=f"seed {seed} is outside"):
        engine.paint(sketch(), seed=seed)
    assert engine.paint(sketch(), seed=MAX_SEED).size == (40, 56)


# ---- sketches


def test_arrays_of_any_integer_type_and_label_maps_are_the_same(engine: Engine) -> None:
    ids = sketch()
    expected = engine.paint(ids)
    for same in (ids.astype(np.int64), ids.astype(np.uint16), LabelMap(ids, engine.palette)):
        assert engine.paint(same) == expected


def test_flipped_turned_and_read_only_arrays_are_painted(engine: Engine) -> None:
    ids = sketch()
    expected = engine.paint(np.ascontiguousarray(np.fliplr(ids)))
    for same in (np.fliplr(ids), np.asfortranarray(np.fliplr(ids)), np.rot90(np.rot90(np.flipud(ids)))):
        assert engine.paint(same) == expected
        assert engine.paint(LabelMap(same, engine.palette)) == expected
        assert np.array_equal(engine.sample_style(1, same).z, engine.sample_style(1, np.fliplr(ids).copy()).z)
    frozen = np.fliplr(ids).copy()
    frozen.flags.writeable = False
    assert engine.paint(frozen) == expected


def test_provenance(engine: Engine) -> None:
    assert engine.paint(sketch(), seed=np.int64(4)).provenance == {  # type: ignore[arg-type]
        "model": "tiny",
        "images_seen": 0,
        "palette": "landscape",
        "seed": 4,
        "style": "seed 4",
        "z": engine.sample_style(4).z.tolist(),
        "painted_size": [32, 32],
        "version": spadework.__version__,
    }


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_ids_outside_the_palette(engine: Engine, dtype: type) -> None:
    ids = sketch().astype(dtype)
    ids[:2, :3] = 20
    with pytest.raises(ValueError, match=r"id 20 on 6 px .*: allowed are 0\.\.14 and 255 \(unknown\)"):
        engine.paint(ids)


@pytest.mark.parametrize("id", [-1, 256, 70000])
def test_ids_that_are_no_bytes(engine: Engine, id: int) -> None:
    ids = sketch().astype(np.int64)
    ids[0, 0] = id
    with pytest.raises(ValueError, match=rf"id {id} is not in palette landscape: allowed are 0\.\.14"):
        engine.paint(ids)


@pytest.mark.parametrize("ids", [np.zeros((8, 8)), np.zeros((8, 8, 3), np.uint8), np.zeros((3, 8), np.uint8)])
def test_arrays_that_are_no_sketch(engine: Engine, ids: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected \(H, W\) uint8|resize it to 4"):
        engine.paint(ids)


def test_label_maps_of_another_palette(engine: Engine) -> None:
    other = Palette.model_validate({"name": "other", "classes": [{"id": 0, "name": "thing"}]})
    with pytest.raises(ValueError, match="the sketch has palette other, model tiny paints landscape"):
        engine.paint(LabelMap(np.zeros((8, 8), np.uint8), other))


def test_instances_become_edges() -> None:
    config = GENERATOR.model_copy(update={"semantic_nc": 17})
    about = card(
        generator=config, encoder=None, semantics=card().semantics.model_copy(update={"edges": True})
    )
    engine = Engine(Checkpoint(about, networks(config=config)[0], None))
    ids = np.zeros((32, 32), np.uint8)
    instances = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) // 512
    whole = engine.paint(LabelMap(ids, engine.palette))
    assert difference(whole, engine.paint(LabelMap(ids, engine.palette, instances))) > 0


# ---- speed


@pytest.mark.parametrize("native", [True, False])
def test_auto_takes_the_precision_that_the_processor_computes_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, native: bool
) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: native)
    path = write(tmp_path / "tiny.safetensors")
    by_itself = Engine.load(path, "cpu", "auto").paint(sketch())
    pictures = {name: Engine.load(path, "cpu", name).paint(sketch()) for name in ("bfloat16", "float32")}
    assert by_itself == pictures["bfloat16" if native else "float32"]
    assert pictures["bfloat16"] != pictures["float32"]
    assert precision_of("auto", "cuda") == torch.float32


def test_bfloat16_is_near_and_other_precisions_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.safetensors")
    exact, near = (Engine.load(path, "cpu", precision) for precision in ("float32", "bfloat16"))
    assert 0 < difference(exact.paint(sketch()), near.paint(sketch())) < 2
    with pytest.raises(ValueError, match="no precision 'half': choose one of auto, float32, bfloat16"):
        Engine.load(path, "cpu", "half")


def test_a_picture_does_not_depend_on_those_before(tmp_path: Path) -> None:
    path = write(tmp_path / "tiny.safetensors")
    fresh = Engine.load(path, "cpu").paint(sketch(seed=3), seed=5)
    used = Engine.load(path, "cpu")
    for seed in range(5):
        used.paint(sketch(seed=seed), seed=5 - seed)
    assert used.paint(sketch(seed=3), seed=5) == fresh


# ---- threads


def test_many_threads_give_what_one_gives(engine: Engine) -> None:
    jobs = [(seed, size) for seed in range(4) for size in ((40, 56), (64, 32))] * 2
    alone = [engine.paint(sketch(*size), seed=seed) for seed, size in jobs]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda job: engine.paint(sketch(*job[1]), seed=job[0]), jobs))
    assert together == alone


# ---- loading


def test_unknown_models() -> None:
    with pytest.raises(
        ValueError, match=r"no model 'landscap': Did you mean 'landscape'\? Shipped: landscape"
    ):
        Engine.load("landscap")
    with pytest.raises(ValueError, match=r"nowhere\.safetensors does not exist"):
        Engine.load("nowhere.safetensors")


def test_a_shipped_file_that_is_gone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(MODELS, "landscape", tmp_path / "landscape.safetensors")
    with pytest.raises(ValueError, match="missing from this installation: install it again"):
        Engine.load("landscape")


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert executor.device_of(None) == executor.device_of("auto") == "cpu"
    with pytest.raises(ValueError, match="device cuda is not there: choose auto or cpu"):
        executor.device_of("cuda")
    with pytest.raises(ValueError, match="choose one of auto, cpu, cuda, mps"):
        executor.device_of("gpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert executor.device_of("auto") == "cuda"


@pytest.mark.skipif(not MODELS["landscape"].is_file(), reason="the landscape model is not there yet")
def test_the_shipped_model() -> None:
    engine = Engine.load("landscape", "cpu")
    assert MODELS["landscape"].stat().st_size <= 32 * 2**20
    assert engine.palette == Palette.load("landscape")
    ids = sketch(256, 256)
    first, second = engine.paint(ids, seed=0), engine.paint(ids, seed=1)
    assert first == engine.paint(ids, seed=0)
    assert difference(first, second) / 255 > 0.02
    assert engine.style_of(first).z.shape == (engine.card.generator.z_dim,)


@pytest.mark.skipif(not MODELS["landscape"].is_file(), reason="the landscape model is not there yet")
def test_a_stroke_leaves_what_is_far_from_it() -> None:
    """In a chosen style: a disk of 1 % changes pixels beyond 64 px by less than 2 grey levels."""
    engine = Engine.load("landscape", "cpu")
    ids = sketch(256, 256)
    style = engine.sample_style(0, ids)
    before = engine.paint(ids, seed=5, style=style).pixels.astype(int)
    y, x = np.mgrid[:256, :256]
    for at, name in (((60, 70), "mountain"), ((200, 180), "sea"), ((128, 30), "tree")):
        distance = np.hypot(y - at[0], x - at[1])
        stroke = np.where(distance < 14.4, engine.palette.id_of(name), ids).astype(np.uint8)
        change = np.abs(engine.paint(stroke, seed=5, style=style).pixels - before).mean(2)
        assert change[distance > 14.4 + 64].mean() < 2
        assert change[distance < 10].mean() > 5


@pytest.mark.skipif(not MODELS["landscape"].is_file(), reason="the landscape model is not there yet")
@pytest.mark.parametrize("name", ["mountain", "sea", "grass"])
def test_another_seed_is_another_place(name: str) -> None:
    """On a canvas of one class, in one style, two seeds lay out light and dark independently."""
    engine = Engine.load("landscape", "cpu")
    ids = np.full((256, 256), engine.palette.id_of(name), np.uint8)
    style = engine.sample_style(0, ids)
    grey = [engine.paint(ids, seed, style).pixels.mean(2) for seed in range(6)]
    cells = np.stack([g.reshape(16, 16, 16, 16).mean((1, 3)) for g in grey])
    apart = [(a - b).std() for a, b in zip(cells[::2], cells[1::2], strict=True)]
    assert np.mean(apart) > 0.6 * 2**0.5 * cells.std((1, 2)).mean()


def test_a_style_is_its_own_and_cannot_be_edited(engine: Engine) -> None:
    z = np.zeros(8, np.float32)
    style = Style(z, "mine")
    z += 1
    assert not style.z.any()
    with pytest.raises(ValueError, match="read-only"):
        style.z[0] = 1


# ---- without the room that makes it fast


def test_painting_works_without_the_fast_room(tmp_path: Path) -> None:
    """As if `fast/` had been deleted: whatever imports it fails."""
    path, out = write(tmp_path / "tiny.safetensors"), tmp_path / "picture.png"
    script = (
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name.startswith('spadework.fast'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, Gone())\n"
        "import numpy as np; from spadework import Engine\n"
        "ids = np.arange(40 * 56).reshape(40, 56) // 300\n"
        "Engine.load(sys.argv[1], 'cpu', fast=False).paint(ids, seed=5).save(sys.argv[2])"
    )
    subprocess.run([sys.executable, "-c", script, str(path), str(out)], check=True)
    ids = np.arange(40 * 56).reshape(40, 56) // 300
    assert difference(Picture.read(out), Engine.load(path, "cpu").paint(ids, seed=5)) < 0.1
    assert subprocess.run(
        [sys.executable, "-c", script.replace(", fast=False", ""), str(path), str(out)]
    ).returncode
