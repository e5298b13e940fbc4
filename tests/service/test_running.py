"""Where a studio listens."""

import socket

import pytest
from typer.testing import CliRunner

from spadework.cli import app
from spadework.studio.running import own_address, place


def test_loopback_needs_no_token() -> None:
    at = place("127.0.0.1", 0)
    with at.listener:
        assert at.token is None
        assert at.url == f"http://127.0.0.1:{at.listener.getsockname()[1]}/"


def test_answers_leave_at_once() -> None:
    """With Nagle's algorithm the second half of a short one waits 40 ms for a late acknowledgement."""
    at = place("127.0.0.1", 0)
    with at.listener, socket.create_connection(at.listener.getsockname()[:2]):
        accepted, _ = at.listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_every_other_address_gets_a_token() -> None:
    at = place("0.0.0.0", 0)
    with at.listener:
        assert at.token
        assert at.url.endswith(f"?token={at.token}")
        assert f"http://{own_address()}:" in at.url
        assert "0.0.0.0" not in at.url


def test_a_port_that_is_taken_and_one_that_cannot_be() -> None:
    at = place("127.0.0.1", 0)
    with at.listener, pytest.raises(ValueError, match="choose another --port"):
        place("127.0.0.1", at.listener.getsockname()[1])
    with pytest.raises(ValueError, match="outside"):
        place("127.0.0.1", 70000)


def test_the_command_refuses_in_one_line() -> None:
    result = CliRunner().invoke(app, ["studio", "--no-browser", "--port", "70000"])
    assert result.exit_code == 2
    assert result.stderr == "error: port 70000 is outside 0..65535: choose another --port\n"
