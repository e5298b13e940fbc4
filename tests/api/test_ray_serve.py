"""The example in examples/ray_serve.py: the same API, from replicas on Ray Serve."""

import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import sketch
from tiny_model import write

from spadework.client import Client
from spadework.engine import Engine

EXAMPLE = Path(__file__).parents[2] / "examples" / "ray_serve.py"


@pytest.mark.soak
def test_replicas_answer_as_the_api_does(tmp_path: Path) -> None:
    """Two of them, asked by eight clients at a time; Ctrl-C ends all."""
    pytest.importorskip("ray.serve", reason="Ray Serve is not installed: pip install 'spadework[ray]'")
    model = write(tmp_path / "tiny.safetensors")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--model", model, "--replicas", 2, "--port", port]
    command = [sys.executable, EXAMPLE, *words]
    started = subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    patience = threading.Timer(300, started.kill)
    patience.start()
    try:
        assert started.stdout is not None
        told = []
        while not any("the API is at" in line for line in told[-1:]):
            told.append(started.stdout.readline())
            assert told[-1], "".join(told)
        engine = Engine.load(model, "cpu")
        with Client(f"http://127.0.0.1:{port}") as client, ThreadPoolExecutor(8) as many:
            assert [one.model for one in client.models()] == ["tiny"]
            pictures = list(many.map(lambda n: client.paint(sketch(n), seed=n), range(24)))
            assert pictures == [engine.paint(sketch(n), n) for n in range(24)]
            with pytest.raises(ValueError, match="200"):
                client.paint(sketch() + 200)
        started.send_signal(signal.SIGINT)
        started.communicate(timeout=120)
        assert started.returncode == 0
    finally:
        patience.cancel()
        started.kill()
