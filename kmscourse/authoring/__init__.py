"""From the text of a lesson to the notebooks a learner opens, and the rules that keep both true.

`python -m kmscourse.authoring build` writes, `python -m kmscourse.authoring check` only looks.
"""
