"""Disk backends: content, limits, and messages that say what to do."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toyvm.storage import SECTOR_SIZE, Disk, DiskError, MemoryDisk, RawDisk, disk_sha256

SECTORS = 8


def content() -> bytes:
    return b"".join(bytes([n]) * SECTOR_SIZE for n in range(SECTORS))


@pytest.fixture(params=["memory", "raw"])
def disk(request, tmp_path: Path):
    if request.param == "memory":
        made: Disk = MemoryDisk(content())
    else:
        image = tmp_path / "disk.img"
        image.write_bytes(content())
        made = RawDisk(image)
    yield made
    made.close()


def test_capacity_and_content(disk):
    assert disk.sectors == SECTORS
    assert disk.read(0, SECTORS) == content()
    assert disk.read(3, 2) == content()[3 * 512 : 5 * 512]
    assert disk.read(SECTORS, 0) == b""


def test_write_changes_its_sectors_only(disk):
    disk.write(2, b"\xaa" * 1024)
    disk.flush()
    expected = content()[:1024] + b"\xaa" * 1024 + content()[2048:]
    assert disk.read(0, SECTORS) == expected
    disk.write(5, b"")
    assert disk.read(0, SECTORS) == expected


@pytest.mark.parametrize(
    ("sector", "count"), [(SECTORS, 1), (0, SECTORS + 1), (-1, 1), (1 << 63, 1), (7, 2), (0, -1)]
)
def test_outside_the_disk(disk, sector, count):
    with pytest.raises(DiskError, match="expected 0 to 7"):
        disk.read(sector, count)
    if count > 0:
        with pytest.raises(DiskError, match="expected 0 to 7"):
            disk.write(sector, bytes(512 * count))
    assert disk.read(0, SECTORS) == content()


def test_incomplete_sectors_are_refused(disk):
    with pytest.raises(DiskError, match="513 bytes are not whole sectors of 512"):
        disk.write(0, bytes(513))
    assert disk.read(0, SECTORS) == content()


def test_hash_is_the_hash_of_the_content(disk):
    assert disk_sha256(disk) == hashlib.sha256(content()).hexdigest()
    disk.write(0, b"\1" * 512)
    changed = b"\1" * 512 + content()[512:]
    assert disk_sha256(disk) == hashlib.sha256(changed).hexdigest()


def test_hash_of_a_disk_larger_than_one_step():
    data = os.urandom(512 * 5000)
    assert disk_sha256(MemoryDisk(data)) == hashlib.sha256(data).hexdigest()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4), st.integers(0, 255)), max_size=20))
def test_writes_match_a_byte_model(script):
    disk, model = MemoryDisk(SECTORS * 512), bytearray(SECTORS * 512)
    for sector, count, fill in script:
        data = bytes([fill]) * (512 * count)
        if sector + count <= SECTORS:
            disk.write(sector, data)
            model[sector * 512 : (sector + count) * 512] = data
        else:
            with pytest.raises(DiskError):
                disk.write(sector, data)
    assert disk.read(0, SECTORS) == model


# -- memory ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 511, 513, -512])
def test_memory_disk_sizes(size):
    with pytest.raises(DiskError, match=f"size is {size} bytes, expected a positive multiple"):
        MemoryDisk(size)


def test_memory_disk_starts_with_zeros_and_keeps_a_copy():
    assert MemoryDisk(1024).read(0, 2) == bytes(1024)
    source = bytearray(512)
    disk = MemoryDisk(source)
    source[0] = 1
    assert disk.read(0, 1) == bytes(512)


def test_read_only_memory_disk():
    disk = MemoryDisk(512, read_only=True)
    with pytest.raises(DiskError, match="read-only"):
        disk.write(0, bytes(512))


# -- raw images -----------------------------------------------------------------------------------


def test_missing_image(tmp_path):
    missing = tmp_path / "no.img"
    with pytest.raises(DiskError) as caught:
        RawDisk(missing)
    text = str(caught.value)
    assert str(missing) in text
    assert "no such file" in text
    # The advice works as printed.
    command = text.split("1 MiB: ", 1)[1]
    shell = command.replace("python3", sys.executable, 1)
    assert subprocess.run(shell, shell=True, check=False).returncode == 0
    disk = RawDisk(missing)
    assert disk.sectors == 2048
    disk.close()


def test_image_that_is_not_whole_sectors(tmp_path):
    image = tmp_path / "odd.img"
    image.write_bytes(b"x" * 1000)
    with pytest.raises(DiskError) as caught:
        RawDisk(image)
    text = str(caught.value)
    assert "size is 1000 bytes, expected a multiple of 512" in text
    assert "1024 bytes" in text
    shell = text.rsplit("bytes: ", 1)[1].replace("python3", sys.executable, 1)
    assert subprocess.run(shell, shell=True, check=False).returncode == 0
    assert image.read_bytes() == b"x" * 1000 + bytes(24)
    RawDisk(image).close()


def test_empty_image(tmp_path):
    image = tmp_path / "empty.img"
    image.touch()
    with pytest.raises(DiskError, match="is empty, expected at least one sector"):
        RawDisk(image)


def test_directory_and_pipe(tmp_path):
    with pytest.raises(DiskError, match="expected a file with a raw image"):
        RawDisk(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DiskError, match="expected a file with a raw image"):
            RawDisk(tmp_path / "pipe", read_only=True)


def test_path_that_no_file_can_have():
    with pytest.raises(DiskError):
        RawDisk("bad\0name.img")


@pytest.fixture
def ordinary_user():
    """A folder, and the rights of somebody who is not root: root may open every file."""
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no user ids")
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder), user
        os.seteuid(user)


def test_image_without_permission(ordinary_user):
    folder, user = ordinary_user
    image = folder / "locked.img"
    image.write_bytes(bytes(512))
    image.chmod(0o444)
    if user == 0:
        os.seteuid(65534)
    with pytest.raises(DiskError, match="permission denied; make it writable or open it read-only"):
        RawDisk(image)
    RawDisk(image, read_only=True).close()


def test_read_only_image(tmp_path):
    image = tmp_path / "ro.img"
    image.write_bytes(content())
    disk = RawDisk(image, read_only=True)
    with pytest.raises(DiskError, match="read-only, cannot write sector 3"):
        disk.write(3, bytes(512))
    disk.flush()
    disk.close()
    assert image.read_bytes() == content()


def test_written_data_is_in_the_file_at_once(tmp_path):
    image = tmp_path / "disk.img"
    image.write_bytes(content())
    disk = RawDisk(image)
    disk.write(1, b"\x77" * 512)
    assert image.read_bytes()[512:1024] == b"\x77" * 512
    disk.close()


def test_image_shortened_while_open(tmp_path):
    image = tmp_path / "disk.img"
    image.write_bytes(content())
    disk = RawDisk(image)
    os.truncate(image, 1024)
    with pytest.raises(DiskError, match="shortened while it was open"):
        disk.read(1, 3)
    assert disk.read(0, 2) == content()[:1024]
    disk.close()


def test_a_closed_disk_says_so_in_its_own_error(tmp_path):
    image = tmp_path / "disk.img"
    image.write_bytes(content())
    disk = RawDisk(image)
    disk.close()
    for use in (lambda: disk.read(0, 1), lambda: disk.write(0, bytes(512)), disk.flush):
        with pytest.raises(DiskError, match="cannot"):
            use()
