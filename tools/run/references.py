"""Reference energies of a run: the file that its settings name, and a line about what came out."""

import os

import keras

import keras_ff as kff
from keras_ff.data.reference import FREE, arbitrary, is_isolated
from keras_ff_tools.run.settings import Settings


def with_reference_energies(settings: Settings) -> Settings:
    """Settings with the reference energies of the file that they name, so that a run does not depend on what becomes of it.

    Args:
        settings: Settings, whose `reference_energies` may be a file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds neither energies by chemical symbol nor isolated atoms.
    """
    source = settings.reference_energies
    if source is None or isinstance(source, dict) or source in ("fit", "isolated"):
        return settings
    if not os.path.exists(source):
        raise FileNotFoundError(
            f"There is no file {source}. Received --reference-energies {source}: name a file, or give isolated or fit."
        )
    energies = _table(source) if source.endswith((".json", ".yaml", ".yml")) else _of_structures(source, settings)
    return settings.replaced(reference_energies=energies)


def _table(path):
    """Energies by chemical symbol in a file of JSON or YAML."""
    import yaml

    with open(path, encoding="utf-8") as file:
        try:
            # As text, so that No and Y are elements.
            table = yaml.load(file, Loader=yaml.BaseLoader)
            return {str(symbol): float(energy) for symbol, energy in table.items()}
        except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError, ValueError):
            raise ValueError(
                f'{path} holds no reference energies: lines such as `O: -1.9` or {{"O": -1.9}} are needed, in eV.'
            ) from None


def _of_structures(path, settings):
    """Energies of the isolated atoms in a file of structures, the lowest of each element."""
    energies = {}
    for atoms in kff.data.read(path, **settings.reading):
        energy = kff.data.labels(atoms)["energy"]
        if is_isolated(atoms) and energy == energy:
            symbol = atoms.symbols[0]
            energies[symbol] = min(float(energy), energies.get(symbol, float("inf")))
    if not energies:
        raise ValueError(
            f"{path} has no isolated atom with an energy: a structure of one atom, without pbc or in a cell wider than "
            f"{2 * FREE:g} Å."
        )
    return energies


def open_combinations(model: kff.ForceField) -> str:
    """Sentences about what the training data left open; "" where there is nothing."""
    undetermined = (model.references or {}).get("undetermined")
    return arbitrary(undetermined) if undetermined else ""


def told(model: kff.ForceField) -> str:
    """The reference energies of a model and where they are from, in one line."""
    energies = keras.ops.convert_to_numpy(model.reference_energies.value).tolist()
    sources = (model.references or {}).get("sources", {})
    sources = [f" ({sources[symbol]})" if symbol in sources else "" for symbol in model.species]
    return ", ".join(
        f"{symbol} {energy:.6g} eV{text}" for symbol, energy, text in zip(model.species, energies, sources, strict=True)
    )
