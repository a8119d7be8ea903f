"""A C program linked by us with our crt0 prints on our machine and on QEMU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import guestos.images
from assembler import assemble
from tests.guestos.qemu import QEMU, needs_qemu

from .gcc import compile_c, libgcc, needs_gcc

HELLO = """
int putchar(int c);
static const char *const words[] = {"hello", "from", "C"};
static unsigned long long product = 1;
static int zeros[100];
int common;

static void print(const char *s) { while (*s) putchar(*s++); }

static void number(unsigned long long n)
{
  if (n >= 10)
    number(n / 10);
  putchar('0' + (int)(n % 10));
}

int main(void)
{
  for (int i = 0; i < 3; i++) {
    print(words[i]);
    putchar(' ');
  }
  for (int i = 1; i <= 20; i++)
    product *= i;
  number(product + zeros[50] + common);
  print("\\n");
  return FAIL;
}
"""
EXPECTED = "hello from C 2432902008176640000\n"


@pytest.fixture(params=["-O0", "-O2"])
def program(request, tmp_path) -> Path:
    return linked(tmp_path, request.param, 0)


def linked(folder: Path, level: str, code: int) -> Path:
    made = compile_c(folder, "hello.c", HELLO.replace("FAIL", str(code)), level, "-g")
    library = guestos.images.root() / "lib"
    image = assemble(
        [library / "crt0.s", made, libgcc(folder)], script=library / "program.ld", debug=True,
        include_dirs=guestos.images.include_dirs(),
    )  # fmt: skip
    path = folder / "hello.elf"
    path.write_bytes(image.to_elf())
    return path


def ours(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "toyvm.cli.main", "run", "--bios", "none", path]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@needs_gcc
def test_it_prints_on_our_machine(program):
    done = ours(program)
    assert done.stdout == EXPECTED
    assert done.returncode == 0


@needs_gcc
def test_its_result_is_the_code_of_the_machine(tmp_path):
    done = ours(linked(tmp_path, "-O1", 7))
    assert done.stdout == EXPECTED
    assert done.returncode == 1
    assert "7" in done.stderr


@needs_gcc
@needs_qemu
def test_it_prints_on_qemu(program):
    command = [QEMU, "-M", "virt", "-m", "32M", "-display", "none", "-monitor", "none"]
    command += ["-serial", "stdio", "-no-reboot", "-bios", "none", "-kernel", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)  # fmt: skip
    assert done.stdout.replace("\r\n", "\n") == EXPECTED
    assert done.returncode == 0
