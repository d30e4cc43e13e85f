"""The artefact cache: whole or not at all, found again by content, damage noticed."""

import errno
import json
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvbench.errors import UserError
from cvbench.store import Store, content_fingerprint, content_key

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, max_size=5))
def test_a_key_does_not_depend_on_the_order_of_a_mapping(description):
    backwards = dict(reversed(description.items()))
    assert content_key("fit", description) == content_key("fit", backwards)


@given(st.dictionaries(st.text(), plain, min_size=1, max_size=5))
def test_a_key_depends_on_kind_and_content(description):
    assert content_key("fit", description) != content_key("sample", description)
    assert content_key("fit", description) != content_key("fit", {**description, "one more key": 1})


def fill(folder: Path) -> dict[str, int]:
    (folder / "weights.bin").write_bytes(b"weights")
    return {"count": 7}


def test_what_was_made_is_found_with_its_facts(tmp_path):
    made = Store(tmp_path).make("fit", "ab" * 32, {"what": 1}, fill)
    found = Store(tmp_path).find("fit", "ab" * 32)
    assert found is not None
    assert found.folder == made.folder
    assert found.facts == {"count": 7}
    assert (found.folder / "weights.bin").read_bytes() == b"weights"
    assert json.loads((found.folder / "manifest.json").read_text())["description"] == {"what": 1}


def test_a_failed_write_leaves_nothing(tmp_path):
    store = Store(tmp_path)

    def half(folder: Path) -> dict[str, int]:
        fill(folder)
        raise RuntimeError("killed half-way")

    with pytest.raises(RuntimeError):
        store.make("fit", "ab" * 32, {}, half)
    assert store.find("fit", "ab" * 32) is None
    assert not list((tmp_path / "incoming").iterdir())


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "manifest", "list", "no manifest", "folder"])
def test_a_damaged_artefact_is_set_aside(tmp_path, damage):
    folder = Store(tmp_path).make("fit", "ab" * 32, {}, fill).folder
    file = folder / ("manifest.json" if damage in ("manifest", "list", "no manifest") else "weights.bin")
    if damage in ("remove", "no manifest", "folder"):
        file.unlink()
        if damage == "folder":
            file.mkdir()
    else:
        file.write_bytes({"flip": b"wrong!!", "cut": b"we", "manifest": b"{", "list": b'{"files": []}'}[damage])
    store = Store(tmp_path)
    assert store.find("fit", "ab" * 32) is None
    assert not store.has("fit", "ab" * 32)
    assert len(list((tmp_path / "damaged").iterdir())) == 1
    store.make("fit", "ab" * 32, {}, fill)
    assert store.find("fit", "ab" * 32) is not None


def test_what_is_made_anew_takes_the_place_of_a_folder_without_a_manifest(tmp_path):
    store = Store(tmp_path)
    folder = store.make("fit", "ab" * 32, {}, fill).folder
    (folder / "manifest.json").unlink()
    assert not store.has("fit", "ab" * 32)
    store.make("fit", "ab" * 32, {}, fill)
    assert Store(tmp_path).find("fit", "ab" * 32) is not None
    (aside,) = (tmp_path / "damaged").iterdir()
    assert [path.name for path in aside.iterdir()] == ["weights.bin"]


def test_what_another_process_made_meanwhile_stays(tmp_path, monkeypatch):
    store = Store(tmp_path)

    def late(folder: Path) -> dict[str, int]:
        with monkeypatch.context() as other:
            other.setattr(os, "getpid", lambda: 1)
            Store(tmp_path).make("fit", "ab" * 32, {}, fill)
        return {"count": 8}

    store.make("fit", "ab" * 32, {}, late)
    assert Store(tmp_path).find("fit", "ab" * 32).facts == {"count": 7}
    assert not (tmp_path / "damaged").exists()


@pytest.mark.parametrize("where", ["manifest.json", "weights.bin"])
@pytest.mark.parametrize("reason", [errno.EMFILE, errno.EIO, errno.EACCES])
def test_what_cannot_be_read_now_is_not_damaged(tmp_path, monkeypatch, where, reason):
    folder = Store(tmp_path).make("fit", "ab" * 32, {}, fill).folder
    opened = Path.open

    def failing(path, *arguments, **more):
        if path.name == where:
            raise OSError(reason, os.strerror(reason))  # as a read does: without the file's name
        return opened(path, *arguments, **more)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "open", failing)
        with pytest.raises(OSError, match=where) as caught:
            Store(tmp_path).find("fit", "ab" * 32)
    assert (caught.value.errno, caught.value.filename) == (reason, str(folder / where))
    assert not (tmp_path / "damaged").exists()
    assert Store(tmp_path).find("fit", "ab" * 32) is not None


@pytest.mark.parametrize("made_anew", [False, True])
def test_of_two_who_find_the_same_damage_one_sets_it_aside(tmp_path, monkeypatch, made_anew):
    file = Store(tmp_path).make("fit", "ab" * 32, {}, fill).folder / "weights.bin"
    file.write_bytes(b"wrong!!")
    first, second, set_aside = Store(tmp_path), Store(tmp_path), Store._set_aside

    def after_the_first(self, *arguments, **more):
        monkeypatch.setattr(Store, "_set_aside", set_aside)
        assert first.find("fit", "ab" * 32) is None
        if made_anew:
            first.make("fit", "ab" * 32, {}, fill)
        set_aside(self, *arguments, **more)

    monkeypatch.setattr(Store, "_set_aside", after_the_first)
    assert second.find("fit", "ab" * 32) is None
    assert len(list((tmp_path / "damaged").iterdir())) == 1
    assert (Store(tmp_path).find("fit", "ab" * 32) is not None) == made_anew


def test_a_folder_that_another_moves_between_a_look_and_a_rename_is_no_error(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.make("fit", "ab" * 32, {}, fill)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(FileNotFoundError(errno.ENOENT, "gone")))
    store._set_aside("fit", "ab" * 32, "damaged")


@pytest.mark.parametrize("content", ['{"format": 99}', "{", "[]", '{"formation": 1}'])
def test_another_versions_cache_is_refused(tmp_path, content):
    (tmp_path / "cache.json").write_text(content)
    with pytest.raises(UserError, match=r"cache\.json.*another version.*CVBENCH_CACHE"):
        Store(tmp_path)


def test_a_folder_that_cannot_be_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used"):
        Store(tmp_path / "file" / "cache")


def test_no_permission_to_write_is_one_line(tmp_path, monkeypatch):
    Store(tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(UserError, match="no permission"):
        Store(tmp_path)


def test_a_step_is_held_against_others_and_its_scratch_outlives_it(tmp_path):
    store = Store(tmp_path)
    with store.claim("k") as scratch:
        (scratch / "checkpoint").write_text("half")
    with store.claim("k") as scratch:
        assert (scratch / "checkpoint").read_text() == "half"
    store.drop_scratch("k")
    assert not scratch.exists()


def test_who_waits_for_a_step_is_called_until_it_is_free(tmp_path):
    store, free, waited = Store(tmp_path), threading.Event(), []

    def hold(taken: threading.Event) -> None:
        with store.claim("k"):
            taken.set()
            free.wait(20)

    taken = threading.Event()
    holder = threading.Thread(target=hold, args=(taken,))
    holder.start()
    taken.wait(20)

    def waits() -> None:
        waited.append(True)
        free.set()

    with store.claim("k", waits):
        assert waited == [True]
    holder.join()


def test_what_another_process_removes_meanwhile_is_no_error(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.make("model", "ab" * 32, {}, fill)
    (held,) = store.holdings()

    def gone(self, target):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "replace", gone)
    assert store.remove(held) is True


def test_a_folders_fingerprint_is_of_names_and_contents_wherever_it_lies(tmp_path):
    for name in ("here", "there", "other"):
        (tmp_path / name / "a").mkdir(parents=True)
        (tmp_path / name / "a" / "1.png").write_bytes(b"one" if name != "other" else b"two")
    found = {name: content_fingerprint(tmp_path / name) for name in ("here", "there", "other")}
    assert found["here"] == found["there"] != found["other"]
    (tmp_path / "there" / "a" / "1.png").rename(tmp_path / "there" / "a" / "2.png")
    assert content_fingerprint(tmp_path / "there") != found["here"]
    with pytest.raises(UserError, match="no such file"):
        content_fingerprint(tmp_path / "nowhere")
