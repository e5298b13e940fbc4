"""Published checkpoints, imported, become ONNX files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spadework.nvlabs.convert import convert
from spadework.nvlabs.files import find
from spadework.nvlabs.presets import preset
from spadework.onnx.model import TOLERANCE, export_onnx

pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")


@pytest.mark.parametrize(
    ("name", "channels", "inputs"),
    [
        ("coco", 184, ("labels", "edges")),
        ("ade20k", 151, ("labels",)),
        ("cityscapes", 36, ("labels", "edges")),
    ],
)
def test_published_shapes_are_exported(
    checkpoint: Callable[..., Path], tmp_path: Path, name: str, channels: int, inputs: tuple[str, ...]
) -> None:
    folder = checkpoint(f"{name}_pretrained", channels)
    settings = preset(name).changed(crop_size=64)
    made = export_onnx(convert(find(folder, "latest"), settings, name, {}), tmp_path / f"{name}.onnx")
    assert made.inputs == inputs
    assert made.difference < TOLERANCE
    assert made.path.stat().st_size > 10_000
