import ast
import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "tutorials"
PROGRAMS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))


def test_there_are_tutorials():
    assert PROGRAMS


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program_is_sound(path):
    """Percent format, public names only, and assertions of what the prose claims."""
    text = path.read_text(encoding="utf-8")
    assert "format_name: percent" in text
    cells = re.split(r"^# %%", text, flags=re.MULTILINE)[1:]
    assert cells[0].startswith(" [markdown]\n# # ")
    tree = ast.parse(text)
    assert sum(isinstance(node, ast.Assert) for node in ast.walk(tree)) >= 3
    private = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")]
    assert not private, f"{path.name} uses private names: {private}"


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_notebook_is_that_of_the_program_and_was_executed(path):
    notebook = json.loads(path.with_suffix(".ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in cells)
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    program = path.read_text(encoding="utf-8")
    for cell in cells:
        assert "".join(cell["source"]) in program, "The notebook is older than the program: render it again (see CONTRIBUTING.md)."


@pytest.mark.parametrize("name", ["05_liquid", "06_engines", "07_how_sure_is_it"])
def test_pictures_of_the_readme_are_those_of_the_notebooks(name):
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    outputs = [output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", [])]
    pictures = [base64.b64decode(data["image/png"]) for data in outputs if "image/png" in data]
    assert (FOLDER / "figures" / f"{name}.png").read_bytes() in pictures, "Copy it from the new notebook to tutorials/figures."


@pytest.mark.slow
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program_runs(path):
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, env=dict(os.environ, MPLBACKEND="Agg"))
    assert done.returncode == 0, done.stderr[-3000:]
