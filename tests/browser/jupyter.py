"""JupyterLab on loopback and a real Chromium, without pytest: the benchmarks use them too."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import ipykernel.kernelspec
import nbformat
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

PROJECT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LOOPBACK = {"127.0.0.1", "localhost", "::1", ""}
# What Chromium would do by itself, over the network, if it were let.
QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Seconds; a shared machine can be slow, and none of these is a measurement.
START, CELLS = 90, 180


def write_notebook(folder: Path, name: str, *cells: str) -> str:
    """Write a notebook of these code cells into a folder; gives its name, to be opened by."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.strip()) for source in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / name)
    return name


def find_browser() -> str | None:
    """Path of a Chromium, or None."""
    wanted = os.environ.get("KMSCOURSE_BROWSER")
    if wanted:
        return shutil.which(wanted)
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@dataclass
class Server:
    """A running JupyterLab: where it listens, its token and the folder it serves."""

    url: str
    token: str
    root: Path
    log: Path


@contextmanager
def start_jupyterlab(home: Path) -> Iterator[Server]:
    """A JupyterLab that keeps all it writes in ``home`` and reads nothing of the user's own.

    Raises:
        RuntimeError: it did not start; with the end of its log.
    """
    root, settings, runtime = home / "course", home / "settings", home / "runtime"
    for folder in (root, settings, runtime):
        folder.mkdir()
    write_settings(settings)
    write_kernel(home / "share")
    token = secrets.token_hex(16)
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "JUPYTER"))},
        "HOME": str(home),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_PATH": str(home / "share"),
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYTHONPATH": os.pathsep.join(
            [str(PROJECT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        ).rstrip(os.pathsep),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.port=0",
        f"--ServerApp.root_dir={root}",
        f"--IdentityProvider.token={token}",
        "--LabApp.news_url=",
        "--LabApp.extension_manager=readonly",
        "--LabApp.expose_app_in_browser=True",
        "--ServerApp.terminals_enabled=False",
    ]
    log = home / "server.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=root,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        url = wait_for_server(process, runtime, log, token)
        yield Server(url, token, root, log)
    finally:
        # The process group is ours alone: the server and its kernels.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def write_settings(folder: Path) -> None:
    """No question about news, no update check; every cell in the page, on screen or not."""
    chosen = {
        "@jupyterlab/apputils-extension/notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
        },
        "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    }
    for name, values in chosen.items():
        path = folder / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))


def write_kernel(folder: Path) -> None:
    """The kernel that this process would start: in tests one that has its libraries loaded."""
    path = folder / "kernels" / "python3" / "kernel.json"
    path.parent.mkdir(parents=True)
    kernel = {
        "argv": ipykernel.kernelspec.make_ipkernel_cmd(),
        "display_name": "Python 3",
        "language": "python",
    }
    path.write_text(json.dumps(kernel))


def wait_for_server(process: subprocess.Popen[bytes], runtime: Path, log: Path, token: str) -> str:
    end = time.monotonic() + START
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        for found in runtime.glob("jpserver-*.json"):
            try:
                url = json.loads(found.read_text())["url"]
                with urllib.request.urlopen(f"{url}api/status?token={token}", timeout=5):
                    return str(url)
            except (OSError, ValueError, KeyError):
                pass  # not ready yet
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-3000:]}")


@contextmanager
def start_chromium(path: str) -> Iterator[Browser]:
    """A Chromium without a window. While it runs, so does an event loop of Playwright's."""
    # Chromium's sandbox does not work for root, as in most containers.
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*QUIET, *as_root])
        yield browser
        browser.close()


SIZE = {"width": 1280, "height": 900}
OPEN = "async (path) => { await jupyterapp.commands.execute('docmanager:open', {path}); }"
# What is not saved is dropped: JupyterLab would ask, and nobody answers.
CLEAR = """async () => {
    for (const each of [...jupyterapp.shell.widgets('main')]) {
        if (each.context) each.context.model.dirty = false;
        each.close();
    }
    await jupyterapp.serviceManager.sessions.shutdownAll();
    await jupyterapp.commands.execute(
        'apputils:change-theme', {theme: 'JupyterLab Light'});
}"""
# In the notebook in front: the code cells that have no number yet, by their beginnings.
UNFINISHED = """() => {
    const panel = [...document.querySelectorAll('.jp-NotebookPanel')]
        .find((each) => each.offsetParent);
    const written = (cell) => cell.querySelector('.cm-content')?.textContent.trim();
    const number = (cell) => cell.querySelector('.jp-InputPrompt').textContent;
    return [...panel.querySelectorAll('.jp-CodeCell')]
        .filter((cell) => written(cell) !== '' && !/\\[\\d+\\]/.test(number(cell)))
        .map((cell) => `${number(cell)} ${(written(cell) || '').slice(0, 80)}`);
}"""
# The cells that show an error, by place and text. JupyterLab draws an error as text on stderr,
# where mere warnings are as well.
FAILED = """() => {
    const panel = [...document.querySelectorAll('.jp-NotebookPanel')]
        .find((each) => each.offsetParent);
    const stderr = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]';
    return [...panel.querySelectorAll('.jp-Cell')].flatMap((cell, at) =>
        [...cell.querySelectorAll(stderr)]
            .filter((output) => /Traceback|Error:/.test(output.textContent))
            .map((output) => [at, output.textContent]));
}"""


@dataclass
class Desk:
    """A page with JupyterLab on it, and what went wrong there."""

    page: Page
    server: Server
    complaints: list[str] = field(default_factory=list)
    notebook: str = ""

    def open(self, notebook: str) -> None:
        """Open a notebook of the served folder and wait until its kernel is there.

        The first loads JupyterLab, which takes seconds; each after it finds an empty desk there.
        """
        self.notebook = notebook
        if self.page.url.startswith(self.server.url):
            self.page.evaluate(OPEN, notebook)
        else:
            self.load(notebook)
        self._wait()

    def reload(self) -> None:
        """Load the page with the notebook anew, as a learner does with F5."""
        self.load(self.notebook)
        self._wait()

    def load(self, notebook: str) -> None:
        address = f"{self.server.url}lab/tree/{quote(notebook)}?token={self.server.token}&reset"
        self.page.goto(address)

    def clear(self) -> None:
        """Close what is open, with its kernel, and put theme and size back as they were."""
        self.page.set_viewport_size(SIZE)
        if self.page.url.startswith(self.server.url):
            self.page.evaluate(CLEAR)
            self.page.locator(".jp-NotebookPanel").wait_for(state="detached")

    def _wait(self) -> None:
        self.page.locator(".jp-NotebookPanel:visible .jp-Notebook").wait_for(timeout=START * 1000)
        # Run before the kernel is there, JupyterLab asks which one is wanted.
        self.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for(timeout=START * 1000)

    def menu(self, *names: str) -> None:
        """Choose from the menu bar: menu("Run", "Run All Cells")."""
        bar, *items = names
        self.page.locator(".lm-MenuBar-item", has_text=re.compile(f"^{bar}$")).click()
        for name in items:
            item = self.page.locator(".lm-Menu-item", has_text=re.compile(f"^{re.escape(name)}"))
            item.first.click()

    def run_all(self) -> None:
        """Run All Cells, as a learner would, and wait until each has run.

        An error fails the test, except in a cell tagged ``raises-exception``.
        """
        cells = json.loads((self.server.root / self.notebook).read_text(encoding="utf-8"))["cells"]
        tags = [cell["metadata"].get("tags", []) for cell in cells]
        # A saved notebook has its numbers already; without them each new number is news.
        self.menu("Edit", "Clear Outputs of All Cells")
        self.menu("Run", "Run All Cells")
        end = time.monotonic() + CELLS
        while True:
            failed = [
                text
                for at, text in self.page.evaluate(FAILED)
                if "raises-exception" not in tags[at]
            ]
            assert not failed, failed[0]
            waiting = self.page.evaluate(UNFINISHED)
            if not waiting:
                return
            assert time.monotonic() < end, "cells that did not run: " + " | ".join(waiting)
            self.page.wait_for_timeout(100)

    def theme(self, name: str) -> None:
        """Choose a theme: "JupyterLab Light" or "JupyterLab Dark"."""
        self.menu("Settings", "Theme", name)
        light = "false" if "Dark" in name else "true"
        self.page.locator(f'body[data-jp-theme-light="{light}"]').wait_for(state="attached")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console error: {message.text} ({message.location})")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in LOOPBACK:
            self.complaints.append(f"request off loopback: {request.url}")

    def watch(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("request", self._request)
        self.page.on("crash", lambda _: self.complaints.append("the page crashed"))
