"""`python -m kmscourse.workshop` prints the page for instructors, docs/workshop.md."""

from kmscourse import course
from kmscourse.workshop.agenda import page

if __name__ == "__main__":
    print(page(course.root(), course.lessons()), end="")
