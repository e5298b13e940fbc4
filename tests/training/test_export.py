"""From a state to a model file: averaged weights, statistics measured anew, styles that fit N(0, 1)."""

import copy
from pathlib import Path

import pytest
import safetensors.torch
import torch
from small import OASIS, PHOTOS, PLAIN, run, small
from torch import Tensor, nn

from spadework.engine import Engine
from spadework.evaluation.consistency import statistics_gap
from spadework.model import load_checkpoint
from spadework.nn.encoder import StyleEncoder
from spadework.nn.generator import Generator
from spadework.nn.labels import Labels
from spadework.nn.spectral import fold_spectral_norm
from spadework.onnx.model import onnx_bytes
from spadework.sketch.labelmap import LabelMap
from spadework.training import export
from spadework.training.export import export_model, measure_statistics, whiten_styles
from spadework.training.loop import run_batches
from spadework.training.painter_recipe import Recipe
from spadework.training.state import TrainState

SETTINGS = ("total_images=12", "encoder_norm=batch", "flip=false", "scale=[1,1.1]", "init_gain=null")
RECIPE = small(*SETTINGS, "style_blocks=true", "lr=0.001")
IMAGES = 40


@pytest.fixture(autouse=True)
def few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "STATISTICS_IMAGES", IMAGES)
    monkeypatch.setattr(export, "STYLE_IMAGES", IMAGES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainState:
    """A state after three steps, its styles made lively: far from 0, of many lengths, correlated."""
    state = run(RECIPE, tmp_path_factory.mktemp("run"))
    encoder: StyleEncoder = state.average["encoder"]  # type: ignore[assignment]
    torch.manual_seed(8)
    with torch.no_grad():
        encoder.fc_mu.weight.mul_(torch.tensor([[50.0], [100.0], [200.0], [80.0]]))
        encoder.fc_mu.weight[3] += encoder.fc_mu.weight[2]
        encoder.fc_mu.bias += torch.tensor([3.0, -1.0, 0.5, 0.0])
        encoder.fc_var.bias -= torch.tensor([0.0, 1.0, 2.0, 3.0])
    return state


@pytest.fixture
def nets(trained: TrainState) -> tuple[Generator, StyleEncoder]:
    average = copy.deepcopy(trained.average)
    return average["generator"], average["encoder"]  # type: ignore[return-value]


def batches_of_the_run(recipe: Recipe = RECIPE) -> list[tuple[Tensor, Tensor]]:
    """Maps and photos of the first batches that training saw."""
    stream = run_batches(recipe, PHOTOS, 0)
    made = [next(stream) for _ in range(IMAGES // recipe.batch_size)]
    stream.close()
    return [(Labels.of(batch.labels, recipe.semantics), batch.image) for batch in made]


def test_export_sees_the_batches_of_the_run():
    for ours, (labels, image) in zip(
        export._pairs(RECIPE, PHOTOS, IMAGES), batches_of_the_run(), strict=True
    ):
        assert torch.equal(ours.image, image)
        assert torch.equal(Labels.of(ours.labels, RECIPE.semantics).segmap, labels.segmap)


def test_statistics_are_plain_means_over_batches(nets: tuple[Generator, StyleEncoder]):
    """Recorded at the door of every norm of twins that normalise by their batches."""
    generator, encoder = nets
    twins = copy.deepcopy(nets)
    seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}
    for net in twins:
        for norm in net.modules():
            if isinstance(norm, nn.BatchNorm2d):
                seen[norm] = []
                norm.train()
                norm.register_forward_pre_hook(
                    lambda norm, x: seen[norm].append((x[0].mean((0, 2, 3)), x[0].var((0, 2, 3))))
                )
    torch.manual_seed(4)  # for the noise
    with torch.no_grad():
        for labels, image in batches_of_the_run():
            twins[0](labels, twins[1](image)[0])

    momenta = {
        norm: norm.momentum for net in nets for norm in net.modules() if isinstance(norm, nn.BatchNorm2d)
    }
    torch.manual_seed(4)
    measure_statistics(generator, encoder, RECIPE, PHOTOS)
    assert len(momenta) == len(seen) > 20
    for (norm, momentum), records in zip(momenta.items(), seen.values(), strict=True):
        assert len(records) == IMAGES // RECIPE.batch_size
        means, variances = (torch.stack(values).mean(0) for values in zip(*records, strict=True))
        torch.testing.assert_close(norm.running_mean, means, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(norm.running_var, variances, rtol=1e-4, atol=1e-5)
        assert norm.momentum == momentum == 0.1
        assert not norm.training


def encode(encoder: StyleEncoder) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        made = [encoder(image) for _, image in batches_of_the_run()]
    return torch.cat([mu for mu, _ in made]), torch.cat([logvar for _, logvar in made])


def test_whitening_keeps_every_photos_picture(nets: tuple[Generator, StyleEncoder]):
    generator, encoder = nets
    twins = copy.deepcopy(nets)
    whiten_styles(generator, encoder, RECIPE, PHOTOS)
    labels, image = batches_of_the_run()[0]
    noise = generator.draw_noise(len(image), RECIPE.size)
    with torch.no_grad():
        before, after = twins[1](image)[0], encoder(image)[0]
        assert (before - after).abs().mean() > 0.3  # the styles are others
        torch.testing.assert_close(
            generator(labels, after, noise), twins[0](labels, before, noise), atol=1e-4, rtol=0
        )
        assert (generator(labels, before, noise) - twins[0](labels, before, noise)).abs().mean() > 1e-3


def test_whitened_styles_are_standard_normal_together(nets: tuple[Generator, StyleEncoder]):
    generator, encoder = nets
    mu, logvar = encode(encoder)
    posterior = torch.diag(logvar.exp().mean(0))
    together = torch.cov(mu.T) + posterior
    assert mu.mean(0).abs().max() > 1
    assert (together - torch.diag(together.diagonal())).abs().max() > 0.5

    whiten_styles(generator, encoder, RECIPE, PHOTOS)
    after, logvar_after = encode(encoder)
    torch.testing.assert_close(after.mean(0), torch.zeros(4), atol=1e-4, rtol=0)
    turn = torch.linalg.lstsq(mu - mu.mean(0), after - after.mean(0)).solution.T
    torch.testing.assert_close(turn @ together @ turn.T, torch.eye(4), atol=1e-3, rtol=0)
    # the encoder can say variances alone: of the turned posterior's covariance it keeps the diagonal
    turned = (turn @ posterior @ turn.T).diagonal()
    torch.testing.assert_close(logvar_after.exp().mean(0), turned, atol=1e-3, rtol=1e-3)
    assert (turn - torch.diag(turn.diagonal())).abs().max() > 0.3  # it did turn


@pytest.mark.parametrize(("decibels", "stored"), [(20.0, torch.int8), (90.0, torch.float16)])
def test_weights_take_bytes_where_pictures_stay_the_same(
    trained: TrainState, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, decibels: float, stored: torch.dtype
):
    monkeypatch.setattr(export, "FAITHFUL", decibels)
    export_model(trained, RECIPE, PHOTOS, tmp_path / "model.safetensors", "toy pictures", "free")
    tensors = safetensors.torch.load((tmp_path / "model.safetensors").read_bytes())
    assert tensors["generator.conv_img.weight"].dtype == stored
    assert tensors["encoder.fc_mu.weight"].dtype == torch.float16
    rough = RECIPE.model_copy(update={"precision": "bfloat16"})
    nets = trained.average["generator"], trained.average["encoder"]
    assert export.bytes_suffice(*nets, rough, PHOTOS) == (stored is torch.int8)  # type: ignore[arg-type]


def test_the_file_paints_what_the_averaged_networks_paint(
    trained: TrainState,
    nets: tuple[Generator, StyleEncoder],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    monkeypatch.setattr(export, "FAITHFUL", torch.inf)  # no bytes
    before = {name: value.clone() for name, value in trained.average.state_dict().items()}
    torch.manual_seed(6)
    card = export_model(trained, RECIPE, PHOTOS, tmp_path / "model.safetensors", "toy pictures", "free")
    assert all(torch.equal(value, before[name]) for name, value in trained.average.state_dict().items())

    torch.manual_seed(6)
    measure_statistics(*nets, RECIPE, PHOTOS)
    whiten_styles(*nets, RECIPE, PHOTOS)
    expected = [fold_spectral_norm(net).half().float() for net in nets]
    for net, exact in zip(expected, nets, strict=True):  # statistics stay in single precision
        statistics = dict(exact.named_buffers())
        for name, buffer in net.named_buffers():
            buffer.copy_(statistics[name])
    loaded = load_checkpoint(tmp_path / "model.safetensors")
    assert loaded.card == card
    assert loaded.encoder is not None
    labels, image = batches_of_the_run()[1]
    noise = loaded.generator.draw_noise(len(image), RECIPE.size)
    with torch.no_grad():
        style = loaded.encoder(image)[0]
        torch.testing.assert_close(style, expected[1](image)[0], atol=1e-5, rtol=1e-5)
        ours = loaded.generator(labels, style, noise)
        torch.testing.assert_close(ours, expected[0](labels, style, noise), atol=1e-5, rtol=0)
        assert (ours - nets[0](labels, nets[1](image)[0], noise)).abs().mean() < 0.003  # half precision
        assert (ours - trained.generator.eval()(labels, style, noise)).abs().max() > 0.03
        trained.networks.train()


def test_the_file_remembers_the_styles_and_layouts_of_training_photos(trained: TrainState, tmp_path: Path):
    card = export_model(trained, RECIPE, PHOTOS, tmp_path / "m.safetensors", "toy pictures", "free")
    loaded = load_checkpoint(tmp_path / "m.safetensors")
    assert loaded.prior is not None
    assert loaded.encoder is not None
    assert card.prior == loaded.prior.config
    assert card.prior is not None
    assert card.prior.references == len(PHOTOS) // RECIPE.batch_size * RECIPE.batch_size
    labels, image = batches_of_the_run()[1]
    rows = slice(RECIPE.batch_size, 2 * RECIPE.batch_size)
    with torch.no_grad():
        torch.testing.assert_close(loaded.prior.styles[rows], loaded.encoder(image)[0], atol=0.02, rtol=0.01)
    torch.testing.assert_close(
        loaded.prior.layouts[rows], loaded.prior.layout(labels.segmap), atol=1e-3, rtol=0
    )


def test_the_card_says_where_the_model_comes_from(trained: TrainState, tmp_path: Path):
    card = export_model(trained, RECIPE, PHOTOS, tmp_path / "m.safetensors", "toy pictures", "free")
    assert card.training.images_seen == 12
    assert card.training.recipe == card.name == "toy"
    assert (card.training.data, card.training.terms, card.licence_weights) == ("toy pictures", "free", "free")
    assert card.training.seconds == round(trained.seconds)
    assert "torch" in card.training.machine
    assert (card.generator, card.encoder, card.semantics) == (
        RECIPE.generator,
        RECIPE.encoder,
        RECIPE.semantics,
    )
    assert card.palette.name == "landscape"


@pytest.mark.parametrize(
    "changes", [("z_dim=null",), ("palette=null",), ("encoder_norm=instance", "noise=false")]
)
def test_other_recipes_export_too(changes: tuple[str, ...], tmp_path: Path):
    recipe = small("total_images=4", *changes)
    state = run(recipe, tmp_path / "run")
    export_model(state, recipe, PHOTOS, tmp_path / "model.safetensors")
    loaded = load_checkpoint(tmp_path / "model.safetensors")
    assert (loaded.encoder is None) == (recipe.z_dim is None)
    labels = batches_of_the_run(recipe)[0][0]
    assert loaded.generator(labels).shape == (4, 3, 32, 32)


@pytest.mark.parametrize("changes", [OASIS, PLAIN], ids=["oasis", "plain"])
def test_models_without_label_tables_paint_as_they_were_trained(changes: list[str], tmp_path: Path) -> None:
    recipe = small(*changes, "total_images=8", "encoder_norm=batch")
    state = run(recipe, tmp_path)
    card = export_model(state, recipe, PHOTOS, tmp_path / "model.safetensors")
    assert (card.encoder is None) == recipe.z_map
    engine = Engine.load(tmp_path / "model.safetensors")
    ids = PHOTOS[0].labels[:32, :32].copy()
    picture, other = (engine.paint(ids, seed=seed) for seed in (1, 2))
    assert picture.size == (32, 32)
    assert (picture.pixels != other.pixels).any()  # the style's doing
    assert (picture.pixels == engine.paint(ids, seed=1).pixels).all()
    checkpoint = load_checkpoint(tmp_path / "model.safetensors")
    dense = Engine(checkpoint, fast=False).paint(ids, seed=1)
    assert (picture.pixels == dense.pixels).all()
    gap = statistics_gap(checkpoint, engine, [LabelMap(ids, engine.palette)] * 2)
    assert gap is not None
    assert gap > 0
    with pytest.raises(ValueError, match="is no SPADE generator over labels alone"):
        onnx_bytes(checkpoint)
