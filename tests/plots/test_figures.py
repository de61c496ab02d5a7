import subprocess
import sys

from keras_ff import plots

HISTORY = {"loss": [1.0, 0.5, 0.2], "val_loss": [1.1, 0.6, 0.3], "forces_mae": [0.5, 0.3, 0.1], "learning_rate": [1e-3] * 3}


def test_notebooks_can_show_a_figure():
    assert plots.learning_curves(HISTORY)._repr_png_().startswith(b"\x89PNG")


def test_error_names_the_extra_where_matplotlib_is_missing():
    program = (
        "import sys\nsys.modules['matplotlib'] = None\nfrom keras_ff import plots\n"
        "try:\n    plots.learning_curves({'loss': [1.0]})\n"
        "except ImportError as error:\n    assert 'keras_ff[plot]' in str(error)\n"
        "else:\n    sys.exit(1)"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
