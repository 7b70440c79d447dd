"""The command `course`, from outside, in a course of its own under a temporary folder."""

from __future__ import annotations

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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kmscourse import cli, copies, course, doctor, jupyter
from kmscourse.doctor import checks
from kmscourse.lab import record

ROOT = Path(__file__).resolve().parent.parent


CHECKS = """
from kmscourse.lab import Work, task


@task("first", asks="one: int", minutes=1, hints=["Half of two?", "1"], why="It begins.", wrong=[])
def first(work: Work) -> None:
    work.expect(work.value("one", int) == 1, "That is not one.")


@task("second", asks="two: int", minutes=1, hints=["Twice one?", "2"], why="It goes on.", wrong=[])
def second(work: Work) -> None:
    work.expect(work.value("two", int) == 2, "That is not two.")
"""


def make_home(home: Path) -> Path:
    """A course with this one's lessons and notebooks of a line each."""
    for folder in ("lessons/05-envelopes", "notebooks", "labs"):
        (home / folder).mkdir(parents=True)
    shutil.copy(ROOT / "lessons" / "index.yaml", home / "lessons" / "index.yaml")
    (home / "lessons/05-envelopes/lab.py").touch()
    (home / "lessons/05-envelopes/checks.py").write_text(CHECKS, encoding="utf-8")
    shutil.copy(ROOT / "uv.lock", home / "uv.lock")
    for each in course.lessons(home):
        cells = [new_markdown_cell(f"# {each.title}"), new_code_cell("1 + 1")]
        nbformat.write(new_notebook(cells=cells), each.notebook)
    nbformat.write(
        new_notebook(cells=[new_markdown_cell("# Lab")]), home / "labs/05-envelopes.ipynb"
    )
    return home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(course.HOME_VARIABLE, str(tmp_path / "course"))
    return make_home(tmp_path / "course")


@dataclass
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs `course ...` in this process, with all that main() does around it."""

    def go(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["course", *arguments])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as stopped:
            code = stopped.code or 0
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Said(int(code), said.out, said.err)

    return go


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been opened in JupyterLab; none is started."""
    paths: list[str] = []
    monkeypatch.setattr(cli, "_open", lambda path, **options: paths.append(path))
    return paths


# --- words ----------------------------------------------------------------------------------------


def test_help_lists_the_commands(run: Any) -> None:
    said = run("--help")
    assert said.code == 0
    for word in ("start", "lab", "reset", "progress", "doctor"):
        assert word in said.out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from kmscourse import cli; sys.argv = ['course', '--help']\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print([name for name in ('boto3', 'moto', 'cryptography', 'jupyterlab', 'ipywidgets',"
        " 'matplotlib', 'nbformat', 'anywidget') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("typed", "meant"), [("strat", "start"), ("progres", "progress"), ("docter", "doctor")]
)
def test_a_mistyped_command_gets_a_suggestion(run: Any, typed: str, meant: str) -> None:
    said = run(typed)
    assert said.code == 2
    assert f"Did you mean '{meant}'?" in said.err


@pytest.mark.parametrize("command", ["lab", "reset"])
def test_a_mistyped_lesson_gets_a_suggestion(run: Any, command: str) -> None:
    said = run(command, "05-envelops")
    assert said.code == 1
    assert said.err == "There is no lesson called '05-envelops'. Did you mean '05-envelopes'?\n"


def test_a_folder_that_is_no_course(run: Any, home: Path) -> None:
    (home / "lessons" / "index.yaml").unlink()
    said = run("start")
    assert said.code == 1
    assert "KMSCOURSE_HOME is set to" in said.err


def test_notebooks_that_are_not_there(run: Any, home: Path, opened: list[str]) -> None:
    (home / cli.START_PAGE).unlink()
    for arguments in ([], ["start"]):
        said = run(*arguments)
        assert said.code == 1
        assert "notebooks/00-start-here.ipynb is not there. `make build`" in said.err
    assert opened == []


@pytest.mark.parametrize("arguments", [[], ["start"], ["--no-browser"], ["start", "--port", "9"]])
def test_the_course_opens_at_the_start_page(
    run: Any, opened: list[str], arguments: list[str]
) -> None:
    assert run(*arguments).code == 0
    assert opened == ["notebooks/00-start-here.ipynb"]


def test_an_error_of_the_machine_is_one_sentence(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere")

    monkeypatch.setattr(cli, "_open", broken)
    said = run("start")
    assert said.code == 1
    assert said.err.startswith("No space left on device (somewhere).")


# --- labs -----------------------------------------------------------------------------------------


def test_a_lab_is_copied_once_and_then_left_alone(run: Any, home: Path, opened: list[str]) -> None:
    mine = home / "my-work" / "05-envelopes.ipynb"
    assert "laid out in my-work/05-envelopes.ipynb" in run("lab", "05-envelopes").out
    assert mine.read_bytes() == (home / "labs" / "05-envelopes.ipynb").read_bytes()
    mine.write_text("my answers")
    assert "as you left it" in run("lab", "envelopes").out
    assert mine.read_text() == "my answers"
    assert opened == ["my-work/05-envelopes.ipynb"] * 2
    assert [path.name for path in mine.parent.iterdir()] == [mine.name]


def test_labs_are_listed(run: Any, home: Path) -> None:
    (home / "my-work").mkdir()
    before = run("lab").out
    assert "05-envelopes" in before
    assert "not begun" in before
    assert "00-start-here" not in before
    copies.lay_out(course.lesson("5"))
    assert "my-work/05-envelopes.ipynb" in run("lab").out


def test_a_lesson_without_a_lab(run: Any, opened: list[str]) -> None:
    said = run("lab", "00-start-here")
    assert said.code == 1
    assert "has no lab. Its notebook is notebooks/00-start-here.ipynb" in said.err
    assert opened == []


def test_a_lab_that_was_not_built(run: Any, home: Path, opened: list[str]) -> None:
    (home / "labs" / "05-envelopes.ipynb").unlink()
    said = run("lab", "5")
    assert said.code == 1
    assert "labs/05-envelopes.ipynb is not there" in said.err


def test_reset_keeps_what_was_written(run: Any, home: Path) -> None:
    mine = home / "my-work" / "05-envelopes.ipynb"
    assert "A fresh lab is in my-work/05-envelopes.ipynb" in run("reset", "5").out
    mine.write_text("my answers")
    said = run("reset", "5").out
    kept = re.search(r"kept as (my-work/05-envelopes\.\d{4}-\d\d-\d\d-\d{4}\.ipynb)\.", said)
    assert kept
    assert (home / kept[1]).read_text() == "my answers"
    assert mine.read_bytes() == (home / "labs" / "05-envelopes.ipynb").read_bytes()


def test_two_resets_in_one_minute_keep_both(home: Path) -> None:
    lesson, now = course.lesson("5"), datetime(2026, 11, 23, 20, 41, 7)
    copies.lay_out(lesson)
    lesson.work_copy.write_text("first")
    first = copies.reset(lesson, now)
    lesson.work_copy.write_text("second")
    second = copies.reset(lesson, now)
    assert first
    assert second
    assert (first.name, first.read_text()) == ("05-envelopes.2026-11-23-2041.ipynb", "first")
    assert (second.name, second.read_text()) == ("05-envelopes.2026-11-23-2041-2.ipynb", "second")


@pytest.mark.parametrize("command", ["lab", "reset"])
def test_a_full_disk_changes_nothing(
    run: Any, home: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    mine = home / "my-work" / "05-envelopes.ipynb"
    if command == "reset":
        mine.parent.mkdir()
        mine.write_text("my answers")

    def full(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(shutil, "copyfile", full)
    said = run(command, "5")
    assert said.code == 1
    assert "the disk is full. Nothing was changed." in said.err
    names = [path.name for path in mine.parent.iterdir()]
    assert names == ([mine.name] if command == "reset" else [])
    assert command == "lab" or mine.read_text() == "my answers"


# --- progress -------------------------------------------------------------------------------------


def finish(task: str) -> None:
    record.update("05-envelopes", task, lambda before: replace(before, done=True, attempts=1))


def test_progress_counts_what_is_done(run: Any, home: Path) -> None:
    assert re.search(r"05-envelopes +Envelopes.* 0 of 2\n", run("progress").out)
    finish("first")
    said = run("progress").out
    assert re.search(r"05-envelopes +Envelopes.* 1 of 2\n", said)
    assert said.endswith("Next: course lab 05-envelopes\n")
    finish("second")
    assert run("progress").out.endswith("All tasks are done.\n")


def test_a_damaged_progress_file_is_no_crash(run: Any, home: Path) -> None:
    (home / "my-work").mkdir()
    (home / "my-work" / "progress.json").write_text("{")
    said = run("progress")
    assert said.code == 0
    assert "0 of 2" in said.out
    assert "progress.json is damaged" in said.out


def test_a_fresh_lab_has_all_its_tasks_open(run: Any, home: Path) -> None:
    finish("first")
    assert "all its tasks are open again" in run("reset", "5").out
    assert "0 of 2" in run("progress").out


# --- JupyterLab, for real -------------------------------------------------------------------------


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


def test_only_this_python_is_offered(served: Open) -> None:
    _, kernels = served.get("/api/kernelspecs")
    assert set(kernels["kernelspecs"]) == {"python3"}
    assert kernels["kernelspecs"]["python3"]["spec"]["display_name"] != "Other"


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
    assert served.process.stdout
    rest = served.process.stdout.read()
    assert served.process.wait(30) == 0
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


# --- the doctor -----------------------------------------------------------------------------------


def levels(check: doctor.Check) -> list[doctor.Level]:
    return [finding.level for finding in check()]


def only(check: doctor.Check) -> doctor.Finding:
    [finding] = check()
    return finding


def test_the_doctor_says_one_thing_to_do(run: Any, home: Path, capsys: Any) -> None:
    (home / "labs" / "05-envelopes.ipynb").unlink()
    assert doctor.examine([checks.folder]) is False
    said = capsys.readouterr().out
    assert re.search(r"^wrong  Missing from .*: labs/05-envelopes\.ipynb\.$", said, re.MULTILINE)
    assert "       -> Bring them back (git checkout -- notebooks labs)" in said
    assert said.endswith("1 thing is wrong.\n")


def test_a_check_that_breaks_does_not_take_the_others_along(capsys: Any) -> None:
    def broken() -> Iterator[doctor.Finding]:
        """The moon is round."""
        raise RuntimeError("clouds")
        yield

    assert doctor.examine([broken, checks.python]) is False
    said = capsys.readouterr().out
    assert "This could not be examined: The moon is round. RuntimeError: clouds" in said
    assert "well   Python 3." in said


def test_another_version_is_found(home: Path) -> None:
    assert only(checks.packages).level is doctor.Level.WELL
    lock = home / "uv.lock"
    text = lock.read_text(encoding="utf-8")
    lock.write_text(
        text.replace('name = "boto3"\nversion = "1.44.5"', 'name = "boto3"\nversion = "9.9.9"'),
        encoding="utf-8",
    )
    found = only(checks.packages)
    assert found.level is doctor.Level.WRONG
    assert "boto3 is 1.44.5, not 9.9.9" in found.text
    assert found.remedy


def test_a_missing_package_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = list(checks.importlib.metadata.distributions())
    without = [each for each in real if each.name != "anywidget"]
    monkeypatch.setattr(checks.importlib.metadata, "distributions", lambda: without)
    assert "anywidget is missing" in only(checks.packages).text


def test_an_old_python_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks.platform, "python_version", lambda: "3.10.13")
    found = only(checks.python)
    assert (found.level, found.text[:16]) == (doctor.Level.WRONG, "Python is 3.10.1")


@pytest.mark.parametrize("year", [1970, 2020, 2099])
def test_a_wrong_clock_is_found(home: Path, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(year, 1, 1, tzinfo=tz)

    monkeypatch.setattr(checks, "datetime", Clock)
    found = only(checks.clock)
    assert found.level is doctor.Level.WRONG
    assert found.remedy == "Set the date and time."


@pytest.mark.parametrize(
    ("number", "says"), [(errno.ENOSPC, "is full"), (errno.EACCES, "cannot be written")]
)
def test_work_that_could_not_be_kept_is_found(
    home: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(checks.tempfile, "NamedTemporaryFile", refuse)
    found = only(checks.writing)
    assert found.level is doctor.Level.WRONG
    assert says in found.text


def test_little_room_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=80_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "Only 80 MB are left" in only(checks.writing).text


def test_a_simulator_that_lies_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    class Liar:
        def create_key(self, **_: object) -> dict[str, Any]:
            return {"KeyMetadata": {"KeyId": "k"}}

        def encrypt(self, Plaintext: bytes, **_: object) -> dict[str, Any]:  # noqa: N803
            return {"CiphertextBlob": b"<" + Plaintext + b">"}

        def decrypt(self, CiphertextBlob: bytes, **_: object) -> dict[str, Any]:  # noqa: N803
            return {"Plaintext": CiphertextBlob[1:-1]}

    monkeypatch.setattr("boto3.client", lambda service: Liar())
    assert only(checks.simulator).level is doctor.Level.WRONG


def test_a_kernel_that_does_not_start_is_found(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "other" / "kernels" / "python3"
    folder.mkdir(parents=True)
    spec = {"argv": ["/bin/false"], "display_name": "Other", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    other = jupyter.environment(home, os.environ) | {"JUPYTER_PATH": str(tmp_path / "other")}
    monkeypatch.setattr(jupyter, "environment", lambda home, given: other)
    found = only(checks.kernel)
    assert found.level is doctor.Level.WRONG
    assert found.text.startswith("No kernel could be started")


def test_widgets_that_are_missing_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert "ipywidgets and anywidget" in only(checks.widgets).text


def test_a_port_in_use_is_noted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jupyter, "free_port", lambda: 8889)
    found = only(checks.port)
    assert found == doctor.Finding(
        doctor.Level.NOTE, "Port 8888 is in use: the course will take port 8889."
    )


def test_no_browser_is_only_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise checks.webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(checks.webbrowser, "get", none)
    assert only(checks.browser).level is doctor.Level.NOTE


def test_real_credentials_are_noted_and_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert only(checks.credentials).level is doctor.Level.WELL
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("not even valid")
    monkeypatch.setenv("AWS_PROFILE", "hospital")
    found = only(checks.credentials)
    assert found.level is doctor.Level.NOTE
    assert str(tmp_path / ".aws" / "credentials") in found.text
    assert "AWS_PROFILE" in found.text
    assert "hospital" not in found.text
