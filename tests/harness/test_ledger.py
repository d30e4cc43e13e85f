"""The ledger: durable lines, torn ones harmless, the last record counts."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cvbench.estimates import Timings
from cvbench.ledger import CellRecord, Coordinates, Ledger

PLACE = Coordinates("classification", "digits", "simple_cnn", "100%", "mixed", "flow", 1.0, 0)
RECORD = CellRecord("c1", PLACE, "ok", metrics={"top1": 0.5}, tail=("a", "b"), seconds={"train": 1.0})


def test_what_is_appended_is_read_back_whole(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append(RECORD, {"top1": np.array([0.0, 1.0])})
    assert ledger.read() == {"c1": RECORD}
    assert list(ledger.per_item("c1")["top1"]) == [0.0, 1.0]
    assert ledger.per_item("another") == {}


def test_the_last_record_of_a_cell_counts(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append(replace(RECORD, status="failed"))
    ledger.append(RECORD)
    assert ledger.read()["c1"].status == "ok"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 300))
def test_a_line_torn_anywhere_loses_that_line_only(tmp_path_factory, cut):
    ledger = Ledger(tmp_path_factory.mktemp("run"))
    ledger.append(RECORD)
    ledger.append(replace(RECORD, cell="c2"))
    content = ledger.path.read_bytes()
    ledger.path.write_bytes(content[: len(content) - cut])
    assert set(ledger.read()) == ({"c1", "c2"} if cut == 1 else {"c1"})
    ledger.append(replace(RECORD, cell="c3"))
    assert set(ledger.read()) == ({"c1", "c2", "c3"} if cut == 1 else {"c1", "c3"})


def test_bytes_that_are_no_text_lose_their_line_only(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.append(RECORD)
    with ledger.path.open("ab") as file:
        file.write(b"\x80\xff\x00garbage\n")
    ledger.append(replace(RECORD, cell="c2"))
    assert set(ledger.read()) == {"c1", "c2"}
    Timings(tmp_path).file.write_bytes(b"\x80\xff\n")
    assert Timings(tmp_path).estimate([]) == (0.0, 0)


def test_no_file_is_no_records(tmp_path):
    assert Ledger(tmp_path).read() == {}
