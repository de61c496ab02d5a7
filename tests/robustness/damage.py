"""Damage to files, the same for the same seed."""

import gzip
import json

import numpy as np

# What stands in files of other programs, and in those of nobody.
WORDS = ["nan", "inf", "-inf", "1_000", "-1", "0", "1e400", "1e-400", "X", "D", "T", "Si1", "", "1000000000", "2.5", "1,5", "1d0"]
WORDS += ["[]", "{}", '"', "'", "=", ":", "#", "None", "true", "-0.0", "0x10", "é", "\x00", "1e30", "Properties=", "///", "9" * 20]
VALUES = [None, True, float("nan"), float("inf"), -1, 0, 10**18, 1e300, "", "X", "Si1", [], {}, [[]], [1.0], {"a": 1}, "1.5"]
VALUES += [[[0.0] * 3] * 3, {"@module": "os", "@class": "system"}, {"@module": "subprocess", "@callable": "run"}]


def damaged(content: bytes, seed: int) -> bytes:
    """Content of a file with one to three kinds of damage."""
    random = np.random.default_rng(seed)
    packed = content[:2] == b"\x1f\x8b"
    inside = gzip.decompress(content) if packed and random.random() < 0.7 else content
    for _ in range(int(random.integers(1, 4))):
        inside = _once(inside, random)
    return gzip.compress(inside) if packed and inside[:2] != b"\x1f\x8b" and random.random() < 0.9 else inside


def flipped(content: bytes, count: int, random: np.random.Generator, end: int | None = None) -> bytes:
    """Content of a file with some bits flipped, anywhere before its byte `end`."""
    data = bytearray(content)
    for position in random.integers(len(data) if end is None else end, size=count):
        data[position] ^= 1 << random.integers(8)
    return bytes(data)


def beginnings(content: bytes, count: int, random: np.random.Generator) -> list[bytes]:
    """Content of a file that was cut off, nothing and one byte among them."""
    return [content[:length] for length in [0, 1, *random.integers(len(content), size=count - 2)]]


def _once(content, random):
    if content[:1] in b"[{" and random.random() < 0.6:
        try:
            return json.dumps(_in_json(json.loads(content), random)).encode()
        except (ValueError, RecursionError):
            pass
    if b"\x00" in content or random.random() < 0.3:
        return _in_bytes(content, random)
    return _in_text(content, random)


def _in_json(value, random):
    """The same JSON with one of its values replaced, removed or repeated."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = list(value)[int(random.integers(len(value)))]
        if random.random() < 0.1:
            return {name: item for name, item in value.items() if name != key}
        return {**value, key: _in_json(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        index = int(random.integers(len(value)))
        if random.random() < 0.1:
            return value[:index] + value[index + 1 :]
        if random.random() < 0.1:
            return value + [value[index]]
        return value[:index] + [_in_json(value[index], random)] + value[index + 1 :]
    return VALUES[int(random.integers(len(VALUES)))]


def _in_bytes(content, random):
    data = bytearray(content)
    start = int(random.integers(len(data) + 1)) if data else 0
    end = min(len(data), start + int(random.integers(1, 40)))
    kind = random.integers(6)
    if kind == 0:
        return bytes(data[:start])
    if kind == 1:
        return bytes(data[:start] + random.bytes(end - start + 1) + data[start:])
    if kind == 2:
        return bytes(data[:start] + data[end:])
    if kind == 3:
        return bytes(data[:start] + bytes(end - start) + data[end:])
    if kind == 4 and start < len(data):
        data[start] ^= 1 << int(random.integers(8))
        return bytes(data)
    return bytes(data[:end] + data[start:])


def _in_text(content, random):
    text = content.decode("utf-8", errors="replace")
    kind = random.integers(9)
    if kind == 0:
        encoding = ["utf-16", "utf-8-sig", "latin-1", "utf-16-le"][int(random.integers(4))]
        return text.encode(encoding, errors="replace")
    lines = text.splitlines(keepends=True) or [""]
    first, second = (int(random.integers(len(lines))) for _ in range(2))
    if kind == 1:
        return text.replace("\n", "\r\n").encode()
    if kind == 2:
        lines = lines[:first]
    elif kind == 3:
        del lines[first]
    elif kind == 4:
        lines.insert(first, lines[second])
    else:
        words = lines[first].split(" ")
        place = int(random.integers(len(words)))
        word = WORDS[int(random.integers(len(WORDS)))]
        if kind == 5:
            words.insert(place, word)
        elif kind == 6:
            del words[place]
        else:
            end = "\n" if words[place].endswith("\n") else ""
            words[place] = word + end
        lines[first] = " ".join(words)
    return "".join(lines).encode()
