"""toyvm run: images, options, output, exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import time

import pytest

from tests.cli.conftest import ECHO, HELLO, LOOP, READY, SLEEP, TRAPS, environment, program

BARE = ("--bios", "none", "--ram", "1M")


def report(result):
    return json.loads(result.err.splitlines()[-1])


@pytest.mark.parametrize("vm", [(), ("--vm",)])
def test_only_the_guests_bytes_are_on_stdout(cli, hello, vm):
    result = cli("run", hello, *BARE, *vm)
    assert result.code == 0
    assert result.out == "hello\n"
    assert result.err == ""


def test_source_elf_and_flat_binary_do_the_same(cli, hello, tmp_path):
    assert cli("asm", hello, "-o", tmp_path / "h.elf").code == 0
    assert cli("asm", hello, "-o", tmp_path / "h.bin", "--format", "bin").code == 0
    for name in ("h.elf", "h.bin"):
        result = cli("run", tmp_path / name, *BARE)
        assert (result.code, result.out) == (0, "hello\n")


def test_a_shipped_guest_brings_its_firmware(cli):
    assert cli("run", "hello").out == "hello from S-mode\n"
    assert cli("run", "hello", "--vm").out == "hello from S-mode\n"


def test_a_file_wins_over_a_guest_of_its_name(cli, source, monkeypatch, tmp_path):
    source(HELLO.format(finish="0x5555"), "hello.s")
    assert cli("asm", tmp_path / "hello.s", "-o", tmp_path / "hello").code == 0
    monkeypatch.chdir(tmp_path)
    assert cli("run", "hello", *BARE).out == "hello\n"


def test_the_guests_code_is_told(cli, source):
    path = source(HELLO.format(finish="0x73333"))
    result = cli("run", path, *BARE)
    assert result.code == 1
    assert result.out == "hello\n"
    assert "ended with code 7" in result.err
    assert report(cli("run", path, *BARE, "--json"))["code"] == 7


def test_json_report(cli, hello):
    result = cli("run", hello, *BARE, "--vm", "--json", "--drive", "temp:1K", "--net", "none")
    facts = report(result)
    assert result.out == "hello\n"
    assert (facts["reason"], facts["code"], facts["exit_code"]) == ("exit", 0, 0)
    # 6 letters and the finisher go to devices; nothing else does.
    assert facts["exits"]["mmio"] == 7
    assert facts["console_bytes"] == 6
    assert facts["instret"] == facts["steps"]
    assert facts["disks"] == [{"sectors_read": 0, "sectors_written": 0, "errors": 0}]
    assert facts["nets"][0]["mac"] == "52:54:00:12:34:56"
    bare = report(cli("run", hello, *BARE, "--json"))
    assert bare["exits"] is None
    assert bare["instret"] == facts["instret"]


def test_summary_when_asked(cli, hello):
    assert "instructions" in cli("run", hello, *BARE, "-v").err


@pytest.mark.parametrize("text", [LOOP, TRAPS])
def test_the_budget_ends_everything(cli, source, text):
    result = cli("run", source(text), *BARE, "--max-insns", "5000")
    assert result.code == 3
    assert "the budget of 5000 steps is spent" in result.err
    assert report(cli("run", source(text), *BARE, "--max-insns", "5000", "--json"))["steps"] == 5000


def test_a_guest_that_sleeps_for_ever_is_told(cli, source):
    result = cli("run", source(SLEEP), *BARE)
    assert result.code == 1
    assert "waits in wfi at 0x800000" in result.err
    assert "<again" in result.err


@pytest.mark.parametrize("vm", [(), ("--vm",)])
def test_a_jump_into_nowhere_is_told(cli, source, vm):
    result = cli("run", source("    .globl _start\n_start:\n    jr zero\n"), *BARE, *vm,
                 "--max-insns", "1000000")  # fmt: skip
    assert result.code in (1, 3)
    assert result.err.startswith("toyvm: ")
    assert "Traceback" not in result.err


def test_input_from_a_pipe_reaches_the_guest_byte_for_byte(process, source):
    result = process("run", source(ECHO), *BARE, stdin="a\x01xb\nq")
    assert (result.code, result.out) == (0, "a\x01xb\nq")


def test_the_end_of_the_input_does_not_end_the_run(process, source):
    result = process("run", source(ECHO), *BARE, "--max-insns", "300000", stdin="abc")
    assert result.out == "abc"
    assert result.code == 3


def test_closed_stdin_is_no_trouble(compiled, hello):
    done = subprocess.run(
        program("run", hello, *BARE),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        check=False,
    )
    assert done.stdout == b"hello\n"
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch.elf"], 'no such file or guest: "nosuch.elf"'),
        (["helo"], 'did you mean "hello"?'),
        (["."], "is a directory"),
        ([""], "an empty image name"),
        (["hello", "--ram", "10"], "did you mean 10M?"),
        (["hello", "--ram", "0"], 'RAM size "0" does not fit: expected 64K to 2G\n'),
        (["hello", "--ram", "3G"], "expected 64K to 2G"),
        (["hello", "--ram", "64K"], "does not fit"),
        (["hello", "--bios", "nosuch"], "no such file; expected sbi, none, an ELF file"),
        (["hello", "--bios", "."], "--bios .: a directory"),
        (["hello", "--bios", "sbbi"], 'did you mean "sbi"?'),
        (["hello", "--drive", "nosuch.img"], "no such file: nosuch.img"),
        (["hello", "--net", "wan"], "expected none, socket:HOST:PORT or listen:HOST:PORT"),
        (["hello", "--virtio", "old"], 'expected legacy or modern'),
        (["hello", "--technique", "x"], "--technique"),
        (["hello", "--pmp", "17"], "expected 0 to 16"),
        (["hello", "--harts", "9"], "--harts 9: expected 1 to 8"),
        (["hello", "--harts", "0"], "--harts 0: expected 1 to 8"),
        (["hello", "--ad", "soft"], "expected hardware or fault"),
        (["hello", "--trace", "everything"], "expected exits or traps"),
        (["hello", "--trace", "exits"], "needs --vm"),
        (["hello", "--max-insns", "-1"], "expected a positive number"),
        (["hello", *["--net", "none"] * 9], "8 virtio slots"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_code_2(cli, arguments, message):
    result = cli("run", *arguments)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert result.out == ""


@pytest.mark.skipif(os.name != "posix", reason="closing file descriptors")
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_standard_streams_are_no_trouble(compiled, closed, hello, tmp_path):
    """And no file that is opened later takes their place: the disk keeps its bytes."""
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1024))
    redirections = " ".join(f"{number}>&-" for number in closed)
    line = shlex.join(program("run", hello, *BARE, "--drive", disk))
    done = subprocess.run(
        ["/bin/sh", "-c", f"{line} {redirections}"],
        capture_output=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout == (b"" if 1 in closed else b"hello\n")
    assert done.stderr == b""
    assert disk.read_bytes() == bytes(1024)


def test_a_kernel_for_m_mode_gets_a_hint(cli, tmp_path, source):
    """What starts with `csrr mhartid` at the start of RAM was made to run without firmware."""
    text = ".globl _start\n_start: csrr t0, mhartid\n li t1, 0x5555\n li t0, 0x100000\n"
    elf = tmp_path / "parks.elf"
    cli("asm", source(text + " sw t1, 0(t0)\n"), "-o", elf)
    result = cli("run", elf)
    assert result.code == 1
    assert "give --bios none" in result.err
    assert cli("run", elf, *BARE).code == 0


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs /dev/zero")
@pytest.mark.parametrize(
    "arguments",
    [
        ("/dev/zero",),
        ("hello", "--initrd", "/dev/zero"),
        ("hello", "--dtb", "/dev/zero"),
        ("hello", "--bios", "/dev/zero"),
    ],
)
def test_files_without_end_are_refused(cli, monkeypatch, arguments):
    monkeypatch.setattr("toyvm.machine.loader._MAX_IMAGE", 1 << 20)
    result = cli("run", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "/dev/zero: larger than 1 MiB" in result.err


def elf_header(machine: int = 243, bits: int = 1, kind: int = 2) -> bytes:
    """The 52 bytes of an ELF32 header without program headers (ELF specification, figure 1-3)."""
    ident = b"\x7fELF" + bytes([bits, 1, 1]) + bytes(9)
    fields = [(kind, 2), (machine, 2), (1, 4), (0x8000_0000, 4), (0, 4), (0, 4), (0, 4), (52, 2)]
    fields += [(32, 2), (0, 2), (40, 2), (0, 2), (0, 2)]
    return ident + b"".join(value.to_bytes(size, "little") for value, size in fields)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.elf", b"\x7fELF", "broken ELF"),
        ("a.elf", b"\x7fELF" + b"\xff" * 200, "ELF"),
        ("a.elf", elf_header(machine=62), "EM_X86_64"),
        ("a.elf", elf_header(bits=2), "ELF"),
        ("a.elf", elf_header(kind=1), "expected an executable"),
        ("a.elf", elf_header(), "without anything to load"),
        ("a.elf", b"not an elf", "is no ELF file: it starts with 6e 6f 74 20"),
        ("a.bin", b"", "is empty"),
    ],
)
def test_broken_images(cli, tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    result = cli("run", path)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err
    assert result.err.count("\n") == 1


def test_a_flat_binary_that_does_not_fit_is_named(cli, tmp_path):
    path = tmp_path / "kernel.bin"
    path.write_bytes(bytes(128 << 10))
    result = cli("run", path, "--bios", "none", "--ram", "64K")
    assert result.code == 2
    assert f"{path}: a segment of 131072 bytes" in result.err


def test_a_truncated_elf(cli, hello, tmp_path):
    whole = tmp_path / "h.elf"
    cli("asm", hello, "-o", whole)
    data = whole.read_bytes()
    for size in range(4, len(data), max(1, len(data) // 23)):
        (tmp_path / "cut.elf").write_bytes(data[:size])
        result = cli("run", tmp_path / "cut.elf", *BARE)
        assert result.code in (0, 2), size
        assert "internal error" not in result.err


def test_source_errors_are_shown_with_their_place(cli, source):
    path = source("    addi a0, a0, 5000\n    nonsense\n")
    result = cli("run", path)
    assert result.code == 2
    assert f"{path}:1:" in result.err
    assert f"{path}:2:" in result.err
    assert "^" in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("size", [0, 100, 513])
def test_disks_that_are_no_disks(cli, tmp_path, size):
    disk = tmp_path / "d.img"
    disk.write_bytes(bytes(size))
    result = cli("run", "hello", "--drive", disk)
    assert result.code == 2
    assert "d.img" in result.err
    assert result.err.count("\n") == 1


def test_trace_of_exits_and_traps(cli, hello, source):
    result = cli("run", hello, *BARE, "--vm", "--trace", "exits")
    assert result.out == "hello\n"
    assert result.err.count("mmio") == 7
    trap = source(
        """
        .globl _start
        _start: la t0, handler
                csrw mtvec, t0
                ecall
        handler: li t0, 0x100000
                li t1, 0x5555
                sw t1, 0(t0)
        """
    )
    result = cli("run", trap, *BARE, "--trace", "traps")
    assert result.code == 0
    assert "environment call from M-mode" in result.err
    assert result.err.count("\n") == 1


def test_a_capture_has_the_frames(cli, tmp_path):
    pcap = tmp_path / "t.pcap"
    result = cli("run", "teachos", "--drive", "temp:64K", "--net", f"none,pcap={pcap}", "--json")
    assert result.code == 0
    assert "no reply" in result.out
    data = pcap.read_bytes()
    sent = report(result)["nets"][0]["frames_out"]
    frames, at = 0, 24
    while at < len(data):
        length = int.from_bytes(data[at + 8 : at + 12], "little")
        # Everything that teachos can send without a neighbour is a question who has 10.0.0.2.
        assert data[at + 16 + 12 : at + 16 + 14] == b"\x08\x06"
        frames, at = frames + 1, at + 16 + length
    assert frames == sent > 0


def test_a_disk_file_keeps_what_the_guest_wrote(cli, tmp_path):
    disk = tmp_path / "d.img"
    disk.write_bytes(bytes(65536))
    assert "start 1 " in cli("run", "teachos", "--drive", disk).out
    assert disk.read_bytes() != bytes(65536)
    assert "start 2 " in cli("run", "teachos", "--drive", disk, "--vm").out
    before = disk.read_bytes()
    assert "start 3 " in cli("run", "teachos", "--drive", f"temp:{disk}").out
    assert disk.read_bytes() == before


@pytest.mark.skipif(os.name != "posix", reason="signals of Unix")
@pytest.mark.parametrize("text", [LOOP, TRAPS, SLEEP])
@pytest.mark.parametrize("vm", [(), ("--vm",)])
def test_ctrl_c_ends_every_guest_soon(compiled, source, text, vm):
    import signal

    # Its input is a pipe that stays open: the guest may wait for a key.
    run = subprocess.Popen(
        program("run", source(text), *BARE, *vm),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    try:
        assert run.stdout.read(1) == b"!"  # the guest runs
        # A machine that proves a trap loop ends by itself, with the reason.
        proves = text == TRAPS
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.wait(60 if proves else 1.0)
        if not proves:
            began = time.monotonic()
            run.send_signal(signal.SIGINT)
            line = next(line for line in run.stderr if line.startswith(b"toyvm: "))
            # The promise is half a second; the rest is for a host that is busy with other tests.
            assert time.monotonic() - began < 1.5
            assert b"interrupted at" in line
            assert run.wait(10) == 130
        else:
            _, err = run.communicate()
            assert run.returncode == 1
            assert b"trap loop" in err
    finally:
        run.kill()
        run.wait()


def test_a_reader_that_goes_away_ends_the_run_quietly(compiled, source):
    flood = READY + "    sb t1, 0(t0)\n    j again\n"
    run = subprocess.Popen(
        program("run", source(flood), *BARE),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment(),
    )  # fmt: skip
    assert run.stdout.read(100) == b"!" * 100
    run.stdout.close()
    assert run.wait(30) == 1
    assert run.stderr.read() == b""
    run.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("arguments", [("run", "hello"), ("guests",), ("demo", "--json")])
def test_a_full_disk_under_the_output_is_told(compiled, arguments):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            program(*arguments), stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
            env=environment(), check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr


def test_a_capture_that_cannot_be_written(cli, tmp_path):
    (tmp_path / "dir.pcap").mkdir()
    result = cli("run", "hello", "--net", f"none,pcap={tmp_path / 'dir.pcap'}")
    assert result.code == 2
    assert "dir.pcap" in result.err
    assert "internal error" not in result.err
