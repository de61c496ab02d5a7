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
    assert "## Errors" not in text and "## Data" not in text and "\n\n\n" not in text
