"""Bad data: each fault one clear line that names the file and what to do, never a traceback."""

import contextlib
import gzip
import os
import shutil
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cvbench.errors import DataError, UserError
from cvbench.readers import open_dataset
from cvbench.readers.idx import read_idx
from cvbench.readers.image_folder import decode
from tests.conftest import one_line_refusal

STEMS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_idx(folder: Path, count: int = 6, *, pack: bool = False) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    files = {}
    for stem in STEMS:
        images = stem.endswith("3")
        array = rng.integers(0, 256, (count, 4, 5), np.uint8) if images else np.arange(count, dtype=np.uint8) % 3
        files[stem] = folder / f"{stem}-ubyte{'.gz' if pack else ''}"
        files[stem].write_bytes(gzip.compress(idx_bytes(array)) if pack else idx_bytes(array))
    return files


@pytest.mark.parametrize("pack", [False, True])
def test_idx_files_are_read(tmp_path, pack):
    write_idx(tmp_path, pack=pack)
    splits = open_dataset("", "", tmp_path, {}, 0.0)
    assert splits.train.images.shape == (6, 4, 5, 1)
    assert splits.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert splits.train.spec.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("stem", "content", "words"),
    [
        (STEMS[0], b"", "too short"),
        (STEMS[0], b"\0\0\x08\x01" + b"\0" * 20, "wrong magic number 00000801"),
        (STEMS[0], b"\0\0\x0d\x03" + b"\0" * 20, "wrong magic number"),
        (STEMS[0], idx_bytes(np.zeros((6, 4, 5), np.uint8))[:-7], "cut short"),
        (STEMS[0], idx_bytes(np.zeros((6, 4, 5), np.uint8)) + b"xx", "too long"),
        (STEMS[0], idx_bytes(np.zeros((5, 4, 5), np.uint8)), "5 pictures but 6 labels"),
        (STEMS[1], idx_bytes(np.zeros(7, np.uint8)), "6 pictures but 7 labels"),
        (STEMS[2], idx_bytes(np.zeros((6, 3, 5), np.uint8)), "4x5x1 pictures"),
        (STEMS[0], idx_bytes(np.zeros((6, 0, 5), np.uint8)), "holds no pictures"),
        (STEMS[0], None, "there is no train-images-idx3-ubyte"),
    ],
)
def test_a_broken_idx_file_is_one_line(tmp_path, cvbench, stem, content, words):
    files = write_idx(tmp_path / "data")
    if content is None:
        files[stem].unlink()
    else:
        files[stem].write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        open_dataset("idx", "", tmp_path / "data", {}, 0.0)
    assert str(tmp_path / "data") in str(caught.value) or "idx" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gzip_that_is_cut_short_is_one_line(tmp_path):
    files = write_idx(tmp_path, pack=True)
    whole = files[STEMS[0]].read_bytes()
    files[STEMS[0]].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz.*cut short or damaged"):
        open_dataset("idx", "", tmp_path, {}, 0.0)


def test_a_header_that_promises_too_much_takes_no_memory(tmp_path):
    files = write_idx(tmp_path, pack=True)
    for sides, words in ((2**32 - 1, "more than 8 GiB"), (1900, "cut short")):
        header = bytes([0, 0, 8, 3]) + struct.pack(">3I", sides, sides, sides)
        files[STEMS[0]].write_bytes(gzip.compress(header + b"abc"))
        tracemalloc.start()
        with pytest.raises(DataError, match=words):
            open_dataset("idx", "", tmp_path, {}, 0.0)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
        tracemalloc.stop()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.lists(st.integers(0, 5), min_size=1, max_size=3), st.booleans())
def test_an_idx_file_with_a_changed_or_missing_byte_is_itself_or_a_data_error(tmp_path_factory, data, shape, pack):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    whole = gzip.compress(idx_bytes(array), mtime=0) if pack else idx_bytes(array)
    file = tmp_path_factory.mktemp("idx") / ("file.gz" if pack else "file")
    file.write_bytes(whole)
    assert np.array_equal(read_idx(file, array.ndim), array)
    file.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DataError):
        read_idx(file, array.ndim)
    place = data.draw(st.integers(0, len(whole) - 1))
    file.write_bytes(whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 255))]) + whole[place + 1 :])
    with contextlib.suppress(DataError):
        found = read_idx(file, array.ndim)
        assert found.ndim == array.ndim
        if pack:  # its checksum covers the content
            assert np.array_equal(found, array)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 3))
def test_any_bytes_are_an_array_or_a_data_error(tmp_path_factory, content, dimensions):
    file = tmp_path_factory.mktemp("idx") / "file"
    file.write_bytes(content)
    with contextlib.suppress(DataError):
        assert read_idx(file, dimensions).ndim == dimensions


def write_folder(root: Path, *, splits: bool = True, size: tuple[int, int] = (5, 4)) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "test") if splits else ("",):
        for name in ("cat", "dog"):
            folder = root / split / name
            folder.mkdir(parents=True)
            for k in range(5):
                Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(folder / f"{k}.png")
    return root


def test_image_folders_are_read_decoded_once_and_split_by_a_seed(tmp_path, own_cache):
    splits = open_dataset("", "", write_folder(tmp_path / "a"), {}, 0.0)
    assert splits.train.images.shape == (10, 5, 4, 3)
    assert splits.train.spec.classes == ("cat", "dog")
    assert len(list((own_cache / "decoded").iterdir())) == 2
    again = open_dataset("image-folder", "", tmp_path / "a", {}, 0.2)
    assert len(list((own_cache / "decoded").iterdir())) == 2
    assert (len(again.train), len(again.val)) == (8, 2)
    (tmp_path / "a" / "test").rename(tmp_path / "a" / "val")
    shutil.copytree(tmp_path / "a" / "val", tmp_path / "a" / "test")
    assert len(open_dataset("image-folder", "", tmp_path / "a", {}, 0.0).val) == 10
    with pytest.raises(UserError, match=r"^a: val_fraction 0.2 is given, but .* a val split of its own\. leave val_f"):
        open_dataset("image-folder", "", tmp_path / "a", {}, 0.2)
    one = open_dataset("", "", write_folder(tmp_path / "b", splits=False), {"test_fraction": 0.4}, 0.0)
    assert (len(one.train), len(one.test)) == (6, 4)
    other = open_dataset("", "", tmp_path / "b", {"test_fraction": 0.4, "split_seed": 1}, 0.0)
    assert other.train.fingerprint != one.train.fingerprint
    small = open_dataset("", "", tmp_path / "a", {"size": 8, "channels": 1}, 0.0)
    assert small.train.images.shape == (10, 8, 8, 1)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
def test_every_kind_of_picture_is_brought_to_grey_or_rgb(tmp_path, mode):
    file = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    if mode == "I;16":
        Image.fromarray(np.full((6, 5), 65535, np.uint16)).save(file)
    else:
        Image.new("L", (5, 6), 255).convert(mode).save(file)
    array = decode(file, None, None)
    assert array.dtype == np.uint8
    assert array.shape[:2] == (6, 5)
    assert array.shape[2] in (1, 3)
    if mode in ("L", "1", "I;16"):
        assert array.min() == 255


def test_floating_point_pixels_are_refused(tmp_path):
    Image.new("F", (4, 4), float("nan")).save(tmp_path / "x.tif")
    with pytest.raises(DataError, match=r"x\.tif: floating-point pixels have no known range"):
        decode(tmp_path / "x.tif", None, None)


@pytest.mark.parametrize("extension", ["png", "jpg", "gif", "tif", "bmp", "webp"])
def test_a_picture_with_changed_bytes_is_a_picture_or_a_data_error(tmp_path, extension):
    rng, file = np.random.default_rng(0), tmp_path / f"x.{extension}"
    Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8)).save(file)
    whole = np.frombuffer(file.read_bytes(), np.uint8)
    for _ in range(60):
        changed = whole.copy()
        changed[rng.integers(0, len(whole), 2)] = rng.integers(0, 256, 2, np.uint8)
        file.write_bytes(changed[: rng.integers(1, len(whole) + 1)].tobytes())
        with contextlib.suppress(DataError):
            assert decode(file, None, None).dtype == np.uint8


def test_a_picture_that_may_not_be_read_is_one_line(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")  # root, who runs some tests, may read anything

    file = write_folder(tmp_path / "data") / "train" / "cat" / "0.png"
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(DataError, match=r"0\.png: cannot be read: Permission denied"):
        decode(file, None, None)
    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(DataError, match="data/train: cannot be listed: Permission denied"):
        open_dataset("image-folder", "", tmp_path / "data", {}, 0.0)


def test_a_picture_is_turned_as_its_exif_says(tmp_path):
    picture = Image.new("RGB", (6, 3))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "x.jpg", exif=exif)
    assert decode(tmp_path / "x.jpg", None, None).shape == (6, 3, 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "an empty file"), (b"plain text", "not a picture"), ("cut", "damaged or cut short"), ("huge", "too many")],
)
def test_a_broken_picture_is_one_line_that_names_it(tmp_path, cvbench, content, words):
    root = write_folder(tmp_path / "data")
    victim = root / "train" / "cat" / "2.png"
    if content == "cut":
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(victim)
        victim.write_bytes(victim.read_bytes()[:900])
    elif content == "huge":
        whole = bytearray(victim.read_bytes())
        whole[16:24] = struct.pack(">II", 100_000, 100_000)
        whole[29:33] = struct.pack(">I", zlib.crc32(bytes(whole[12:29])))
        victim.write_bytes(bytes(whole))
    else:
        victim.write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        open_dataset("", "", root, {}, 0.0)
    assert str(victim) in str(caught.value)
    said = cvbench("check-data", root)
    assert said.code == 2
    assert f"✗ {victim}" in said.out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("another class in test", "test has a class 'bird' that train lacks"),
        ("no test", "no test folder"),
        ("empty", "train/cat: this class folder holds no pictures"),
        ("no pictures in test", "test: its class folders hold no pictures"),
        ("no class folders", "train: has no class folders"),
        ("greyer test", "train has 5x4x3 pictures .* test has 5x4x1"),
        ("sizes", "pictures of 2 sizes, from 5x4 to 9x9"),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_line(tmp_path, cvbench, change, words):
    root = write_folder(tmp_path / "data")
    if change == "another class in test":
        (root / "test" / "bird").mkdir()
    elif change == "no test":
        (root / "test").rename(tmp_path / "elsewhere")
    elif change == "empty":
        for file in (root / "train").rglob("*.png"):
            file.unlink()
    elif change == "no pictures in test":
        for file in (root / "test").rglob("*.png"):
            file.unlink()
    elif change == "no class folders":
        shutil.rmtree(root / "train")
        (root / "train").mkdir()
    elif change == "greyer test":
        for file in (root / "test").rglob("*.png"):
            Image.open(file).convert("L").save(file)
    else:
        Image.new("RGB", (9, 9)).save(root / "train" / "cat" / "9.png")
    with pytest.raises(DataError, match=words):
        open_dataset("image-folder", "", root, {}, 0.0)


@pytest.mark.parametrize(
    ("labels", "test_labels", "words"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], "of one class"),
        ([0], [0], "single training picture"),
        ([0, 1, 0, 1], [0, 1, 2, 2], "the test split has a class that train lacks: '2'"),
    ],
)
def test_data_that_classification_cannot_use_is_one_line(tmp_path, cvbench, labels, test_labels, words):
    folder = tmp_path / "data"
    folder.mkdir()
    for stem, values in zip(("train", "t10k"), (labels, test_labels), strict=True):
        pictures = np.zeros((len(values), 4, 4), np.uint8)
        (folder / f"{stem}-images-idx3-ubyte").write_bytes(idx_bytes(pictures))
        (folder / f"{stem}-labels-idx1-ubyte").write_bytes(idx_bytes(np.array(values, np.uint8)))
    suite = tmp_path / "s.yaml"
    suite.write_text(
        f"name: s\ntask: classification\ndatasets: [{{name: idx, root: {folder}}}]\n"
        "models: [simple_cnn]\ngenerators: [noise]\n"
    )
    one_line_refusal(cvbench("run", suite, "--out", tmp_path / "run"), words)
    assert not (tmp_path / "run").exists()


def test_data_that_is_nowhere_says_where_it_was_looked_for(tmp_path, cvbench):
    suite = tmp_path / "s.yaml"
    suite.write_text("name: s\ntask: classification\ndatasets: [mnist]\nmodels: [simple_cnn]\ngenerators: [noise]\n")
    said = cvbench("plan", suite, CVBENCH_DATA=str(tmp_path / "nothing"))
    one_line_refusal(said, "no data set 'mnist'", str(tmp_path / "nothing" / "mnist"), "download: true")
    one_line_refusal(cvbench("check-data", tmp_path / "none"), "no such folder")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text("x")
    one_line_refusal(cvbench("check-data", tmp_path / "text"), "no reader knows this format")


def test_more_per_class_than_there_are_is_one_line(tmp_path, cvbench):
    suite = tmp_path / "s.yaml"
    suite.write_text(
        "name: s\ntask: classification\ndatasets: [digits]\nmodels: [simple_cnn]\ngenerators: [noise]\n"
        "real_per_class: [5000]\n"
    )
    one_line_refusal(cvbench("plan", suite), "real_per_class asks for 5000", "ask for fewer")


@pytest.mark.real_data
def test_real_mnist_is_what_it_should_be():
    if "CVBENCH_DATA" not in os.environ:
        pytest.skip("CVBENCH_DATA is not set: no real MNIST here")
    splits = open_dataset("mnist", "", None, {}, 0.0)
    assert (len(splits.train), len(splits.test)) == (60_000, 10_000)
    assert np.bincount(splits.train.labels).tolist()[:3] == [5923, 6742, 5958]
    assert round(float(splits.train.images.mean()) / 255, 4) == 0.1307
