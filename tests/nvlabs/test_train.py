"""`spadework train` with the published flags: one epoch of every layout, and the recipe that flags make."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from layouts import published_state, put, write_layout
from typer.testing import CliRunner, Result

from spadework.cli import app
from spadework.data.loader import BatchPlan
from spadework.nn.discriminator import MultiscaleDiscriminator
from spadework.nn.labels import Labels
from spadework.nvlabs import networks as nvlabs
from spadework.nvlabs.files import NETWORKS, read_state
from spadework.nvlabs.flags import TrainFlags
from spadework.nvlabs.training import pairs_of, recipe_of
from spadework.training import export, loop
from spadework.training.painting import PainterTraining
from spadework.training.state import TrainState

SMALL = ["--ngf", 2, "--ndf", 2, "--load_size", 72, "--crop_size", 64, "--batchSize", 2]
NORM = "spectralspadesyncbatch3x3"
FAST = [
    "--lr",
    0.006,
    "--set",
    "hidden=2",
    "lambda_color=10",
]  # local colours measure how like the photo it is


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, words)])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "STATISTICS_IMAGES", 2)
    monkeypatch.setattr(export, "STYLE_IMAGES", 4)


@pytest.mark.parametrize("mode", ["coco", "ade20k", "cityscapes", "facades", "custom"])
def test_one_epoch_of_every_layout(mode: str, tmp_path: Path) -> None:
    data = write_layout(mode, tmp_path / "data", "train", count=32)
    custom = ["--label_dir", data / "train_label", "--image_dir", data / "train_img", "--no_instance"]
    place = ["--dataset_mode", mode, *(custom if mode == "custom" else ["--dataroot", data])]
    result = run("--name", "mine", *place, "--niter", 1, "--lambda_kld", 0, *SMALL, *FAST)
    assert result.exit_code == 0, result.output
    lines = Path("checkpoints/mine/stats.jsonl").read_text().splitlines()
    losses = [{k: v for k, v in json.loads(line).items() if k != "contexts"} for line in lines]
    assert all(math.isfinite(value) for line in losses for value in line.values())
    color = [line["g_color"] for line in losses]
    assert (len(color), sum(color[-4:]) < 0.8 * sum(color[:4])) == (16, True), color
    assert Path("checkpoints/mine/model-00000032.safetensors").is_file()
    assert f"published_{mode}" in result.output
    assert json.loads(Path("checkpoints/mine/config.json").read_text())["lambda_kl"] == 0
    assert "already holds a run" in run("--name", "mine", *place, *SMALL).stderr


def test_the_recipe_of_the_flags() -> None:
    words = {"dataset_mode": "coco", "niter": 6, "niter_decay": 2, "use_vae": True, "batchSize": 4}
    recipe = recipe_of(TrainFlags.model_validate(words), photos=100)
    assert (recipe.total_images, recipe.decay_from, recipe.batch_size) == (800, 0.75, 4)
    assert (recipe.semantics.semantic_nc, recipe.z_dim, recipe.size) == (184, 256, (256, 256))
    assert (recipe.scale, recipe.flip, recipe.ttur, recipe.palette) == (None, True, True, "coco_stuff")
    ade = recipe_of(TrainFlags(dataset_mode="ade20k", no_TTUR=True), photos=1)
    assert not recipe_of(TrainFlags(dataset_mode="coco", no_flip=True), photos=1).flip
    assert (ade.label_nc, ade.unknown, ade.z_dim, ade.ttur) == (151, False, None, False)
    city = recipe_of(TrainFlags(dataset_mode="cityscapes"), photos=1)
    assert (city.size, city.semantics.semantic_nc) == ((256, 512), 36)


def numbered(folder: Path) -> TrainFlags:
    """A photo of 40x36 pixels whose colours tell where they come from, and its label map, as facades."""
    rows, columns = np.mgrid[:36, :40].astype(np.uint8)
    put(folder / "train_label" / "a.png", rows // 12)
    put(folder / "train_img" / "a.png", np.stack([6 * columns, 7 * rows, 80 * (rows // 12)], -1))
    return TrainFlags(dataset_mode="facades", dataroot=str(folder), label_nc=3)


@pytest.mark.parametrize(
    ("mode", "loaded"),
    [
        ("resize_and_crop", (48, 48)),
        ("crop", (36, 40)),
        ("scale_width_and_crop", (43, 48)),
        ("scale_shortside_and_crop", (48, 53)),
    ],
)
def test_crops_are_taken_from_the_loaded_picture(mode: str, loaded: tuple[int, int], tmp_path: Path) -> None:
    flags = numbered(tmp_path).model_copy(update={"preprocess_mode": mode, "load_size": 48, "crop_size": 32})
    pairs, recipe = pairs_of(flags), recipe_of(flags, photos=1)
    whole = pairs[0]
    assert whole.labels.shape == whole.image.shape[:2] == loaded
    plan = BatchPlan(pairs, recipe.size, 1, 0, scale=recipe.scale, flip=recipe.flip)
    crops = [plan.sample(k, 0, False) for k in range(24)]
    windows = [
        (whole.labels[t : t + 32, x : x + 32][:, ::flip], whole.image[t : t + 32, x : x + 32][:, ::flip])
        for t in range(loaded[0] - 31)
        for x in range(loaded[1] - 31)
        for flip in (1, -1)
    ]
    places = {
        next(
            i
            for i, (ids, photo) in enumerate(windows)
            if np.array_equal(crop.labels, ids) and np.array_equal(crop.image, photo)
        )
        for crop in crops
    }
    assert len(places) > 6
    assert {place % 2 for place in places} == {0, 1}  # mirrored ones among them
    still = BatchPlan(pairs, recipe.size, 1, 0, scale=recipe.scale, flip=False)
    assert all((np.diff(still.sample(k, 0, False).image[0, :, 0].astype(int)) >= 0).all() for k in range(8))


def test_pictures_that_are_not_cropped(tmp_path: Path) -> None:
    flags = numbered(tmp_path).model_copy(update={"crop_size": 64, "aspect_ratio": 2.0})
    fixed = pairs_of(flags.model_copy(update={"preprocess_mode": "fixed"}))
    assert fixed[0].labels.shape == (32, 64)
    for mode, told in [("none", "32x32"), ("scale_width", "286x257"), ("scale_shortside", "317x286")]:
        pairs = pairs_of(flags.model_copy(update={"preprocess_mode": mode}))
        with pytest.raises(
            ValueError, match=rf"a comes as {told} .*the generator paints 64x32: choose a --prep"
        ):
            pairs[0]


def checkpoint(folder: Path, kinds: str) -> None:
    """A published checkpoint of facades with styles, of these networks."""
    folder.mkdir(parents=True)
    shapes: dict[str, dict[str, object]] = {
        "G": {"semantic_nc": 13, "crop_size": 64, "ngf": 2, "norm_G": NORM, "use_vae": True},
        "D": {"input_nc": 16, "ndf": 3, "num_D": 3},
        "E": {"crop_size": 64, "ngf": 2},
    }
    for letter in kinds:
        torch.save(published_state(NETWORKS[letter], **shapes[letter]), folder / f"latest_net_{letter}.pth")


def same(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    """But for the order of sums, which depends on the memory layout."""
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_training_begins_where_a_published_checkpoint_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, folder = write_layout("facades", tmp_path / "data", "train"), tmp_path / "checkpoints" / "mine"
    checkpoint(folder, "GDE")
    begun: list[TrainState] = []

    def stopped(training: PainterTraining, out: object, *, begin: Callable, **others: object) -> TrainState:
        begun.append(training.new_state("cpu"))
        begin(begun[0])
        return begun[0]

    monkeypatch.setattr(loop, "train", stopped)
    words = ["--name", "mine", "--dataset_mode", "facades", "--dataroot", data, "--continue_train"]
    size = ["--crop_size", 64, "--load_size", 72]
    result = run(*words, *size, "--niter", 1)
    assert "first weights: mine" in result.output
    assert "starts anew" not in result.output
    state, given = begun[0], {k: read_state(folder / f"latest_net_{k}.pth") for k in "GDE"}
    judge = state.objective.discriminator
    assert isinstance(judge, MultiscaleDiscriminator)
    assert (judge.config.ndf, judge.config.scales) == (3, 3)
    segmap, z = F.one_hot(torch.randint(13, (1, 64, 64)), 13).permute(0, 3, 1, 2).float(), torch.randn(1, 256)
    options = {"semantic_nc": 13, "crop_size": 64, "ngf": 2, "use_vae": True}
    published = nvlabs.build("generator", options, given["G"])
    for generator in (state.generator.eval(), state.average["generator"].eval()):
        same(generator(Labels(segmap), z), published(segmap, z))
    photo = torch.rand(1, 3, 64, 64)
    theirs = nvlabs.build("discriminator", {"input_nc": 16, "ndf": 3, "num_D": 3}, given["D"])(segmap, photo)
    same(judge.eval()(segmap, photo)[-1][-1], theirs[-1][-1])
    encoder = nvlabs.build("encoder", {"ngf": 2, "crop_size": 64}, given["E"])
    assert state.encoder is not None
    same(state.encoder.eval()(photo)[0], encoder(photo)[0])


def test_a_published_checkpoint_is_trained_on_and_resumed(tmp_path: Path) -> None:
    data, folder = write_layout("facades", tmp_path / "data", "train"), tmp_path / "checkpoints" / "mine"
    words = ["--name", "mine", "--dataset_mode", "facades", "--dataroot", data, "--continue_train"]
    words += ["--crop_size", 64, "--load_size", 72, "--niter", 1]
    assert "nothing to go on with in checkpoints/mine: expected state" in run(*words).stderr
    checkpoint(folder, "GE")
    assert "the weights have ngf 2, but 64 is stated" in run(*words, "--ngf", 64).stderr
    result = run(*words, "--ndf", 2)
    assert result.exit_code == 0, result.output
    assert "first weights: mine; no discriminator there, it starts anew" in result.output
    assert (folder / "model-00000002.safetensors").is_file()
    again = run(*words, "--set", "total_images=3")
    assert again.exit_code == 0, again.output
    assert "first weights" not in again.output
    assert (folder / "model-00000003.safetensors").is_file()


def test_what_is_said_when_it_cannot_be_done(tmp_path: Path) -> None:
    data = write_layout("facades", tmp_path / "data", "train")
    facades = ["--dataset_mode", "facades", "--dataroot", data, "--name", "x"]
    cases = {
        "give --dataset_mode too": ["--niter", 3, "--out", "x"],
        "takes the place of RECIPE": ["toy", *facades],
        "ids that the model has no channel for": [*facades, "--label_nc", 12],
        "no label maps": [*facades, "--phase", "val"],
        "--load_size 286 is less than --crop_size 512": [*facades, "--crop_size", 512],
        "a crop of 64x64 (width x height) does not fit into 64x48": [
            *facades,
            *SMALL,
            "--preprocess_mode",
            "crop",
        ],
    }
    for words, arguments in cases.items():
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert words in result.stderr
        assert not list(tmp_path.glob("checkpoints/*/state.safetensors"))
