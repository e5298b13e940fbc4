"""The gallery: its rule, its marks, and that nothing outside its folder is needed."""

import re
from pathlib import Path

import numpy as np
import pytest
from galleries import LANDSCAPE, shown, written
from PIL import Image

from spadework.evaluation.gallery import Gallery, disobedience
from spadework.sketch.labelmap import LabelMap


def names(page: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", page)


def test_every_nth_map_is_there_in_order(tmp_path: Path):
    page = written(tmp_path, 9, every=4)
    assert names(page) == ["map 0", "map 4", "map 8"]
    assert "Every 4th map, beginning with the first, of 9" in page
    assert "Nothing was selected" in page
    assert len(list((tmp_path / "pictures").iterdir())) == 3 * 5


def test_the_worst_are_marked_like_the_best(tmp_path: Path):
    page = written(tmp_path, 4)
    marks = dict(re.findall(r'<h2>(.*?)</h2><div class="scores"><span class="(\w+)">', page))
    assert marks == {"map 0": "worst", "map 3": "best"}


def test_photos_can_be_left_out(tmp_path: Path):
    assert ">real photo<" in written(tmp_path / "local")
    page = written(tmp_path / "public", photos=False)
    assert ">real photo<" not in page
    means = [np.asarray(Image.open(f)).mean() for f in (tmp_path / "public" / "pictures").glob("*.webp")]
    assert not [mean for mean in means if abs(mean - 199) < 3]  # what the photos are filled with


def test_the_page_needs_nothing_but_its_folder(tmp_path: Path):
    page = written(tmp_path)
    assert not re.findall(r"https?://|<link|import ", page)
    assert "{{" not in page
    files = re.findall(r'<img loading="lazy" src="([^"]+)"', page)
    assert files
    assert all((tmp_path / file).is_file() for file in files)
    assert "toy &lt;pairs&gt;" in page
    assert "Warning: pictures differ" in page
    assert 'data-classes="sea|sky"' in page or 'data-classes="sky|sea"' in page


def test_disobedience_shows_what_is_seen_instead():
    given = shown("a", 6)
    assert given.read is not None
    overlay = disobedience(given.pictures[0], given.sketch, given.read).astype(int)
    assert np.ptp(overlay[:6], axis=2).max() == 0
    road = LANDSCAPE.colors()[LANDSCAPE.id_of("road")].astype(int)
    assert np.abs(overlay[6:] - road).max() < np.abs(overlay[0, 0] - road).max()
    unknown = LabelMap(np.full((10, 8), 255, np.uint8), LANDSCAPE)
    assert np.ptp(disobedience(given.pictures[0], unknown, given.read), axis=2).max() == 0


def test_impossible_rules_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="every 0th map is impossible: give 1 or more"):
        Gallery(tmp_path, 0)
