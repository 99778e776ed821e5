"""Every value arrives as it was sent."""

import math
import socket
import struct
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lmerbridge.bridge import wire
from lmerbridge.bridge.wire import SMALL, Channel, ClassVector, Factor, Flat, Logical, Table
from lmerbridge.errors import ProtocolError

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
STRINGS = st.lists(TEXT | st.none())
DTYPES = st.sampled_from([np.dtype(kind) for kind in ("f8", "f4", "i4", "i8", "u1", "?")])
ARRAYS = DTYPES.flatmap(lambda dtype: npst.arrays(dtype, st.integers(0, 20)))
FACTORS = st.builds(Factor, npst.arrays(np.int32, st.integers(0, 20)), st.lists(TEXT, unique=True), st.booleans())
LOGICALS = st.builds(Logical, npst.arrays(np.int8, st.integers(0, 20), elements=st.integers(-1, 1)))
CLASSED = st.builds(
    ClassVector, npst.arrays(np.float64, st.integers(0, 20)), st.lists(TEXT), st.dictionaries(TEXT, TEXT, max_size=2)
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | TEXT
COLUMNS = st.dictionaries(TEXT, ARRAYS | FACTORS | LOGICALS | CLASSED | STRINGS)
LEAVES = SCALARS | ARRAYS | STRINGS | FACTORS | LOGICALS | CLASSED | st.builds(Table, COLUMNS, st.integers(0, 2**40))
VALUES = st.recursive(LEAVES, lambda inner: st.dictionaries(TEXT, inner), max_leaves=6)


@pytest.fixture(scope="module")
def ends():
    ours, theirs = socket.socketpair()
    channels = Channel(ours), Channel(theirs)
    yield channels
    for channel in channels:
        channel.close()


def through(ends, value):
    """Send a value while another thread receives it, as large ones need."""
    found = []
    receiver = threading.Thread(target=lambda: found.append(ends[1].receive()))
    receiver.start()
    ends[0].send(value)
    receiver.join()
    return found[0]


def same(sent, got):
    """Equal in value and kind: doubles by their bits, arrays by dtype, mappings in order."""
    match sent:
        case bool() | None | int() | str():
            return type(got) is type(sent) and got == sent
        case float():
            return struct.pack("d", sent) == struct.pack("d", got)
        case np.ndarray():
            return got.dtype == sent.dtype and got.tobytes() == sent.tobytes()
        case Factor():
            return same(sent.codes, got.codes) and got.labels == sent.labels and got.ordered is sent.ordered
        case Logical():
            return same(sent.codes, got.codes)
        case ClassVector():
            return same(sent.values, got.values) and (got.classes, got.attributes) == (sent.classes, sent.attributes)
        case Table():
            return got.rows == sent.rows and same(sent.columns, got.columns)
        case dict():
            return list(got) == list(sent) and all(same(sent[name], got[name]) for name in sent)
    return got == sent


@given(VALUES)
def test_a_value_arrives_as_it_was_sent(ends, value):
    assert same(value, through(ends, value))


def test_a_packed_list_arrives_as_its_elements_by_name(ends):
    kinds, sizes = np.array([1, 3, 0, 1, 2, 1], np.int32), np.array([2, 2, 3, 0, 1, 1], np.int32)
    doubles, others = np.array([-0.0, np.nan, 0.1]), [None, "x", "y"]
    flat = Flat(list("abcdef"), kinds, sizes, [doubles, np.array([7], np.int32), ["å", None], others])
    parts = {"a": doubles[:2], "b": ["å", None], "c": others, "d": doubles[:0], "e": np.array([7], np.int32)}
    assert same(parts | {"f": doubles[2:]}, through(ends, flat))
    assert through(ends, Flat([], kinds[:0], sizes[:0], [[], [], []])) == {}


def test_a_value_after_one_that_was_long_in_coming_is_not_waited_for_busily(ends, monkeypatch):
    polls = []

    def poll(channel):
        polls.append(channel)

    monkeypatch.setattr(Channel, "_comes_at_once", poll)
    with pytest.raises(TimeoutError):
        ends[0].receive(timeout=0.01)
    late = threading.Timer(0.5, ends[1].send, [1])
    late.start()
    ends[0].receive()
    before = len(polls)
    ends[1].send(2)
    assert ends[0].receive() == 2  # what was sent
    assert len(polls) == before
    ends[1].send(3)
    ends[0].receive()
    assert len(polls) == before + 1  # since the value before came soon


@pytest.mark.parametrize("size", [SMALL // 2, SMALL - 1, SMALL, 50 * SMALL + 1])
def test_bulk_arrives_whole_in_one_piece_or_in_many(ends, size):
    bulk = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    value = {"a": bulk, "x": np.array([-0.0, np.nan, 5e-324]), "s": ["", None, "å"]}
    assert same(value, through(ends, value))


def test_an_array_is_received_into_the_memory_that_its_maker_tells(ends):
    made = []

    def make(dtype, length):
        made.append(np.zeros(length + 1, dtype))
        return "made", made[0][1:].data

    ends[0].send({"a": np.arange(3.0)})
    assert ends[1].receive(make=make) == {"a": "made"}
    assert made[0].tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("strings", [[], [""], [None], ["", None, ""], ["ß", "\U0001d518", "a\n\x1f"], ["x" * 2**21]])
def test_strings_keep_none_and_empty_apart(ends, strings):
    assert through(ends, strings) == strings


@pytest.mark.parametrize(
    "value",
    [
        np.ones((2, 2)),
        np.array(["a"], object),
        np.arange(3, dtype=">f8"),
        ["a\0b"],
        ["\ud800"],
        [1, 2],
        b"bytes",
        {1, 2},
        np.int64(1),
    ],
    ids=repr,
)
def test_what_has_no_form_is_refused_and_the_channel_stays_in_step(ends, value):
    with pytest.raises(ProtocolError):
        ends[0].send({"value": value})
    assert ends[0].in_step
    assert through(ends, 1) == 1


@pytest.mark.parametrize("header", [{"array": "x"}, [1], {"strings": "a"}, 1.5])
def test_an_unknown_description_is_refused(header):
    with pytest.raises(ProtocolError, match="describes no value"):
        wire.unpack(header, [])


def test_a_strided_or_read_only_array_is_sent_by_value(ends):
    read_only = np.arange(10.0)[::-2]
    read_only.flags.writeable = False
    assert same(np.ascontiguousarray(read_only), through(ends, read_only))


def test_the_end_of_the_other_side_is_an_end_of_file():
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(EOFError):
        Channel(ours).receive()
    ours.close()


def test_a_message_cut_short_leaves_the_channel_out_of_step():
    ours, theirs = socket.socketpair()
    theirs.sendall(wire.PREFIX.pack(100) + b"[")
    theirs.close()
    channel = Channel(ours)
    with pytest.raises(EOFError):
        channel.receive()
    assert not channel.in_step
    channel.close()


def test_waiting_in_vain_ends_in_time_and_in_step(ends):
    with pytest.raises(TimeoutError):
        ends[0].receive(timeout=0.01)
    assert ends[0].in_step
    ends[1].send(math.pi)
    assert ends[0].receive() == math.pi
