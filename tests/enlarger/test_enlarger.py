"""The enlarger from outside: files, tiles without seams, places that stay, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from tiny_model import card as painter_card
from tiny_model import networks
from tiny_model import write as write_painter

from spadework import Engine
from spadework.enlarger.enlarger import CELL, ENLARGERS, Enlarger, EnlargerCard, noise_at
from spadework.enlarger.network import EnlargerConfig, EnlargerNet
from spadework.model import Checkpoint
from spadework.modelfile import TrainingRecord
from spadework.nn.labels import SemanticsConfig
from spadework.sketch.palette import Category, Palette

NETWORK = EnlargerConfig(semantic_nc=16, width=4, fine=4, blocks=2)


def card(**changes) -> EnlargerCard:
    record = TrainingRecord(
        recipe="none", data="nothing", terms="free", images_seen=0, seconds=0, machine="none"
    )
    parts = {
        "name": "tiny",
        "network": NETWORK,
        "semantics": SemanticsConfig(label_nc=15, unknown=True),
        "palette": Palette.load("landscape"),
        "training": record,
        "licence_weights": "free",
    }
    return EnlargerCard.model_validate(parts | changes)


def tiny() -> Enlarger:
    """Random weights, so that labels and noise show."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = EnlargerNet(NETWORK)
        with torch.no_grad():
            for parameter in net.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return Enlarger(card(), net.eval().requires_grad_(False))


def picture(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def labels(height: int, width: int) -> NDArray[np.uint8]:
    return (
        np.random.default_rng(1)
        .integers(0, 15, (height // 8 + 1, width // 8 + 1))
        .repeat(8, 0)
        .repeat(8, 1)[:height, :width]
        .astype(np.uint8)
    )


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "tiny.safetensors"
    tiny().save(path)
    again = Enlarger.load(path)
    assert again.card == card()
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()
    small, ids = picture(9, 12), labels(18, 24)
    apart = again.enlarge(small, ids).astype(int) - tiny().enlarge(small, ids)
    assert np.abs(apart).max() <= 1  # half precision


def test_tiles_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    small, ids = picture(70, 90), labels(140, 180)
    whole = tiny().enlarge(small, ids, seed=3)
    for tile in (16, 32, 41):
        monkeypatch.setattr("spadework.enlarger.enlarger.TILE", tile)
        assert np.abs(tiny().enlarge(small, ids, seed=3).astype(int) - whole).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (4, 300), (65, 64)])
def test_any_size_is_doubled(size: tuple[int, int]) -> None:
    height, width = size
    large = tiny().enlarge(picture(*size), labels(2 * height, 2 * width))
    assert large.shape == (2 * height, 2 * width, 3)
    assert large.dtype == np.uint8


def test_noise_belongs_to_places() -> None:
    far = slice(3 * CELL - 5, 5 * CELL + 9)
    whole = noise_at(7, 0, slice(0, 6 * CELL), slice(0, 6 * CELL))
    assert np.array_equal(noise_at(7, 0, far, slice(11, 70)), whole[far, 11:70])
    assert abs(whole.mean()) < 0.02
    assert abs(whole.std() - 1) < 0.02
    assert abs(np.corrcoef(whole[:CELL, :CELL].ravel(), whole[CELL : 2 * CELL, :CELL].ravel())[0, 1]) < 0.05
    for other in (noise_at(8, 0, far, far), noise_at(7, 1, far, far)):
        assert abs(np.corrcoef(other.ravel(), whole[far, far].ravel())[0, 1]) < 0.05


def test_labels_must_be_twice_as_large() -> None:
    with pytest.raises(ValueError, match="picture of 12x9 needs a label map of 24x18, this is 23x18"):
        tiny().enlarge(picture(9, 12), labels(18, 23))


def test_ids_it_does_not_know_are_refused() -> None:
    with pytest.raises(ValueError, match="the label map holds id 77"):
        tiny().enlarge(picture(4, 4), np.full((8, 8), 77, np.uint8))


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is a painter, which paints sketches: give a enlarger"):
        Enlarger.load(write_painter(tmp_path / "painter.safetensors"))
    with pytest.raises(ValueError, match="no enlarger 'enlarger_landscap'"):
        Enlarger.load("enlarger_landscap")


def test_a_card_that_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValidationError, match="takes 16 channels, semantics give 15"):
        card(semantics=SemanticsConfig(label_nc=15))


def test_the_shipped_one_is_small_and_knows_the_landscape() -> None:
    path = ENLARGERS["enlarger_landscape"]
    assert path.stat().st_size < 2**20
    assert sum(p.numel() for p in Enlarger.load().net.parameters()) < 1_500_000
    found = Enlarger.load_for(Palette.load("landscape"))
    assert found is not None
    assert found.card.name == Enlarger.load().card.name
    assert Enlarger.load_for(Palette.load("cityscapes")) is None


# ---- in the engine


@pytest.fixture
def engine() -> Engine:
    return Engine(Checkpoint(painter_card(), *networks()), enlarger=tiny())


def sketch(height: int, width: int) -> NDArray[np.uint8]:
    return np.where(np.arange(height)[:, None] < height // 2, 0, 12).astype(np.uint8).repeat(width, 1)


@pytest.mark.parametrize(
    ("size", "painted", "doublings"),
    [
        ((32, 32), (32, 32), 0),
        ((40, 64), (32, 64), 0),
        ((64, 96), (32, 64), 1),
        ((100, 100), (32, 32), 2),
        ((128, 192), (32, 64), 2),
        ((256, 256), (64, 64), 2),
    ],
)
def test_the_network_paints_about_as_large_as_it_was_trained(
    engine: Engine, size: tuple[int, int], painted: tuple[int, int], doublings: int
) -> None:
    assert engine.plan(size) == (painted, doublings)
    picture = engine.paint(sketch(24, 32), size=size)
    assert picture.size == size
    assert tuple(picture.provenance["painted_size"]) == painted
    assert picture.provenance.get("enlarged", 1) == 2**doublings
    assert picture.provenance.get("enlarger", "tiny") == "tiny"


def test_large_pictures_hold_the_small_ones(engine: Engine) -> None:
    """The doublings add to what the network painted, and the seed decides what they add."""
    ids = sketch(64, 64)
    large = engine.paint(ids, seed=3)
    small = engine.paint(ids, seed=3, size=(32, 32)).pixels
    assert np.array_equal(large.pixels, tiny().enlarge(small, ids, (3 ^ 0x9E3779B9) + 2**32))
    assert large != engine.paint(ids, seed=3, size=(32, 32)).resize((64, 64))


def test_without_an_enlarger_the_network_paints_the_size_that_is_asked_for() -> None:
    plain = Engine(Checkpoint(painter_card(), *networks()))
    assert plain.plan((96, 128), exact=True) == ((96, 128), 0)
    assert plain.plan((96, 128)) == ((32, 32), 0)


def test_an_enlarger_of_other_classes_is_refused() -> None:
    other = Palette(name="two", classes=(Category(id=0, name="sky"), Category(id=1, name="sea")))
    foreign = Enlarger(card(palette=other), tiny().net)
    with pytest.raises(ValueError, match="enlarger tiny knows palette two, model tiny paints landscape"):
        Engine(Checkpoint(painter_card(), *networks()), enlarger=foreign)


def test_the_shipped_one_is_found_by_its_classes(tmp_path: Path) -> None:
    path = write_painter(tmp_path / "m.safetensors")
    found = Engine.load(path, "cpu").enlarger
    assert found is not None
    assert found.card.name == "enlarger_landscape"
    assert Engine.load(path, "cpu", enlarger=None).enlarger is None
    tiny().save(tmp_path / "tiny.safetensors")
    own = Engine.load(path, "cpu", enlarger=tmp_path / "tiny.safetensors").enlarger
    assert own is not None
    assert own.card.name == "tiny"
