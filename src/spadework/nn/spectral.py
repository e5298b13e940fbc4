"""Spectral norm: a weight divided by its largest singular value (Miyato et al. 2018, arXiv 1802.05957)."""

import copy
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from spadework.nn.recompute import repeating

_FIRST_ITERATIONS = 15

Network = TypeVar("Network", bound=nn.Module)


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
            self.iterate(weight)

    @torch.no_grad()
    def iterate(self, weight: Tensor) -> None:
        """One power iteration, into new tensors: the gradient of an earlier call keeps its own."""
        order = _order(weight)
        stored = weight.permute(order)
        matrix = stored.flatten(1)
        v = F.normalize(torch.mv(matrix.t(), self._u), dim=0)
        self._u = F.normalize(torch.mv(matrix, v), dim=0)
        back = [order.index(i) - 1 for i in range(1, weight.ndim)]
        self._v = v.view(stored.shape[1:]).permute(back).flatten()

    def forward(self, weight: Tensor) -> Tensor:
        """The weight with spectral norm 1, in its own precision also under autocast."""
        with torch.autocast(weight.device.type, enabled=False):
            if self.training and not repeating():
                self.iterate(weight)
            return _Divide.apply(weight, self._u, self._v)


class _Divide(torch.autograd.Function):
    """W / sigma; of the gradient G it makes (G - <G, W / sigma> u v^T) / sigma (equation 12 of the paper).

    Autograd's own way goes over the weights three times as often.
    """

    @staticmethod
    def forward(ctx, weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
        order = ctx.order = _order(weight)
        columns = v.view(weight.shape[1:]).permute([i - 1 for i in order[1:]]).flatten()
        sigma = torch.dot(u, torch.mv(weight.permute(order).flatten(1), columns))
        divided = weight / sigma
        ctx.save_for_backward(divided, sigma, u, columns)
        return divided

    @staticmethod
    def backward(ctx, *grads: Tensor):
        divided, sigma, u, columns = ctx.saved_tensors
        grad, divided = (t.permute(ctx.order).contiguous() for t in (grads[0], divided))
        along = torch.dot(grad.flatten(), divided.flatten())
        matrix = torch.addcmul(grad.flatten(1), (u * -along)[:, None], columns).div_(sigma)
        back = [ctx.order.index(i) for i in range(grad.ndim)]
        return matrix.view_as(grad).permute(back), None, None


def _order(weight: Tensor) -> list[int]:
    """The dimensions as they lie in memory, so that a matrix of them is a view; output channels first."""
    if weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last):
        return [0, 2, 3, 1]
    return list(range(weight.ndim))


def spectral_norm(module: nn.Module) -> nn.Module:
    """Gives a convolution's `weight` spectral norm; returns the module."""
    parametrize.register_parametrization(module, "weight", SpectralNorm(module.get_parameter("weight")))
    return module


def fold_spectral_norm(module: Network) -> Network:
    """A copy in eval mode whose weights are divided by their spectral norms once, not at every call.

    Its pictures equal the original's in eval mode to float rounding; the original stays as it is.
    """
    return remove_spectral_norm(copy.deepcopy(module).eval())


def remove_spectral_norm(module: Network) -> Network:
    """Gives every layer the plain weight that it multiplies with at present; returns the module."""
    # Not remove_parametrizations: it strips the class, which a deep copy shares with its original.
    for part in list(module.modules()):
        if parametrize.is_parametrized(part, "weight"):
            weight = nn.Parameter(torch.as_tensor(part.weight).detach())
            part.__class__ = parametrize.type_before_parametrizations(part)
            del part.parametrizations
            part.register_parameter("weight", weight)
    return module
