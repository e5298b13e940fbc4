"""Rooms: a module imports only from rooms above its own, and what must stay light stays light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import spadework

ROOT = Path(spadework.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))
MODULES = {
    ".".join(("spadework", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in SOURCES
}

THINGS = ["files", "content", "decoding", "picture", "sketch", "lights"]
NETWORKS = ["nn", "fast", "frozen", "modelfile", "model", "segmenter", "enlarger"]
JOURNEYS = [
    *("data", "training", "sizes", "executor", "engine", "project", "candidates", "bulk"),
    *("evaluation", "nvlabs", "onnx", "bench"),
]
DOORS = ["service", "api", "client", "studio", "cli", "__main__"]
ROOMS = [*THINGS, *NETWORKS, *JOURNEYS, *DOORS]
"""From the ground floor up; the package itself (its version) lies below all of them."""

NO_TORCH = {*THINGS, "cli", "__main__"}
NEVER = {
    "engine": {"training", "data"},
    "nn": {*THINGS, "fast", "frozen", "modelfile", "model"},
}


def room(module: str) -> str:
    """The room of a module, "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def imports(module: str, lazy: bool = True) -> Iterator[str]:
    """What a module of ours imports, absolute; without `lazy` only what importing it runs."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if lazy else eager(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*parents, *filter(None, [node.module])]) if node.level else node.module or ""
            yield from resolved(base, [alias.name for alias in node.names])


def eager(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run at import, but for those that only type checkers see."""
    for statement in tree.body:
        if not (isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)):
            yield statement


def resolved(base: str, names: list[str]) -> Iterator[str]:
    """`from spadework import palette` means the module, `from spadework import Engine` its home."""
    for name in names:
        inside = f"{base}.{name}"
        yield (
            inside
            if inside in MODULES
            else f"spadework.{spadework._HOMES.get(name, '')}".rstrip(".")
            if (base == "spadework")
            else base
        )


def test_every_module_has_a_room() -> None:
    assert {room(module) for module in MODULES} <= {"", *ROOMS}


@pytest.mark.parametrize("module", [m for m in MODULES if room(m)])
def test_only_rooms_above_are_imported(module: str) -> None:
    own = room(module)
    for imported in imports(module):
        other = room(imported)
        if imported.split(".")[0] == "spadework" and other:
            assert ROOMS.index(other) <= ROOMS.index(own), f"{module} imports {imported}"
            assert other not in NEVER.get(own, ()), f"{module} imports {imported}"


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) in {"", *NO_TORCH}])
def test_rooms_without_torch(module: str) -> None:
    names = {name.split(".")[0] for name in imports(module, lazy=room(module) not in {"cli", ""})}
    assert "torch" not in names
    assert "safetensors" not in names


def test_no_file_needs_itself() -> None:
    """Neither at import nor by what its functions import: no circles of files."""
    needs = {module: set(imports(module)) & set(MODULES) - {module, "spadework"} for module in MODULES}
    circle = TopologicalSorter(needs)
    try:
        circle.prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_the_direction_test_sees_what_it_should(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = tmp_path / "nn.py"
    source.write_text(
        "from ..sketch.palette import Palette\nfrom .. import engine\ndef f():\n    import spadework.cli\n"
    )
    monkeypatch.setitem(MODULES, "spadework.nn.bad", source)
    assert set(imports("spadework.nn.bad")) == {
        "spadework.sketch.palette",
        "spadework.engine",
        "spadework.cli",
    }
    assert "spadework.cli" not in set(imports("spadework.nn.bad", lazy=False))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_one_style_of_names_in_prose(path: Path) -> None:
    """Code in prose stands in single backticks; `color` is spelt as the field does."""
    text = path.read_text()
    assert "``" not in text
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert not [name for name in names if "colour" in name]


def test_no_room_for_everything_else() -> None:
    assert not [module for module in MODULES if {"utils", "util", "helpers", "misc"} & set(module.split("."))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_command_line_prints(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    printing = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
    assert not printing or path.relative_to(ROOT).parts[0] == "cli"


@pytest.mark.parametrize(
    "statement",
    [
        "import spadework",
        "import spadework.cli",
        "from spadework import Palette, LabelMap, Picture",
        "from spadework.cli import app; from typer.testing import CliRunner; "
        "assert CliRunner().invoke(app, ['paint', '--help']).exit_code == 0",
    ],
)
def test_no_torch_is_loaded_by(statement: str) -> None:
    script = f"import sys; {statement}; assert 'torch' not in sys.modules, 'torch was loaded'"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_package_offers_its_parts() -> None:
    assert spadework.Engine.__module__ == "spadework.engine"
    assert set(spadework.__all__) <= set(dir(spadework))
    with pytest.raises(AttributeError, match="no attribute 'Motor'"):
        spadework.Motor  # noqa: B018
