"""A studio without a server, on a plain file server under a sub-path."""

import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from spadework.engine import MODELS
from spadework.model import load_checkpoint
from spadework.studio.runtime import runtime
from spadework.studio.site import write_site


class Host:
    """A site of the shipped model at `url`, until `close`. While `away` is set it has no files."""

    def __init__(self, folder: Path) -> None:
        self.site = write_site(load_checkpoint(MODELS["landscape"]), folder / "some" / "path", runtime())
        self.away, host = False, self

        class Files(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(folder))

            def do_GET(self) -> None:
                if host.away:
                    self.send_error(503)
                else:
                    super().do_GET()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/some/path/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """No more."""
        self._server.shutdown()
        self._server.server_close()
