"""toyvm up and toyvm demo; the course's commands; two programs joined by a socket."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.cli.conftest import HELLO, LOOP, ROOT, SLEEP, environment, program


def make_lab(tmp_path, text: str):
    path = tmp_path / "lab.toml"
    path.write_text(text)
    return path


@pytest.fixture
def two(tmp_path, source):
    """A lab of a good and a bad guest."""
    source(HELLO.format(finish="0x5555"), "good.s")
    source(HELLO.format(finish="0x93333"), "bad.s")
    return make_lab(
        tmp_path,
        '[vm.good]\nimage="good.s"\nram="1M"\nbios="none"\n'
        '[vm.bad]\nimage="bad.s"\nram="1M"\nbios="none"\n',
    )


def test_lines_carry_names_and_the_summary_is_on_stderr(cli, two):
    result = cli("up", two)
    assert result.code == 1
    assert sorted(result.out.splitlines()) == ["bad  | hello", "good | hello"]
    assert "bad ended with code 9" in result.err
    assert "exit 9" in result.err
    assert "exit 0" in result.err


def test_devices_of_a_lab(cli, tmp_path):
    lab = make_lab(
        tmp_path,
        '[vm.a]\nimage="probe-console"\nram="16M"\ndevice=["virtio-console"]\n'
        '[vm.b]\nimage="probe-rng"\nram="16M"\ndevice=["virtio-rng,seed=3"]\n',
    )
    result = cli("up", lab)
    assert result.code == 0
    assert "b | written 0x00000020" in result.out
    assert "a | features 0x00000004" in result.out
    assert "Ea | " in result.out or "| E" in result.out


def test_json_of_a_lab(cli, two):
    result = cli("up", two, "--json")
    facts = result.json
    assert result.code == facts["exit_code"] == 1
    assert facts["guests"]["bad"]["code"] == 9
    assert facts["guests"]["good"]["console"] == "hello\n"
    assert facts["guests"]["good"]["exits"]["mmio"] == 7


def test_a_guest_that_never_ends_costs_the_budget_only(cli, tmp_path, source):
    source(LOOP, "loop.s")
    source(HELLO.format(finish="0x5555"), "good.s")
    lab = make_lab(
        tmp_path,
        '[vm.loop]\nimage="loop.s"\nbios="none"\n[vm.good]\nimage="good.s"\nbios="none"\n',
    )
    result = cli("up", lab, "--max-insns", "1000000", "--json")
    assert result.code == 3
    assert result.json["guests"]["good"]["state"] == "exit 0"
    assert result.json["guests"]["loop"]["state"] == "running"


def test_guests_that_sleep_for_ever_are_named(cli, tmp_path, source):
    source(SLEEP, "sleep.s")
    lab = make_lab(tmp_path, '[vm.bed]\nimage="sleep.s"\nram="1M"\nbios="none"\n')
    result = cli("up", lab)
    assert result.code == 1
    assert "nothing can wake any guest that is left (bed)" in result.err


def test_a_disk_of_a_lab_is_beside_the_lab(cli, tmp_path):
    (tmp_path / "d.img").write_bytes(bytes(65536))
    lab = make_lab(tmp_path, '[vm.t]\nimage="teachos"\nram="16M"\ndrive=["d.img"]\n')
    result = cli("up", lab, "--json")
    assert result.code == 0
    disk = result.json["guests"]["t"]["disks"][0]
    assert disk["sha256_before"] == hashlib.sha256(bytes(65536)).hexdigest()
    assert disk["sha256_after"] == hashlib.sha256((tmp_path / "d.img").read_bytes()).hexdigest()
    assert disk["sha256_before"] != disk["sha256_after"]
    assert disk["sectors_written"] > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[vm.a]\n", "lab.toml:1: vm.a.image: missing"),
        ('[vm.a]\nimage="nosuch"\n', 'lab.toml:2: vm.a.image: no such file or guest: "nosuch"'),
        ('[vm.a]\nimage="helo"\n', 'did you mean "hello"?'),
        ('\n[vm.a]\nimage="broken.elf"\n', "lab.toml:3: vm.a.image: "),
        (
            '[vm.a]\nimage="hello"\n[vm.b]\nimage="hello"\ndrive=["broken.elf"]\n',
            "lab.toml:5: vm.b.drive: ",
        ),
        ('[vm.a]\nimage="hello"\nram="64K"\n', "vm.a: "),
        ("[vm.a\n", "not valid TOML"),
    ],
)
def test_bad_labs(cli, tmp_path, text, message):
    (tmp_path / "broken.elf").write_bytes(b"\x7fELF?")
    result = cli("up", make_lab(tmp_path, text))
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_a_missing_lab(cli):
    assert "no such lab file" in cli("up", "nosuch.toml").err


def test_same_lab_same_facts(cli):
    def facts():
        found = cli("up", ROOT / "labs" / "demo.toml", "--json").json
        del found["seconds"]
        return found

    assert facts() == facts()


# -- the demo ---------------------------------------------------------------------------------


def test_demo_as_a_user_sees_it(process):
    result = process("demo", timeout=300)
    assert result.code == 0, result.err
    assert "\x1b" not in result.out
    assert "teachos   | ping 10.0.0.2: replies 4 of 4\n" in result.out
    assert "appliance | appliance: answered 4 echo and 1 ARP requests" in result.out
    assert "4 pings sent, 4 answered; teachos: disk changed; appliance: disk changed" in result.out
    assert "virtualised / bare" in result.out
    assert "What to try next:" in result.out
    for head in ("guest", "instructions", "per exit", "sectors", "frames", "exit by cause"):
        assert head in result.out


def test_demo_json(process):
    result = process("demo", "--json", timeout=300)
    facts = json.loads(result.out)
    assert result.code == facts["exit_code"] == 0
    assert (facts["pings"], facts["replies"]) == (4, 4)
    assert set(facts["guests"]) == {"teachos", "appliance"}
    for guest in facts["guests"].values():
        disk = guest["disks"][0]
        assert disk["sha256_before"] == hashlib.sha256(bytes(65536)).hexdigest()
        assert disk["sha256_after"] != disk["sha256_before"]
        assert guest["exits_total"] == sum(guest["exits"].values()) > 0
    assert facts["overhead"]["ratio"] > 0
    assert facts["seconds_to_first_instruction"] > 0
    # What one card sends, the other's switch port hands over: 4 echoes and a question each way.
    teachos, appliance = facts["guests"]["teachos"], facts["guests"]["appliance"]
    assert teachos["nets"][0]["sent"]["echo_requests"] == 4
    assert appliance["nets"][0]["sent"]["echo_replies"] == 4
    assert teachos["nets"][0]["frames_in"] == appliance["nets"][0]["frames_out"]


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals need Unix")
def test_demo_on_a_terminal(compiled, tmp_path):
    pexpect = pytest.importorskip("pexpect", reason="pexpect drives terminals")
    command = program("demo", "--fast")
    child = pexpect.spawn(
        command[0],
        command[1:],
        env={**environment(), "TERM": "xterm"},
        cwd=str(tmp_path),
        timeout=120,
        dimensions=(40, 120),
        encoding="utf-8",
    )
    child.expect("teachos: ")
    child.expect("exits by cause")
    child.expect("4 pings sent, 4 answered")
    child.expect("What to try next")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


@pytest.mark.skipif(os.name != "posix", reason="signals of Unix")
def test_ctrl_c_ends_a_lab(compiled, tmp_path, source):
    source(LOOP, "loop.s")
    lab = make_lab(tmp_path, '[vm.loop]\nimage="loop.s"\nram="1M"\nbios="none"\n')
    run = subprocess.Popen(
        program("up", lab, "--live"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    try:
        time.sleep(5)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=30)
        assert run.returncode == 130
        assert b"interrupted" in err
    finally:
        run.kill()
        run.wait()


# -- the course -------------------------------------------------------------------------------


def test_the_students_loop(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = cli("learn").out
    assert "01_first_instruction" in text
    assert cli("check").code in (1, 2)
    assert "hint 1 of" in cli("hint").out
    lessons = ROOT / "lessons" / "01_first_instruction"
    assert cli("check", lessons / "start.s").code in (1, 2)
    good = cli("check", lessons / "solution.s", "--json")
    assert good.code == 0, good.out + good.err
    assert good.json
    assert cli("check", "01", lessons / "solution.s", "--seed", "5").code == 0
    assert "starts again" in cli("reset", "01").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "99"], "99"),
        (["check", "01", "nosuch.s"], "no such file: nosuch.s"),
        (["check", "nosuch.s"], "no such file: nosuch.s"),
        (["hint", "nosuch"], "toyvm: error: 'nosuch' is no lesson"),
        (["hint", "memory_lops"], 'did you mean "memory_loops"?'),
        (["check", "01", "/"], "/ is a directory; expected a source file"),
    ],
)
def test_wrong_lessons(cli, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = cli(*arguments)
    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err


def test_the_students_commands_as_json(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    learn = cli("learn", "--json").json
    assert learn["next"] == "01_first_instruction"
    assert learn["file"] == "toyvm-lessons/01_first_instruction/start.s"
    assert [row["done"] for row in learn["lessons"]] == [False] * len(learn["lessons"])
    first = cli("hint", "01", "--json").json
    assert (first["lesson"], first["all_given"]) == ("01_first_instruction", False)
    assert [hint["number"] for hint in first["hints"]] == [1]
    assert first["hints"][0]["text"] in cli("reset", "01").out + cli("hint", "01").out
    for _ in range(first["of"]):
        last = cli("hint", "01", "--json").json
    assert last["all_given"]
    assert len(last["hints"]) == last["of"]
    (tmp_path / learn["file"]).write_text("# mine\n")
    reset = cli("reset", "01", "--json").json
    assert (tmp_path / reset["old_source"]).read_text() == "# mine\n"


def test_lessons_where_nothing_can_be_written(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toyvm-lessons").write_text("in the way")
    result = cli("learn")
    assert result.code == 2
    assert result.err.startswith("toyvm: error: ")
    assert "toyvm-lessons" in result.err
    assert "go where a folder can be made" in result.err
    assert "Errno" not in result.err


def test_bench_knows_what_it_measures(cli):
    result = cli("bench", "everything")
    assert result.code == 2
    assert "expected cpu, overhead, exits, scale or start" in result.err


# -- two programs, one cable ------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def answered() -> Iterator[int]:
    """Attempts at a ping between processes: the guest waits in host time, and a host with other
    work may give the neighbour none of it meanwhile. One answer is enough, none is a failure."""
    yield from range(5)
    pytest.fail("not one ping was answered in five runs")


def test_who_listens_waits_for_its_neighbour(compiled):
    """The guest does not spend its patience before there is anybody, and Ctrl-C ends it."""
    port = free_port()
    waiting = [start("run", "hello", "--net", f"listen:127.0.0.1:{p}") for p in (port, free_port())]
    try:
        said = waiting[0].stderr.readline()
        assert f"waiting for a neighbour at 127.0.0.1:{port}".encode() in said
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            out, err = waiting[0].communicate(timeout=60)
        assert (waiting[0].returncode, out) == (0, b"hello from S-mode\n"), err
        assert b"waiting for a neighbour" in waiting[1].stderr.readline()
        waiting[1].send_signal(signal.SIGINT)
        out, err = waiting[1].communicate(timeout=60)
        assert (waiting[1].returncode, out) == (130, b""), err
    finally:
        for run in waiting:
            run.kill()
            run.wait()


def wait_for(port: int) -> None:
    """Until somebody listens; connecting would take the only place, so look in /proc."""
    table = f":{port:04X} 00000000:0000 0A"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with open("/proc/net/tcp") as listing:
            if table in listing.read():
                return
        time.sleep(0.1)
    pytest.fail(f"nobody listens at port {port}")


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="needs Linux's /proc/net/tcp")
def test_a_neighbour_in_another_process(compiled):
    for _ in answered():
        port = free_port()
        listener = start(
            "run", "appliance", "--net", f"listen:127.0.0.1:{port}", "--drive", "temp:64K"
        )
        try:
            wait_for(port)
            other = start("run", "teachos", "--vm", "--net", f"socket:127.0.0.1:{port}")
            out, err = other.communicate(timeout=120)
            assert b"teachos: done" in out, err
            assert other.returncode == 0
            if re.search(rb"replies [1-4] of 4", out):
                return
        finally:
            listener.kill()
            listener.communicate()


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="needs Linux's /proc/net/tcp")
def test_a_lab_with_a_neighbour_in_another_process(compiled, tmp_path):
    (tmp_path / "other").mkdir()
    for _ in answered():
        port = free_port()
        first = make_lab(
            tmp_path,
            f'[vm.a]\nimage="appliance"\nram="8M"\nnet=["listen:127.0.0.1:{port}"]\n',
        )
        second = make_lab(
            tmp_path / "other",
            f'[vm.t]\nimage="teachos"\nram="16M"\nnet=["socket:127.0.0.1:{port}"]\n',
        )
        listener = start("up", first)
        try:
            wait_for(port)
            other = start("up", second)
            out, err = other.communicate(timeout=120)
            assert b"teachos: done" in out, (out, err)
            assert other.returncode == 0
            if not re.search(rb"replies [1-4] of 4", out):
                continue
            out, err = listener.communicate(timeout=60)
            assert b"good night from 10.0.0.1" in out, (out, err)
            assert listener.returncode == 0
            return
        finally:
            listener.kill()
            listener.communicate()


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="needs Linux's /proc/net/tcp")
@pytest.mark.skipif(
    shutil.which("qemu-system-riscv32") is None, reason="qemu-system-riscv32 is not installed"
)
def test_a_neighbour_on_qemu(cli, compiled, tmp_path):
    """QEMU's appliance gets our frames: it sees who asks, and we see its answers on the wire."""
    elf = tmp_path / "appliance.elf"
    assert cli("guests", "appliance", "-o", elf).code == 0
    for _ in answered():
        port = free_port()
        qemu = subprocess.Popen(
            [
                "qemu-system-riscv32", "-machine", "virt", "-m", "16M", "-bios", "none",
                "-kernel", str(elf), "-nographic", "-monitor", "stdio", "-serial", "null",
                "-netdev", f"socket,id=n0,listen=127.0.0.1:{port}",
                "-device", "virtio-net-device,netdev=n0,bus=virtio-mmio-bus.0", "-S",
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            wait_for(port)
            pcap = tmp_path / "wire.pcap"
            run = start("run", "teachos", "--net", f"socket:127.0.0.1:{port},pcap={pcap}", "--json")
            # The appliance waits in host time: from when there is somebody to wait for.
            assert run.stdout.readline()
            qemu.stdin.write(b"cont\n")
            qemu.stdin.flush()
            out, err = run.communicate(timeout=120)
            assert b"teachos: done" in out, err
            facts = json.loads(err.decode().splitlines()[-1])
            assert facts["nets"][0]["frames_out"] > 0
            if not re.search(rb"replies [1-4] of 4", out):
                continue
            assert facts["nets"][0]["frames_in"] > 0
            return
        finally:
            qemu.kill()
            qemu.communicate()
