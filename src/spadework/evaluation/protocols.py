"""What a figure depends on besides the model, as frozen data: how papers measured, and how we do.

One published checkpoint has FIDs from 50 to 72 depending on who computes them; so figures are compared only
where all of this is equal.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from spadework.data.geometry import Geometry
from spadework.data.sample import Sample
from spadework.files import Fault
from spadework.sketch.palette import near_misses

SHAPES = {
    "center": "the largest box of the model's aspect in the middle, short side by Lanczos, box by bicubic",
    "stretch": "the whole photo at the model's size, aspect not kept, short side by Lanczos, then bicubic",
}
"""How photos and label maps are brought to the model's size; ids always take the nearest pixel."""


class Protocol(BaseModel):
    """Everything that is fixed before a model is measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str = Field(description="where it is laid down")
    shape: Literal["center", "stretch"] = Field(description="how photos come to the model's size")
    inception: bool = Field(description="whether it is not complete without the user's Inception weights")
    seeds: int = Field(
        ge=1, description="pictures per map: seeds 0, 1, ...; only diversity needs more than one"
    )
    reference: str = Field(description="what the distances are taken to")
    departs: str = Field(description="what here is not as there, so that nobody quotes it for theirs")

    def shaped(self, sample: Sample, size: tuple[int, int]) -> Sample:
        """The pair at (H, W)."""
        height, width = sample.labels.shape
        box = Geometry(0, 0, height, width, size)
        return (box if self.shape == "stretch" else Geometry.center((height, width), size))(sample)


_PHOTOS = "the photos of the same pairs, at the same size"
_SEGMENTERS = (
    "mIoU and accuracy: theirs are by DeepLabV2 (COCO-Stuff), UperNet-101 (ADE20K) and DRN-D-105 (Cityscapes)"
)

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="spadework",
            source="docs/evaluation.md",
            shape="center",
            inception=False,
            seeds=4,
            reference=_PHOTOS,
            departs="nothing",
        ),
        Protocol(
            name="spade",
            source="Park et al. 2019 (1903.07291), section 4, pytorch-fid (NVlabs/SPADE issues 14, 51)",
            shape="stretch",
            inception=True,
            seeds=1,
            reference=_PHOTOS,
            departs=f"{_SEGMENTERS}, at the label map's own size; ours reads the painted size. Whether their "
            "photos were resized before the FID is not known",
        ),
        Protocol(
            name="oasis",
            source="Sushko et al. 2021 (2012.04781), section 4, pytorch-fid over the resized validation "
            "photos (boschresearch/OASIS utils/fid_scores.py, issue 2)",
            shape="stretch",
            inception=True,
            seeds=20,
            reference=_PHOTOS,
            departs=f"{_SEGMENTERS}. Their diversity is LPIPS and MS-SSIM; ours has no learned weights. "
            "Their checkpoint is the one with the lowest of these very FIDs; ours is the last",
        ),
        Protocol(
            name="gan-compression",
            source="Li et al. 2020 (2003.08936); FID by pytorch-fid, test paintings to test photos "
            "(mit-han-lab/gan-compression README, metric/)",
            shape="stretch",
            inception=True,
            seeds=1,
            reference=_PHOTOS,
            departs=f"{_SEGMENTERS}, after bicubic enlargement to the label map's own size; ours reads the "
            "painted size",
        ),
    )
}
"""Every protocol by its name."""


def named(name: str) -> Protocol:
    """A protocol by its name. Raises ValueError with near misses."""
    if name not in PROTOCOLS:
        near, known = near_misses(name, PROTOCOLS), ", ".join(PROTOCOLS)
        raise Fault(f"no protocol {name!r}", f"{near} Known: {known}.".strip())
    return PROTOCOLS[name]
