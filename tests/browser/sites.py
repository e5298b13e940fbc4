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
    """A site of a model at `url`, until `close`. While `away` is set it has no files.

    `sent`: bytes of all answers, had they been packed as static hosts pack them. `isolated`: it sends the
    headers that give a page threads.
    """

    def __init__(self, folder: Path, model: Path, isolated: bool = False) -> None:
        others = {"segmenter": Segmenter.load(), "enlarger": Enlarger.load()}
        self.site = write_site(load_checkpoint(model), folder / "some" / "path", runtime(), **others)
        self.away, self.sent, host = False, 0, self

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
                for name, value in ISOLATED.items() if isolated else ():
                    self.send_header(name, value)
                super().end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/some/path/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """No more."""
        self._server.shutdown()
        self._server.server_close()
