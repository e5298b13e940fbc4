"""The segmenter from outside: files, sizes, what it says of pictures, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import ValidationError
from tiny_model import write as write_painter
from typer.testing import CliRunner

from spadework.cli import app
from spadework.data.sample import Sample
from spadework.data.toy import ToyLandscapes
from spadework.evaluation.photos import measure_segmenter
from spadework.model import load_checkpoint
from spadework.modelfile import TrainingRecord
from spadework.picture import Picture
from spadework.segmenter.network import FeatureGaussian, SegmenterConfig, SegmenterNet
from spadework.segmenter.segmenter import SEGMENTERS, Segmenter, SegmenterCard
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Category, Palette

NETWORK = SegmenterConfig(classes=15, trunk=((4, 3, 2, 2, 1), (8, 3, 2, 2, 1)), width=8)


def card(network: SegmenterConfig = NETWORK, palette: Palette | None = None) -> SegmenterCard:
    record = TrainingRecord(
        recipe="none", data="nothing", terms="free", images_seen=0, seconds=0, machine="none"
    )
    return SegmenterCard(
        name="tiny",
        network=network,
        palette=palette or Palette.load("landscape"),
        training=record,
        licence_weights="free",
    )


def tiny() -> Segmenter:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = SegmenterNet(NETWORK)
    with torch.no_grad():
        net.head.weight.mul_(20)  # so that several classes are seen
    return Segmenter(card(), net, FeatureGaussian(12))


def photo(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return np.ascontiguousarray(small.repeat(-(-height // 6), 0).repeat(-(-width // 8), 1)[:height, :width])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    tiny().save(path)
    return path


def test_a_file_is_read_as_it_was_written(file: Path, tmp_path: Path) -> None:
    reader = Segmenter.load(file)
    assert reader.card == card()
    reader.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == file.read_bytes()
    before = torch.random.get_rng_state()
    Segmenter.load(file)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("size", [(4, 4), (50, 70), (300, 33), (8, 900), (1100, 700)])
def test_labels_have_the_photos_size(size: tuple[int, int]) -> None:
    found = tiny().label(photo(*size))
    assert isinstance(found, LabelMap)
    assert found.size == size
    assert found.palette.name == "landscape"


def test_labels_are_the_most_likely_classes() -> None:
    reader, image = tiny(), photo(60, 90)
    scores = F.interpolate(reader._scores(image), size=(60, 90), mode="bilinear")[0]
    found = reader.label(image).ids
    assert len(np.unique(found)) > 1
    assert np.array_equal(scores.argmax(0).numpy(), found)


def test_ids_that_the_palette_lacks_are_never_found() -> None:
    palette = Palette(name="gap", classes=(Category(id=0, name="a"), Category(id=2, name="b")))
    network = NETWORK.model_copy(update={"classes": 3})
    net = SegmenterNet(network)
    with torch.no_grad():
        assert net.head.bias is not None
        net.head.bias.copy_(torch.tensor([0.0, 1e6, 0.0]))
    reader = Segmenter(card(network, palette), net, FeatureGaussian(12))
    assert set(np.unique(reader.label(photo(40, 40)).ids)) <= {0, 2}


def test_realism_is_higher_for_what_was_seen() -> None:
    reader = tiny()
    seen = [photo(64, 64, seed) // 4 + 90 for seed in range(30)]
    reader.fit_photos(torch.stack([reader.features(image) for image in seen]))
    assert reader.features(seen[0]).shape == (12,)
    inside = [reader.realism(image) for image in seen]
    assert -1.2 < np.mean(inside) < 0
    assert reader.realism(np.zeros((64, 64, 3), np.uint8)) < min(inside)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((8, 8), np.uint8), r"\(H, W, 3\) uint8, this is \(8, 8\) uint8"),
        (np.zeros((8, 8, 3)), "float64"),
        (np.zeros((3, 8, 3), np.uint8), "8x3 .width x height.: expected 4 to 8192"),
    ],
)
def test_what_is_no_photo_is_refused(image: NDArray[np.uint8], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        tiny().label(image)


def test_files_of_another_kind_are_refused(file: Path, tmp_path: Path) -> None:
    painter = write_painter(tmp_path / "painter.safetensors")
    with pytest.raises(ValueError, match="is a painter, which paints sketches: give a segmenter"):
        Segmenter.load(painter)
    with pytest.raises(ValueError, match="is a segmenter, which reads photos: give a painter"):
        load_checkpoint(file)
    with pytest.raises(ValueError, match="Did you mean 'segmenter_landscape'"):
        Segmenter.load("segmenter_landscap")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(ValueError, match="copy or download it again"):
        Segmenter.load(file)


def test_a_card_of_other_classes_is_refused() -> None:
    with pytest.raises(ValidationError, match="tells 7 classes apart, palette landscape has 15"):
        card(NETWORK.model_copy(update={"classes": 7}))


def test_the_figures_agree_with_counting() -> None:
    reader = tiny()
    pairs = []
    for seed in range(2):
        labels = np.random.default_rng(seed).integers(0, 3, (40, 50)).astype(np.uint8)
        labels[:5] = 255
        pairs.append(Sample(labels, photo(40, 50, seed), None, str(seed)))
    figures = measure_segmenter(reader, pairs)
    truth = np.stack([pair.labels for pair in pairs])
    read = np.stack([reader.label(pair.image).ids for pair in pairs])
    known = truth != 255
    assert figures["val_accuracy"] == pytest.approx((truth == read)[known].mean(), abs=1e-4)
    ious = [
        ((truth == i) & (read == i)).sum() / (known & ((truth == i) | (read == i))).sum() for i in range(3)
    ]
    assert figures["val_miou"] == pytest.approx(np.mean(ious), abs=1e-4)
    assert figures["val_iou sky"] == pytest.approx(ious[0], abs=1e-4)
    assert "val_iou sea" not in figures
    again = reader.with_metrics(figures)
    assert (again.card.metrics["val_images"], reader.card.metrics) == (2, {})


def label(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["label", *map(str, words)], standalone_mode=False)
    code = result.return_value if isinstance(result.return_value, int) else result.exit_code
    return code, result.stdout, result.stderr


def test_a_photo_becomes_a_label_map(file: Path, tmp_path: Path) -> None:
    Picture(photo(48, 64)).save(tmp_path / "photo.png")
    out = tmp_path / "ids.png"
    words = ["--from-photo", tmp_path / "photo.png", "--segmenter", file]
    code, told, _ = label(*words, "-o", out, "--report")
    assert code == 0
    found = Segmenter.load(file).label(photo(48, 64))
    assert LabelMap.read(out, found.palette) == found
    assert "64x48 px, read by tiny (palette landscape)" in told
    for name, share in found.counts().items():
        assert f"{share:.2%}" in told
        assert name in told


def test_what_label_refuses(file: Path, tmp_path: Path) -> None:
    Picture(photo(48, 64)).save(tmp_path / "photo.png")
    there = ["--from-photo", tmp_path / "photo.png", "--segmenter", file]
    assert "either a label map or a photograph" in label("sketch.png", *there)[2]
    assert "nothing to label: give a label map, or --from-photo" in label()[2]
    assert "leave them out with --from-photo" in label(*there, "--strict")[2]
    assert "would be overwritten" in label(*there, "-o", tmp_path / "photo.png")[2]
    assert "does not exist" in label("--from-photo", tmp_path / "phot.png", "--segmenter", file)[2]
    assert "is a model file" in label("--from-photo", file, "--segmenter", file)[2]


def test_the_segmenter_that_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    def barred(name: str) -> None:
        raise AssertionError(f"{name} was asked for; the file holds all that is needed")

    monkeypatch.setattr("importlib.import_module", barred)
    reader = Segmenter.load()
    assert SEGMENTERS["segmenter_landscape"].stat().st_size <= 6 * 2**20
    assert reader.palette == Palette.load("landscape")
    assert reader.card.training.images_seen > 50_000
    assert float(reader.card.metrics["val_accuracy"]) > 0.7
    lands = [ToyLandscapes(length=4, size=(96, 144))[i].image for i in range(4)]
    assert np.mean([reader.realism(land) for land in lands]) < -1.2  # drawn, not photographed
    assert reader.label(lands[0]).size == (96, 144)
