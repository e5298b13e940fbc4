"""An engine inside other programs: many sketches at once, threads, forks, pickles, and memory that stays."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from tiny_model import card, networks, write

from spadework.engine import TOGETHER, Engine
from spadework.lights import Lights, Style
from spadework.model import Checkpoint, save_checkpoint
from spadework.nn.generator import GeneratorConfig
from spadework.nn.spectral import fold_spectral_norm
from spadework.sketch.labelmap import LabelMap


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def engine(file: Path) -> Engine:
    return Engine.load(file, "cpu")


def sketch(seed: int, size: tuple[int, int] = (40, 56)) -> np.ndarray:
    """Blocks of random classes."""
    blocks = np.random.default_rng(seed).integers(0, 15, (6, 8), np.uint8)
    rows, columns = (np.arange(side) * n // side for side, n in zip(size, (6, 8), strict=True))
    return blocks[rows[:, None], columns]


# ---- many at once


def test_many_are_what_each_is_alone(engine: Engine) -> None:
    """Of two sizes in turns, more than go together, some in a style of their own."""
    count = TOGETHER + 5
    sketches = [sketch(n, [(40, 56), (64, 32)][n % 2]) for n in range(count)]
    seeds = [100 + n for n in range(count)]
    styles = [engine.sample_style(n) if n % 3 == 0 else None for n in range(count)]
    many = engine.paint_many(sketches, seeds, styles)
    alone = [engine.paint(*each) for each in zip(sketches, seeds, styles, strict=True)]
    assert many == alone
    assert [picture.provenance for picture in many] == [picture.provenance for picture in alone]
    assert len({picture.pixels.tobytes() for picture in many}) == count
    assert engine.paint_many([], []) == []


def test_many_in_their_lights_are_what_each_is_alone(engine: Engine) -> None:
    numbers = np.zeros((40, 56), np.uint8)
    numbers[:, 28:] = 1
    lights = [
        None,
        Lights(numbers, (engine.sample_style(8),)),
        Lights(numbers * 0, (engine.sample_style(9),)),
    ]
    many = engine.paint_many([sketch(0)] * 3, [1, 1, 1], lights=lights)
    alone = [engine.paint(sketch(0), 1, lights=each) for each in lights]
    assert many == alone
    assert np.array_equal(many[0].pixels, many[2].pixels)
    assert (many[0].pixels != many[1].pixels).any()
    foreign = Lights(numbers, (Style(np.zeros(3, np.float32), "another model's"),))
    with pytest.raises(ValueError, match="another model's has 3 values, model tiny takes styles of 8 values"):
        engine.paint_many([sketch(0)] * 2, [1, 2], lights=[None, foreign])


def test_many_are_enlarged_as_each_is(engine: Engine) -> None:
    many = engine.paint_many([sketch(0), sketch(1)], [5, 6], size=(60, 130))
    assert many == [engine.paint(sketch(n), 5 + n, size=(60, 130)) for n in range(2)]
    assert many[0].provenance["enlarged"] == 2


def test_many_with_and_without_instances() -> None:
    semantics = card().semantics.model_copy(update={"edges": True})
    config = GeneratorConfig.model_validate(card().generator.model_dump() | {"semantic_nc": 17})
    with_edges = card(semantics=semantics, generator=config, encoder=None)
    engine = Engine(Checkpoint(with_edges, fold_spectral_norm(networks(config=config)[0]), None))
    instances = np.arange(40 * 56).reshape(40, 56) // 160
    plain = [LabelMap(sketch(0), engine.palette), LabelMap(sketch(1), engine.palette)]
    sketches = [plain[0], LabelMap(sketch(0), engine.palette, instances.astype(np.int32)), plain[1]]
    many = engine.paint_many(sketches, [3, 3, 3])
    assert many == [engine.paint(each, 3) for each in sketches]
    assert many[0] != many[1]


def test_many_by_the_plain_networks(file: Path) -> None:
    plain = Engine.load(file, "cpu", fast=False)
    many = plain.paint_many([sketch(n) for n in range(3)], range(3))
    for n, picture in enumerate(many):
        assert np.abs(picture.pixels.astype(int) - plain.paint(sketch(n), n).pixels).max() <= 1


@pytest.mark.parametrize(
    ("seeds", "styles", "told"),
    [
        ([1], None, "2 sketches came with 1 seeds, 2 styles, 2 lights: give one each"),
        ([1, 2], [None], "2 sketches came with 2 seeds, 1 styles, 2 lights"),
        ([1, -1], None, "seed -1 is outside"),
    ],
)
def test_lists_that_do_not_fit(engine: Engine, seeds: list[int], styles: list | None, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        engine.paint_many([sketch(0), sketch(1)], seeds, styles)


# ---- threads and processes


def test_eight_threads_paint_one_and_many(engine: Engine) -> None:
    alone = [engine.paint(sketch(n), n) for n in range(16)]

    def work(n: int) -> list:
        if n % 2:
            return [engine.paint(sketch(n - 1), n - 1), engine.paint(sketch(n), n)]
        return engine.paint_many([sketch(n), sketch(n + 1)], [n, n + 1])

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(16)))
    for n, pair in enumerate(found):
        assert pair == alone[n // 2 * 2 : n // 2 * 2 + 2]


FORKING = """
import os, sys, threading, time
import numpy as np, torch
from spadework import Engine

torch.set_num_threads(2)
engine = Engine.load(sys.argv[1], "cpu")
ids = np.arange(96 * 96, dtype=np.int64).reshape(96, 96) // 900
expected = engine.paint(ids, 1)
done = threading.Event()

def paint_on():
    while not done.is_set():
        engine.paint(ids, 2)

painter = threading.Thread(target=paint_on)
painter.start()
children = []
for _ in range(4):
    time.sleep(0.01)
    child = os.fork()
    if child == 0:
        os._exit(0 if engine.paint(ids, 1) == expected else 3)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
done.set()
painter.join()
assert engine.paint(ids, 1) == expected
sys.exit(max(codes))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_forked_while_a_thread_paints(tmp_path: Path) -> None:
    """Large enough that OpenMP shares the work, whose threads a child lacks."""
    config = GeneratorConfig.model_validate(card().generator.model_dump() | {"ngf": 12, "size": (64, 64)})
    path = tmp_path / "wider.safetensors"
    save_checkpoint(path, card(generator=config), *networks(config=config))
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, "-c", FORKING, str(path)], check=True, timeout=60, env=environment)


def test_a_pickled_engine_opens_its_model_again(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(file.parent)
    engine = Engine.load(file.name, "cpu")
    engine.set_style(engine.sample_style(9))
    data = pickle.dumps(engine)
    assert len(data) < 20_000  # no weights
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(data).paint(sketch(0), 4) == engine.paint(sketch(0), 4)


def test_what_cannot_be_pickled(tmp_path: Path) -> None:
    generator, _ = networks()
    with pytest.raises(ValueError, match=r"engine of tiny came from no file, .* Engine\.load that file"):
        pickle.dumps(Engine(Checkpoint(card(encoder=None), generator, None)))
    path = write(tmp_path / "tiny.safetensors")
    data = pickle.dumps(Engine.load(path, "cpu"))
    save_checkpoint(path, card(name="another"), *networks())
    with pytest.raises(ValueError, match="holds another model than when the engine was pickled"):
        pickle.loads(data)


# ---- memory

GROWTH = """
import sys
import numpy as np
from spadework import Engine

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 2**20

engine = Engine.load(sys.argv[1], "cpu", enlarger=None)
rng = np.random.default_rng(0)
side, warm, count = int(sys.argv[2]), int(sys.argv[3]), 500
for n in range(count):
    blocks = rng.choice(engine.palette.ids(), (rng.integers(2, 9), rng.integers(2, 9))).astype(np.uint8)
    rows, columns = (np.arange(side) * k // side for k in blocks.shape)
    engine.paint(blocks[rows[:, None], columns], n, size=(side, side))
    if n == warm:
        before = resident()
print(f"{resident() - before:.1f}")
"""


def growth(model: str | Path, side: int, warm: int) -> float:
    """MiB by which 500 random maps grow a process, after the first `warm`."""
    command = [sys.executable, "-c", GROWTH, str(model), str(side), str(warm)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.soak
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_500_random_maps_take_no_more_memory() -> None:
    """Its rows fill their 256 MiB first."""
    assert growth("landscape", 256, 250) < 64
