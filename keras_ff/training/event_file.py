"""The event files of TensorBoard, for scalars.

Formats: tensorflow/core/lib/io/record_writer.h (records),
tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto
(events; encoded as protocol buffers, developers.google.com/protocol-buffers).

TensorBoard's own writer begins a new file in each process, and cannot take the
epochs out of it that a killed run wrote after its last state.
"""

import struct
import time
from pathlib import Path


def append(path, step, scalars):
    """Append the values of one step to an event file of TensorBoard.

    Args:
        path: Path of the file, made with its folder if it does not exist.
            TensorBoard looks for names with "tfevents" in them.
        step: Number of the step, not negative.
        scalars: Dictionary from names to floats, which are kept in float32.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [] if path.exists() else [_record(_event(0, _field(3, b"brain.Event:2")))]
    values = [_field(1, _field(1, tag.encode()) + b"\x15" + struct.pack("<f", value)) for tag, value in scalars.items()]
    records.append(_record(_event(step, _field(5, b"".join(values)))))
    with open(path, "ab") as file:
        file.write(b"".join(records))


def read(path, before):
    """Read the records of steps less than `before` from a file that `append` wrote.

    A last record that is not complete is left out.

    Args:
        path: Path of the file.
        before: First step that is left out.

    Returns:
        List of records as bytes.
    """
    content, position, records = Path(path).read_bytes(), 0, []
    while position + 12 <= len(content):
        (length,) = struct.unpack_from("<Q", content, position)
        record = content[position : position + length + 16]
        if record != _record(record[12:-4]):
            break
        if _step(record[12:-4]) < before:
            records.append(record)
        position += len(record)
    return records


def _record(data):
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _event(step, content):
    return b"\x09" + struct.pack("<d", time.time()) + b"\x10" + _varint(step) + content


def _step(event):
    step, shift = 0, 0
    for byte in event[10:]:
        step |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return step


def _field(number, content):
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value):
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def _checksum(data):
    """Masked CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
