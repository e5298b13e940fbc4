"""Features that are computed again for the gradient instead of kept (Chen et al. 2016, arXiv 1604.06174).

Nothing learns from the second time: running statistics and the vectors of spectral norm stay as the first
time left them, so gradients and all that is kept are the same to the bit.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_depth = 0  # of all threads: a GPU's gradients come in one of their own


def repeating() -> bool:
    """Whether what is computed now was computed before."""
    return _depth > 0


@contextmanager
def _second_time() -> Iterator[None]:
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def recomputed(block: nn.Module, *inputs: Any) -> Tensor:
    """`block(*inputs)`, of which only the inputs are kept; it draws no random numbers."""
    return checkpoint(
        block,
        *inputs,
        use_reentrant=False,
        preserve_rng_state=False,
        context_fn=lambda: (nullcontext(), _second_time()),
    )
