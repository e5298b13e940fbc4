"""`spadework test`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from spadework.cli.loading import Precision, Threads, use_threads
from spadework.cli.published import checked, published
from spadework.cli.telling import bar, show_table, tell
from spadework.nvlabs.flags import IGNORED, TestFlags

if TYPE_CHECKING:
    from spadework.engine import Engine
    from spadework.nvlabs.data import Entry
    from spadework.nvlabs.presets import Preset
    from spadework.nvlabs.testing import Row, TestRun


@published(TestFlags, IGNORED)
def test(
    typed: dict[str, Any],
    precision: Precision = "float32",  # noqa: PT028
    threads: Threads = None,  # noqa: PT028
) -> None:
    """Paint a data set with a published checkpoint, as test.py of SPADE does.

    The flags are the published ones and mean the same. Pictures and a page of them go to
    RESULTS_DIR/NAME/PHASE_EPOCH. --name may also be a shipped model or a .safetensors file: then maps are
    read by their classes' names.
    """
    flags: TestFlags = checked(TestFlags, typed)
    if flags.name is None or flags.dataset_mode is None:
        raise ValueError(
            "give --name and --dataset_mode: which checkpoint, and coco, ade20k, cityscapes, ..."
        )
    use_threads(threads)
    run = _prepared(flags, precision)
    rows = _paint(run)
    _finish(run, rows, flags)


def _prepared(flags: TestFlags, precision: str) -> "TestRun":
    from spadework.nvlabs.data import Sizing
    from spadework.nvlabs.flags import chosen
    from spadework.nvlabs.presets import preset
    from spadework.nvlabs.testing import TestRun

    settings = chosen(flags, preset(str(flags.dataset_mode)))
    _demand_checkpoint(flags)
    entries = _entries(flags)[: flags.how_many]
    engine = _engine(flags, settings, precision)
    sizing = Sizing(settings.preprocess_mode, settings.load_size, settings.crop_size, settings.aspect_ratio)
    folder = (
        Path(flags.results_dir) / Path(str(flags.name)).stem / f"{flags.phase or 'test'}_{flags.which_epoch}"
    )
    _tell_edges(engine, entries)
    run = TestRun(engine, entries, sizing, folder, styled=engine.card.encoder is not None and flags.use_vae)
    return _translated(run, settings) if _is_ours(str(flags.name)) else run


def _translated(run: "TestRun", settings: "Preset") -> "TestRun":
    """Maps of the data set, painted by a model with other classes."""
    from dataclasses import replace

    from spadework.sketch.translate import Translation

    source = settings.names()
    if source.classes == run.engine.palette.classes:
        return run
    return replace(run, translate=Translation.between(source, run.engine.palette), palette=source)


def _is_ours(name: str) -> bool:
    from spadework.engine import MODELS

    return name in MODELS or name.endswith(".safetensors")


def _entries(flags: TestFlags) -> "list[Entry]":
    from spadework.nvlabs.layouts import entries

    folders = (Path(f) if f else None for f in (flags.label_dir, flags.image_dir, flags.instance_dir))
    root = Path(flags.dataroot) if flags.dataroot else None
    found = entries(str(flags.dataset_mode), root, flags.phase or "test", *folders)
    for line in found.notes:
        tell(line)
    return found


def _demand_checkpoint(flags: TestFlags) -> None:
    folder = Path(flags.checkpoints_dir) / str(flags.name)
    if not _is_ours(str(flags.name)) and not list(folder.glob("*_net_G.pth")):
        raise ValueError(
            f"no checkpoint {folder}/{flags.which_epoch}_net_G.pth: the published files are no longer "
            "offered for download; put one that you have there, or paint with the "
            "shipped model: --name landscape"
        )


def _engine(flags: TestFlags, settings: "Preset", precision: str) -> "Engine":
    from spadework.engine import Engine
    from spadework.executor import device_of
    from spadework.nvlabs.convert import convert
    from spadework.nvlabs.files import find

    name = str(flags.name)
    device = "cpu" if flags.gpu_ids.strip().startswith("-") else "auto"
    if _is_ours(name):
        return Engine.load(name, device, precision)
    folder = Path(flags.checkpoints_dir) / name
    stated = {"ngf": flags.ngf, "num_upsampling_layers": flags.num_upsampling_layers, "norm_G": flags.norm_G}
    checkpoint = convert(find(folder, flags.which_epoch), settings, name, stated)
    if flags.use_vae and checkpoint.encoder is None:
        tell("no encoder in the checkpoint: styles come from seed 0")
    return Engine(checkpoint, device_of(device), precision)


def _tell_edges(engine: "Engine", entries: "list[Entry]") -> None:
    if engine.card.semantics.edges:
        maps = any(entry.instances for entry in entries)
        source = "from the instance maps" if maps else "no instance maps, so from the label maps"
        tell(f"instance edges: {source}")


def _paint(run: "TestRun") -> "list[Row]":
    from spadework.sketch.translate import Translation

    if isinstance(run.translate, Translation):
        pairs = run.translate.pairs.items()
        names = [run.translate.source.name_of(id) for id, partner in pairs if partner is None]
        found = f"{len(pairs) - len(names)} of {len(pairs)}"
        tell(f"classes by name: {found} have a partner; others become unknown")
    with bar() as progress:
        task = progress.add_task("painting", total=len(run.entries))
        return run.paint(lambda done, total: progress.update(task, completed=done))


def _finish(run: "TestRun", rows: "list[Row]", flags: TestFlags) -> None:
    from spadework.nvlabs.likeness import summary
    from spadework.nvlabs.page import write_page

    title = f"{flags.name}: {flags.phase or 'test'}, {flags.which_epoch}"
    about = [f"{len(rows)} maps painted by {run.engine.card.name}; nothing was selected"]
    both = [
        (run.folder / row.pictures["synthesized_image"], run.folder / row.pictures["photo"])
        for row in rows
        if "photo" in row.pictures
    ]
    figures = summary([row.psnr for row in rows], both)
    page = write_page(run.folder, title, [*about, *figures], rows)
    show_table(["map", "what is on it"], [[row.name, row.classes] for row in rows[:20]])
    for line in figures:
        tell(line)
    tell(f"{len(rows)} pictures in {run.folder / 'images' / 'synthesized_image'}")
    tell(f"page: {page}")
