"""A course of two small lessons, in a folder of its own, for each test that asks for it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from kmscourse import course
from kmscourse.authoring.products import Kind, Product

INDEX = """\
- {name: 00-first, title: First, kind: opening, minutes: {lesson: 1, lab: 0}, about: A first one.}
- {name: 01-second, title: Second, minutes: {lesson: 1, lab: 1}, about: A second one.}
"""

LESSON = """\
# %% [markdown]
# # A heading
#
# A paragraph.

# %%
answer = 6 * 7
print("working")
answer

# %% tags=["raises-exception"]
{}["nothing"]

# %%
from IPython.display import HTML

HTML("<b>bold</b>")
"""

NEWCOMER = """\
# %%
import time
from pathlib import Path

from kmscourse import course

begun = course.work_folder().exists()
course.work_folder().mkdir()
print(begun, len(course.lessons()), "mine" in globals(), time.tzname[0])
print(Path.cwd().name in ("notebooks", "solutions"))
"""
"""Says what a notebook can see of whoever runs it, and leaves something behind."""

_TASK = """\
# %% task="{name}"
{name} = None
# begin solution
{name} = {value}  # the secret of {name}
# end solution

# %%
check("{name}")
"""

TASKS = ("one", "two", "three", "four", "five")

LAB = dedent(
    '''\
        # %% [markdown]
        # # A lab

        # %%
        def check(name):
            """Stands for lab.check, which these tests are not about."""
            return "Done" if globals()[name] else "Not attempted yet"

        '''
) + "\n".join(_TASK.format(name=name, value=n) for n, name in enumerate(TASKS, start=1))

_CHECK = """\
@task("{name}", asks="{name}: int")
def _{name}(work): ...

"""

CHECKS = "\n".join(_CHECK.format(name=name) for name in TASKS)


class MiniCourse:
    """A course on disk whose parts a test may rewrite."""

    def __init__(self, home: Path) -> None:
        self.home = home
        if home.exists():
            return
        self.write("lessons/index.yaml", INDEX)
        for name in ("00-first", "01-second"):
            self.write(f"lessons/{name}/lesson.py", LESSON)
            self.write(f"lessons/{name}/questions.yaml", "[]\n")
            self.write(f"lessons/{name}/teaching.md", "Five minutes.\n")
        self.write("lessons/01-second/lab.py", LAB)
        self.write("lessons/01-second/checks.py", CHECKS)

    def write(self, path: str, text: str) -> Path:
        target = self.home / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        return target

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.home / path).read_text(encoding="utf-8")
        assert old in text
        self.write(path, text.replace(old, new, 1))

    def lesson(self, name: str) -> course.Lesson:
        return course.lesson(name, self.home)

    def lessons(self) -> list[course.Lesson]:
        return course.lessons(self.home)

    def product(self, name: str, kind: Kind) -> Product:
        return Product(self.lesson(name), kind)


@pytest.fixture
def mini(tmp_path: Path) -> MiniCourse:
    return MiniCourse(tmp_path / "course")


@pytest.fixture(scope="session")
def someone_else(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of someone with habits: a time zone, and names in every IPython."""
    ipython = tmp_path_factory.mktemp("ipython")
    startup = ipython / "profile_default/startup/mine.py"
    startup.parent.mkdir(parents=True)
    startup.write_text("mine = True\n")
    return {"IPYTHONDIR": str(ipython), "TZ": "Asia/Tokyo", "PYTHONWARNINGS": "always"}


@pytest.fixture
def someone(someone_else: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """This process, in that environment."""
    for name, value in someone_else.items():
        monkeypatch.setenv(name, value)
