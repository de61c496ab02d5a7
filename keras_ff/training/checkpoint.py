"""A callback by which a killed training run continues exactly."""

import contextlib
import json
import random
import re
import warnings
import weakref
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_ff.arguments import whole
from keras_ff.files import differences, exclusive
from keras_ff.files.fingerprints import fingerprint, of_config
from keras_ff.files.state import DamagedFile, read_state, write_state
from keras_ff.training.callbacks import explain_nan

# Attributes that these callbacks of Keras change while they run; all of them are reset when training begins.
_KERAS_CALLBACKS = {
    keras.callbacks.EarlyStopping: ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "cooldown_counter", "best"),
    keras.callbacks.ModelCheckpoint: ("best",),
}

# What a state has; files of earlier versions have no configuration of the model.
_PARTS = {"backend", "settings", "epochs", "history", "model", "optimizer", "callbacks", "random"}

# An epoch that no run reaches.
_NEVER = 2**62


class RunState(keras.callbacks.Callback):
    """Callback that writes the state of the training after each epoch, and continues from it.

    A run that is killed at any moment and started again, by the same script in
    the same folder, ends with the weights, history and best model that it would
    have had, bit for bit, on the same backend and hardware. The state holds the
    weights and seeds of the model, the optimizer (step, moments, average of the
    weights), the history, the random numbers of Python and NumPy, and the state
    of `callbacks`. Each write makes a new file that is complete or absent; the
    one before it is kept, and used if the newer one is damaged.

    The batches of an epoch must follow from its number, as those of `Dataset` in
    `ForceField.fit`; another model than `ForceField` needs `SetEpoch(data)` of
    `keras_ff.models.epochs` among its callbacks, and `shuffle=False`.

        callbacks = [StopOnNaN(), BestModel("run/best.keras"), CSVLog("run/log.csv")]
        model.fit(data, epochs=100, callbacks=[*callbacks, RunState("run/state", callbacks)])

    To start again from the beginning, remove the folder. To train longer, raise
    `epochs`; a run that `EarlyStopping` ended stays ended.

    Args:
        folder: Folder for the states, made if it does not exist.
        callbacks: Callbacks whose state belongs to the run. In `fit` this one
            comes after them. Known are EarlyStopping, ReduceLROnPlateau and
            ModelCheckpoint of Keras, and any callback with `get_state()`, which
            returns a dictionary of numbers, strings and arrays, and
            `set_state(state)`. Other callbacks have no state to keep.
        every: Number of epochs between two writes. A resumed run repeats the
            epochs since the last write.

    Raises:
        ValueError: When training begins, if all states in the folder are
            damaged, or belong to another model or optimizer, or if `callbacks`
            stand after this one in `fit`.
        OSError: When training begins, if another process trains in the folder.
        FloatingPointError: Instead of writing weights that are NaN or infinite.
    """

    # keras.callbacks.BackupAndRestore (keras/src/callbacks/backup_and_restore.py) does not suffice: it writes
    # weights and epoch to two files, in place, so that a kill leaves half a file or an epoch that does not
    # belong to the weights; it has no checksum; it forgets history, random numbers and the state of other
    # callbacks; and it deletes the state at the end, so that nothing is left to train on from.
    # keras.callbacks.OrbaxCheckpoint writes weights and optimizer, not the other four either, and `fit` does not go on from it.

    def __init__(self, folder, callbacks=(), every=1):
        super().__init__()
        self.folder = Path(folder)
        self.callbacks = list(callbacks)
        self.every = whole("every", every, 1)
        self._epochs = []
        self._history = {}
        self._release = lambda: None

    @property
    def latest(self):
        """Path of the newest state file, or None."""
        return next(iter(self._files()), None)

    def set_model(self, model):
        """Check that all callbacks whose state is kept stand before this one."""
        super().set_model(model)
        late = [type(callback).__name__ for callback in self.callbacks if callback.model is not model]
        if late:
            raise ValueError(
                f"RunState keeps the state of {late}, which must stand before it in the callbacks of `fit`: "
                "model.fit(..., callbacks=[*callbacks, RunState(folder, callbacks)])."
            )

    def on_train_begin(self, logs=None):
        """Restore the newest state that is complete, if there is one."""
        if not self.model.built:
            raise ValueError(
                "RunState needs a model that is built before `fit`, to find its weights when the run is resumed. "
                "Call the model on one batch, or adapt it to the data, first."
            )
        # The end of a training that fails is not told to callbacks.
        self._release()
        stack = contextlib.ExitStack()
        stack.enter_context(exclusive(self.folder))
        self._release = weakref.finalize(self, stack.close)
        self._epochs, self._history = [], {}
        self._settings = _settings(self.model.optimizer)
        path, state = self._read()
        if state is None:
            return
        self._restore(path, state)
        done = len(self._epochs)
        stopped = any(getattr(callback, "stopped_epoch", 0) > 0 for callback in self.callbacks)
        over = stopped or done >= self.params["epochs"]
        _begin_after(self.model, _NEVER if over else done)
        what = "stopped early" if stopped else f"of {self.params['epochs']}"
        rest = "; nothing is left to train" if over else ""
        print(f"Continuing after epoch {done} ({what}) from {path}{rest}. To begin anew, remove {self.folder}.", flush=True)

    def on_epoch_begin(self, epoch, logs=None):
        """Undo the change of the first epoch, which holds for this `fit` only."""
        _begin_after(self.model, None)  # Or the next `fit` would start from there as well.

    def on_epoch_end(self, epoch, logs=None):
        """Add the logs to the history, and write the state every few epochs and at the end."""
        self._epochs.append(epoch)
        for name, value in (logs or {}).items():
            self._history.setdefault(name, []).append(value)
        last = epoch + 1 >= self.params["epochs"] or self.model.stop_training
        if last or (epoch + 1) % self.every == 0:
            self._write(epoch + 1)

    def on_train_end(self, logs=None):
        """Give the model the history of the whole run, earlier parts included."""
        _begin_after(self.model, None)
        # Keras' own record begins with the epoch that was resumed.
        self.model.history.epoch = list(self._epochs)
        self.model.history.history = {name: list(values) for name, values in self._history.items()}
        self._release()

    def _write(self, done):
        model = self.model
        weights = [_array(variable) for variable in _variables(model)]
        if not all(np.isfinite(array).all() for array in weights if array.dtype.kind == "f"):
            raise FloatingPointError(explain_nan(f"A weight became NaN or infinite in epoch {done}."))
        state = {
            "backend": keras.config.backend(),
            "config": _config(model),
            "settings": self._settings,
            "epochs": self._epochs,
            "history": self._history,
            "model": weights,
            "optimizer": [_array(variable) for variable in model.optimizer.variables],
            "callbacks": {name: _get_state(callback) for name, callback in self._named_callbacks()},
            "random": {"python": random.getstate(), "numpy": np.random.get_state()},
        }
        write_state(self.folder / f"epoch-{done:06d}.state", state)
        for old in self._files()[2:]:
            old.unlink()

    def _files(self):
        """State files, the newest first."""
        found = [path for path in self.folder.glob("epoch-*.state") if re.fullmatch(r"epoch-\d+", path.stem)]
        return sorted(found, key=lambda path: int(path.stem.removeprefix("epoch-")), reverse=True)

    def _read(self):
        files = self._files()
        for path in files:
            try:
                return path, read_state(path)
            except DamagedFile as error:
                warnings.warn(f"{error} Trying the state before it.", stacklevel=2)
        if files:
            raise ValueError(
                f"No state in {self.folder} can be read: {[path.name for path in files]} are damaged. "
                "Restore one from a copy, or remove the folder to begin anew."
            )
        return None, None

    def _restore(self, path, state):
        model = self.model
        if missing := sorted(_PARTS - set(state if isinstance(state, dict) else ())):
            raise ValueError(
                f"{path} is no state of a training: it has no {', '.join(missing)}. Remove it, or name another folder."
            )
        if state.get("config") and (config := _config(model)):
            if changed := differences(json.loads(state["config"]), json.loads(config)):
                raise ValueError(f"{path} belongs to another model. What differs: {'; '.join(changed)}. Name another folder.")
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        if state["backend"] != keras.config.backend():
            warnings.warn(
                f"{path} was written on {state['backend']}; training goes on with {keras.config.backend()}, and will "
                "not be bit for bit the run that was interrupted.",
                stacklevel=2,
            )
        _assign(path, "model", _variables(model), state["model"])
        _assign(path, "optimizer", model.optimizer.variables, state["optimizer"])
        changed = [
            f"{name}: {state['settings'].get(name)} then, {self._settings.get(name)} now"
            for name in sorted({*state["settings"], *self._settings})
            if state["settings"].get(name) != self._settings.get(name)
        ]
        if changed:
            warnings.warn(f"The optimizer differs from that of {path}. {'; '.join(changed)}.", stacklevel=2)
        for name, callback in self._named_callbacks():
            if name in state["callbacks"]:
                _set_state(callback, state["callbacks"][name])
            else:
                warnings.warn(f"{path} has no state for {name}, which begins anew.", stacklevel=2)
        version, numbers, gauss = state["random"]["python"]
        random.setstate((version, tuple(numbers), gauss))
        np.random.set_state(tuple(state["random"]["numpy"]))
        self._epochs, self._history = state["epochs"], state["history"]
        model.history.history.update({name: list(values) for name, values in self._history.items()})

    def _named_callbacks(self):
        """Callbacks that have a state, by class and count: `EarlyStopping`, `EarlyStopping 2`."""
        count = {}
        for callback in self.callbacks:
            if hasattr(callback, "get_state") or _keras_attributes(callback):
                name = type(callback).__name__
                count[name] = count.get(name, 0) + 1
                yield (name if count[name] == 1 else f"{name} {count[name]}"), callback


def _config(model):
    """Configuration of a model as text; None if it has none."""
    try:
        return json.dumps(of_config(model.get_config()), default=fingerprint)
    except (NotImplementedError, TypeError):
        return None


def _begin_after(model, epochs):
    """Let `fit` start from an epoch, by private API that Keras made for its own BackupAndRestore.

    Without it a resumed run would begin with the first epoch again, unless the user passes `initial_epoch`.
    """
    model._initial_epoch = epochs


def _variables(model):
    """Weights, statistics and seeds. Metrics begin anew with each epoch."""
    return [*model.trainable_variables, *model.non_trainable_variables]


def _array(variable):
    return ops.convert_to_numpy(ops.convert_to_tensor(variable))


def _settings(optimizer):
    """What the user chose of the optimizer; a learning rate that is a variable belongs to the state."""
    config = optimizer.get_config()
    if not isinstance(config.get("learning_rate"), dict):
        config.pop("learning_rate", None)
    config.pop("name", None)
    return {name: repr(value) for name, value in config.items()} | {"class": type(optimizer).__name__}


def _assign(path, owner, variables, values):
    def describe(things):
        return [(tuple(thing.shape), keras.backend.standardize_dtype(thing.dtype)) for thing in things]

    expected, found = describe(variables), describe(values)
    # The step counter is int32 on JAX and int64 on TensorFlow.
    same = [(a, b) for (a, s), (b, t) in zip(expected, found) if a == b and (s == t or "int" in s and "int" in t)]
    if not len(same) == len(expected) == len(found):
        where = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b), min(len(expected), len(found)))
        there = found[where] if where < len(found) else "nothing"
        here = f"{variables[where].path} {expected[where]}" if where < len(expected) else "nothing"
        raise ValueError(
            f"{path} belongs to another {owner}: it has {len(found)} variables, this {owner} has {len(expected)}. "
            f"The first that differs is number {where}: {there} there, {here} here. "
            "Use the same settings, or another folder."
        )
    for variable, value in zip(variables, values):
        variable.assign(value)


def _keras_attributes(callback):
    return next((names for kind, names in _KERAS_CALLBACKS.items() if isinstance(callback, kind)), ())


def _get_state(callback):
    if hasattr(callback, "get_state"):
        return callback.get_state()
    return {name: getattr(callback, name, None) for name in _keras_attributes(callback)}


def _set_state(callback, state):
    if hasattr(callback, "set_state"):
        callback.set_state(state)
    else:
        for name, value in state.items():
            setattr(callback, name, value)
