#!/usr/bin/env python3
"""Serve a folder of static files to this machine alone, and print the address."""

import argparse
import functools
import http.server
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from q1net_msroi.utils.errors import EXIT_OK, UserError, run_command, show

TYPES = {".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json", ".html": "text/html"}


class Handler(http.server.SimpleHTTPRequestHandler):
    """Sends files with the types that browsers insist on, whatever this machine's own table says; logs nothing."""

    extensions_map = http.server.SimpleHTTPRequestHandler.extensions_map | TYPES

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def end_headers(self) -> None:
        """Let browsers ask each time whether a file has changed."""
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()


def make_server(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Return a server of `folder` on the loopback address, on `port` or, where that is taken, on any free one."""
    handler = functools.partial(Handler, directory=str(folder))
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError:
        return http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="serve_folder.py", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, help="folder to serve")
    parser.add_argument("port", type=int, nargs="?", default=8000, help="port to listen on (default: 8000)")
    options = parser.parse_args(arguments)
    if not (options.folder / "index.html").exists():
        raise UserError(f"{show(options.folder)} holds no index.html; scripts/build_web.sh makes the page")
    if not 0 <= options.port < 65536:
        raise UserError(f"port {options.port} is out of range; give one from 0 to 65535")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # nothing to clean up; the server would take an exception for its own
    with make_server(options.folder, options.port) as server:
        print(f"http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(run_command("serve_folder.py", main))
