"""Which of JAX's files are whole: every beginning of one is not."""

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.compile_cache import entries
from agent.compile_cache.start import start

FRAMES = {
    "as Python's zstandard": "28b52ffd602c008d000050612070726f6772616d2001001f550b12",
    "with a sum, without a size": "28b52ffd04588d000050612070726f6772616d2001001f550b12a35f3f1b",
    "a raw block": "28b52ffd201ef100004420823cfde6f1c26b30f90ec7dd01e4887534a20f0b0d04c36ed80e71e0",
    "several blocks": "28b52ffda4801a06005400001000000100fbff39c002020010000200100003d40000dacaa0c2",
    "nothing": "28b52ffd240001000099e9d851",
    "a size of two bytes": "28b52ffd60a400ed0000b06162fd77b07670eb940bd5335f973daad8619b91ffc901008ba90e0b",
    "a size of four bytes": "28b52ffda07011010055000010787801006b1139c002",
}
"""Output of zstd 1.5.5 with different options."""


def whole(folder: Path, data: bytes) -> bool:
    file = folder / "jit_a-cache"
    file.write_bytes(data)
    return entries.whole(file)


WHOLE = [*map(bytes.fromhex, FRAMES.values()), zlib.compress(b"a program " * 50), zlib.compress(b"", 1)]


@pytest.mark.parametrize("data", WHOLE, ids=[*FRAMES, "zlib", "zlib of nothing"])
def test_only_the_whole_file_is_whole(tmp_path: Path, data: bytes) -> None:
    assert whole(tmp_path, data)
    assert [length for length in range(len(data)) if whole(tmp_path, data[:length])] == []
    assert not whole(tmp_path, data + b"x")


def test_a_block_of_an_unknown_kind_is_damage(tmp_path: Path) -> None:
    assert not whole(
        tmp_path, bytes.fromhex("28b52ffd2001") + (1 | 3 << 1 | 1 << 3).to_bytes(3, "little") + b"x"
    )


def test_a_format_of_a_later_jax_is_kept(tmp_path: Path) -> None:
    assert whole(tmp_path, b"\x04\x22\x4d\x18 lz4")


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A frame of raw and repeated blocks, as RFC 8878 describes it."""
    single, checksum = draw(st.booleans()), draw(st.booleans())
    dictionary, content_size = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    header = 4 * checksum | 0x20 * single | dictionary | content_size << 6
    fields = (0 if single else 1) + (0, 1, 2, 4)[dictionary] + (int(single), 2, 4, 8)[content_size]
    frame = entries.ZSTANDARD + bytes([header]) + draw(st.binary(min_size=fields, max_size=fields))
    blocks = draw(st.lists(st.one_of(st.binary(max_size=40), st.integers(1, 2**17)), min_size=1, max_size=5))
    for number, block in enumerate(blocks, 1):
        repeated = isinstance(block, int)
        size = block if isinstance(block, int) else len(block)
        word = int(number == len(blocks)) | repeated << 1 | size << 3
        frame += word.to_bytes(3, "little") + (b"r" if isinstance(block, int) else block)
    return frame + (b"sum!" if checksum else b"")


@given(data=st.one_of(frames(), st.binary().map(zlib.compress)), share=st.floats(0, 1, exclude_max=True))
def test_no_beginning_is_whole(tmp_path_factory: pytest.TempPathFactory, data: bytes, share: float) -> None:
    folder = tmp_path_factory.getbasetemp()
    assert whole(folder, data)
    assert not whole(folder, data[: int(len(data) * share)])


def test_a_program_that_is_half_written_is_compiled_again(tmp_path: Path) -> None:
    data = zlib.compress(b"a program")
    (tmp_path / "xla").mkdir()
    folder = tmp_path / "xla"
    for name, length in (("jit_a-cache", len(data)), ("jit_b-cache", 5), ("jit_c-cache", 0), ("other", 5)):
        (folder / name).write_bytes(data[:length])
    assert start(folder) == "2 half-written programs deleted: this start compiles them"
    assert {path.name for path in folder.iterdir()} == {"jit_a-cache", "other"}
    assert start(folder) is None
