"""What the README prints can be typed."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from spadework.cli import app
from spadework.engine import MODELS
from spadework.picture import Picture

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.split("#")[0]
    for line in README.splitlines()
    if re.match(r"\.venv/bin/spadework |(uvx|pipx run) .*--\w+ \. spadework ", line)
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_there_is_something_to_test() -> None:
    assert len(COMMANDS) > 5
    assert {"uvx", "pipx"} < {line.split()[0] for line in COMMANDS}
    assert len(blocks("python")) == 1


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_parse(line: str) -> None:
    name, *words = shlex.split(line.partition("spadework ")[2])
    command = get_command(app).commands[name]  # type: ignore[attr-defined]
    with command.make_context(name, list(words)) as context:
        assert context.params


@pytest.mark.skipif(not MODELS["landscape"].is_file(), reason="the shipped model is not in this checkout")
def test_the_program_runs_as_printed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", blocks("python")[0]], cwd=tmp_path, check=True)
    assert Picture.read(tmp_path / "island.png").size == (256, 256)


def test_make_targets_and_links_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE):
        assert re.search(rf"^{target}( |:)", makefile, re.MULTILINE), target
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link
