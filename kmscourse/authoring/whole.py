"""The course as a whole: is every lesson built, and is nothing there that no lesson made?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from kmscourse.authoring import rules
from kmscourse.authoring.committed import differences
from kmscourse.authoring.leaks import leaks
from kmscourse.authoring.problem import BuildError, Problem
from kmscourse.authoring.products import products
from kmscourse.course import Lesson


def problems(lessons: Sequence[Lesson]) -> list[Problem]:
    """What is wrong with these lessons and what was built from them, without running anything."""
    found = [problem for lesson in lessons for problem in rules.problems(lesson)]
    for product in products(lessons):
        if not product.source.is_file():
            continue
        try:
            found += differences(product) + leaks(product)
        except BuildError as error:
            found.append(error.problem)
    return list(dict.fromkeys(found))


def strays(home: Path, lessons: Iterable[Lesson]) -> list[Problem]:
    """Notebooks and folders that belong to no lesson of `lessons/index.yaml`."""
    lessons = list(lessons)
    made = {product.path for product in products(lessons)}
    found = []
    for folder in ("notebooks", "labs", "solutions"):
        for path in sorted((home / folder).glob("*")):
            if path not in made and not path.name.startswith("."):
                said = "belongs to no lesson. Delete it, or name its lesson in lessons/index.yaml."
                found.append(Problem(path, None, said))
    known = {lesson.name for lesson in lessons}
    found += [
        Problem(path, None, "is not in lessons/index.yaml, so nobody finds it.")
        for path in sorted((home / "lessons").iterdir())
        if path.is_dir() and path.name not in known and not path.name.startswith(("_", "."))
    ]
    return found
