"""Lab files: what they mean, and that every mistake is named with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from toyvm.control.labs import LabError, load_lab, parse_lab

GOOD = """
clock = "guest"

[switch.lan]

[vm.alpha]
image = "teachos"
ram = "16M"
drive = ["temp:64K", "data.img,ro"]
net = ["lan,mac=52:54:00:00:00:01", "none"]
weight = 200
append = "quiet"
bios = "sbi"
virtio = "modern"
pmp = 0
vcpus = 1

[vm.beta]
image = "appliance"
net = ["lan"]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data.img").write_bytes(bytes(512))
    return tmp_path


def test_a_whole_lab(folder):
    lab = parse_lab(GOOD.encode(), folder / "lab.toml")
    alpha, beta = lab.vms
    assert [vm.name for vm in lab.vms] == ["alpha", "beta"]
    assert alpha.ram == 16 << 20
    assert alpha.weight == 200
    assert alpha.drives[0].size == 65536
    assert alpha.drives[1].path == folder / "data.img"
    assert [net.kind for net in alpha.nets] == ["switch", "none"]
    assert (alpha.bios, alpha.virtio, alpha.pmp, alpha.append) == ("sbi", "modern", 0, "quiet")
    assert beta.ram == 128 << 20
    assert beta.bios is None
    assert lab.switches[0].name == "lan"


def _lab(**vm: str) -> str:
    rows = {"image": '"hello"', **vm}
    body = "\n".join(f"{key} = {value}" for key, value in rows.items() if value)
    return f"[switch.lan]\n[vm.a]\n{body}\n"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("x = ", "", "not valid TOML"),
        ("", "", "no guests: expected at least one [vm.NAME]"),
        ("vmm = 1", ":1: vmm", 'unknown key; did you mean "vm"?'),
        ("vm = 3", ":1: vm", "expected tables [vm.NAME]"),
        ('clock = "wall"', ":1: clock", 'expected "guest"'),
        ("[vm.'a b']\nimage = 'x'", "vm", "is no name"),
        (_lab(image=""), ":2: vm.a.image", "missing"),
        (_lab(image="5"), ":3: vm.a.image", "expected a guest's name or a file, found 5"),
        (_lab(imgae='"x"'), ":4: vm.a.imgae", 'unknown key; did you mean "image"?'),
        (_lab(ram='"10"'), ":4: vm.a.ram", "did you mean 10M?"),
        (_lab(ram="[]"), ":4: vm.a.ram", "expected a size"),
        (_lab(weight="0"), ":4: vm.a.weight", "expected a whole number from 1 to 10000, found 0"),
        (_lab(weight="true"), ":4: vm.a.weight", "found True"),
        (_lab(vcpus="9"), ":4: vm.a.vcpus", "from 1 to 8"),
        (_lab(ad='"soft"'), ":4: vm.a.ad", 'expected "hardware" or "fault"'),
        (_lab(sstc="1"), ":4: vm.a.sstc", "expected true or false"),
        (_lab(pmp="17"), ":4: vm.a.pmp", "from 0 to 16"),
        (_lab(bios='"x.elf"'), ":4: vm.a.bios", "no such file"),
        (_lab(virtio='"old"'), ":4: vm.a.virtio", 'expected "legacy" or "modern"'),
        (_lab(drive='"x"'), ":4: vm.a.drive", "expected a list of strings"),
        (_lab(drive='["x.img"]'), ":4: vm.a.drive", "no such file"),
        (_lab(net='["wan"]'), ":4: vm.a.net", "did you mean"),
        (_lab(net='["lan"]'[:-1] + ', "none"' * 8 + "]"), ":2: vm.a", "the board has 8 slots"),
        (_lab(device='["virtio-gpu"]'), ":4: vm.a.device", "expected virtio-console or virtio-rng"),
        (_lab(device='["virtio-console,pty"]'), ":4: vm.a.device", "leads to stdio or null"),
        (_lab(device='["virtio-rng"' + ', "virtio-rng"' * 8 + "]"), ":2: vm.a", "9 devices"),
        (_lab(append="1"), ":4: vm.a.append", "expected a string"),
        ("[switch.none]\n[vm.a]\nimage='x'", ":1: switch.none", "means something else"),
        ("[switch.lan]\nspeed = 1\n", ":2: switch.lan.speed", "unknown key"),
        ("[switch.lan]\npcap = 'no/where.pcap'\n", ":2: switch.lan.pcap", "no such folder"),
    ],
)
def test_mistakes_name_file_line_and_key(text, place, message, folder):
    with pytest.raises(LabError) as caught:
        parse_lab(text.encode(), folder / "lab.toml")
    told = str(caught.value)
    assert told.startswith(str(folder / "lab.toml"))
    assert place in told
    assert message in told
    assert "\n" not in told


def test_two_guests_cannot_write_one_disk(folder):
    text = _lab(drive='["data.img"]') + _lab(drive='["./data.img,ro"]').split("\n", 1)[1].replace(
        "vm.a", "vm.b"
    )
    with pytest.raises(LabError, match="also a drive of a: two guests would corrupt it"):
        parse_lab(text.encode(), folder / "lab.toml")
    both = text.replace('"data.img"', '"data.img,ro"')
    assert len(parse_lab(both.encode(), folder / "lab.toml").vms) == 2


def test_two_cards_cannot_share_an_address(folder):
    net = '["lan,mac=52:54:00:00:00:01"]'
    text = _lab(net=net) + f'[vm.b]\nimage = "hello"\nnet = {net}\n'
    with pytest.raises(LabError, match="also the address of a card of a"):
        parse_lab(text.encode(), folder / "lab.toml")


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(LabError, match="no such lab file"):
        load_lab(tmp_path / "none.toml")
    with pytest.raises(LabError, match="cannot read"):
        load_lab(tmp_path)
    binary = tmp_path / "b.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(LabError, match="not UTF-8"):
        load_lab(binary)


def test_the_shipped_labs_are_valid():
    shipped = sorted((Path(__file__).parents[2] / "labs").glob("*.toml"))
    assert shipped
    for path in shipped:
        assert load_lab(path).vms


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("harts = 0\n[vm.a]\nimage='hello'\n", "lab.toml:1: harts: expected a whole number"),
        ("slice = 10\n[vm.a]\nimage='hello'\n", "lab.toml:1: slice: expected a whole number from"),
        ("clock = 'wall'\n[vm.a]\nimage='hello'\n", 'expected "guest" or "lab", found \'wall\''),
        ("[vm.a]\nimage='hello'\ncap = 101\n", "lab.toml:3: vm.a.cap: expected a whole number"),
        (
            "[vm.a]\nimage='hello'\ncap = 10\nreservation = 11\n",
            "lab.toml:4: vm.a.reservation: expected a whole number from 0 to 10, found 11",
        ),
        (
            "[vm.a]\nimage='hello'\nreservation = 60\n[vm.b]\nimage='hello'\nreservation = 60\n",
            "harts: the guests' reservations are 120 percent, but 1 physical hart can promise",
        ),
    ],
)
def test_shares_of_the_host(tmp_path, text, message):
    with pytest.raises(LabError) as caught:
        parse_lab(text.encode(), tmp_path / "lab.toml")
    assert message in str(caught.value)
