"""Headless Chromium by its DevTools protocol over two pipes, for pages that the tests look at."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Chromium:
    """A browser with one page open.

    Attributes:
        console: messages, errors and violations of a page's policy.
        requests: addresses that were asked for, the page's own and data: left out.
    """

    def __init__(self, folder: Path):
        """Starts a browser that keeps its profile in a folder."""
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
        options += ["--disable-background-networking", f"--user-data-dir={folder / 'profile'}", "about:blank"]
        (to_read, self._out), (self._in, to_write) = os.pipe(), os.pipe()
        redirected = f'exec "$0" "$@" 3<&{to_read} 4>&{to_write}'  # it reads commands from 3 and answers on 4
        self._process = subprocess.Popen(
            ["bash", "-c", redirected, CHROMIUM, *options],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._number, self._buffer, self._session = 0, b"", None
        self.console, self.requests, self._page = [], [], ""
        target = next(t for t in self._call("Target.getTargets")["targetInfos"] if t["type"] == "page")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, page: Path, width: int, scheme: str = "light") -> None:
        """Opens a file in a window so many pixels wide, and waits until all of it has been loaded.

        scheme: light or dark, the colours that the user prefers.
        """
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        metrics = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **metrics)
        self._page = page.as_uri()
        self._call("Page.navigate", url=self._page)
        self.run(
            f"new Promise(done => {{ const wait = () => location.href === {json.dumps(self._page)} && "
            "document.readyState === 'complete' ? done() : setTimeout(wait, 20); wait(); })"
        )

    def run(self, script: str):
        """The value of an expression of JavaScript, awaited where it is a promise."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    def picture(self, path: Path, height: int) -> None:
        """The page from its top, so many pixels of it, as PNG."""
        clip = {"x": 0, "y": 0, "width": self.run("innerWidth"), "height": height, "scale": 1}
        answer = self._call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(answer["data"]))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)

    def _call(self, method: str, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._buffer:
                part = os.read(self._in, 1 << 20)
                if not part:
                    raise RuntimeError("Chromium has ended")
                self._buffer += part
            first, self._buffer = self._buffer.split(b"\0", 1)
            answer = json.loads(first)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self._note(answer.get("method"), answer.get("params", {}))

    def _note(self, event: str | None, params: dict) -> None:
        if event == "Runtime.consoleAPICalled":
            self.console.append(str([arg.get("value") for arg in params["args"]]))
        elif event == "Runtime.exceptionThrown":
            self.console.append(params["exceptionDetails"]["exception"].get("description", ""))
        elif event == "Log.entryAdded":
            self.console.append(params["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if url.split("#")[0] != self._page and not url.startswith("data:"):
                self.requests.append(url)
