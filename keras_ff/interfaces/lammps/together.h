// SPDX-License-Identifier: GPL-2.0-or-later
// What the processes of a simulation do together.

#pragma once

#include "comm.h"
#include "error.h"
#include "pointers.h"

#include <exception>
#include <string>

namespace LAMMPS_NS {

// The sentence of what an action throws; empty if it throws nothing.
template <typename Action> std::string problem_of(Action action)
{
  try {
    action();
  } catch (const std::exception &problem) {
    return problem.what();
  }
  return {};
}

class Together : protected Pointers {
 public:
  explicit Together(LAMMPS *lmp) : Pointers(lmp) {}

  // All processes stop with the problem of the first that has one.
  void stop(std::string problem)
  {
    int first = problem.empty() ? comm->nprocs : comm->me;
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, world);
    if (first == comm->nprocs) return;
    share(problem, first);
    error->all(FLERR, "{}", problem);
  }

  // Give all processes what one of them has.
  void share(std::string &text, int process)
  {
    int length = text.size();
    MPI_Bcast(&length, 1, MPI_INT, process, world);
    text.resize(length);
    MPI_Bcast(text.data(), length, MPI_CHAR, process, world);
  }
};

}    // namespace LAMMPS_NS
