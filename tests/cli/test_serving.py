"""`course start`: JupyterLab for real, and what keeps it from starting."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
import websocket

from kmscourse import course, jupyter
from kmscourse.doctor import checks

from .homes import ROOT, make_home


@dataclass
class Open:
    """A `course start` that is running."""

    home: Path
    user: Path
    taken: int
    process: subprocess.Popen[str]
    said: str
    url: str

    def get(self, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
        base, _, token = self.url.partition("?token=")
        address = re.match(r"http://[^/]+", base)
        assert address
        request = urllib.request.Request(
            address[0] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                text = response.read().decode()
                return response.status, json.loads(text) if text[:1] in "[{" else text
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read().decode())


def hostile_user(user: Path) -> None:
    """Settings of a user's own that would break the course if they were read."""
    boom = "raise SystemExit('the settings of the user were read')"
    for name in ("jupyter_server_config.py", "jupyter_lab_config.py", "jupyter_config.py"):
        (user / ".jupyter").mkdir(parents=True, exist_ok=True)
        (user / ".jupyter" / name).write_text(boom)
    startup = user / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import os; os._exit(1)")
    for base in (user / ".local" / "share" / "jupyter", user / "Library" / "Jupyter"):
        kernel = base / "kernels" / "python3"
        kernel.mkdir(parents=True)
        spec = {"argv": ["/bin/false"], "display_name": "Other", "language": "python"}
        (kernel / "kernel.json").write_text(json.dumps(spec))
    (user / "shadow").mkdir()
    (user / "shadow" / "boto3.py").write_text("raise ImportError('not the real one')")


def files_of(user: Path) -> set[str]:
    return {path.relative_to(user).as_posix() for path in user.rglob("*") if path.is_file()}


def hostile_environment(home: Path, user: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "XDG", "IPYTHON"))}
    return kept | {
        course.HOME_VARIABLE: str(home),
        "HOME": str(user),
        "PYTHONPATH": str(ROOT) + os.pathsep + str(user / "shadow"),
        "JUPYTER_CONFIG_DIR": str(user / ".jupyter"),
        "JUPYTER_TOKEN": "known-to-all",
        "http_proxy": "http://127.0.0.1:9",
        "NO_PROXY": "",
    }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    base = tmp_path_factory.mktemp("served")
    home, user = make_home(base / "a course"), base / "user"
    hostile_user(user)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "kmscourse.cli", "start", "--no-browser", "--port", str(port)],
            env=hostile_environment(home, user),
            cwd=base,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Tests started in the background ignore Ctrl-C, and what they start would, too
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        said, found = "", None
        assert process.stdout
        for line in process.stdout:
            said += line
            if found := re.search(r"http://\S+", line):
                break
        assert found, said
        try:
            yield Open(home, user, port, process, said, found[0])
        finally:
            process.terminate()
            process.wait(30)


def test_the_start_page_is_served(served: Open) -> None:
    path = "/lab/tree/notebooks/00-start-here.ipynb"
    assert path + "?token=" in served.url
    status, page = served.get(path)
    assert status == 200
    assert "<title>JupyterLab</title>" in page
    status, notebook = served.get("/api/contents/notebooks/00-start-here.ipynb")
    assert status == 200
    assert notebook["content"]["cells"][0]["source"] == "# Start here"


def test_what_was_not_opened_is_not_said_to_be_open(served: Open) -> None:
    assert "Open this address in a browser:\n" in served.said
    assert "in your browser" not in served.said


@pytest.mark.parametrize("there", [True, False])
def test_the_browser_is_only_spoken_of_where_there_is_one(
    run: Any, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def get() -> None:
        if not there:
            raise webbrowser.Error

    @contextlib.contextmanager
    def serving(home: Path, **options: Any) -> Iterator[Any]:
        assert options["browser"] is there
        ended = subprocess.Popen([sys.executable, "-c", ""])
        yield jupyter.Server(1, "t", ended.pid), ended

    monkeypatch.setattr(webbrowser, "get", get)
    monkeypatch.setattr(jupyter, "serving", serving)
    said = run("start").out
    assert ("The course is open in your browser." in said) is there
    assert ("Open this address in a browser:" in said) is not there


def test_a_taken_port_is_told_and_the_next_one_used(served: Open) -> None:
    used = int(re.findall(r"127\.0\.0\.1:(\d+)", served.url)[0])
    assert used != served.taken
    assert f"Port {served.taken} is in use, so the course takes port {used}." in served.said


def test_without_the_token_nobody_comes_in(served: Open) -> None:
    for token in ("", "?token=known-to-all"):
        address = served.url.partition("/lab")[0] + "/api/contents" + token
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address, timeout=30)
        assert refused.value.code == 403


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at command lines in /proc")
def test_the_token_is_on_no_command_line(served: Open) -> None:
    token = served.url.partition("?token=")[2]
    assert len(token) > 20
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert lines
    assert not any(token.encode() in line for line in lines)


def test_there_is_no_news_and_nothing_to_install(served: Open) -> None:
    _, page = served.get("/lab")
    config = json.loads(re.findall(r'id="jupyter-config-data"[^>]*>(.*?)</script', page, re.S)[0])
    assert config["news"] == {"disabled": True}
    disabled = config["disabledExtensions"]
    assert "@jupyterlab/apputils-extension:announcements" in disabled
    assert config["extensionManager"]["can_install"] is False
    assert served.get("/lab/api/update")[0] in (200, 204)
    _, settings = served.get("/lab/api/settings/@jupyterlab/apputils-extension:notification")
    assert settings["schema"]["properties"]["fetchNews"]["default"] == "false"


def test_a_sentence_is_broken_between_its_words(served: Open) -> None:
    status, page = served.get("/lab")
    assert status == 200
    assert "custom/custom.css" in page
    status, style = served.get("/custom/custom.css")
    assert status == 200
    assert "word-break: normal" in style


def test_published_notebooks_are_read_only_and_a_learner_s_are_not(served: Open) -> None:
    published = "/api/contents/notebooks/00-start-here.ipynb"
    before = (served.home / "notebooks/00-start-here.ipynb").read_bytes()
    model = served.get(published)[1]
    assert model["writable"] is False
    assert all(c["metadata"].get("trusted", True) for c in model["content"]["cells"])
    status, answer = served.get(published, "PUT", {"type": "notebook", "content": model["content"]})
    assert status == 403
    assert "part of the course and stays as it is" in answer["message"]
    assert (served.home / "notebooks/00-start-here.ipynb").read_bytes() == before
    (served.home / "my-work").mkdir(exist_ok=True)
    status, answer = served.get(
        "/api/contents/my-work/mine.ipynb", "PUT", {"type": "notebook", "content": model["content"]}
    )
    assert status == 201
    assert answer["writable"] is True


def test_lessons_open_as_if_never_run(served: Open) -> None:
    """Predict, then run: below a question its answer must not be seen. On disk it stays."""
    ran = nbformat.v4.new_code_cell("1 + 1", execution_count=7)
    ran.metadata["execution"] = {"iopub.execute_input": "2026-11-23T20:00:00Z"}
    ran.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=7)]
    whole = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# How many?"), ran])
    whole.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    (served.home / "my-work").mkdir(exist_ok=True)
    (served.home / "solutions").mkdir(exist_ok=True)
    for folder in ("notebooks", "labs", "solutions", "my-work"):
        file = served.home / folder / "ran.ipynb"
        nbformat.write(whole, file)
        before = file.read_bytes()
        for query in ("", "?type=notebook&hash=1"):
            status, model = served.get(f"/api/contents/{folder}/ran.ipynb{query}")
            assert status == 200
            text, code = model["content"]["cells"]
            assert (text["source"], code["source"]) == ("# How many?", "1 + 1")
            if folder == "notebooks":
                assert code["outputs"] == []
                assert code["execution_count"] is None
                assert "execution" not in code["metadata"]
                assert "widgets" not in model["content"]["metadata"]
            else:
                assert code["outputs"][0]["data"] == {"text/plain": "2"}
                assert code["execution_count"] == 7
        assert file.read_bytes() == before
        assert served.get(f"/api/contents/{folder}?content=1")[0] == 200
        assert served.get(f"/api/contents/{folder}/ran.ipynb?content=0")[1]["content"] is None
    _, copy = served.get("/api/contents/my-work", "POST", {"copy_from": "my-work/ran.ipynb"})
    _, model = served.get(f"/api/contents/{copy['path']}")
    assert model["content"]["cells"][1]["execution_count"] == 7


def test_only_this_python_is_offered(served: Open) -> None:
    _, kernels = served.get("/api/kernelspecs")
    assert set(kernels["kernelspecs"]) == {"python3"}
    assert kernels["kernelspecs"]["python3"]["spec"]["display_name"] != "Other"


@pytest.mark.skipif(os.name != "posix", reason="the shell of the system is another there")
def test_a_terminal_knows_the_command_course(served: Open) -> None:
    """A login shell would have taken this environment's programs off the path again."""
    _, terminal = served.get("/api/terminals", "POST", {})
    address = re.match(r"http(://[^/]+)", served.url)
    assert address
    socket_ = websocket.create_connection(
        f"ws{address[1]}/terminals/websocket/{terminal['name']}",
        header={"Authorization": f"token {served.url.partition('?token=')[2]}"},
        timeout=30,
        http_no_proxy=["127.0.0.1"],
    )
    try:
        socket_.send(
            json.dumps(["stdin", 'unset HISTFILE; echo "$((40 + 2)): $(command -v course) :"\r'])
        )
        said = ""
        while not (found := re.search(r"42: (.*?) :", said, re.S)):
            kind, *words = json.loads(socket_.recv())
            said += words[0] if kind == "stdout" else ""
    finally:
        socket_.close()
    assert found[1].replace("\r\n", "") == str(Path(sys.executable).with_name("course"))


def test_the_doctor_finds_nothing_wrong_whatever_the_user_has_set(served: Open) -> None:
    """A kernel starts, and is this Python, though the user has another of that name."""
    surroundings = hostile_environment(served.home, served.user)
    del surroundings["PYTHONPATH"]  # it would break the doctor himself
    done = subprocess.run(
        [sys.executable, "-m", "kmscourse.cli", "doctor"],
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "well   A kernel starts, with this Python\n" in done.stdout
    assert len(re.findall(r"^(?:well|note) ", done.stdout, re.MULTILINE)) == len(checks.CHECKS)
    assert done.stdout.endswith("Nothing is wrong: the course can start.\n")


def test_a_second_start_finds_the_first(served: Open) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kmscourse.cli", "lab", "5", "--no-browser"],
        env=hostile_environment(served.home, served.user),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "The course is open already" in done.stdout
    assert served.url.replace("notebooks/00-start-here", "my-work/05-envelopes") in done.stdout


def test_ctrl_c_closes_it_and_nothing_is_left(served: Open) -> None:
    """The last of these: it ends what the others use."""
    server = jupyter.running(served.home)
    assert server
    served.process.send_signal(signal.SIGINT)
    rest, _ = served.process.communicate(timeout=60)
    assert served.process.returncode == 0
    assert rest.endswith("The course is closed.\n")
    assert jupyter.running(served.home) is None
    assert jupyter.free_port(server.port, tries=1) == server.port
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)
    hostile = {name for name in files_of(served.user) if name.startswith((".jupyter", ".ipython"))}
    assert len(hostile) == 4
    assert files_of(served.user) - hostile == {
        ".local/share/jupyter/kernels/python3/kernel.json",
        "Library/Jupyter/kernels/python3/kernel.json",
        "shadow/boto3.py",
    }


# --- starting that cannot be ----------------------------------------------------------------------


def test_no_port_is_free(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(jupyter.NoFreePortError, match=f"{port} to {port} are all in use"):
            jupyter.free_port(port, tries=1)


def test_a_port_that_may_not_be_used(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    said = run("start", "--port", "80")
    assert said.code == 1
    assert said.err.startswith("You may not use port 80. Choose one from 1024 up")


def test_a_full_disk_is_said_before_jupyterlab_starts(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=3_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    said = run("start", "--no-browser")
    assert said.code == 1
    assert "is full: 3 MB are left" in said.err


def test_a_jupyterlab_that_dies_says_why(run: Any, home: Path) -> None:
    (home / ".jupyter").mkdir()
    (home / ".jupyter" / "runtime").touch()  # where it wants a folder
    said = run("start", "--no-browser")
    assert said.code == 1
    assert "JupyterLab did not start. Its last line was: " in said.err
    assert "`course doctor`" in said.err


def test_notes_of_servers_that_are_gone_are_passed_over(home: Path) -> None:
    runtime = home / ".jupyter" / "runtime"
    runtime.mkdir(parents=True)
    (runtime / "jpserver-1.json").write_text("{")
    gone = {"port": 1, "token": "t", "pid": 1, "root_dir": str(home)}
    (runtime / "jpserver-2.json").write_text(json.dumps(gone))
    (runtime / "jpserver-3.json").write_text(json.dumps(["a list"]))
    assert jupyter.running(home) is None


def test_root_is_allowed_only_where_it_is_root(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for user, expected in ((0, True), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        line = jupyter.surroundings.command(home, port=8888)
        assert ("--allow-root" in line) is expected
