"""`spadework import`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spadework.cli.published import checked, published
from spadework.cli.telling import command, show_table, tell
from spadework.nvlabs.flags import ImportFlags, shaped

if TYPE_CHECKING:
    from spadework.model import Checkpoint
    from spadework.nvlabs.files import Published


@published(ImportFlags, {})
def import_(
    typed: dict[str, Any],
    source: Annotated[
        Path, typer.Argument(metavar="FILE|DIR|TAR", help="latest_net_G.pth, its folder, or the archive.")
    ],
    preset: Annotated[str, typer.Option(metavar="NAME", help="coco, ade20k, cityscapes, facades or custom.")],
    encoder: Annotated[
        Path | None, typer.Option(metavar="FILE", help="latest_net_E.pth of a model with styles.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="The model, a .safetensors file.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Paint three maps with the model and with the published shape.")
    ] = False,
) -> None:
    """Turn a published SPADE checkpoint into a model of ours.

    Only tensors are read; nothing in the file is run, and nothing is unpacked. What the weights show is
    compared with the preset. To train on from a checkpoint, leave it as it is: train --continue_train reads
    its generator, encoder and discriminator.
    """
    flags: ImportFlags = checked(ImportFlags, typed)
    found = _found(source, flags.which_epoch, preset, encoder)
    name = out.stem if out else _name(source)
    model, target = _converted(found, preset, name, flags), out or Path(f"{name}.safetensors")
    _save(model, target)
    _tell(model, found)
    if verify:
        _verify(model, target)
    tell(f"model: {target}")
    tell(f"try it: {command('paint', 'SKETCH.png', '--model', target)}")


def _converted(found: "Published", preset: str, name: str, flags: ImportFlags) -> "Checkpoint":
    from spadework.nvlabs.convert import convert
    from spadework.nvlabs.presets import preset as named

    stated = {"num_upsampling_layers": flags.num_upsampling_layers}
    return convert(found, shaped(flags, named(preset)), name, stated)


def _save(model: "Checkpoint", target: Path) -> None:
    import torch

    from spadework.model import save_checkpoint

    save_checkpoint(target, model.card, model.generator, model.encoder, dtype=torch.float32)


def _found(source: Path, which: str, preset: str, encoder: Path | None) -> "Published":
    from dataclasses import replace

    from spadework.nvlabs.files import find, read_state

    found = find(source, which, f"{preset}_")
    if encoder is None:
        return found
    return replace(found, states={**found.states, "encoder": read_state(encoder)})


def _name(source: Path) -> str:
    """The folder's name, for a file called as all of them are."""
    plain = source.resolve()
    return plain.parent.name if plain.name.endswith("_net_G.pth") else plain.name.partition(".")[0]


def _tell(model: "Checkpoint", found: "Published") -> None:
    generator, semantics = model.card.generator, model.card.semantics
    height, width = generator.size
    rows = [
        ["semantic channels", f"{generator.semantic_nc} = {_channels(semantics)}"],
        ["size, width x height", f"{width}x{height}"],
        ["doublings", str(generator.num_ups)],
        ["width unit (ngf)", str(generator.ngf)],
        ["norm, kernel", f"{generator.norm}, {generator.kernel}x{generator.kernel}"],
        ["style", f"{generator.z_dim} values" if generator.z_dim else "none"],
        ["encoder", "yes" if model.encoder else "no"],
        ["palette", model.card.palette.name],
    ]
    show_table(["what", "read off the weights"], rows)
    if generator.z_dim and model.encoder is None:
        tell("no encoder given: styles come from seeds only; add --encoder latest_net_E.pth to use photos")
    if "discriminator" in found.states:
        tell(
            "the discriminator stays out, as it does not paint: train --continue_train reads it where it lies"
        )


def _channels(semantics: "object") -> str:
    parts = [f"{semantics.label_nc} classes"]  # type: ignore[attr-defined]
    parts += ["unknown"] if semantics.unknown else []  # type: ignore[attr-defined]
    parts += ["edges"] if semantics.edges else []  # type: ignore[attr-defined]
    return " + ".join(parts)


def _verify(model: "Checkpoint", target: Path) -> None:
    """Three maps of random blocks: the saved model through the engine against the imported weights, dense."""
    import numpy as np
    import torch

    from spadework.engine import Engine
    from spadework.nn.labels import Labels
    from spadework.nn.pixels import to_bytes

    engine = Engine.load(target, "cpu")
    worst, spent, dense_spent = 0, 0.0, 0.0
    for seed in range(3):
        ids = _blocks(model, seed)
        style = engine.sample_style(seed) if engine.card.generator.z_dim else None
        began = time.perf_counter()
        painted = engine.paint(ids, seed, style, size=ids.shape).pixels
        middle = time.perf_counter()
        with torch.inference_mode():
            z = None if style is None else torch.from_numpy(style.z.copy())[None]
            labels = Labels.of(torch.from_numpy(ids)[None], model.card.semantics)
            dense = to_bytes(model.generator(labels, z))[0]
        spent, dense_spent = spent + middle - began, dense_spent + time.perf_counter() - middle
        worst = max(worst, int(np.abs(painted.astype(int) - dense).max()))
    tell(
        f"verified on 3 maps: largest difference {worst} of 255; engine {1000 * spent / 3:.0f} ms a picture, "
        f"dense {1000 * dense_spent / 3:.0f} ms"
    )
    if worst > 1:
        raise ValueError(f"{target} paints other pictures than the weights it was made of: tell us about it")


def _blocks(model: "Checkpoint", seed: int):
    import numpy as np

    rng, (height, width) = np.random.default_rng(seed), model.card.generator.size
    small = rng.choice(model.card.palette.ids(), (8, 8))
    return small[np.arange(height)[:, None] * 8 // height, np.arange(width) * 8 // width]
