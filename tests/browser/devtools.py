# SPDX-License-Identifier: Apache-2.0
"""A browser without a window, driven over the DevTools protocol by a pair of pipes.

The browser reads commands from descriptor 3 and writes answers and events to descriptor 4, each a
JSON text that ends with a NUL. See https://chromedevtools.github.io/devtools-protocol/.
"""
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

NAMES = ["chromium", "chromium-browser", "google-chrome"]
FLAGS = ["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu-sandbox",
         "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-dev-shm-usage",
         "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions",
         "--disable-default-apps", "--mute-audio", "--hide-scrollbars",
         "--force-device-scale-factor=1"]


def find_browser():
    """The path of a browser, or None."""
    found = [shutil.which(name) for name in [os.environ.get("DIP_BROWSER") or ""] + NAMES]
    return next((path for path in found if path), None)


class Failure(Exception):
    """The browser refused a command, or a script in it failed."""


class Browser:
    """One process of the browser; a context that ends it."""

    def __init__(self, *flags):
        self.folder = tempfile.mkdtemp(prefix="browser-")
        child_in, self.into = os.pipe()
        self.out, child_out = os.pipe()
        # High numbers first: the ends may themselves be 3 or 4.
        high_in, high_out = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (child_in, child_out))

        def take_places():
            os.dup2(high_in, 3)
            os.dup2(high_out, 4)
        self.process = subprocess.Popen(
            [find_browser(), *FLAGS, *flags, "--user-data-dir=" + self.folder, "about:blank"],
            pass_fds=(3, 4), preexec_fn=take_places, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        for fd in (child_in, child_out, high_in, high_out):
            os.close(fd)
        self.buffer = b""
        self.number = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the browser and removes what it wrote."""
        os.close(self.into)
        os.close(self.out)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, True)

    def receive(self, deadline):
        """The next message."""
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.out], [], [], max(0, deadline - time.monotonic()))
            data = os.read(self.out, 1 << 16) if ready else b""
            if not data:
                raise Failure("the browser does not answer" if not ready else "the browser ended")
            self.buffer += data
        text, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(text)

    def send(self, method, parameters, session=None, timeout=60):
        """Gives a command and waits for its answer; events are kept."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.into, data):]
        deadline = time.monotonic() + timeout
        while True:
            answer = self.receive(deadline)
            if answer.get("id") != self.number:
                self.events.append(answer)
            elif "error" in answer:
                raise Failure("%s: %s" % (method, answer["error"].get("message")))
            else:
                return answer["result"]


class Page:
    """One page, looked at like a user does."""

    def __init__(self, browser, width=1280, height=900):
        self.browser = browser
        target = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        self.session = browser.send("Target.attachToTarget",
                                    {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(domain + ".enable")
        self.resize(width, height)

    def send(self, method, timeout=60, **parameters):
        """A command to this page."""
        return self.browser.send(method, parameters, self.session, timeout)

    def resize(self, width, height, is_phone=False):
        """Gives the window a size in pixels of the page."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=is_phone)

    def media(self, kind="", dark=False):
        """What the style's questions about the medium are answered with."""
        self.send("Emulation.setEmulatedMedia", media=kind, features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, path, until="true", timeout=60):
        """Opens a file and waits until an expression holds."""
        self.browser.events.clear()
        self.send("Page.navigate", url="file://" + os.path.abspath(path))
        self.wait("document.readyState === 'complete' && location.protocol === 'file:' && (%s)"
                  % until, timeout)

    def run(self, script, timeout=60):
        """The value of an expression, a promise's when it is one."""
        answer = self.send("Runtime.evaluate", timeout, expression=script, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise Failure(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def wait(self, script, timeout=60):
        """Waits until an expression holds."""
        deadline = time.monotonic() + timeout
        while not self.run("Boolean(%s)" % script):
            if time.monotonic() > deadline:
                raise Failure("waited in vain for " + script)
            time.sleep(0.05)

    def of(self, *methods):
        """Events of these kinds, as far as the browser has told."""
        self.run("0")
        return [e["params"] for e in self.browser.events
                if e.get("sessionId") == self.session and e["method"] in methods]

    def complaints(self):
        """Errors and warnings that scripts and the browser wrote to the console."""
        found = [str(e["exceptionDetails"]) for e in self.of("Runtime.exceptionThrown")]
        found += [str(e["args"]) for e in self.of("Runtime.consoleAPICalled")
                  if e["type"] in ("error", "warning", "assert")]
        return found + [e["entry"]["text"] for e in self.of("Log.entryAdded")
                        if e["entry"]["level"] in ("error", "warning")]

    def requests(self):
        """Addresses that were asked for."""
        return [e["request"]["url"] for e in self.of("Network.requestWillBeSent")]

    def move(self, x, y):
        """Moves the pointer."""
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x, y, count=1):
        """Presses and releases the left button; count 2 is the second press of two."""
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left",
                      clickCount=count)

    def screenshot(self, path):
        """Writes what is in the window as a .png."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def pdf(self):
        """The page as it is printed: bytes of a PDF."""
        return base64.b64decode(self.send("Page.printToPDF", preferCSSPageSize=True,
                                          printBackground=True, paperWidth=8.27,
                                          paperHeight=11.69)["data"])
