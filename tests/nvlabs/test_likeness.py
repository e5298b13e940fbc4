"""Figures beside photos: PSNR by hand, the Fréchet distance only of enough pictures; and their page."""

from pathlib import Path

import numpy as np
import pytest

from spadework.evaluation import metrics
from spadework.nvlabs import likeness
from spadework.nvlabs.page import write_page
from spadework.nvlabs.testing import Row
from spadework.picture import Picture

GREY = np.full((4, 6, 3), 100, np.uint8)


def test_psnr_by_hand() -> None:
    assert likeness.psnr(GREY, GREY + np.uint8(10)) == pytest.approx(10 * np.log10(255**2 / 100))
    assert likeness.psnr(GREY, GREY) == float("inf")
    assert likeness.psnr(GREY, GREY[:2]) is None


class Means:
    """Stands for a network: the mean value of a picture is its only feature."""

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, list[object]]:
        return images.mean((1, 2, 3))[:, None], []


def test_the_distance_is_of_paintings_to_photos_and_needs_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "Lite0Features", Means)
    monkeypatch.setattr(likeness, "FEWEST", 2)
    Picture(GREY + np.uint8(40)).save(tmp_path / "painted.png")
    Picture(GREY).save(tmp_path / "photo.png")
    both = (tmp_path / "painted.png", tmp_path / "photo.png")
    lines = likeness.summary([10.0, 20.0, None, float("inf")], [both] * 2)
    assert lines[0] == "PSNR to the photo, mean of 2: 15.0 dB"
    assert "Fréchet distance of 2 paintings to their photos: 1600.0 " in lines[1]
    assert "of 1 pictures it says nothing" in likeness.summary([], [both])[0]
    assert likeness.summary([], []) == []


def test_the_page_names_pictures_and_figures(tmp_path: Path) -> None:
    picture = Path("images/synthesized_image/a & b.png")
    rows = [Row("a & b", "sky 100%", {"synthesized_image": picture}, 12.34)]
    page = write_page(tmp_path, "run <1>", ["one map"], rows).read_text()
    for words in ("a &amp; b", 'src="images/synthesized_image/a%20%26%20b.png"', "12.3 dB", "<p>one map</p>"):
        assert words in page
    assert "run &lt;1&gt;" in page
    assert "http" not in page
