"""The documentation site: it builds without a warning, and what it says of sentences, files and headings is so."""

import ast
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "tutorials" / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
SOURCES = [*sorted((ROOT / "keras_ff").rglob("*.py")), *sorted((ROOT / "tools").rglob("*.py"))]
NEEDED = ("sphinx", "myst_nb", "pydata_sphinx_theme", "optuna", "matplotlib")


def text_of(node):
    """A string of the source, with "…" where a value is put in; None for other nodes."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return re.sub("…+", "…", "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values))
    return None


@cache
def sentences():
    """All strings of the code, and of each warning its words."""
    strings, warned = [], {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            strings.append(text_of(node) or "")
            if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "warn":
                warned[f"{path.name}:{node.lineno}"] = text_of(node.args[0])
    for path in sorted((ROOT / "keras_ff").rglob("*.[ch]*")):
        code = re.sub(r'"\s*\n\s*"', "", path.read_text(encoding="utf-8"))
        strings += [re.sub(r"\{[^}]*\}", "…", string) for string in re.findall(r'"((?:[^"\\\n]|\\.)*)"', code)]
    return strings, warned


def entries():
    """Sentences that the page of troubleshooting explains."""
    text = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^`(.+)`\n: ", text, re.MULTILINE)


def test_sentences_of_the_page_of_troubleshooting_are_those_of_the_code():
    strings, _ = sentences()
    # LAMMPS itself says this one.
    strings.append("Unrecognized pair style 'keras_ff'")
    assert not [entry for entry in entries() if not any(entry in string for string in strings)]


def test_each_warning_has_an_entry_in_the_page_of_troubleshooting():
    _, warned = sentences()
    assert len(warned) > 20
    # A name alone, such as `message`, holds a sentence from elsewhere.
    assert not {where: words for where, words in warned.items() if words and not any(entry in words for entry in entries())}


def test_parts_of_other_files_that_pages_include_are_there():
    for page in PAGES:
        for block in re.findall(r"```\{include\} (.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            text = (page.parent / block.split("\n")[0].strip()).read_text(encoding="utf-8")
            for option, words in re.findall(r':(start-after|end-before): "(.*)"', block):
                words = words.replace("\\n", "\n")
                assert words in text, f"{page.name}: {option} {words!r}"
                text = text.split(words, 1)[1] if option == "start-after" else text


def test_commands_are_those_of_the_programs():
    from keras_ff_tools.main import _parser

    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in re.findall(r"^ *keras-ff ([a-z].*?)(?: +#.*)?$", block, re.MULTILINE):
                words = shlex.split(line)
                assert _parser(words).parse_args(words).verb, f"{page.name}: {line}"


def test_links_between_pages_lead_to_files_and_headings():
    def anchors(path):
        titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}

    for page in [*PAGES, ROOT / "tutorials" / "index.md"]:
        for target in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", page.read_text(encoding="utf-8")):
            file, _, anchor = target.partition("#")
            if "_modules" in file:
                continue
            assert (page.parent / file).exists(), f"{page.name}: {target}"
            included = {"benchmarks": "BENCHMARKS.md"}.get(Path(file).stem)
            where = ROOT / included if included else page.parent / file
            assert not anchor or anchor in anchors(where), f"{page.name}: {target}"


def test_each_public_package_has_a_page_of_reference():
    import keras_ff

    pages = {path.stem for path in (DOCS / "api").glob("*.md")}
    public = {f"keras_ff.{name}" for name in keras_ff.__all__ if (ROOT / "keras_ff" / name).is_dir()}
    assert public | {"keras_ff"} <= pages


def test_indented_lines_of_a_verb_stand_on_its_page_as_they_are_written(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(DOCS))
    from command_line import _prose

    said, shown = _prose("Data, of `speed`:\n    one      first\n    another  second")
    assert [child.astext() for child in said] == ["Data, of ", "speed", ":"]
    assert shown.astext() == "one      first\nanother  second"


@pytest.mark.slow
@pytest.mark.skipif(not all(map(find_spec, NEEDED)), reason="building the site needs pip install 'keras_ff[docs]'")
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", DOCS, ROOT / "tutorials", tmp_path / "site"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "site" / "docs" / "api" / "keras_ff.potentials.html").exists()
    shutil.rmtree(tmp_path / "site")
