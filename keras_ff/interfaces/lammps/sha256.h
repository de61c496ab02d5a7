// SPDX-License-Identifier: GPL-2.0-or-later
// SHA-256, as in FIPS 180-4.

#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <istream>
#include <string>

class SHA256 {
 public:
  // Of all that is left in a stream, in hexadecimal digits.
  static std::string of(std::istream &stream)
  {
    SHA256 hash;
    unsigned char block[64];
    uint64_t length = 0;
    size_t filled;
    auto read = [&] { return size_t(stream.read(reinterpret_cast<char *>(block), 64).gcount()); };
    while ((filled = read()) == 64) {
      hash.mix(block);
      length += 64;
    }
    // The end: a bit 1, zeros, and the number of bits of the message in the last 8 bytes of a block.
    length = 8 * (length + filled);
    block[filled++] = 0x80;
    if (filled > 56) {
      while (filled < 64) block[filled++] = 0;
      hash.mix(block);
      filled = 0;
    }
    while (filled < 56) block[filled++] = 0;
    for (int k = 0; k < 8; ++k) block[63 - k] = length >> 8 * k;
    hash.mix(block);
    std::string digits;
    for (const uint32_t word : hash.state) {
      char text[9];
      snprintf(text, sizeof(text), "%08x", unsigned(word));
      digits += text;
    }
    return digits;
  }

 private:
  std::array<uint32_t, 8> state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

  static uint32_t turned(uint32_t word, int bits) { return word >> bits | word << (32 - bits); }

  void mix(const unsigned char *block)
  {
    static constexpr uint32_t constants[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
        0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
        0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
        0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
        0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
        0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t words[64];
    for (int k = 0; k < 16; ++k)
      words[k] = uint32_t(block[4 * k]) << 24 | block[4 * k + 1] << 16 | block[4 * k + 2] << 8 | block[4 * k + 3];
    for (int k = 16; k < 64; ++k) {
      const uint32_t early = words[k - 15], late = words[k - 2];
      words[k] = words[k - 16] + words[k - 7] + (turned(early, 7) ^ turned(early, 18) ^ early >> 3) +
          (turned(late, 17) ^ turned(late, 19) ^ late >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (int k = 0; k < 64; ++k) {
      const uint32_t first = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g)) + constants[k] + words[k];
      const uint32_t second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g, g = f, f = e, e = d + first, d = c, c = b, b = a, a = first + second;
    }
    const uint32_t mixed[8] = {a, b, c, d, e, f, g, h};
    for (int k = 0; k < 8; ++k) state[k] += mixed[k];
  }
};
