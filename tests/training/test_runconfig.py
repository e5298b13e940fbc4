"""A run as a file says it: the same run again, and one sentence where the file is wrong."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from small import SETTINGS as SMALL
from test_segmenting import toy_folder
from typer.testing import CliRunner, Result

from spadework.cli import app
from spadework.model import load_checkpoint
from spadework.sketch.palette import Palette
from spadework.training import export
from spadework.training.recipes import parsed
from spadework.training.runconfig import RunConfig
from spadework.training.rundir import RunDir

SETTINGS = [*SMALL, "total_images=8", "sample_every=8"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPADEWORK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(export, "STATISTICS_IMAGES", 4)
    monkeypatch.setattr(export, "STYLE_IMAGES", 16)
    monkeypatch.chdir(tmp_path)


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def trained(*words: object) -> None:
    result = run("train", *words)
    assert result.exit_code == 0, result.output + result.stderr


def refused(*words: object) -> str:
    result = run("train", *words)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


def weights(folder: str) -> dict[str, bytes]:
    """Of the model of a run."""
    checkpoint = load_checkpoint(Path(folder) / "model-00000008.safetensors")
    return {key: value.numpy().tobytes() for key, value in checkpoint.generator.state_dict().items()}


def test_a_run_begins_once_more_from_its_file(tmp_path: Path) -> None:
    toy_folder(tmp_path / "toys")
    palette = Palette.load("landscape").model_copy(update={"name": "mine"})
    Path("mine.json").write_text(palette.model_dump_json())
    changes = [word for change in SETTINGS for word in ("--set", change)]
    trained(
        "toy", "--data", "toys", "--palette", "mine.json", "--out", "a", *changes, "--terms", "free: sure"
    )
    Path("mine.json").unlink()
    (tmp_path / "elsewhere").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path / "elsewhere")
        trained("--config", tmp_path / "a" / "run.yaml", "--out", tmp_path / "b")
    for name in ("run.yaml", "config.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert RunDir("b").recipe().classes == palette
    assert weights("a") == weights("b")
    assert load_checkpoint(tmp_path / "b" / "model-00000008.safetensors").card.training.terms == "free: sure"
    trained("--config", "a/run.yaml", "--out", "c", "--set", "lr=0.01", "--terms", "other")
    assert (RunDir("c").recipe().lr, RunDir("c").recipe().batch_size) == (0.01, 4)
    assert weights("a") != weights("c")
    told = yaml.safe_load(Path("c/run.yaml").read_text())
    assert (told["set"]["lr"], told["terms"]) == (0.01, "other")


def test_a_run_is_resumed_without_saying_where_its_photos_lie(tmp_path: Path) -> None:
    toy_folder(tmp_path / "toys")
    changes = [word for change in SETTINGS for word in ("--set", change)]
    trained("toy", "--data", "toys", "--out", "a", *changes, "--terms", "free")
    trained("--resume", "--out", "a", "--set", "total_images=12")
    assert load_checkpoint(Path("a/model-00000012.safetensors")).card.training.terms == "free"
    assert load_checkpoint(Path("a/model-00000012.safetensors")).card.training.data == "toys"


FAULTS = {
    "recipie: toy": "run.yaml, line 1: no key 'recipie'; did you mean recipe? known: recipe, data",
    "recipe: toy\nminutes: soon": "run.yaml, line 2: minutes is 'soon': Input should be a valid number",
    "recipe: toy\n\ntrack: tensorbord": "run.yaml, line 3: track is 'tensorbord': Input should be 'wandb'",
    "recipe: toy\nset: {lr: 1, lr: 2}": "run.yaml, line 2: set.lr is there twice: keep one of them",
    "recipe: toy\n  data: x": "run.yaml, line 2 is no YAML (mapping values are not allowed here): write `key",
    "- toy": "run.yaml holds no keys: write `key: value`",
    "recipe: toy\nset: {bach_size: 2}": "no setting 'bach_size'; did you mean batch_size?",
    "recipe: toy\nset: {lr: -1}": "recipe toy: lr is -1: Input should be greater than 0",
    "recipe: tyo": "no recipe 'tyo'; did you mean toy?",
    "recipe: toy\nset: [lr=1]": "run.yaml, line 2: set is ['lr=1']: Input should be a valid dictionary",
}


@pytest.mark.parametrize("text", FAULTS)
def test_a_wrong_file_is_refused_in_a_sentence(text: str) -> None:
    Path("run.yaml").write_text(text)
    assert FAULTS[text] in refused("--config", "run.yaml", "--out", "a")
    assert not Path("a").exists()


def test_a_file_that_is_not_there_is_told() -> None:
    assert "does not exist" in refused("--config", "run.yaml", "--out", "a")


VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(),
    st.booleans(),
    st.none(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20),
)


@given(
    st.dictionaries(
        st.sampled_from(["lr", "ema", "widths", "vgg", "betas"]), VALUES | st.lists(VALUES, max_size=3)
    ),
    st.floats(0.01, 1e6),
    st.text(max_size=20),
)
def test_what_is_written_is_read_again(settings: dict, minutes: float, terms: str) -> None:
    asked = RunConfig(recipe="toy", settings=settings, minutes=minutes, terms=terms)
    Path("again.yaml").write_bytes(asked.text().encode())
    assert RunConfig.read(Path("again.yaml")) == asked


def test_typed_settings_mean_what_the_file_means() -> None:
    Path("run.yaml").write_text("set:\n  size: 64\n  lr: 2e-4\n  widths: null\nfrom: landscape\n")
    told = RunConfig.read(Path("run.yaml"))
    assert told.settings["size"] == parsed(["size=64"])["size"] == (64, 64)
    assert told.starts == ("landscape",)
