// SPDX-License-Identifier: GPL-2.0-or-later
// Atoms that `neigh_modify exclude` takes out of the simulation.

#pragma once

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "neighbor.h"
#include "pointers.h"

#include <vector>

namespace LAMMPS_NS {

// An atom that has no neighbors keeps the energy of an isolated atom; one that is excluded from all atoms is not there at all. It is
// excluded from the group all, as `fix gcmc` and `fix widom` do with an atom that they try to delete, or from each type of atoms.
class Exclusions : protected Pointers {
 public:
  explicit Exclusions(LAMMPS *lmp) : Pointers(lmp) {}

  bool unsaid = true;    // whether other exclusions are to be warned of

  bool absent(int i) const { return gone[i]; }

  // For the atoms and ghost atoms of a neighbor list, at the step that builds it: groups change at others, too. `species` is -1 for
  // types that the force field does not see.
  void update(const std::vector<int> &species)
  {
    const size_t count = atom->nlocal + atom->nghost;
    if (neighbor->ago != 0 && gone.size() >= count) return;
    gone.assign(count, false);
    if (!neighbor->exclude) return;
    const int groups = deleted_groups();
    const std::vector<bool> types = deleted_types(species);
    for (size_t i = 0; i < count; ++i) gone[i] = (atom->mask[i] & groups) || types[atom->type[i]];
    if (unsaid && comm->me == 0 && others_exist(types))
      error->warning(FLERR, "neigh_modify exclude takes pairs of atoms from a force field of many bodies: atoms that are excluded from some "
                            "atoms only keep their energies, with fewer neighbors. Exclude a group from the group all to delete its atoms");
    unsaid = false;
  }

 private:
  std::vector<bool> gone;

  // Bits of the groups that are excluded from the group all, whose number is 0.
  int deleted_groups() const
  {
    int bits = 0;
    for (int m = 0; m < neighbor->nex_group; ++m) {
      if (neighbor->ex1_group[m] == 0) bits |= neighbor->ex2_bit[m];
      if (neighbor->ex2_group[m] == 0) bits |= neighbor->ex1_bit[m];
    }
    return bits;
  }

  std::vector<bool> deleted_types(const std::vector<int> &species) const
  {
    std::vector<bool> types(atom->ntypes + 1, neighbor->nex_type > 0);
    if (neighbor->nex_type)
      for (int type = 1; type <= atom->ntypes; ++type)
        for (int other = 1; other <= atom->ntypes; ++other)
          if (species[other] >= 0 && !neighbor->ex_type[type][other]) types[type] = false;
    return types;
  }

  bool others_exist(const std::vector<bool> &types) const
  {
    if (neighbor->nex_mol) return true;
    for (int m = 0; m < neighbor->nex_group; ++m)
      if (neighbor->ex1_group[m] && neighbor->ex2_group[m]) return true;
    for (int m = 0; m < neighbor->nex_type; ++m)
      if (!types[neighbor->ex1_type[m]] && !types[neighbor->ex2_type[m]]) return true;
    return false;
  }
};

}    // namespace LAMMPS_NS
