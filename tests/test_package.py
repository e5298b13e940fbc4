"""What is given away: a wheel that paints where nothing else is, types that hold, licences that are told."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from licences import COPYLEFT, closure, licence

import spadework
from spadework.engine import MODELS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MOST = 45 * 10**6
EXTRAS = ("httpx2", "tensorboard", "onnx", "scipy", "pytest", "psd_tools", "ray")

PAINTING = f"""
import socket, sys
def no_network(*_, **__):
    raise OSError("there is no network")
socket.socket.connect = socket.create_connection = no_network
for name in {EXTRAS}:
    sys.modules[name] = None
import numpy as np
import spadework
assert spadework.__file__.startswith(sys.prefix), spadework.__file__
engine = spadework.Engine.load("landscape", "cpu")
engine.paint(np.zeros((64, 64), np.uint8), size=(64, 64)).save("sky.png")
"""

USER = """
import numpy as np
from spadework import AsyncClient, Client, Engine, LabelMap, Palette, Picture, Segmenter, Style

engine: Engine = Engine.load("landscape", device="cpu")
palette: Palette = engine.palette
ids = np.zeros((64, 64), np.uint8)
style: Style = engine.sample_style(3, ids)
pictures: list[Picture] = engine.paint_many([ids, LabelMap(ids, palette)], [0, 1], [style, None])
size: tuple[int, int] = pictures[0].size
read: LabelMap = Segmenter.load("segmenter_landscape").label(pictures[0].pixels)
shares: dict[str, float] = read.counts()

with Client("http://127.0.0.1:7430", key=None) as client:
    painted: Picture = client.paint(ids, seed=7, mood="sunset", size=(512, 512))
    names: list[str] = [model.name for model in client.models()]


async def paint() -> Picture:
    async with AsyncClient() as several:
        return await several.paint(ids, style=await several.style_of("photo.jpg"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the checkout stays as it is."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    script = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    built = subprocess.run(
        [sys.executable, "-c", script], cwd=copy, check=True, capture_output=True, text=True
    )
    return copy / built.stdout.split()[-1]


def environment(folder: Path, wheel: Path) -> Path:
    """A new environment with the wheel in it, and where that lies; its dependencies are lent by this one."""
    venv.create(folder, with_pip=False)
    home = next(folder.rglob("site-packages"))
    install = [sys.executable, "-m", "pip", "-q", "install", "--no-deps", "--no-index", "--target"]
    subprocess.run([*install, str(home), str(wheel)], check=True)
    (home / "lent.pth").write_text(sysconfig.get_paths()["purelib"])
    return home


@pytest.mark.skipif(not MODELS["landscape"].is_file(), reason="the shipped model is not in this checkout")
def test_the_wheel_paints_without_a_network_and_without_extras(wheel: Path, tmp_path: Path) -> None:
    """PyTorch takes minutes to install, so that dependencies are lent."""
    assert wheel.stat().st_size <= MOST
    home, python = environment(tmp_path / "env", wheel), tmp_path / "env" / "bin" / "python"
    assert (home / "spadework" / "py.typed").is_file()
    subprocess.run([python, "-I", "-W", "error", "-c", PAINTING], cwd=tmp_path, check=True)
    assert (tmp_path / "sky.png").stat().st_size > 1000


@pytest.mark.soak
def test_types_hold_in_a_strict_users_script(wheel: Path, tmp_path: Path) -> None:
    """Of the installed wheel, by its py.typed. And the checker looks: it sees a picture where a style is."""
    home = environment(tmp_path / "env", wheel)
    script = f"{USER}\nwrong: Style = engine.paint(ids)\n"
    (tmp_path / "user.py").write_text(script)
    settings = {
        "include": ["user.py"],
        "typeCheckingMode": "strict",
        "venvPath": str(tmp_path),
        "venv": "env",
        "pythonVersion": "3.11",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "-p", str(tmp_path), "--outputjson"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, cwd=tmp_path).stdout)
    found = [one for one in told["generalDiagnostics"] if one["severity"] == "error"]
    assert [one["range"]["start"]["line"] for one in found] == [script.count("\n") - 1], told
    (home / "spadework" / "py.typed").unlink()
    told = json.loads(subprocess.run(command, capture_output=True, text=True, cwd=tmp_path).stdout)
    assert "reportMissingTypeStubs" in {one.get("rule") for one in told["generalDiagnostics"]}


def test_the_base_install_has_no_copyleft_and_all_is_told() -> None:
    base = closure()
    assert {"torch", "numpy", "fastapi"} <= base.keys()
    told = {name: licence(own) for name, own in base.items()}
    bad = {name: text for name, text in told.items() if COPYLEFT.search(text) or text == "not told"}
    assert not bad
    assert COPYLEFT.search("GNU Lesser General Public License v3")
    page = (DOCS / "licences.md").read_text()
    assert not [name for name in base if f"| {name} |" not in page]


def test_the_changelog_begins_with_this_version() -> None:
    changes = (ROOT / "CHANGELOG.md").read_text()
    first = re.search(r"^## (\S+)", changes, re.MULTILINE)
    assert first
    assert first[1] == spadework.__version__
