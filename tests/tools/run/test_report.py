import re
import shutil

import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_ff as kff
from keras_ff_tools.run import report
from keras_ff_tools.run.files import read_log
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.report import write_run
from keras_ff_tools.run.training import Result


@pytest.mark.slow_on_tensorflow
def test_a_simulation_is_told_and_drawn_and_what_is_no_html_stays_text(run_folder, tmp_path):
    folder = RunFolder(shutil.copytree(run_folder, tmp_path / "run"))
    folder.report.unlink()
    result = Result(kff.load(folder.best), read_log(folder.log), None, None, folder, 0.0)
    write_run(result, {"text": "1000 K < 2000 K & more", "figure": Figure()})
    page = folder.report.read_text(encoding="utf-8")
    assert "<h2>Molecular dynamics</h2>" in page and "1000 K &lt; 2000 K &amp; more" in page
    assert page.count("data:image/png;base64,") == 2 and "<h2>Errors" not in page
    assert (folder.plots / "energy_conservation.png").exists()


def test_the_page_links_its_files_and_has_no_half_empty_row(run_folder):
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    for link in re.findall(r'href="([^"]*)"', page):
        assert (run_folder / link).exists()
    assert {"log.csv", "errors_test.csv", "structures_test.csv", "best.keras"} <= set(re.findall(r'href="([^"]*)"', page))
    assert "<td></td>" not in page and '<td class="number"></td>' not in page
    assert page.count("<table>") == len(re.findall(r"<div class=\"table[^>]*><table>", page)) and 'name="viewport"' in page
    assert "This page is about best.keras. Delivered is the model" in page
    assert "on average, and the mean absolute error is" in page
    assert "It has not converged: see the warning above." in page and "6 epochs" in page


@pytest.mark.parametrize(
    ("valid", "loss", "words"),
    [
        (
            np.geomspace(1.0, 0.01, 100),
            1.0,
            "not quite converged: over the last tenth of the epochs the validation loss changed by -",
        ),
        (np.full(100, 0.1), 0.1, "It has converged: over the last tenth of the epochs the validation loss changed by +0.0 %."),
        (np.full(100, 0.1), 0.01, "The training loss is 0.1 of it: more data would help"),
        (np.full(5, 0.1), 0.1, "5 epochs are too few to tell"),
    ],
)
def test_convergence_is_told(valid, loss, words):
    result = Result(None, {"val_loss": list(valid), "loss": list(loss * np.ones(len(valid)))}, None, None, None, 0.0)
    assert words in report._converged(result)
