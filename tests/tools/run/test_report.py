import shutil

from matplotlib.figure import Figure

import keras_ff as kff
from keras_ff_tools.run.files import read_log
from keras_ff_tools.run.folder import RunFolder
from keras_ff_tools.run.report import write_run
from keras_ff_tools.run.training import Result


def test_a_simulation_is_told_and_drawn_and_what_is_no_html_stays_text(run_folder, tmp_path):
    folder = RunFolder(shutil.copytree(run_folder, tmp_path / "run"))
    folder.report.unlink()
    result = Result(kff.load(folder.best), read_log(folder.log), None, None, folder, 0.0)
    write_run(result, {"text": "1000 K < 2000 K & more", "figure": Figure()})
    page = folder.report.read_text(encoding="utf-8")
    assert "<h2>Molecular dynamics</h2>" in page and "1000 K &lt; 2000 K &amp; more" in page
    assert page.count("data:image/png;base64,") == 2 and "<h2>Errors" not in page
    assert (folder.plots / "energy_conservation.png").exists()
