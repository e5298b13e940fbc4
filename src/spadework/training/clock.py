"""How long a training may take, and how far it is: by images, or by the clock."""

import time
from dataclasses import dataclass, field

from spadework.nn import together

DECAY = 0.6
"""By the clock the learning rate falls from this share of the time on, if the recipe does not say when."""


@dataclass(frozen=True)
class Clock:
    """`deadline`: of time.monotonic(), or None: all the time it wants."""

    total_images: int
    deadline: float | None = None
    began: float = field(default_factory=time.monotonic)

    def share(self, images_seen: int) -> float:
        """Of the training that is done, 0 to 1: of the images or of the time, whichever is more."""
        done = images_seen / self.total_images
        if self.deadline is not None:
            spent = (time.monotonic() - self.began) / max(1e-9, self.deadline - self.began)
            done = max(done, together.from_first(lambda: spent))
        return min(1.0, done)

    def decay_from(self, stated: float) -> float:
        """The share from which the learning rate falls."""
        return DECAY if self.deadline is not None and stated == 1 else stated
