"""Cutting solutions out of cells."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscourse.lab.cells import MarkerError, has_solution, solved, stub

SEAL = '''\
def seal(kms, key_id, record):
    """Seal the record."""
    # begin solution
    answer = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")

    return answer
    # end solution

print("after")'''


def test_the_learner_gets_a_place_to_write_in() -> None:
    assert stub(SEAL) == textwrap.dedent('''\
        def seal(kms, key_id, record):
            """Seal the record."""
            ...  # your code here

        print("after")''')


def test_the_solution_loses_only_its_markers() -> None:
    assert solved(SEAL) == "\n".join(
        line for line in SEAL.split("\n") if not line.strip().endswith(" solution")
    )


def test_stub_lines_say_what_the_learner_gets_instead() -> None:
    source = textwrap.dedent("""\
        # begin solution
        # stub: policy = {
        # stub:     "Effect": ...,
        # stub: }
        # stub:
        # stub: name = ...
        policy = {"Effect": "Deny"}
        name = "x"
        # end solution""")
    assert stub(source) == 'policy = {\n    "Effect": ...,\n}\n\nname = ...'
    assert solved(source) == 'policy = {"Effect": "Deny"}\nname = "x"'


def test_indented_stub_lines_keep_the_indentation_of_the_solution() -> None:
    source = (
        "def f():\n    # begin solution\n    # stub: return None\n    return 7\n    # end solution"
    )
    assert stub(source) == "def f():\n    return None"
    assert solved(source) == "def f():\n    return 7"


def test_two_solutions_in_one_cell() -> None:
    source = (
        "# begin solution\n# stub: a = ...\na = 1\n# end solution\n"
        "def f():\n    # begin solution\n    return a\n    # end solution\n"
    )
    assert stub(source) == "a = ...\ndef f():\n    ...  # your code here\n"
    assert solved(source) == "a = 1\ndef f():\n    return a\n"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("# begin solution\nx = 1", "Line 1: .* never ends"),
        ("x = 1\n# end solution", "Line 2: .* without"),
        (
            "# begin solution\n# begin solution\nx\n# end solution",
            "Line 2: .*begun in line 1 has not ended",
        ),
        ("# begin solution\nx = 1\n  # end solution", "Line 3: .* not indented"),
        ("# begin solution\n\n# end solution", "Line 1: .* empty"),
        ("# begin solution\n# stub: x = ...\n# end solution", "Line 1: .* empty"),
        ("# begin solution\nx = 1\n# stub: x = ...\n# end solution", "Line 3: .* directly after"),
        ("# stub: x = ...", "Line 1: .* directly after"),
    ],
)
def test_unbalanced_markers_are_refused_with_their_line(source: str, says: str) -> None:
    with pytest.raises(MarkerError, match=says):
        stub(source)
    with pytest.raises(MarkerError, match=says):
        solved(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (SEAL, True),
        ("x = 1", False),
        ("x = 1  # begin solution", False),
        ("# the solution begins", False),
        ("    #begin solution", True),
        ("# End Solution", True),
    ],
)
def test_has_solution(source: str, expected: bool) -> None:
    assert has_solution(source) is expected


@given(st.text())
def test_a_cell_without_markers_is_left_alone(source: str) -> None:
    try:
        assert has_solution(source) or stub(source) == solved(source) == source
    except MarkerError:
        assert "stub:" in source


@given(
    st.lists(st.sampled_from(["x = 1", "y = x", "", "# a comment", "z = [x]"]), min_size=1),
    st.integers(0, 3),
)
def test_stub_and_solution_of_any_function_compile(body: list[str], depth: int) -> None:
    indent = "    " * depth
    heads = ["    " * level + "if True:" for level in range(depth)]
    inner = [indent + line if line else "" for line in [*body, "done = 1"]]
    source = "\n".join([*heads, indent + "# begin solution", *inner, indent + "# end solution"])
    cut = stub(source)
    ast.parse(cut)
    ast.parse(solved(source))
    assert "done" not in cut
    assert not has_solution(cut)
    assert not has_solution(solved(source))
