"""A percent script is read as cells that know their line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmscourse.authoring.problem import BuildError
from kmscourse.authoring.source import read_cells


def test_cells_have_their_kind_text_metadata_and_line(tmp_path):
    script = tmp_path / "lesson.py"
    script.write_text(
        "# ---\n# jupyter:\n#   kernelspec:\n#     display_name: P\n#     name: python3\n# ---\n\n"
        "# %% [markdown]\n# # Title\n#\n# Text\n\n"
        '# %% tags=["raises-exception"]\n1 / 0\n\n'
        '# %% task="seal"\nx = 1\n\n\ny = 2\n'
    )
    cells = read_cells(script)
    assert [(c.kind, c.source, c.line) for c in cells] == [
        ("markdown", "# Title\n\nText", 8),
        ("code", "1 / 0", 13),
        ("code", "x = 1\n\n\ny = 2", 16),
    ]
    assert cells[1].tags == ["raises-exception"]
    assert cells[2].task == "seal"
    assert cells[2].metadata == {"task": "seal"}
    assert cells[2].line_of("  y = 2") == 20


@pytest.mark.parametrize(
    "text",
    ["x = 1\n# %%\ny = 2\n", '# %%\nx = """\n# %%\n"""\n'],
    ids=["code before the first cell", "a header inside a string"],
)
def test_cells_that_cannot_be_told_apart_are_refused(tmp_path, text):
    script = tmp_path / "lesson.py"
    script.write_text(text)
    with pytest.raises(BuildError, match="keep `# %%` out of strings"):
        read_cells(script)


def test_a_missing_file_and_bytes_that_are_no_text_are_named(tmp_path):
    with pytest.raises(BuildError) as missing:
        read_cells(tmp_path / "none.py")
    assert missing.value.problem.text(tmp_path) == (
        "none.py: cannot be read: No such file or directory."
    )
    (tmp_path / "bytes.py").write_bytes(b"# %%\n\xff\xfe")
    with pytest.raises(BuildError, match="not UTF-8"):
        read_cells(tmp_path / "bytes.py")


_LINES = st.lists(
    st.sampled_from(["x = 1", "", "    y = 2", "# a comment", "print('# no header')"]),
    min_size=1,
    max_size=6,
).filter(lambda lines: lines[0].strip() and lines[-1].strip())


@given(st.lists(_LINES, min_size=1, max_size=6))
def test_every_line_is_found_where_it_stands(tmp_path_factory, bodies):
    script = tmp_path_factory.getbasetemp() / "lines.py"
    script.write_text("\n\n".join("# %%\n" + "\n".join(body) for body in bodies) + "\n")
    lines = script.read_text().splitlines()
    cells = read_cells(script)
    assert [cell.source for cell in cells] == ["\n".join(body) for body in bodies]
    for cell in cells:
        assert lines[cell.line - 1] == "# %%"
        first = cell.source.splitlines()[0]
        assert lines[cell.line_of(first) - 1].strip() == first.strip()
