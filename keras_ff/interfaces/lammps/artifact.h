// SPDX-License-Identifier: GPL-2.0-or-later
// What artifact.json says of an exported force field, and its checks: those of interfaces/description.py.

#pragma once

#include "json.h"

#include "sha256.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace LAMMPS_NS {

class Artifact {
 public:
  double cutoff = 0.0;
  bool single_precision = false;
  bool sealed = false;                 // whether the description has a checksum of its own
  std::vector<std::string> species;    // chemical symbols
  std::vector<std::string> tensors;    // names of those of NAMES, in their order

  static constexpr const char *NAMES[] = {"vectors", "mask", "center_species", "neighbor_species", "energies", "gradient"};

  Artifact() = default;

  // Errors are sentences in a std::runtime_error.
  Artifact(const std::string &folder, const std::string &text)
  {
    try {
      read(folder, text);
    } catch (const json::exception &) {
      fail(folder + "/artifact.json is not as it was written: " + DAMAGED);
    }
  }

  // The content of artifact.json.
  static std::string text_of(const std::string &folder)
  {
    const std::string path = folder + "/artifact.json";
    if (!std::filesystem::is_regular_file(path))
      fail(folder + " holds no exported force field. Write one with: keras-ff export MODEL --to saved_model");
    if (std::filesystem::file_size(path) > LARGEST) fail(path + " is not as it was written: " + DAMAGED);
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // The files that TensorFlow reads; calculator.py and others are of no concern here.
  void compare_files(const std::string &folder) const
  {
    const auto home = std::filesystem::canonical(folder);
    for (const auto &[name, checksum] : files.items()) {
      const std::string path = folder + "/" + name;
      if (name.rfind("saved_model/", 0) != 0) continue;
      if (!std::filesystem::is_regular_file(path)) fail(path + " is missing: " + DAMAGED);
      if (outside(path, home)) fail(path + " is a link that leads out of the folder: " + DAMAGED);
      std::ifstream file(path, std::ios::binary);
      if (!file || SHA256::of(file) != checksum) fail(path + " is not as it was written: " + DAMAGED);
    }
    for (const auto &entry : std::filesystem::recursive_directory_iterator(folder + "/saved_model")) {
      const auto path = entry.path();
      if (path.filename().string()[0] == '.' || (entry.is_directory() && !entry.is_symlink())) continue;
      if (!files.contains(path.lexically_relative(folder).generic_string()))
        fail(path.string() + " is no part of the artifact: remove it, or export the artifact again.");
    }
  }

 private:
  static constexpr int FORMAT = 1;
  static constexpr size_t LARGEST = 1 << 24;
  static constexpr double LARGEST_CUTOFF = 100.0;
  static constexpr char DAMAGED[] = "the artifact is damaged. Export it again: keras-ff export MODEL --to saved_model.";

  json files;    // checksums by names

  [[noreturn]] static void fail(const std::string &sentence) { throw std::runtime_error(sentence); }

  static bool matches(const json &value, const char *pattern)
  {
    return value.is_string() && std::regex_match(value.get_ref<const std::string &>(), std::regex(pattern));
  }

  static bool is_checksum(const json &value) { return matches(value, "[0-9a-f]{64}"); }

  static bool outside(const std::filesystem::path &path, const std::filesystem::path &home)
  {
    const auto relative = std::filesystem::canonical(path).lexically_relative(home);
    return relative.empty() || *relative.begin() == "..";
  }

  void read(const std::string &folder, const std::string &text)
  {
    const auto require = [&](bool holds, const std::string &problem) {
      if (!holds) fail(folder + "/artifact.json " + problem + ": " + DAMAGED);
    };
    const json description = json::parse(text);
    const json &format = description.at("format");
    require(format.is_number_integer() && format >= 1, "has no number of its format");
    if (format > FORMAT) fail(folder + " was written by a newer keras_ff. Compile its plugin: keras-ff lammps build");
    if (description.at("kind") != "saved_model")
      fail(folder + " is of another kind than LAMMPS needs. Export it again: keras-ff export MODEL --to saved_model");
    sealed = description.contains("checksum");
    if (sealed) require(has_checksum(text, description.at("checksum")), "is not as it was written");

    const json &radius = description.at("cutoff"), &dtype = description.at("dtype"), &symbols = description.at("species");
    require(radius.is_number() && radius > 0.0 && radius <= LARGEST_CUTOFF, "has a cutoff that is not between 0 and 100 Angstrom");
    cutoff = radius;
    require(dtype == "float32" || dtype == "float64", "has another dtype than float32 and float64");
    single_precision = dtype == "float32";
    require(symbols.is_array() && !symbols.empty(), "has no species");
    for (const json &symbol : symbols) require(matches(symbol, "[A-Z][a-z]?"), "has species that are no elements");
    species = symbols;
    require(std::set<std::string>(species.begin(), species.end()).size() == species.size(), "has a species twice");
    const json units = {{"length", "\u00c5"}, {"energy", "eV"}, {"gradient", "eV/\u00c5"}};
    require(description.at("units") == units, "has other units than eV and Angstrom");

    files = description.at("files");
    require(files.is_object() && files.contains("saved_model/saved_model.pb"), "does not list its files");
    for (const auto &[name, checksum] : files.items()) {
      require(matches(name, "[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*"), "has a name of a file that leaves the folder");
      require(is_checksum(checksum), "has checksums that are none");
    }
    std::set<std::string> places;
    for (const char *name : NAMES) {
      const json &tensor = description.at("tensors").at(name);
      require(matches(tensor, "[A-Za-z0-9._/-]+:[0-9]{1,4}") && places.insert(tensor).second, "has names of tensors that are none");
      tensors.push_back(tensor);
    }
  }

  // The checksum is that of the text with zeros in its place.
  static bool has_checksum(std::string text, const json &checksum)
  {
    if (!is_checksum(checksum)) return false;
    const std::string digits = checksum;
    const size_t place = text.find(digits);
    if (place == std::string::npos) return false;
    std::istringstream stream(text.replace(place, digits.size(), digits.size(), '0'));
    return SHA256::of(stream) == digits;
  }
};

}    // namespace LAMMPS_NS
