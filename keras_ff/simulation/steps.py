"""Steps of a simulation and the neighbor lists between them, in compiled loops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras import ops

from keras_ff.simulation.ensembles import with_numbers
from keras_ff.simulation.noise import normal

if TYPE_CHECKING:
    import keras

    from keras_ff.simulation.lists import HostLists

# Entries of the state that frames are made of.
NOTED = ("positions", "velocities", "cell", "energy", "bath")


class Steps:
    """Function of tensors that takes steps, with lists of neighbors that are complete at each of them.

    Args:
        model: `ForceField`.
        ensemble: Ensemble with the degrees of freedom of the atoms.
        free: `FreeDirections` of the atoms.
        lists: `HostLists` or `DeviceLists`.
        frames: Number of frames that a call keeps.
    """

    def __init__(self, model: keras.Model, ensemble: Any, free: Any, lists: HostLists, frames: int):
        self.model, self.ensemble, self.free, self.frames = model, ensemble, free, frames
        # Those of now: the lists may get another size.
        self.skin, self.search, self.complete, self.renews = lists.batcher.skin, lists.search, lists.complete, lists.renews

    def grades(self, state: dict, arrays: dict) -> tuple[dict, Any]:
        """Compute the extrapolation grades of the atoms, and whether their list of neighbors is complete.

        Args:
            state: Dict with `positions` and `cell`.
            arrays: Those of the lists.
        """
        listed, needs = self.search(state, arrays)
        batch = {**listed, "positions": state["positions"][None], "cell": state["cell"][None]}
        return self.model.grades(batch), self.complete(needs)

    def __call__(self, state: dict, arrays: dict, numbers: dict, moving: dict, span: dict) -> dict:
        """Take steps up to a number, or as many as the lists allow.

        Args:
            state: Positions, velocities, forces, energy, cell and bath, see `keras_ff.simulation.ensembles`.
            arrays: Those of the lists.
            numbers: Numbers of the ensemble.
            moving: `masses` (atoms, 1), `projections` onto the free directions, (0, 3, 3) if all are free, the time step `dt`, and
                the `seed` of the noise.
            span: Number of steps to take, `last`; the number of steps before, `origin`; the number of steps of a frame, `every`,
                and how many of them the first frame has already, its `phase`.

        Returns:
            Dict of the number of steps that were taken, `next`, the `state`, the records of `frames`, the distances that atoms
            have `moved` in Å, what the last list `needs`, and whether it was `complete`.
        """
        zero, ensemble = ops.zeros((), "int32"), with_numbers(self.ensemble, numbers)
        rows, shape = self.ensemble.noise_rows(state["positions"].shape[0]), state["positions"].shape

        def noise(index):
            if not rows:
                return None
            drawn = normal(moving["seed"], span["origin"] + index, (rows, 3), state["positions"].dtype)
            if not moving["projections"].shape[0]:
                return drawn
            return ops.concatenate([self.free.project(drawn[: shape[0]], moving["projections"]), drawn[shape[0] :]])

        def with_list(listed):
            def forces(positions, cell):
                results = evaluate(self.model, {**listed, "positions": positions[None], "cell": cell[None]})
                if not moving["projections"].shape[0]:
                    return results
                return {**results, "forces": self.free.project(results["forces"], moving["projections"])}

            def step(index, _, state, noted, _moved):
                after = ensemble.step(state, forces, moving["masses"], moving["dt"], noise(index))
                moved, room = displacement(after, listed, self.model.cutoff, self.skin)
                # A sum of squares is finite if all velocities, and with them the forces, are. Of NaN the first is False.
                finite = ops.isfinite(after["energy"] + ops.sum(after["velocities"] ** 2))
                well = ops.logical_and(ops.max(moved) <= room, finite)
                state = {name: ops.where(well, after[name], before) for name, before in state.items()}
                # The last step of a frame is what remains of it.
                frame = ops.minimum((span["phase"] + index) // span["every"], self.frames - 1)
                noted = {
                    name: ops.slice_update(values, (frame, *[zero] * (values.ndim - 1)), state[name][None])
                    for name, values in noted.items()
                }
                # A step that is rejected costs as much as one that is accepted: stop before it.
                speeds = ops.sqrt(ops.sum(state["velocities"] ** 2, axis=-1))
                likely = ops.max(moved + (1.2 * moving["dt"]) * speeds) <= room
                return index + ops.cast(well, "int32"), ops.logical_and(well, likely), state, noted, moved

            return step

        def steps_of(listed, start):
            return ops.while_loop(lambda index, well, *_: ops.logical_and(index < span["last"], well), with_list(listed), start)

        def renewed(index, _, state, noted, moved, _complete, _needs):
            listed, needs = self.search(state, arrays)
            complete = self.complete(needs)
            after, _, state, noted, moved = steps_of(listed, (index, complete, state, noted, moved))
            return after, after > index, state, noted, moved, complete, needs

        dtype, true = state["positions"].dtype, ops.ones((), "bool")
        state = {name: ops.convert_to_tensor(value) for name, value in state.items()}
        noted = {name: ops.zeros((self.frames, *state[name].shape), dtype) for name in NOTED}
        start = (zero, true, state, noted, ops.zeros_like(moving["masses"][:, 0]))
        if self.renews:
            # Shapes and dtypes of the needs.
            needs = dict.fromkeys(("neighbors", "fullest", "turns"), zero)
            needs |= dict.fromkeys(("reached", "closest"), ops.zeros((), dtype))
            after = ops.while_loop(
                lambda index, advances, *_: ops.logical_and(index < span["last"], advances), renewed, (*start, true, needs)
            )
        else:
            listed, needs = self.search(state, arrays)
            after = (*steps_of(listed, start), self.complete(needs), needs)
        return dict(zip(("next", "advanced", "state", "frames", "moved", "complete", "needs"), after, strict=True))


def evaluate(model: keras.Model, batch: dict, training: bool = False) -> dict:
    """Energy, forces and virial of one structure.

    Args:
        model: `ForceField`.
        batch: Batch of one structure.
        training: Whether all atoms are computed at once, so that derivatives with respect to the weights can follow; by default
            large structures are computed in chunks.

    Returns:
        Dict of tensors: `energy`, a scalar in eV, `forces` (atoms, 3) in eV/Å, and `virial` (3, 3) in eV, the derivatives of the
        energy with respect to strain.
    """
    results = (model.atomic_at_once if training else model.atomic)(batch)
    return {"energy": ops.sum(results["energies"]), "forces": results["forces"][0], "virial": results["virial"][0]}


def displacement(state: dict, listed: dict, cutoff: float, skin: Any) -> tuple[Any, Any]:
    """Distances that atoms have moved since their neighbors were listed, relative to the cell, and the largest that is allowed.

    Args:
        state: Dict with `positions`, (atoms, 3), and `cell`, (3, 3), in Å.
        listed: Batch of the structure at the time of the list; the cell may only have been scaled since.
        cutoff: Cutoff of the model in Å.
        skin: Thickness in Å of the shell beyond the cutoff in which neighbors are listed.

    Returns:
        Tuple of tensors in Å: distances (atoms,), and the distance up to which the list is complete.
    """
    cell = listed["cell"][0]
    before = ops.sum(cell * cell)
    periodic = before > 0
    ratio = ops.where(periodic, ops.sum(state["cell"] * state["cell"]), 1.0) / ops.where(periodic, before, 1.0)
    scale = ops.sqrt(ratio)
    moved = state["positions"] - scale * listed["positions"][0]
    return ops.sqrt(ops.sum(moved * moved, axis=-1)), 0.5 * (scale * (cutoff + skin) - cutoff)
