"""Reads one tensor of a .npz file, a zip archive of .npy files."""

import zipfile
from pathlib import Path

import numpy as np

from scalewright.sim.files.claim import Array, Choose, damaged, require_shape
from scalewright.sim.files.names import shortened
from scalewright.sim.files.npy import read_header

# Under this name a .npz holds the metadata, as JSON text.
METADATA = "metadata"

# What one byte holds at most, by the methods that NumPy writes: deflate's limit is 1,032 (zlib's
# technical notes). Members of other methods are refused: their readers know no bound.
_EXPANSION = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1032}
_ENCRYPTED = 1
_CHUNK_BYTES = 1 << 20


def read_npz(path: Path, choose: Choose) -> Array:
    """Read one tensor into memory, after checking that the file can hold it.

    Raises:
        ValueError: The file is damaged, has no such tensor, or one that cannot be read.
        OSError: The file cannot be opened.
    """
    with path.open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
            members = {member.filename.removesuffix(".npy"): member for member in archive.filelist}
        except Exception as error:  # on damage zipfile raises almost anything
            raise damaged(".npz", error) from None
        if len(members) != len(archive.filelist):
            raise damaged(".npz", "two of its members have the same name")
        members.pop(METADATA, None)
        member = members[choose(list(members))]
        _require_readable(member)
        try:
            return _read_member(archive, member)
        except ValueError:
            raise
        except MemoryError:
            raise ValueError(f"tensor {shortened(member.filename)} does not fit memory") from None
        except Exception as error:
            raise damaged(".npz", error) from None


def _require_readable(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & _ENCRYPTED:
        raise ValueError(f"tensor {shortened(member.filename)} is encrypted: save it without")
    if member.compress_type not in _EXPANSION:
        raise ValueError(
            f"tensor {shortened(member.filename)} must be stored or deflated, not compressed by "
            f"method {member.compress_type}: write it with numpy.savez_compressed"
        )


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as stream:
        header = read_header(stream, ".npz")
        held = member.compress_size * _EXPANSION[member.compress_type]
        room = max(0, min(member.file_size, held) - header.size)
        require_shape(header.shape, header.dtype.itemsize, room // header.dtype.itemsize)
        values = np.empty(np.prod(header.shape, dtype=np.int64), header.dtype)
        octets = values.view(np.uint8)
        filled = 0
        while filled < len(octets):
            chunk = stream.read(min(_CHUNK_BYTES, len(octets) - filled))
            if not chunk:
                raise damaged(".npz", f"tensor {shortened(member.filename)} is cut off")
            octets[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
            filled += len(chunk)
        stream.read(1)  # at its end the checksum is compared
    return values.reshape(header.shape, order="F" if header.order == "F" else "C")
