"""Cards of presets."""

from keras_ff.models.cards import card

ABOUT = {
    "name": "mine",
    "title": "",
    "potential": "NeuralIL",
    "species": ["C", "H"],
    "cutoff": 4.5,
    "dtype": "float32",
    "parameters": 100,
    "errors": [],
    "versions": {"keras_ff": "0.1.0", "jax": "0.10.1"},
    "sha256": "0" * 64,
    "license": "CC0",
}


def test_a_card_has_what_is_known_and_no_empty_headings():
    text = card(ABOUT)
    assert "C, H" in text and "4.5 Å" in text and "keras_ff 0.1.0, jax 0.10.1" in text and "## License\nCC0\n" in text
    assert "calibrated" not in text and "## Spread" not in text
    assert "## Errors" not in text and "## Data" not in text and "\n\n\n" not in text


def test_the_card_of_a_committee_tells_its_spread_and_how_to_see_it():
    row = {
        "label": "forces of N",
        "unit": "meV/Å",
        "count": 30,
        "error": 80.0,
        "spread": 20.0,
        "correlation": 0.6,
        "deviation": 0.125,
    }
    text = card({**ABOUT, "spreads": [row]})
    assert (
        "kff.Calculator(model)  # results: energy_std, forces_std" in text and "| forces of N | 30 | 80 | 20 |  | meV/Å |" in text
    )
    text = card({**ABOUT, "spreads": [{**row, "expected": 78.0}]})
    assert "kff.Calculator(model, calibrated=True)  #" in text and "| 80 | 20 | 78 | meV/Å | 0.6 | 0.125 |" in text
