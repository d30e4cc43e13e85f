"""``cvbench cache``: what is there, what goes, what stays because it is in use."""

import os
import shutil
import time
from pathlib import Path

import pytest

from cvbench.store import Store
from tests.conftest import one_line_refusal

DAYS = 86_400.0


def filled(folder: Path) -> dict:
    (folder / "weights.bin").write_bytes(bytes(1000))
    return {}


def aged(folder: Path, days: float) -> Path:
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (time.time() - days * DAYS,) * 2)
    return folder


@pytest.fixture
def store(own_cache: Path) -> Store:
    """Old and new artefacts, one damaged a moment ago, old scratch, an old data set that was fetched."""
    store = Store(own_cache)
    aged(store.make("sampler", "a" * 64, {}, filled).folder, 40)
    store.make("model", "b" * 64, {}, filled)
    store.make("model", "c" * 64, {}, filled).folder.joinpath("weights.bin").write_bytes(b"wrong")
    assert Store(own_cache).find("model", "c" * 64) is None
    for name in ("scratch/sampler-" + "d" * 64, "data/mnist", "decoded/" + "e" * 32):
        (own_cache / name).mkdir(parents=True)
        (own_cache / name / "file").write_bytes(bytes(10))
        aged(own_cache / name, 40)
    return store


def held(store: Store) -> list[tuple[str, int]]:
    return sorted((holding.kind, len(list(holding.folder.iterdir()))) for holding in store.holdings())


def test_the_cache_says_what_it_holds_by_kind(store, cvbench):
    shown = cvbench("cache")
    assert shown.code == 0
    rows = {line.split()[0]: line.split() for line in shown.out.splitlines()}
    assert rows["sampler"][1] == rows["model"][1] == rows["damaged"][1] == rows["scratch"][1] == rows["data"][1] == "1"
    assert rows["all"][1] == "6"
    assert cvbench("cache", "-h").code == 0


def test_pruning_takes_what_is_old_and_leaves_fetched_data(store, cvbench):
    said = cvbench("cache", "prune", "--older-than", 30, "--dry-run")
    assert "3 artefacts" in said.out
    assert "would be deleted" in said.out
    assert len(held(store)) == 6
    assert "3 artefacts" in cvbench("cache", "prune", "--older-than", 30).out
    assert [kind for kind, _ in held(store)] == ["damaged", "data", "model"]
    assert "1 artefact " in cvbench("cache", "prune", "--damaged").out
    assert [kind for kind, _ in held(store)] == ["data", "model"]


def test_what_is_used_again_is_not_old(store):
    assert store.find("sampler", "a" * 64) is not None
    newest = {holding.kind: holding.used for holding in store.holdings()}
    assert newest["sampler"] > time.time() - 60


def test_what_a_running_step_holds_or_was_used_meanwhile_stays(store):
    old = {holding.kind: holding for holding in store.holdings()}
    with store.claim("sampler-" + "a" * 64), store.claim("sampler-" + "d" * 64):
        assert not store.remove(old["sampler"])
        assert not store.remove(old["scratch"])
    assert store.find("sampler", "a" * 64) is not None
    assert not store.remove(old["sampler"]), "it was used since it was looked at"
    assert store.remove(old["damaged"])
    assert not any(holding.kind in ("replaced", "damaged") for holding in store.holdings())


def test_a_folder_of_someone_else_is_not_taken_for_an_artefact(store, own_cache):
    stranger = own_cache / "weights" / "inception" / "v3"
    stranger.mkdir(parents=True)
    (stranger / "manifest.json").write_text("{}")
    assert not any(holding.folder == stranger for holding in store.holdings())


def test_what_vanishes_while_it_is_counted_is_no_fault(store, own_cache):
    seen = store.holdings()
    next(seen)
    shutil.rmtree(own_cache / "scratch")
    (own_cache / "data" / "mnist" / "gone").symlink_to("nowhere")  # listed, and not there when it is looked at
    assert len(list(seen)) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((), "give --older-than DAYS, --damaged, or both"), (("--older-than", 0), "at least 1, not 0")],
)
def test_pruning_everything_by_accident_is_refused(arguments, words, cvbench):
    one_line_refusal(cvbench("cache", "prune", *arguments), words)
