"""What is read over HTTP: styles, moods, label maps, and any file for what it is."""

import io
import json
import zipfile
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from serving import HERE, Darkness, coded, file_of, packed, refused, runs, sketch

from spadework.api.answers import NOTHING, FoundMoods, OpenedFile, ReadMap, SeedStyle
from spadework.api.app import create_api
from spadework.api.shelf import Shelf
from spadework.picture import Picture
from spadework.project import Project, style_id
from spadework.service.moods import TRIED
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.openraster import PROJECT
from spadework.sketch.palette import Palette

RUNS = runs(sketch())
PHOTO = np.full((20, 30, 3), 90, np.uint8)


def opened(client: TestClient, data: bytes) -> OpenedFile:
    response = client.post("/v1/open", json={"file": coded(data)})
    assert response.status_code == 200, response.text
    return OpenedFile.model_validate(response.json())


def imported(client: TestClient, data: bytes, **more: str) -> ReadMap:
    response = client.post("/v1/labels/import", json={"file": coded(data), **more})
    assert response.status_code == 200, response.text
    return ReadMap.model_validate(response.json())


# ---- styles


def test_the_style_of_a_photo(quick: TestClient) -> None:
    read = quick.post("/v1/style", json={"photo": packed(PHOTO), "name": "dusk.png"}).json()
    assert read["origin"] == "photo dusk.png"
    assert read["z"] == [90.0] * 8
    again = quick.post("/v1/style", json={"photo": packed(PHOTO), "name": "dusk.png"}).json()
    other = quick.post("/v1/style", json={"photo": packed(PHOTO + 1), "name": "dusk.png"}).json()
    assert again == read
    assert other["id"] != read["id"]


def test_a_seed_settles_for_a_sketch(quick: TestClient, fake: FakeEngine) -> None:
    answer = quick.post("/v1/style/of-seed", json={"runs": RUNS, "seed": 3}).json()
    settled = SeedStyle.model_validate(answer)
    assert (settled.seed, settled.style.origin) == (3, "seed 3")
    assert settled.style.id == style_id(fake.sample_style(3).z, "seed 3")
    np.testing.assert_array_equal(np.array(settled.style.z, np.float32), fake.sample_style(3).z)


def test_varied_styles_lie_apart(quick: TestClient, fake: FakeEngine) -> None:
    asked = {"runs": RUNS, "seed": 2**32 - 2, "count": 4}
    found = quick.post("/v1/style/varied", json=asked).json()
    assert len({one["seed"] for one in found}) == len({one["style"]["id"] for one in found}) == 4
    assert found[0]["seed"] == 2**32 - 2
    for one in found:
        own = fake.sample_style(one["seed"]).z
        np.testing.assert_array_equal(np.array(one["style"]["z"], np.float32), own)
    z = np.array([one["style"]["z"] for one in found])
    apart = np.linalg.norm(z[:, None] - z, axis=-1)[np.triu_indices(4, 1)].min()
    first = np.stack([fake.sample_style(seed).z for seed in range(4)])
    assert apart > np.linalg.norm(first[:, None] - first, axis=-1)[np.triu_indices(4, 1)].min()
    refused(quick.post("/v1/style/varied", json=asked | {"count": 17}), 422, "count 17")


def test_moods_are_shown_in_the_place_that_is_used(quick: TestClient, fake: FakeEngine) -> None:
    answer = quick.post("/v1/moods", json={"runs": RUNS, "seed": 77, "light": 3})
    found = FoundMoods.model_validate(answer.json())
    assert {seed for _, seed, _ in fake.asked} == {77}
    assert len(fake.asked) == TRIED
    _, _, first = fake.asked[0]
    assert first is not None
    assert first.origin == "seed 3"
    [mood] = found.moods  # all looks are the same grey
    assert (mood.name, mood.seed, found.light) == ("soft day", 3, 3)
    assert np.array_equal(np.array(mood.style.z, np.float32), fake.sample_style(3).z)
    assert (Picture.from_bytes(b64decode(mood.face)).pixels == 77).all()


def test_a_style_that_was_answered_can_be_asked_for_as_it_is(quick: TestClient, fake: FakeEngine) -> None:
    photos = quick.post("/v1/style", json={"photo": packed(PHOTO), "name": "dusk.png"}).json()
    seeds = quick.post("/v1/style/of-seed", json={"runs": RUNS, "seed": 3}).json()["style"]
    fake.forget()
    for style in (photos, seeds):
        assert quick.post("/v1/paint", json={"runs": RUNS, "style": style}).status_code == 200
    assert [style.origin for _, _, style in fake.asked if style] == ["photo dusk.png", "seed 3"]


# ---- label maps


def test_what_is_written_is_read_as_the_same(quick: TestClient, fake: FakeEngine) -> None:
    written = quick.post("/v1/labels/write", json={"runs": RUNS})
    assert written.headers["content-type"] == "image/png"
    assert LabelMap.from_bytes(written.content, fake.palette) == LabelMap(sketch(), fake.palette)
    back = imported(quick, written.content)
    assert back.runs.model_dump() == RUNS
    assert (back.palette, back.report, back.layers) == ("landscape", (), ())


def test_a_map_of_another_palette_is_translated_and_told(quick: TestClient, fake: FakeEngine) -> None:
    coco = Palette.load("coco_stuff")
    ids = np.full((20, 30), coco.id_of("river"), np.uint8)
    ids[:10] = coco.id_of("sky-other")
    file = LabelMap(ids, coco).to_bytes()
    found = imported(quick, file, palette="coco_stuff")
    back = found.runs.ids()
    assert (back[:10] == fake.palette.id_of("sky")).all()
    assert (back[10:] == fake.palette.id_of("water")).all()
    assert found.palette == "coco_stuff"
    assert found.report[0].startswith("palette coco_stuff: ")
    assert "river -> water" in found.report[-1]
    for name, status, words in (
        ("x", 404, "No palette x is shipped"),
        ("../x.json", 422, "the name of a shipped palette"),
    ):
        asked = {"file": coded(file), "palette": name}
        refused(quick.post("/v1/labels/import", json=asked), status, words)


def test_a_spoilt_map_is_repaired_and_told(quick: TestClient, fake: FakeEngine) -> None:
    small = (np.arange(40 * 60).reshape(40, 60) // 300).astype(np.uint8)
    large = np.kron(fake.palette.colorize(small), np.ones((2, 2, 1), np.uint8))
    found = imported(quick, file_of(large, "JPEG", quality=95))
    assert found.palette == "landscape"
    assert any("JPEG" in line for line in found.report)
    assert (found.runs.ids()[::2, ::2] == small).mean() > 0.95


def test_photos_become_label_maps_where_a_segmenter_is(
    quick: TestClient, fake: FakeEngine, model: Path
) -> None:
    asked = {"photo": packed(PHOTO, "JPEG")}
    assert not quick.get("/v1/models").json()[0]["photo_labels"]
    refused(quick.post("/v1/labels/from-photo", json=asked), 404, "No segmenter of palette landscape")
    app = create_api(Shelf({"tiny": model}, load=lambda _: fake), find_segmenter=Darkness)
    with TestClient(app, HERE) as able:
        assert able.get("/v1/models").json()[0]["photo_labels"]
        found = ReadMap.model_validate(able.post("/v1/labels/from-photo", json=asked).json())
        none = able.post("/v1/labels/from-photo", json={"photo": coded(b"no photo")})
    assert set(found.runs.ids().flat) == {fake.palette.id_of("rock")}
    assert found.runs.width / found.runs.height == 1.5
    assert found.report == ("found in the photograph: rock 100%",)
    refused(none, 422, "")


# ---- any file


def test_a_label_map_is_opened_as_one(quick: TestClient, fake: FakeEngine) -> None:
    clean = opened(quick, LabelMap(sketch(), fake.palette).to_bytes())
    assert (clean.kind, clean.project, clean.problem) == ("labels", None, None)
    assert clean.labels is not None
    assert clean.labels.runs.model_dump() == RUNS
    stripes = (np.arange(40 * 60).reshape(40, 60) // 300).astype(np.uint8)
    assert opened(quick, file_of(fake.palette.colorize(stripes), "JPEG", quality=90)).kind == "labels"


def test_photographs_are_told_apart(quick: TestClient) -> None:
    grain = np.random.default_rng(0).normal(0, 9, (60, 90, 3)) + np.linspace(10, 50, 90)[:, None]
    photo = opened(quick, file_of(grain.clip(0, 255).astype(np.uint8), "JPEG"))
    assert photo.kind == "photo"
    assert photo.labels is not None or photo.problem is not None
    large = opened(quick, file_of(np.zeros((300, 300, 3), np.uint8), "JPEG"))
    assert large.kind == "photo"  # too large for a sketch, but not for its light
    assert large.problem is not None
    assert "300x300" in large.problem.sentence


@pytest.mark.parametrize("data", [b"Dear studio", b"", b"\0", b"{}", b"PK\3\4" + bytes(80)])
def test_what_is_nothing_says_why(quick: TestClient, data: bytes) -> None:
    nothing = opened(quick, data)
    assert nothing.kind == "nothing"
    assert nothing.problem is not None
    assert nothing.problem.sentence
    assert nothing.problem.remedy


def test_a_drawing_is_opened_with_all_that_is_in_it(quick: TestClient, fake: FakeEngine) -> None:
    drawing = Project.of(LabelMap(sketch(), fake.palette), fake.paint(LabelMap(sketch(), fake.palette), 3))
    data = {**drawing.data, "only the studio": ["knows", 1.5, None]}
    as_text = opened(quick, json.dumps(data).encode())
    assert (as_text.kind, as_text.project, as_text.labels) == ("drawing", data, None)
    picture = Picture(np.zeros((40, 56, 3), np.uint8), {"project": data})
    assert opened(quick, picture.to_bytes()).project == data
    damaged = opened(quick, json.dumps({**data, "base": 1}).encode())
    assert damaged.kind == "nothing"
    assert damaged.problem is not None
    assert damaged.problem.sentence == "The drawing is damaged (at base)"


def test_layers_of_a_painting_program_come_with_its_map(quick: TestClient, fake: FakeEngine) -> None:
    ids = np.zeros((40, 56), np.uint8)
    ids[20:] = 11
    upper = np.full((40, 56), NOTHING, np.uint8)
    upper[30:, :20] = 4

    def text(ids: np.ndarray) -> str:
        return " ".join(f"{id}*{count}" for id, count in runs(ids)["runs"])

    stack = [
        {"name": "land", "hidden": False, "locked": True, "ids": text(ids)},
        {"name": "trees", "hidden": False, "locked": False, "ids": text(upper)},
    ]
    flat = np.where(upper == NOTHING, ids, upper)
    drawing = Project.of(LabelMap(flat, fake.palette), fake.paint(LabelMap(flat, fake.palette)))
    layered = Project.from_data({**drawing.data, "layers": {"nothing": NOTHING, "stack": stack}})
    whole = opened(quick, layered.layers(fake))
    assert whole.kind == "drawing"
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(layered.layers(fake))) as ours, zipfile.ZipFile(out, "w") as theirs:
        for name in ours.namelist():
            if name != PROJECT:
                theirs.writestr(name, ours.read(name))
    found = opened(quick, out.getvalue())
    assert (found.kind, found.problem) == ("labels", None)
    assert found.labels is not None
    assert np.array_equal(found.labels.runs.ids(), flat)
    told = {layer.name: layer for layer in found.labels.layers}
    assert [layer.name for layer in found.labels.layers] == ["land", "trees"]
    assert told["land"].locked
    assert np.array_equal(told["trees"].runs.ids(), upper)


def test_data_urls_and_base64_in_lines_are_the_file_in_them(quick: TestClient) -> None:
    plain = quick.post("/v1/style", json={"photo": packed(PHOTO)}).json()
    text = packed(PHOTO)
    lines = "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    for given in (f"data:image/png;base64,{text}", lines, f"{lines}\n"):
        assert quick.post("/v1/style", json={"photo": given}).json() == plain
