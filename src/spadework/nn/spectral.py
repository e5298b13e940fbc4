"""Spectral norm: a weight divided by its largest singular value (Miyato et al. 2018, arXiv 1802.05957)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

_FIRST_ITERATIONS = 15


class SpectralNorm(nn.Module):
    """W / sigma(W), sigma estimated by one power iteration a call in training, as in the paper's algorithm 1.

    An iteration runs v <- W^T u, u <- W v and ends with sigma = u^T W v. PyTorch's own parametrization, whose
    names of the vectors are kept, turns the two halves round: another sigma until both converge.
    """

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor):
        super().__init__()
        matrix = weight.detach().flatten(1)
        self.register_buffer("_u", F.normalize(torch.randn_like(matrix[:, 0]), dim=0))
        self.register_buffer("_v", F.normalize(torch.randn_like(matrix[0]), dim=0))
        for _ in range(_FIRST_ITERATIONS):
            self.iterate(matrix)

    @torch.no_grad()
    def iterate(self, matrix: Tensor) -> None:
        """One power iteration, into new tensors: the gradient of an earlier call keeps its own."""
        self._v = F.normalize(torch.mv(matrix.t(), self._u), dim=0)
        self._u = F.normalize(torch.mv(matrix, self._v), dim=0)

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with spectral norm 1, in its own precision also under autocast."""
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.flatten(1)
            if self.training:
                self.iterate(matrix)
            return weight / torch.dot(self._u, torch.mv(matrix, self._v))


def spectral_norm(module: nn.Module) -> nn.Module:
    """Gives a convolution's ``weight`` spectral norm; returns the module."""
    parametrize.register_parametrization(module, "weight", SpectralNorm(module.get_parameter("weight")))
    return module
