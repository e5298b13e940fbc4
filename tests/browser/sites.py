"""A studio without a server, on a plain file server under a sub-path."""

import gzip
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from spadework.enlarger.enlarger import Enlarger
from spadework.model import load_checkpoint
from spadework.segmenter.segmenter import Segmenter
from spadework.studio.runtime import runtime
from spadework.studio.site import write_site

ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""With these a page has threads without the site's own worker."""


class Host:
    """A site of a model, until `close`. While `away` is set it has no files.

    `url`: where it is as on any static host; `isolated`: where a host sends the headers that give a page
    threads. `sent`: bytes of all answers, had they been packed as static hosts pack them.
    """

    def __init__(self, folder: Path, model: Path) -> None:
        others = {"segmenter": Segmenter.load(), "enlarger": Enlarger.load()}
        self.site = write_site(load_checkpoint(model), folder / "some" / "path", runtime(), **others)
        self.away, self.sent = False, 0
        self._servers = [
            ThreadingHTTPServer(("127.0.0.1", 0), self._files(folder, headers)) for headers in ({}, ISOLATED)
        ]
        self.url, self.isolated = (
            f"http://127.0.0.1:{server.server_address[1]}/some/path/" for server in self._servers
        )
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def _files(self, folder: Path, headers: dict[str, str]) -> type[SimpleHTTPRequestHandler]:
        host = self

        class Files(SimpleHTTPRequestHandler):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(folder))

            def do_GET(self) -> None:
                if host.away:
                    self.send_error(503)
                else:
                    super().do_GET()

            def copyfile(self, source: Any, outputfile: Any) -> None:
                data = source.read()
                packed = not self.path.endswith((".part", ".png"))
                host.sent += len(gzip.compress(data, 6)) if packed else len(data)
                outputfile.write(data)

            def end_headers(self) -> None:
                for name, value in headers.items():
                    self.send_header(name, value)
                super().end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Files

    def close(self) -> None:
        """No more."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
