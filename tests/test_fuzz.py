"""Mutated files: read, or refused in a sentence; never a traceback, an object of ours, or all memory."""

import random
import resource
import struct
import zlib
from collections.abc import Iterator

import pytest
from misread import FILES, LANDSCAPE

from spadework.content import PNG_SIGNATURE
from spadework.picture import Picture
from spadework.sketch.opening import Policy, open_map

SIGNS = ("Traceback", "<_io", "<PIL", "object at 0x", "array(", "dtype", "b'", "\n")
"""What no message for people holds."""

MOST_GROWTH = 600 * 2**20
"""So many bytes may the process grow by over all files; one of 8192 x 8192 pixels in colour has 200 MiB."""


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A few flipped bits, a piece cut out, put twice or filled, or the end lost."""
    bytes_ = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(max(1, len(bytes_)))
        match rng.randrange(6):
            case 0 if bytes_:
                bytes_[at] ^= 1 << rng.randrange(8)
            case 1:
                del bytes_[at : at + rng.randint(1, 40)]
            case 2:
                bytes_[at:at] = bytes_[at : at + rng.randint(1, 200)]
            case 3:
                bytes_[at : at + 4] = rng.choice(
                    [b"\0" * 4, b"\xff" * 4, struct.pack(">I", rng.getrandbits(32))]
                )
            case 4 if rng.random() < 0.3:
                del bytes_[at:]
            case _:
                bytes_[at : at + 1] = rng.randbytes(1)
    return bytes(bytes_)


def resealed(data: bytes, rng: random.Random) -> bytes:
    """A PNG with its chunks in another order or of other content, and right checksums: it is decoded."""
    at, chunks = len(PNG_SIGNATURE), []
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        chunks.append((kind, data[at + 8 : at + 8 + length]))
        at += 12 + length
    if rng.random() < 0.5:
        rng.shuffle(chunks)
    else:
        spot = rng.randrange(len(chunks))
        chunks[spot] = (chunks[spot][0], mutated(chunks[spot][1], rng))
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def mutations(count: int, seed: int) -> Iterator[bytes]:
    rng = random.Random(seed)
    seeds = [file.make() for file in FILES.values()]
    for _ in range(count):
        data = rng.choice(seeds)
        sealed = data.startswith(PNG_SIGNATURE) and rng.random() < 0.6
        yield resealed(data, rng) if sealed else mutated(data, rng)


def said_of(data: bytes) -> list[str]:
    """What the readers of maps and photos say; whatever else they raise fails the test."""
    said = []
    for policy in Policy:
        try:
            said += open_map(data, LANDSCAPE, policy, name="a.png").report
        except ValueError as error:
            said.append(str(error))
    try:
        Picture.from_bytes(data, "a.png")
    except ValueError as error:
        said.append(str(error))
    return said


def fuzz(count: int, seed: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number, data in enumerate(mutations(count, seed)):
        shown = [line for line in said_of(data) if any(sign in line for sign in SIGNS) or len(line) > 600]
        assert not shown, f"mutation {number} of seed {seed}: {shown}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < MOST_GROWTH, f"{grown:,} bytes more"


@pytest.mark.filterwarnings("ignore::UserWarning")  # pillow's, of damaged EXIF and truncated TIFF
def test_150_mutated_files() -> None:
    fuzz(150, seed=0)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_5000_mutated_files() -> None:
    fuzz(5000, seed=1)
