"""A segmenter in onnxruntime gives pixels the classes that PyTorch gives them, at sizes of any kind."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spadework.segmenter.segmenter import SEGMENTERS, Segmenter

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from spadework.enlarger.enlarger import ENLARGERS, Enlarger
from spadework.onnx import enlarger as enlargers
from spadework.onnx import segmenter as segmenters
from spadework.onnx.model import onnx_session


@pytest.mark.skipif(not SEGMENTERS["segmenter_landscape"].is_file(), reason="the segmenter is not there")
def test_every_size_has_the_same_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = Segmenter.load()
    session = onnx_session(segmenters.segmenter_bytes(segmenter))
    for size, fine in (((37, 53), (37, 53)), ((64, 97), (31, 200))):
        coarse = torch.randn(1, 3, 6, 9, generator=torch.Generator().manual_seed(0))
        image = F.interpolate(coarse, size=size, mode="bilinear").tanh()
        ids = session.run(None, {"image": image.numpy(), "size": np.array(fine, np.int64)})[0]
        with torch.no_grad():
            scores = F.interpolate(segmenter.net(image), size=fine, mode="bilinear")[0]
        best, second = scores.topk(2, 0).values
        clear = (best - second > 1e-2).numpy()  # elsewhere both answers are as good
        assert clear.mean() > 0.9
        assert (ids == scores.argmax(0).numpy())[clear].all()
        assert len(np.unique(ids)) > 1
    monkeypatch.setattr(segmenters, "SAME", 1.1)
    with pytest.raises(ValueError, match=r"keep their class, at least 110\.0% must: publish a segmenter"):
        segmenters.segmenter_bytes(segmenter)


@pytest.mark.skipif(not ENLARGERS["enlarger_landscape"].is_file(), reason="the enlarger is not there")
def test_an_enlarger_in_half_precision_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    enlarger = Enlarger.load()
    assert len(enlargers.enlarger_bytes(enlarger)) < 900_000
    monkeypatch.setattr(enlargers, "HALF_PSNR", 400.0)
    with pytest.raises(ValueError, match="dB, at least 400 are needed: publish an enlarger"):
        enlargers.enlarger_bytes(enlarger)
