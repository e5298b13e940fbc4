"""What is read: styles and moods of sketches and photos, label maps of any kind, and any file."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from misread import bomb, colors, file_of, png
from PIL import Image
from serving import HERE, Darkness, in_base64, packed, photo, refused

from spadework.api.answers import NOTHING, FoundMoods, OpenedFile, ReadMap, SeedStyle
from spadework.api.app import create_api
from spadework.api.shelf import Shelf
from spadework.engine import Engine
from spadework.picture import Picture
from spadework.project import Project, style_id
from spadework.service.moods import TRIED
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette

IDS = (np.arange(40 * 60).reshape(40, 60) // 300).astype(np.uint8)
SKETCH = {"runs": packed(IDS)}
PICTURE = file_of(colors())
FILES = [("/v1/labels/import", "file"), ("/v1/style", "photo"), ("/v1/paint", "ids_png")]


def read(client: TestClient, file: bytes, **more: str) -> ReadMap:
    answer = client.post("/v1/labels/import", json={"file": in_base64(file), **more})
    assert answer.status_code == 200, answer.text
    return ReadMap.model_validate(answer.json())


# ---- styles


def test_a_seed_settles_for_a_sketch(faked: TestClient, fake: FakeEngine) -> None:
    told = SeedStyle.model_validate(faked.post("/v1/style/of-seed", json={**SKETCH, "seed": 3}).json())
    style = fake.sample_style(3)
    assert (told.seed, told.style.origin, told.style.id) == (3, "seed 3", style_id(style.z, "seed 3"))
    np.testing.assert_array_equal(np.array(told.style.z, np.float32), style.z)


def test_varied_styles_lie_apart(faked: TestClient, fake: FakeEngine) -> None:
    found = faked.post("/v1/style/varied", json={**SKETCH, "seed": 2**32 - 2}).json()
    assert len({one["seed"] for one in found}) == len({one["style"]["id"] for one in found}) == 4
    assert found[0]["seed"] == 2**32 - 2
    for one in found:
        np.testing.assert_array_equal(
            np.array(one["style"]["z"], np.float32), fake.sample_style(one["seed"], IDS).z
        )
    z = np.array([one["style"]["z"] for one in found])
    apart = np.linalg.norm(z[:, None] - z, axis=-1)[np.triu_indices(4, 1)].min()
    first = np.stack([fake.sample_style(seed, IDS).z for seed in range(4)])
    assert apart > np.linalg.norm(first[:, None] - first, axis=-1)[np.triu_indices(4, 1)].min()


def test_moods_are_shown_in_the_place_that_is_used(faked: TestClient, fake: FakeEngine) -> None:
    found = FoundMoods.model_validate(faked.post("/v1/moods", json={**SKETCH, "seed": 77, "light": 3}).json())
    assert {seed for _, seed, _ in fake.asked} == {77}
    first = fake.asked[0][2]
    assert first is not None
    assert first.origin == "seed 3"
    assert len(fake.asked) == TRIED
    assert 0 <= found.light < TRIED
    for mood in found.moods:
        assert mood.style.z == tuple(map(float, fake.sample_style(mood.seed, IDS).z))
        assert mood.face


# ---- label maps


def test_label_maps_are_read_and_written(faked: TestClient, fake: FakeEngine) -> None:
    written = faked.post("/v1/labels/write", json=SKETCH)
    assert written.headers["content-type"] == "image/png"
    assert LabelMap.from_bytes(written.content, fake.palette) == LabelMap(IDS, fake.palette)
    back = read(faked, written.content)
    assert (back.runs.ids() == IDS).all()
    assert (back.palette, back.report, back.layers) == ("landscape", (), ())


def test_a_map_of_another_palette_is_translated_and_told(faked: TestClient, fake: FakeEngine) -> None:
    coco = Palette.load("coco_stuff")
    ids = np.full((20, 30), coco.id_of("river"), np.uint8)
    ids[:10] = coco.id_of("sky-other")
    file = LabelMap(ids, coco).to_bytes()
    found = read(faked, file, palette="coco_stuff")
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
        asked = {"file": in_base64(file), "palette": name}
        refused(faked.post("/v1/labels/import", json=asked), status, words)


def test_a_spoilt_map_is_repaired_and_told(faked: TestClient, fake: FakeEngine) -> None:
    out = io.BytesIO()
    large = Image.fromarray(fake.palette.colors()[IDS]).resize((120, 80), Image.Resampling.NEAREST)
    large.save(out, "JPEG", quality=95)
    found = read(faked, out.getvalue())
    assert found.palette == "landscape"
    assert any("JPEG" in line for line in found.report)
    assert (found.runs.ids()[::2, ::2] == IDS).mean() > 0.95


def test_photos_become_label_maps_where_a_segmenter_is(
    faked: TestClient, fake: FakeEngine, model: Path
) -> None:
    assert not faked.get("/v1/models").json()[0]["photo_labels"]
    asked = {"photo": in_base64(photo(90))}
    refused(faked.post("/v1/labels/from-photo", json=asked), 404, "No segmenter")
    app = create_api(Shelf({"tiny": model}, load=lambda _: fake), find_segmenter=Darkness)
    with TestClient(app, HERE) as able:
        assert able.get("/v1/models").json()[0]["photo_labels"]
        found = ReadMap.model_validate(able.post("/v1/labels/from-photo", json=asked).json())
        assert set(found.runs.ids().flat) == {fake.palette.id_of("rock")}
        assert found.runs.width / found.runs.height == 1.5
        assert found.report == ("found in the photograph: rock 100%",)
        refused(able.post("/v1/labels/from-photo", json={"photo": in_base64(b"no photo")}), 422)


# ---- any file


def opened(client: TestClient, content: bytes) -> OpenedFile:
    answer = client.post("/v1/open", json={"file": in_base64(content)})
    assert answer.status_code == 200, answer.text
    return OpenedFile.model_validate(answer.json())


def test_any_file_is_told_for_what_it_is(faked: TestClient, fake: FakeEngine) -> None:
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 9, (60, 90, 3)) + np.linspace(10, 50, 90)[:, None]
    dark = io.BytesIO()
    Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(dark, format="JPEG")
    spoilt = io.BytesIO()
    Image.fromarray(fake.palette.colorize(IDS)).save(spoilt, format="JPEG", quality=90)
    large = io.BytesIO()
    Image.new("RGB", (300, 300)).save(large, format="JPEG")
    assert opened(faked, LabelMap(IDS, fake.palette).to_bytes()).kind == "labels"
    assert opened(faked, spoilt.getvalue()).kind == "labels"
    assert opened(faked, dark.getvalue()).kind == "photo"
    too_large = opened(faked, large.getvalue())
    assert too_large.kind == "photo"  # for a sketch, but not for its light
    assert too_large.problem is not None
    assert too_large.problem.sentence == "A picture of 300x300 pixels is too large"
    assert opened(faked, b"Dear studio").kind == "nothing"


def test_a_drawing_comes_back_whole_and_layers_as_layers(client: TestClient, engine: Engine) -> None:
    ids = "0*1200 4*1200"
    stack = [
        {"name": "Back", "hidden": False, "locked": True, "ids": "0*2400"},
        {"name": "Hill", "hidden": False, "locked": False, "ids": f"{NOTHING}*1200 4*1200"},
    ]
    base = {"width": 60, "height": 40, "ids": ids}
    data = {"format": "spadework-project", "version": 1, "palette": "landscape", "base": base, "ids": ids}
    data |= {"strokes": [], "undone": [], "style": {"seed": 3, "mood": {"seed": 3}}}
    data |= {"layers": {"nothing": NOTHING, "stack": stack}}
    drawing = opened(client, json.dumps(data).encode())
    assert (drawing.kind, drawing.project) == ("drawing", data)
    file = Project.from_data(data).psd(engine)  # it does not carry the drawing
    layered = opened(client, file)
    assert layered.kind == "labels"
    assert layered.labels is not None
    assert [layer.name for layer in layered.labels.layers] == ["Back", "Hill"]
    hill = layered.labels.layers[1].runs.ids()
    assert (hill[:20] == NOTHING).all()
    assert (hill[20:] == 4).all()


# ---- what people send


@pytest.mark.parametrize(("address", "field"), FILES)
def test_data_urls_and_base64_in_lines_are_the_file_in_them(
    faked: TestClient, address: str, field: str
) -> None:
    plain = faked.post(address, json={field: in_base64(PICTURE)})
    assert plain.status_code == 200, plain.text
    text = in_base64(PICTURE)
    lines = "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    for given in (f"data:image/png;base64,{text}", lines, f"{lines}\n"):
        answer = faked.post(address, json={field: given})
        assert answer.content == plain.content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (bomb(), "pixels"),
        (b"<!DOCTYPE html><html>", "a web page (HTML): download the file itself"),
        (b"PK\3\4" + bytes(80), "a zip archive"),
        (PICTURE[:200], "damaged or truncated PNG"),
    ],
)
@pytest.mark.parametrize(("address", "field"), FILES)
def test_other_files_are_called_what_they_are(
    faked: TestClient, address: str, field: str, content: bytes, words: str
) -> None:
    answer = faked.post(address, json={field: in_base64(content)})
    assert answer.status_code in (413, 422), answer.text
    assert "object at" not in refused(answer, answer.status_code, words)


@pytest.mark.parametrize(("address", "field"), FILES)
def test_what_is_no_file(faked: TestClient, address: str, field: str) -> None:
    refused(faked.post(address, json={field: ""}), 422, f"{field} is not what it can be")
    refused(faked.post(address, json={field: "?"}), 422, f"{field} is not base64: encode the bytes of a file")
    refused(faked.post(address, json={field: 7}), 422, f"{field} 7 is not what it can be: Give text.")
    refused(faked.post(address, files={"file": ("a.png", PICTURE)}), 422, "the body")


def test_photographs_of_absurd_sizes_are_not_decoded(faked: TestClient) -> None:
    answer = faked.post("/v1/style", json={"photo": in_base64(png(0, 8, [], (9_000, 9_000)))})
    refused(answer, 413, "Use at most 67,108,864 pixels.")


# ---- sketches to begin with


def test_sketches_to_begin_with(faked: TestClient, fake: FakeEngine) -> None:
    examples = faked.get("/v1/sketches").json()
    assert len(examples) >= 8
    for each in examples:
        sketch = LabelMap.from_bytes(faked.get(each["url"]).content, Palette.load("landscape"))
        assert len(sketch.counts()) > 2
    refused(faked.get("/v1/sketches/..%2f..%2fetc"), 404)
    refused(faked.get("/v1/sketches/nothing"), 404, "There is no sketch nothing: Choose of alpine-lake, ")
    first, again, other = (faked.get(f"/v1/sketches/composed?seed={seed}").json() for seed in (1, 1, 2))
    assert first == again != other
    small = faked.get("/v1/sketches/composed?width=64&height=32").json()
    assert {start["title"] for start in small} == {start["title"] for start in first}
    for start in small:
        painted = faked.post("/v1/paint", json={"runs": start["runs"]})
        assert Picture.from_bytes(painted.content).size == (32, 64)
    refused(faked.get("/v1/sketches/composed?width=600"), 422, "width 600 is not what it can be")


def test_what_is_painted_of_a_size(faked: TestClient, fake: FakeEngine) -> None:
    short = min(fake.card.generator.size)
    told = faked.get("/v1/size", params={"width": 4 * short, "height": 2 * short}).json()
    assert told == {"width": 2 * short, "height": short, "doublings": 0}
    refused(
        faked.get("/v1/size", params={"width": 3000, "height": 3000}), 413, "3000x3000 pixels are too many"
    )
    refused(faked.get("/v1/size", params={"width": 64}), 422, "height is missing: Send height too.")
