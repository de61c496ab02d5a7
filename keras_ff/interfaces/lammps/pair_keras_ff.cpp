// SPDX-License-Identifier: GPL-2.0-or-later
// This file is compiled against the headers of LAMMPS, which are under the GPL, and is licensed as they are.
//
//   pair_style keras_ff [threads N]
//   pair_coeff * * FOLDER Si O
//
// FOLDER is a SavedModel that `keras-ff export` wrote. The function in it gives, from the vectors of atoms to their neighbors, the
// energies of the atoms and their derivatives by the vectors. It knows nothing of the domains of LAMMPS: each process calls it with
// its own atoms, and LAMMPS brings the forces on ghost atoms to their owners.

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "lammps.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "pair.h"
#include "update.h"
#include "utils.h"

#include "artifact.h"
#include "exclusions.h"
#include "together.h"

#include "tensorflow/c/c_api.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <stdexcept>
#include <string>
#include <vector>

using namespace LAMMPS_NS;

// What lammpsplugin.h declares, which not all installations bring.
extern "C" {
typedef struct {
  const char *version, *style, *name, *info, *author;
  void *(*creator)(void *);
  void *handle;
} lammpsplugin_t;
typedef void (*lammpsplugin_regfunc)(lammpsplugin_t *, void *);
}

// TensorFlow is loaded at the first pair_coeff: it takes seconds, which other simulations should not wait for.
#define TF(name) reinterpret_cast<decltype(&name)>(dlsym(tensorflow, #name))

// Rows and columns are padded to multiples of these, as XLA compiles the function for each shape.
static constexpr int ROWS = 32, COLUMNS = 4;
// Atoms of one call at most: more have intermediate results that do not fit into the caches of a processor, and few leave a GPU idle.
static constexpr int CHUNK = 512, CHUNK_OF_GPU = 65536;

// Atoms closer than this in Angstrom are the same atom twice.
static constexpr double COINCIDENT = 1e-5;

static int parts(int count, int size) { return (std::max(count, 1) + size - 1) / size; }
static int padded(int count, int multiple) { return multiple * parts(count, multiple); }

class PairKerasFF : public Pair {
 public:
  PairKerasFF(LAMMPS *lmp) : Pair(lmp), exclusions(lmp), together(lmp)
  {
    manybody_flag = one_coeff = 1;
    single_enable = restartinfo = 0;
    centroidstressflag = CENTROID_NOTAVAIL;
  }

  ~PairKerasFF() override
  {
    close();
    if (allocated) {
      memory->destroy(setflag);
      memory->destroy(cutsq);
    }
  }

  void settings(int narg, char **arg) override
  {
    if (narg == 2 && strcmp(arg[0], "threads") == 0)
      threads = utils::inumeric(FLERR, arg[1], false, lmp);
    else if (narg)
      error->all(FLERR, "The options of pair_style keras_ff are: threads N");
    if (threads < 1 || threads > 127) error->all(FLERR, "pair_style keras_ff threads is between 1 and 127. Received {}", threads);
  }

  void coeff(int narg, char **arg) override
  {
    const int types = atom->ntypes;
    if (narg != 3 + types)
      error->all(FLERR, "pair_coeff of keras_ff needs: * * FOLDER, and an element or NULL for each of the {} atom types", types);
    if (!allocated) {
      memory->create(setflag, types + 1, types + 1, "pair:setflag");
      memory->create(cutsq, types + 1, types + 1, "pair:cutsq");
      map = new int[types + 1];
      allocated = 1;
    }
    map_element2type(narg - 3, arg + 3);
    const std::string folder = arg[2];
    std::string text;
    together.stop(problem_of([&] {
      // The first process reads the files.
      if (comm->me != 0) return;
      text = Artifact::text_of(folder);
      Artifact(folder, text).compare_files(folder);
    }));
    together.share(text, 0);
    artifact = Artifact(folder, text);
    if (!artifact.sealed && comm->me == 0)
      error->warning(FLERR, "{}/artifact.json was written before it had a checksum of its own: changes of it go unseen. Export it again",
                     folder);
    know_species(folder);
    together.stop(problem_of([&] { open(folder + "/saved_model"); }));
  }

  void init_style() override
  {
    if (strcmp(update->unit_style, "metal") != 0)
      error->all(FLERR, "pair_style keras_ff computes in eV and Angstrom. Received units {}: use units metal", update->unit_style);
    if (!force->newton_pair)
      error->all(FLERR, "pair_style keras_ff needs the forces on ghost atoms: put newton on into the input, before the box");
    neighbor->add_request(this, NeighConst::REQ_FULL);
    exclusions.unsaid = true;
  }

  double init_one(int, int) override { return artifact.cutoff; }

  void compute(int eflag, int vflag) override
  {
    ev_init(eflag, vflag);
    exclusions.update(species);
    find_near();
    reserve();
    // A process may have no atoms.
    const std::string problem = problem_of([&] {
      if (list->inum) artifact.single_precision ? evaluate<float>() : evaluate<double>();
    });
    if (!problem.empty()) error->one(FLERR, "{}", problem);
    if (vflag_fdotr) virial_fdotr_compute();
  }

 private:
  Artifact artifact;
  Exclusions exclusions;
  Together together;
  int threads = 1, chunk = CHUNK, rows = 0, columns = 0;
  std::vector<int> species;      // of the atom types; -1 for NULL
  std::vector<int> near, counts; // neighbors within the cutoff, one atom after the other, and how many each has
  void *tensorflow = nullptr;
  TF_Graph *graph = nullptr;
  TF_Session *session = nullptr;
  TF_Status *status = nullptr;
  TF_Output inputs[4], outputs[2];
  TF_Tensor *arguments[4] = {};

  void know_species(const std::string &folder)
  {
    const std::vector<std::string> &known = artifact.species;
    species.assign(atom->ntypes + 1, -1);
    for (int type = 1; type <= atom->ntypes; ++type) {
      if (map[type] < 0) continue;
      const auto place = std::find(known.begin(), known.end(), elements[map[type]]);
      if (place == known.end())
        error->all(FLERR, "{} was not made for the element {}, which pair_coeff gives to atom type {}. It knows: {}", folder,
                   elements[map[type]], type, utils::join_words(known, " "));
      species[type] = place - known.begin();
    }
  }

  void open(const std::string &saved_model)
  {
    close();
    setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);
    setenv("TF_ENABLE_ONEDNN_OPTS", "0", 0);
    setenv("NVIDIA_TF32_OVERRIDE", "0", 0);
    tensorflow = dlopen(TENSORFLOW_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!tensorflow)
      throw std::runtime_error(fmt::format("TensorFlow cannot be loaded. Compile the plugin again: keras-ff lammps build. {}", dlerror()));
    // GPUs would round float32 to 10 bits before products of matrices. NVIDIA's libraries read the variable above; XLA asks
    // TensorFlow, which has no function of C for it: this is tsl::enable_tensor_float_32_execution.
    if (void *tf32 = dlsym(tensorflow, "_ZN3tsl32enable_tensor_float_32_executionEb"))
      reinterpret_cast<void (*)(bool)>(tf32)(false);
    else if (artifact.single_precision && comm->me == 0)
      error->warning(FLERR, "This TensorFlow may round float32 on GPUs (TF32). Export the model with --dtype float64, or from JAX");
    status = TF(TF_NewStatus)();
    graph = TF(TF_NewGraph)();
    // A ConfigProto: intra_op_parallelism_threads, inter_op_parallelism_threads, and gpu_options { allow_growth: true }, as
    // processes may share a GPU.
    const char config[] = {0x10, char(threads), 0x28, 1, 0x32, 2, 0x20, 1};
    TF_SessionOptions *options = TF(TF_NewSessionOptions)();
    TF(TF_SetConfig)(options, config, sizeof(config), status);
    const char *tag = "serve";
    session = TF(TF_LoadSessionFromSavedModel)(options, nullptr, saved_model.c_str(), &tag, 1, graph, nullptr, status);
    TF(TF_DeleteSessionOptions)(options);
    check("load");
    chunk = has_gpu() ? CHUNK_OF_GPU : CHUNK;
    const TF_DataType types[] = {real(), TF_BOOL, TF_INT32, TF_INT32, real(), real()};
    const int ranks[] = {3, 2, 1, 2, 1, 3};
    for (int k = 0; k < 6; ++k) (k < 4 ? inputs[k] : outputs[k - 4]) = find(k, types[k], ranks[k]);
  }

  TF_DataType real() const { return artifact.single_precision ? TF_FLOAT : TF_DOUBLE; }

  bool has_gpu()
  {
    TF_DeviceList *devices = TF(TF_SessionListDevices)(session, status);
    check("list devices for");
    bool found = false;
    for (int k = 0; k < TF(TF_DeviceListCount)(devices); ++k) found |= !strcmp(TF(TF_DeviceListType)(devices, k, status), "GPU");
    TF(TF_DeleteDeviceList)(devices);
    return found;
  }

  void close()
  {
    release();
    rows = columns = 0;
    if (session) TF(TF_DeleteSession)(session, status);
    if (graph) TF(TF_DeleteGraph)(graph);
    if (status) TF(TF_DeleteStatus)(status);
    session = nullptr;
    graph = nullptr;
    status = nullptr;
  }

  // The tensor NAME:PLACE of the graph.
  TF_Output find(int which, TF_DataType type, int rank)
  {
    const std::string tensor = artifact.tensors[which];
    const auto colon = tensor.find(':');
    TF_Operation *operation = TF(TF_GraphOperationByName)(graph, tensor.substr(0, colon).c_str());
    const TF_Output output = {operation, std::stoi(tensor.substr(colon + 1))};
    bool found = operation && output.index < TF(TF_OperationNumOutputs)(operation);
    if (found) {
      const int known = TF(TF_GraphGetTensorNumDims)(graph, output, status);
      check("tell the shapes of");
      // The shapes of results may be unknown until they are there.
      found = TF(TF_OperationOutputType)(output) == type && (known == rank || (known < 0 && which >= 4));
    }
    if (!found)
      throw std::runtime_error(fmt::format("The exported force field has no tensor {} for {}, with {} dimensions: it is damaged. Export it again",
                                           tensor, Artifact::NAMES[which], rank));
    return output;
  }

  void check(const char *action)
  {
    if (TF(TF_GetCode)(status) != TF_OK)
      throw std::runtime_error(fmt::format("TensorFlow cannot {} the force field: {}", action, TF(TF_Message)(status)));
  }

  // Species of an atom; -1 if the force field does not see it.
  int seen(int i) const { return exclusions.absent(i) ? -1 : species[atom->type[i]]; }

  void find_near()
  {
    double **x = atom->x;
    near.clear();
    counts.assign(list->inum, 0);
    for (int row = 0; row < list->inum; ++row) {
      const int i = list->ilist[row];
      if (seen(i) < 0) continue;
      for (int k = 0; k < list->numneigh[i]; ++k) {
        const int j = list->firstneigh[i][k] & NEIGHMASK;
        const double dx = x[j][0] - x[i][0], dy = x[j][1] - x[i][1], dz = x[j][2] - x[i][2];
        const double square = dx * dx + dy * dy + dz * dz;
        if (square >= artifact.cutoff * artifact.cutoff || seen(j) < 0) continue;
        if (square < COINCIDENT * COINCIDENT)
          error->one(FLERR, "Atoms {} and {} lie on top of each other, at {:.6g} {:.6g} {:.6g}", atom->tag[i], atom->tag[j], x[i][0], x[i][1],
                     x[i][2]);
        near.push_back(j);
        ++counts[row];
      }
    }
  }

  // Rows and columns that hold what `find_near` found. XLA compiles the function again when they grow, which takes seconds. So what
  // has grown gets an eighth to spare, and processes grow together, where they meet anyway: at the steps that build lists.
  void reserve()
  {
    int needed[] = {list->inum, 1};
    for (const int count : counts) needed[1] = std::max(needed[1], count);
    if (neighbor->ago == 0) MPI_Allreduce(MPI_IN_PLACE, needed, 2, MPI_INT, MPI_MAX, world);
    // The atoms of one process stay; those of several come and go, as many as in a gas at most.
    const int spare = rows ? needed[0] / 8 : comm->nprocs > 1 ? 2 * int(std::sqrt(needed[0])) : 0;
    const int calls = parts(needed[0] + spare, chunk), best = padded(parts(needed[0] + spare, calls), ROWS);
    // One call more is better than another shape, unless most of it were padding.
    const bool more_rows = !rows || (needed[0] > rows && parts(needed[0], rows) * rows > 1.25 * calls * best);
    if (!more_rows && needed[1] <= columns) return;
    if (more_rows) rows = best;
    if (needed[1] > columns) columns = padded(columns ? needed[1] + needed[1] / 8 : needed[1], COLUMNS);
    release();
    arguments[0] = zeros(real(), {rows, columns, 3}, artifact.single_precision ? sizeof(float) : sizeof(double));
    arguments[1] = zeros(TF_BOOL, {rows, columns}, sizeof(bool));
    arguments[2] = zeros(TF_INT32, {rows}, sizeof(int32_t));
    arguments[3] = zeros(TF_INT32, {rows, columns}, sizeof(int32_t));
  }

  void release()
  {
    for (auto &tensor : arguments) {
      if (tensor) TF(TF_DeleteTensor)(tensor);
      tensor = nullptr;
    }
  }

  TF_Tensor *zeros(TF_DataType type, const std::vector<int64_t> &shape, size_t size)
  {
    for (const auto length : shape) size *= length;
    TF_Tensor *tensor = TF(TF_AllocateTensor)(type, shape.data(), shape.size(), size);
    if (!tensor) error->one(FLERR, "There is no memory for {} MB of neighbors", size >> 20);
    memset(TF(TF_TensorData)(tensor), 0, size);
    return tensor;
  }

  // The arrays for TensorFlow, with the atoms from `first` to before `last`, whose neighbors begin at `pair`. What was there before is
  // overwritten.
  template <typename Real> void fill(int first, int last, size_t pair)
  {
    double **x = atom->x;
    auto vectors = static_cast<Real *>(TF(TF_TensorData)(arguments[0]));
    auto mask = static_cast<bool *>(TF(TF_TensorData)(arguments[1]));
    auto centers = static_cast<int32_t *>(TF(TF_TensorData)(arguments[2]));
    auto others = static_cast<int32_t *>(TF(TF_TensorData)(arguments[3]));
    std::fill(centers, centers + rows, -1);
    std::fill(mask, mask + rows * columns, false);
    for (int row = first; row < last; ++row) {
      const int i = list->ilist[row];
      centers[row - first] = seen(i);
      for (int k = 0; k < counts[row]; ++k) {
        const int j = near[pair++], place = (row - first) * columns + k;
        for (int axis = 0; axis < 3; ++axis) vectors[3 * place + axis] = x[j][axis] - x[i][axis];
        mask[place] = true;
        others[place] = species[atom->type[j]];
      }
    }
  }

  template <typename Real> void evaluate()
  {
    size_t pair = 0;
    for (int first = 0; first < list->inum; first += rows) {
      const int last = std::min(first + rows, list->inum);
      fill<Real>(first, last, pair);
      TF_Tensor *results[2] = {nullptr, nullptr};
      TF(TF_SessionRun)(session, nullptr, inputs, arguments, 4, outputs, results, 2, nullptr, 0, nullptr, status);
      check("run");
      expect(results[0], {rows});
      expect(results[1], {rows, columns, 3});
      const auto energies = static_cast<const Real *>(TF(TF_TensorData)(results[0]));
      const auto gradient = static_cast<const Real *>(TF(TF_TensorData)(results[1]));
      for (int row = first; row < last; ++row) {
        pair = add(row, pair, energies[row - first], gradient + 3 * columns * (row - first));
      }
      for (auto tensor : results) TF(TF_DeleteTensor)(tensor);
    }
  }

  void expect(const TF_Tensor *result, const std::vector<int64_t> &shape)
  {
    bool holds = TF(TF_TensorType)(result) == real() && TF(TF_NumDims)(result) == int(shape.size());
    for (size_t axis = 0; holds && axis < shape.size(); ++axis) holds = TF(TF_Dim)(result, axis) == shape[axis];
    if (!holds) throw std::runtime_error("The results of the exported force field have other shapes than expected: it is damaged. Export it again");
  }

  // The energy of an atom and its pulls on the neighbors, which begin at `pair`. Returns where those of the next atom begin.
  template <typename Real> size_t add(int row, size_t pair, Real energy, const Real *gradient)
  {
    double **x = atom->x, **f = atom->f;
    const int i = list->ilist[row];
    if (eflag_global) eng_vdwl += energy;
    if (eflag_atom) eatom[i] += energy;
    for (int k = 0; k < counts[row]; ++k) {
      const int j = near[pair++];
      double pull[3], vector[3];
      for (int axis = 0; axis < 3; ++axis) {
        pull[axis] = gradient[3 * k + axis];
        vector[axis] = x[i][axis] - x[j][axis];
        f[i][axis] += pull[axis];
        f[j][axis] -= pull[axis];
      }
      if (vflag_either) v_tally2_newton(i, pull, vector);
    }
    return pair;
  }
};

extern "C" void lammpsplugin_init(void *lmp, void *handle, void *registration)
{
  lammpsplugin_t plugin;
  plugin.version = LAMMPS_VERSION;
  plugin.style = "pair";
  plugin.name = "keras_ff";
  plugin.info = "force fields exported by keras_ff";
  plugin.author = "keras_ff";
  plugin.creator = [](void *engine) -> void * { return new PairKerasFF(static_cast<LAMMPS *>(engine)); };
  plugin.handle = handle;
  reinterpret_cast<lammpsplugin_regfunc>(registration)(&plugin, lmp);
}
