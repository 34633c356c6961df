"""Serving a folder: to this machine alone, with the types that browsers insist on, on a free port."""

import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from q1net_msroi.utils import files
from scripts.serve_folder import make_server


def test_files_and_their_types(tmp_path: Path) -> None:
    names = {"index.html": "text/html", "a.js": "text/javascript", "b.wasm": "application/wasm"}
    for name in names:
        (tmp_path / name).write_text(name)
    with make_server(tmp_path, 0) as server:
        assert server.server_address[0] == "127.0.0.1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name, kind in names.items():
            with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{name}") as answer:
                assert answer.read().decode() == name
                assert answer.headers["Content-Type"] == kind
                assert answer.headers["Cache-Control"] == "no-cache"
        with make_server(tmp_path, server.server_port) as other:
            assert other.server_port not in (0, server.server_port)
        server.shutdown()


def test_wrong_use(call: Callable[..., Any], tmp_path: Path) -> None:
    call("scripts.serve_folder", tmp_path).fails(2, "holds no index.html", "build_web.sh")
    (tmp_path / "index.html").write_text("")
    call("scripts.serve_folder", tmp_path, "70000").fails(2, "70000", "0 to 65535")


def test_the_address_is_printed_at_once(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("hello")
    command = [sys.executable, files.REPOSITORY / "scripts" / "serve_folder.py", tmp_path, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        assert urllib.request.urlopen(address).read() == b"hello"
        process.terminate()
