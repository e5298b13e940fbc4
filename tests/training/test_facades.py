"""The documented way from a tar of facades to a painted picture, as on the page but for its length."""

import os
import re
import shlex
import tarfile
from pathlib import Path

import pytest
from small import needs_backbone
from typer.testing import CliRunner

from spadework.cli import app
from spadework.model import load_checkpoint
from spadework.picture import Picture
from spadework.training import export, loop

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
TAR = Path(os.environ.get("SPADEWORK_DATA", "nowhere")) / "samples" / "facades.tar"
TINY = "--set size=64 batch_size=2 total_images=2 swap_share=0 lambda_seek=0 lambda_style=0 contexts=false"


def commands() -> list[list[str]]:
    """The block of the page that begins with the check of the tar."""
    block = next(b for b in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) if "facades" in b)
    return [shlex.split(line) for line in block.splitlines()]


def run(words: list[str]) -> str:
    """One command of the page, here; of `tar` what it does."""
    if words[0] == "tar":
        with tarfile.open(words[2]) as tar:
            tar.extract(words[3], filter="data")
        return ""
    words = [str(path) for word in words for path in (sorted(Path().glob(word)) if "*" in word else [word])]
    if words[1] == "train":
        words = [*words[: words.index("--minutes")], *TINY.split()]
    if words[1] in ("train", "paint"):
        words += ["--device", "cpu"]
    result = CliRunner().invoke(app, words[1:], standalone_mode=False)
    assert result.exit_code == 0, (words, result.output, result.exception)
    return result.output + result.stderr


@needs_backbone
@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of torch's compiler
@pytest.mark.skipif(not TAR.is_file(), reason="SPADEWORK_DATA names no folder with samples/facades.tar")
def test_facades_go_from_the_tar_to_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPADEWORK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    for module, name in (
        (loop, "CALIBRATION_PHOTOS"),
        *((export, n) for n in ("STATISTICS_IMAGES", "STYLE_IMAGES")),
    ):
        monkeypatch.setattr(module, name, 4)
    Path("facades.tar").symlink_to(TAR)
    page = commands()
    assert len(page) <= 5
    told = "".join(run(words) for words in page)
    assert "window begins as building" in told
    (model,) = Path("runs/facades").glob("model-*.safetensors")
    card = load_checkpoint(model).card
    assert (card.palette.name, card.training.images_seen) == ("facades", 2)
    assert Picture.read(Path("facade.png")).pixels.std() > 10
