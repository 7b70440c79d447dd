"""Setting up a fresh machine: what `make` finds, brings and says. Nothing is downloaded here."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from kmscourse.doctor.lockfile import Lock

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

Script = Callable[[str, str], Path]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine with the course's tools and nothing but a shell: no Python, no uv."""
    shutil.copytree(ROOT / "tools", tmp_path / "course" / "tools")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "bash", "dirname", "basename", "cat", "mkdir", "chmod", "id"):
        found = shutil.which(name)
        assert found, name
        (programs / name).symlink_to(found)
    return tmp_path


@pytest.fixture
def script(machine: Path) -> Script:
    """Puts a program on the PATH of that machine."""

    def write(name: str, body: str) -> Path:
        path = machine / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return write


def run(machine: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    home = machine / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        ["sh", str(machine / "course" / "tools" / "run"), *arguments],
        env={"PATH": str(machine / "bin"), "HOME": str(home), **extra},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def a_python(version: str) -> str:
    """A Python that only knows its version, and says what it was asked to run."""
    return f'if [ "$1" = -c ]; then echo {version}; else echo "{version} runs $*"; fi'


def this_python() -> str:
    return f'exec "{sys.executable}" "$@"'


# --- which Python ---------------------------------------------------------------------------------


def test_a_python_that_is_too_old_is_told_in_a_sentence(machine: Path, script: Script) -> None:
    script("python3", a_python("3.9.2"))
    script("python", a_python("2.7.18"))
    done = run(machine, "course", "start")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "(python3 is 3.9.2, python is 2.7.18)" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_no_python_at_all(machine: Path) -> None:
    done = run(machine, "course", "start")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer, and none was found." in done.stderr


@pytest.mark.parametrize("name", ["python3.11", "python3.12", "python3.13"])
def test_a_newer_python_is_found_by_name(machine: Path, script: Script, name: str) -> None:
    script("python3", a_python("3.9.2"))
    script(name, a_python(f"{name.removeprefix('python')}.4"))
    done = run(machine, "course", "start", "--port", "9")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^3\.1\d\.4 runs .*/bootstrap.py course start --port 9$", done.stdout)


def test_a_name_that_does_not_run_is_passed_over(machine: Path, script: Script) -> None:
    script("python3", "echo 'no such version' >&2; exit 127")  # as version managers leave them
    script("python3.12", a_python("3.12.1"))
    venv = machine / "course" / ".venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "python").symlink_to(machine / "gone")  # its Python was removed
    assert run(machine, "x").stdout.startswith("3.12.1 runs")


def test_one_may_say_which_python(machine: Path, script: Script) -> None:
    script("python3", a_python("3.12.1"))
    mine = script("mine", a_python("3.13.0"))
    assert run(machine, "x", PYTHON=str(mine)).stdout.startswith("3.13.0 runs")


# --- from nothing to a running command ------------------------------------------------------------

UV = """
case $1 in
--version) echo "uv {version} (test)" ;;
sync)
    echo "uv $*" >> "${{UV_PROJECT_ENVIRONMENT%/.venv}}/asked"
    case $* in
    *--check*) [ -e "$UV_PROJECT_ENVIRONMENT/bin/hello" ] ;;
    *)  mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
        printf '#!/bin/sh\\necho "hello $*, PATH=$PATH"\\n' > "$UV_PROJECT_ENVIRONMENT/bin/hello"
        chmod +x "$UV_PROJECT_ENVIRONMENT/bin/hello" ;;
    esac ;;
esac
"""


def asked(machine: Path) -> list[str]:
    path = machine / "course" / "asked"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.mark.parametrize(("options", "extra"), [([], " --no-dev"), (["--dev"], "")])
def test_the_environment_is_made_once_and_the_command_runs(
    machine: Path, script: Script, options: list[str], extra: str
) -> None:
    script("python3", this_python())
    script("uv", UV.format(version="0.13.9"))
    first = run(machine, *options, "hello", "there", "--you")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("hello there --you, ")
    assert "Setting up" in first.stderr
    second = run(machine, *options, "hello")
    assert second.stdout.startswith("hello ")
    assert second.stderr == ""
    check = f"uv sync --frozen --inexact{extra} --check"
    assert asked(machine) == [check, check.removesuffix(" --check"), check]


def test_an_active_environment_is_left_alone(machine: Path, script: Script) -> None:
    script("python3", this_python())
    script("uv", UV.format(version="0.13.9"))
    done = run(machine, "hello", VIRTUAL_ENV="/elsewhere", UV_PROJECT_ENVIRONMENT="/elsewhere")
    assert done.stdout.startswith("hello")
    assert f"PATH={machine / 'course' / '.venv' / 'bin'}:" in done.stdout


def test_bytecode_is_kept_in_the_environment_where_it_may_be_kept_nowhere_else(
    machine: Path, script: Script
) -> None:
    script("python3", this_python())
    script("uv", f'echo "bytecode: $PYTHONPYCACHEPREFIX." >&2\n{UV.format(version="0.13.9")}')
    told = 'hello "$PYTHONDONTWRITEBYTECODE" "$PYTHONPYCACHEPREFIX"'
    done = run(machine, "sh", "-c", told, PYTHONDONTWRITEBYTECODE="1")
    assert done.stdout.startswith(f"hello  {machine / 'course' / '.venv' / 'bytecode'}, ")
    assert "bytecode: ." in done.stderr  # before the environment is there, nothing goes into it
    assert run(machine, "sh", "-c", told).stdout.startswith("hello  , ")


def test_a_failed_set_up_says_so(machine: Path, script: Script) -> None:
    script("python3", this_python())
    script("uv", 'if [ "$1" = --version ]; then echo "uv 0.13.9"; else echo broken >&2; exit 2; fi')
    done = run(machine, "hello")
    assert done.returncode == 1
    assert "Setting up did not finish; the lines above say why" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_said_plainly(machine: Path, script: Script) -> None:
    script("python3", this_python())
    script("uv", UV.format(version="0.13.9"))
    done = run(machine, "helo")
    assert done.returncode == 1
    assert "There is no command 'helo'" in done.stderr
    assert run(machine).returncode == 1


PIP = """
case "$2 $3" in
"pip --version") exit {pip} ;;
"pip install")
    {install}
    while [ "$1" != --target ]; do shift; done
    mkdir -p "$2/bin"
    cat > "$2/bin/uv" <<'END'
#!/bin/sh
{uv}
END
    chmod +x "$2/bin/uv"
    exit 0 ;;
"venv "*) exit {venv} ;;
esac
exec "{python}" "$@"
"""


def a_python_with(*, pip: bool = True, venv: bool = False, install: str = "") -> str:
    """This Python, with a pip that has uv in its pocket, or no pip, or no venv."""
    uv = UV.format(version="0.13.9")
    return PIP.format(
        pip=int(not pip), venv=int(not venv), install=install, uv=uv, python=sys.executable
    )


@pytest.fixture
def fresh(machine: Path, script: Script) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs the bootstrap under a Python that is a script, so that its pip and venv are ours."""

    def go(python: str) -> subprocess.CompletedProcess[str]:
        fake = script("python3", python)
        # sys.executable is what the bootstrap runs pip with
        start = f"import runpy, sys; sys.executable = {str(fake)!r}; sys.argv = sys.argv[1:]; "
        start += "runpy.run_path(sys.argv[0], run_name='__main__')"
        return subprocess.run(
            [sys.executable, "-c", start, str(machine / "course/tools/bootstrap.py"), "hello"],
            env={"PATH": str(machine / "bin"), "HOME": str(machine)},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return go


Fresh = Callable[[str], subprocess.CompletedProcess[str]]


def test_uv_is_brought_where_it_is_missing(machine: Path, fresh: Fresh) -> None:
    done = fresh(a_python_with())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("hello")
    assert "fetching uv" in done.stderr
    assert [path.name for path in (machine / "course" / ".uv").iterdir()] == ["bin"]
    again = fresh(a_python_with(install="echo 'fetched twice' >&2; exit 1"))
    assert again.returncode == 0, again.stderr
    assert again.stderr == ""


@pytest.mark.parametrize("version", ["0.7.22", "0.1", "nonsense"])
def test_a_uv_that_is_too_old_or_broken_is_not_used(
    machine: Path, script: Script, fresh: Fresh, version: str
) -> None:
    script("uv", f"echo uv {version}")
    done = fresh(a_python_with())
    assert done.stdout.startswith("hello")
    assert (machine / "course" / ".uv" / "bin" / "uv").is_file()


def test_neither_pip_nor_venv(machine: Path, fresh: Fresh) -> None:
    done = fresh(a_python_with(pip=False))
    assert done.returncode == 1
    assert "has neither venv nor pip" in done.stderr
    assert "apt install python3-venv" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        ("ERROR: No matching distribution found for uv", "Is this machine online?"),
        ("OSError: [Errno 28] No space left on device", "The disk that holds"),
    ],
)
def test_a_failed_fetch_leaves_nothing_behind(
    machine: Path, fresh: Fresh, failure: str, says: str
) -> None:
    done = fresh(a_python_with(install=f"echo '{failure}' >&2; exit 1"))
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert list((machine / "course" / ".uv").iterdir()) == []


# --- decisions of the bootstrap that need a machine one does not have -----------------------------


@pytest.fixture
def bootstrap() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_venv_is_the_second_way_to_uv(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(bootstrap, "works", lambda command: "venv" in command)
    monkeypatch.setattr(bootstrap, "pip_install", lambda python, *options: asked.append(python))
    with pytest.raises(bootstrap.SetupError, match="no pip"):
        bootstrap.with_pip(tmp_path / "a")
    assert bootstrap.with_venv(tmp_path / "b") == tmp_path / "b" / "bin" / "uv"
    assert asked == [str(tmp_path / "b" / "bin" / "python")]
    assert [way.__name__ for way in bootstrap.WAYS] == ["with_pip", "with_venv"]


def test_a_full_disk_is_said_before_it_breaks_anything(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "works", lambda command: False)
    usage = shutil.disk_usage(tmp_path)._replace(free=12_000_000)
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(bootstrap.SetupError, match=r"is full: 12 MB are left\. Make room for"):
        bootstrap.synchronise("uv", dev=True)


def test_a_folder_of_someone_else_is_said_plainly(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "works", lambda command: False)
    monkeypatch.setattr(bootstrap.os, "access", lambda path, mode: False)
    with pytest.raises(bootstrap.SetupError, match="you may not write there"):
        bootstrap.synchronise("uv", dev=False)


def test_the_versions_of_uv_agree(bootstrap: ModuleType) -> None:
    required = SpecifierSet(PYPROJECT["tool"]["uv"]["required-version"])
    oldest = ".".join(str(part) for part in bootstrap.UV_OLDEST)
    assert str(required) == f">={oldest}"
    assert bootstrap.UV_VERSION in required


# --- conda and Binder -----------------------------------------------------------------------------

ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
PIP_PART: list[str] = ENVIRONMENT["dependencies"][-1]["pip"]
PYTHON = next(
    each.removeprefix("python=")
    for each in ENVIRONMENT["dependencies"]
    if str(each).startswith("python=")
)
MACHINES = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    "mac": {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    "windows": {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
}


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_conda_installs_what_the_lock_says(machine: str, python: str) -> None:
    markers = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "platform_machine": "x86_64",
        **MACHINES[machine],
    }
    installed = {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in map(Requirement, PIP_PART[:-1])
        if each.marker is None or each.marker.evaluate(markers)
    }
    assert installed == Lock(ROOT / "uv.lock").wanted(markers)
    assert len(installed) > 100


def test_conda_installs_the_course_itself_and_a_pinned_python() -> None:
    assert PIP_PART[-1] == "-e ."
    assert re.fullmatch(r"3\.\d+", PYTHON)
    assert f"{PYTHON}.1" in SpecifierSet(PYPROJECT["project"]["requires-python"])


def test_environment_yml_is_what_make_environment_writes() -> None:
    uv = shutil.which("uv") or os.environ.get("UV")
    if uv is None:
        pytest.skip("uv is not on the PATH; the test above compares with the lock itself")
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert module.environment(module.exported()) == written


def test_binder_gets_the_course_s_settings_for_jupyterlab(tmp_path: Path) -> None:
    subprocess.run(
        ["bash", "postBuild"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "NB_PYTHON_PREFIX": str(tmp_path)},
        check=True,
    )
    page = tmp_path / "etc" / "jupyter" / "labconfig" / "page_config.json"
    assert "@jupyterlab/apputils-extension:announcements" in page.read_text(encoding="utf-8")


# --- continuous integration -----------------------------------------------------------------------


def run_ci(machine: Path) -> subprocess.CompletedProcess[str]:
    (machine / "course" / ".ci").mkdir(exist_ok=True)
    shutil.copy(ROOT / ".ci" / "run", machine / "course" / ".ci" / "run")
    return subprocess.run(
        ["bash", str(machine / "course" / ".ci" / "run")],
        env={"PATH": str(machine / "bin"), "CI": "true"},
        cwd=machine,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


MAKE = 'echo "make $* browser=$KMSCOURSE_REQUIRE_BROWSER in $(basename "$PWD")"'


def test_ci_runs_everything_and_the_browser_too(machine: Path, script: Script) -> None:
    script("make", MAKE)
    script("chromium", "exit 0")
    done = run_ci(machine)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "make test browser=1 in course\n"


@pytest.mark.parametrize(("user", "first"), [("0", ""), ("1000", "sudo --non-interactive ")])
def test_ci_brings_a_browser_where_there_is_none(
    machine: Path, script: Script, user: str, first: str
) -> None:
    script("make", MAKE)
    script("id", f"echo {user}")
    script("apt-get", 'echo "apt-get $*"')
    script("sudo", 'echo "sudo $*"')
    lines = run_ci(machine).stdout.splitlines()
    assert lines[0].startswith(f"{first}apt-get update")
    assert lines[1].startswith(f"{first}apt-get install")
    assert lines[1].endswith("--no-install-recommends chromium")
    assert lines[2] == "make test browser=1 in course"


def test_ci_stops_at_the_first_failure(machine: Path, script: Script) -> None:
    script("make", MAKE)
    script("id", "echo 0")
    script("apt-get", "exit 100")
    done = run_ci(machine)
    assert done.returncode == 100
    assert done.stdout == ""
