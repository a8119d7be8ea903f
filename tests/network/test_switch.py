"""The switch against a small model, its limits, and address texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toyvm.network import BROADCAST, Switch, format_mac, mac_for, parse_mac

A, B, C = (bytes([0x52, 0x54, 0, 0, 0, n]) for n in (1, 2, 3))


def frame(target: bytes, source: bytes, payload: bytes = b"x" * 46) -> bytes:
    return target + source + b"\x08\x00" + payload


class Lab:
    """A switch with ports named a, b, c, ... and what arrived at each."""

    def __init__(self, count: int = 3, **options) -> None:
        self.switch = Switch(**options)
        self.ports = [self.switch.port(chr(ord("a") + n)) for n in range(count)]
        self.got: list[list[bytes]] = [[] for _ in range(count)]
        for port, got in zip(self.ports, self.got, strict=True):
            port.on_frame = got.append


def test_unknown_addresses_are_flooded_known_ones_are_not():
    lab = Lab()
    lab.ports[0].send(frame(B, A))
    lab.switch.deliver()
    assert [len(got) for got in lab.got] == [0, 1, 1]
    lab.ports[1].send(frame(A, B))
    lab.switch.deliver()
    assert [len(got) for got in lab.got] == [1, 1, 1]
    lab.ports[0].send(frame(B, A))
    lab.switch.deliver()
    assert [len(got) for got in lab.got] == [1, 2, 1]
    assert lab.switch.table == {B: "b", A: "a"}


def test_nothing_arrives_before_delivery():
    lab = Lab()
    lab.ports[0].send(frame(BROADCAST, A))
    assert lab.got == [[], [], []]
    assert [port.waiting for port in lab.ports] == [0, 1, 1]
    assert lab.switch.deliver() == 2
    assert lab.switch.deliver() == 0
    assert lab.got[1] == [frame(BROADCAST, A)]


def test_one_port_can_be_polled_alone():
    lab = Lab()
    lab.ports[0].send(frame(BROADCAST, A))
    assert lab.ports[1].poll() == 1
    assert [len(got) for got in lab.got] == [0, 1, 0]


def test_answers_wait_for_the_next_delivery():
    lab = Lab()
    lab.ports[1].on_frame = lambda data: lab.ports[1].send(frame(A, B))
    lab.ports[0].send(frame(B, A))
    lab.switch.deliver()
    assert lab.got[0] == []
    lab.switch.deliver()
    assert lab.got[0] == [frame(A, B)]


def test_two_ports_that_answer_each_other_do_not_hang_a_delivery():
    lab = Lab(2)
    for port, mine, other in ((lab.ports[0], A, B), (lab.ports[1], B, A)):
        port.on_frame = lambda data, port=port, f=frame(other, mine): port.send(f)
    lab.ports[0].send(frame(B, A))
    assert [lab.switch.deliver() for _ in range(5)] == [1, 1, 1, 1, 1]


def test_a_moved_address_is_learned_again():
    lab = Lab()
    lab.ports[0].send(frame(BROADCAST, A))
    lab.ports[2].send(frame(BROADCAST, A))
    lab.switch.deliver()
    before = [len(got) for got in lab.got]
    lab.ports[1].send(frame(A, B))
    lab.switch.deliver()
    assert [len(got) - n for got, n in zip(lab.got, before, strict=True)] == [0, 0, 1]


def test_a_frame_for_the_senders_own_side_goes_nowhere():
    lab = Lab()
    lab.ports[0].send(frame(BROADCAST, A))
    lab.switch.deliver()
    before = [len(got) for got in lab.got]
    lab.ports[0].send(frame(A, B))
    assert lab.switch.deliver() == 0
    assert [len(got) for got in lab.got] == before


@pytest.mark.parametrize(
    "bad", [b"", b"x" * 13, frame(B, A, bytes(1505)), frame(B, BROADCAST), frame(B, b"\x01" * 6)]
)
def test_malformed_frames_are_dropped_at_the_sender(bad):
    lab = Lab()
    lab.ports[0].send(bad)
    assert lab.switch.deliver() == 0
    stats = lab.ports[0].stats
    assert (stats.drops, stats.frames_in) == (1, 0)
    assert lab.switch.table == {}


@pytest.mark.parametrize("size", [14, 1518])
def test_the_shortest_and_the_longest_frame_pass(size):
    lab = Lab(2)
    lab.ports[0].send(frame(B, A, bytes(size - 14)))
    lab.switch.deliver()
    assert [len(data) for data in lab.got[1]] == [size]


def test_counters():
    lab = Lab(2)
    lab.ports[0].send(frame(B, A))
    lab.ports[0].send(frame(B, A, b"y" * 100))
    lab.switch.deliver()
    assert lab.ports[0].stats.as_dict() == {
        "frames_in": 2,
        "bytes_in": 60 + 114,
        "frames_out": 0,
        "bytes_out": 0,
        "drops": 0,
    }
    assert (lab.ports[1].stats.frames_out, lab.ports[1].stats.bytes_out) == (2, 174)


def test_a_broadcast_storm_is_bounded():
    lab = Lab()
    for _ in range(5000):
        lab.ports[0].send(frame(BROADCAST, A))
    assert [port.waiting for port in lab.ports] == [0, 1024, 1024]
    assert lab.ports[1].stats.drops == 5000 - 1024
    assert lab.switch.deliver() == 2048


def test_the_address_table_is_bounded_and_forgets_the_longest_silent():
    lab = Lab()
    macs = [b"\x52\x54" + n.to_bytes(4, "big") for n in range(1024)]
    for mac in macs:
        lab.ports[0].send(frame(A, mac))
    lab.ports[0].send(frame(A, macs[0]))
    lab.ports[0].send(frame(A, b"\x52\x55\0\0\0\0"))
    assert len(lab.switch.table) == 1024
    assert macs[0] in lab.switch.table
    assert macs[1] not in lab.switch.table


def test_an_unplugged_port_is_silent_and_forgotten():
    lab = Lab()
    lab.ports[1].send(frame(BROADCAST, B))
    lab.ports[0].send(frame(B, A))
    lab.ports[1].close()
    assert lab.ports[1].stats.drops == 1
    lab.ports[1].send(frame(A, B))
    lab.ports[0].send(frame(B, A))
    lab.switch.deliver()
    assert lab.got[1] == []
    assert lab.got[2] == [frame(BROADCAST, B), frame(B, A)]
    assert lab.switch.table == {A: "a"}


def test_a_port_without_a_card_drops():
    lab = Lab(2)
    lab.ports[1].on_frame = None
    lab.ports[0].send(frame(B, A))
    lab.switch.deliver()
    assert lab.ports[1].stats.drops == 1
    assert lab.ports[1].stats.frames_out == 0


def test_port_names_are_unique():
    switch = Switch("lan")
    switch.port("web")
    with pytest.raises(ValueError, match="lan: port 'web' exists already"):
        switch.port("web")


hosts = st.integers(0, 3)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("send"), hosts, hosts, st.one_of(hosts, st.just(9))),
            st.tuples(st.just("deliver")),
        ),
        max_size=40,
    )
)
def test_switch_follows_a_model(script):
    """Ports, addresses and a dictionary: what the text books say, without queues or limits."""
    lab = Lab(4)
    macs = [bytes([2, 0, 0, 0, 0, n]) for n in range(4)]
    table: dict[bytes, int] = {}
    waiting: list[list[bytes]] = [[] for _ in range(4)]
    arrived: list[list[bytes]] = [[] for _ in range(4)]
    for n, step in enumerate(script):
        if step[0] == "deliver":
            lab.switch.deliver()
            for queue, done in zip(waiting, arrived, strict=True):
                done += queue
                queue.clear()
            assert lab.got == arrived
            continue
        _, port, source, target = step
        to = BROADCAST if target == 9 else macs[target]
        data = frame(to, macs[source], n.to_bytes(2, "big"))
        lab.ports[port].send(data)
        table[macs[source]] = port
        if to in table:
            receivers = [table[to]]
        else:
            receivers = list(range(4))
        for receiver in receivers:
            if receiver != port:
                waiting[receiver].append(data)


# -- addresses ------------------------------------------------------------------------------------


@given(st.binary(min_size=6, max_size=6))
def test_address_texts_round_trip(mac):
    mac = bytes([mac[0] & 0xFE]) + mac[1:]
    assert parse_mac(format_mac(mac)) == mac
    assert parse_mac(format_mac(mac).upper().replace(":", "-")) == mac


@pytest.mark.parametrize(
    "text", ["", "52:54:00:12:34", "52:54:00:12:34:56:78", "52:54:00:12:34:5g", "525400123456",
             "52:54-00:12:34:56", " 52:54:00:12:34:56", "52:54:00:12:34:56\n"]
)  # fmt: skip
def test_bad_address_texts(text):
    with pytest.raises(ValueError, match="expected six bytes as in"):
        parse_mac(text)


def test_a_card_cannot_own_a_group_address():
    with pytest.raises(ValueError, match="group address"):
        parse_mac("ff:ff:ff:ff:ff:ff")


def test_generated_addresses():
    assert format_mac(mac_for("web")).startswith("52:54:00:")
    assert mac_for("web") == mac_for("web")
    assert len({mac_for(f"vm{n}") for n in range(100)}) == 100
