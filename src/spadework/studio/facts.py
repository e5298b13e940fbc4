"""What the page of a site and its worker must know of the model, and of how the engine decides."""

import math
from collections.abc import Mapping
from typing import Any

from spadework.api.facts import examples, served
from spadework.api.gate import Limits
from spadework.engine import Engine
from spadework.enlarger.enlarger import CELL
from spadework.enlarger.network import REACH
from spadework.executor import NOISE_SEED
from spadework.lights import WIDE
from spadework.model import Checkpoint
from spadework.nn.prior import StylePrior
from spadework.onnx.contexts import steps
from spadework.segmenter.segmenter import LEAST, LONG, SHORT, Segmenter
from spadework.service import moods
from spadework.service.opening import MOST_OF_A_PHOTO
from spadework.service.styles import TRIED
from spadework.sizes import DOUBLINGS, LONGEST
from spadework.sketch.labelmap import MIN_SIDE
from spadework.studio.runtime import PLAIN, WEBGPU


def facts(
    checkpoint: Checkpoint, engine: Engine, segmenter: Segmenter | None, files: Mapping[str, Any]
) -> dict[str, Any]:
    """For `site.json`. `files`: name -> the parts of a file."""
    config = checkpoint.card.generator
    card = checkpoint.card
    model = served(card.name, card, loaded=True, photo_labels=segmenter is not None)
    enlarger = engine.enlarger
    return {
        "models": [model.model_copy(update={"psd": False}).model_dump()],
        "facts": _painter_facts(checkpoint, files),
        "z_dim": config.z_dim,
        "prior": _prior_facts(checkpoint.prior),
        "photo_side": checkpoint.encoder.config.size if checkpoint.encoder else 0,
        "examples": [example.model_dump() for example in examples("sketches/{name}.png")],
        "moods": mood_rules(),
        "unlike": TRIED,
        "light_width": WIDE,
        "sizes": {
            "longest": LONGEST,
            "doublings": DOUBLINGS,
            "least": MIN_SIDE,
            "pixels": Limits().pixels,
            "photo": MOST_OF_A_PHOTO,
        },
        "segmenter": segmenter
        and {"short": SHORT, "long": LONG, "least": LEAST, "unknown": engine.palette.unknown},
        "enlarger": enlarger and {"name": enlarger.card.name, "reach": REACH, "cell": CELL},
    }


def _painter_facts(checkpoint: Checkpoint, files: Mapping[str, Any]) -> dict[str, Any]:
    config, semantics = checkpoint.card.generator, checkpoint.card.semantics
    grids, side = steps(checkpoint.generator), 2**config.num_ups
    blocks = [side // height for height, _ in config.grids((side, side))]
    shape = config.model_dump(include={"size", "num_ups", "kernel", "label_padding", "noise"})
    return {
        "generator": shape | {"grids": grids, "blocks": blocks},
        "semantics": semantics.model_dump(include={"label_nc", "unknown", "unknown_id"}),
        "noise_seed": NOISE_SEED,
        "files": dict(files),
        "ort": {"wasm": PLAIN[:2], "webgpu": WEBGPU[:2]},
    }


def _prior_facts(prior: StylePrior | None) -> dict[str, int] | None:
    return prior and prior.config.model_dump(include={"references", "drawn", "grid"})


def mood_rules() -> dict[str, Any]:
    """How moods are found and named, as JSON: bounds that are none are null."""
    return {
        "tried": moods.TRIED,
        "short": moods.SHORT,
        "near_black": moods.NEAR_BLACK,
        "brightness": moods.BRIGHTNESS.tolist(),
        "moods": [
            {
                "name": mood.name,
                "apart": _bounds(mood.apart),
                "itself": _bounds(mood.itself),
                "wanted": dict(mood.wanted),
                "near": dict(mood.near),
            }
            for mood in moods.MOODS
        ],
        "shown": list(moods.SHOWN),
    }


def _bounds(bounds: moods.Bounds) -> dict[str, list[float | None]]:
    return {name: [side if math.isfinite(side) else None for side in both] for name, both in bounds.items()}
