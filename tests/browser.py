"""A headless Chromium that tests drive through its DevTools protocol, over two pipes: no package is needed for it."""

import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
ABSENT = "no Chromium is installed (Debian: apt-get install chromium)"


class Browser:
    """One page of `width` x `height` CSS pixels; `requests` are the addresses it asked for, `problems` what it said."""

    def __init__(self, profile: Path, width: int = 1100, height: int = 800) -> None:
        assert CHROMIUM
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"]
        flags += ["--disable-background-networking", f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()
        command = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, CHROMIUM, *flags, "about:blank"],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._numbers, self._buffer = itertools.count(1), b""
        self._session: str | None = None
        self.requests: list[str] = []
        self.problems: list[str] = []
        target = next(t for t in self.send("Target.getTargets")["targetInfos"] if t["type"] == "page")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "DOM", "Log"):
            self.send(f"{domain}.enable")
        sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", **sizes)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result; what happens meanwhile is noted."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer.get("method", ""), answer.get("params", {}))

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._from, 1 << 16)
            assert part, "Chromium ended"
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def _note(self, event: str, what: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            details = what["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description", details["text"]))
        elif event == "Log.entryAdded" and what["entry"]["level"] == "error":
            self.problems.append(what["entry"]["text"])

    def open(self, address: str) -> None:
        """Go to an address."""
        self.send("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """Return what a JavaScript expression gives, awaited where it is a promise."""
        wanted = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        done = self.send("Runtime.evaluate", expression=script, **wanted)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait(self, script: str, seconds: float = 30) -> float:
        """Wait until an expression is true; return how many seconds that took."""
        started = time.perf_counter()
        while not self.run(f"Boolean({script})"):
            waited = time.perf_counter() - started
            assert waited < seconds, f"{script} is not true after {waited:.0f} s; problems: {self.problems}"
            time.sleep(0.01)
        return time.perf_counter() - started

    def choose(self, selector: str, *paths: Path) -> None:
        """Choose files in an input, as a person would."""
        found = self.send("Runtime.evaluate", expression=f"document.querySelector({selector!r})")["result"]
        self.send("DOM.setFileInputFiles", objectId=found["objectId"], files=[str(path) for path in paths])

    def screenshot(self, whole: bool = True) -> str:
        """Return a PNG of the page in base64."""
        shot: str = self.send("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        return shot

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        os.close(self._to)
        os.close(self._from)
        self._process.kill()
        self._process.wait()
