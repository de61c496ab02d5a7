"""Tutorials that are copied out of the package."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_notebooks_and_data_are_copied_and_changes_are_kept(tmp_path, keras_ff):
    out = tmp_path / "learn"
    done = keras_ff("tutorials", "-o", out)
    assert done.status == 0, done.err
    assert "01_silicon.ipynb" in done.out and "A force field for silicon" in done.out and "kept" not in done.out
    for name in ("01_silicon.ipynb", "01_silicon.py", "data/Si_train.xyz.gz", "data/README.md"):
        assert (out / name).read_bytes() == (ROOT / "tutorials" / name).read_bytes()
    assert len(list(out.glob("*.ipynb"))) == len(list((ROOT / "tutorials").glob("*.ipynb")))
    (out / "01_silicon.py").write_text("mine")
    (out / "data" / "Si_train.xyz.gz").unlink()
    done = keras_ff("tutorials", "-o", out)
    assert done.status == 0 and "kept as it was" in done.out and done.out.count("01_silicon.py") == 1
    assert (out / "01_silicon.py").read_text() == "mine" and (out / "data" / "Si_train.xyz.gz").exists()


def test_the_package_has_them_where_the_verb_looks():
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    assert setuptools["package-dir"]["keras_ff_tools.notebooks"] == "tutorials"
    assert {"*.ipynb", "data/*"} <= set(setuptools["package-data"]["keras_ff_tools.notebooks"])
