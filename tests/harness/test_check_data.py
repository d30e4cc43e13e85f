"""``cvbench check-data``: what is there, and everything that is wrong with it."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from cvbench.cli.data import looked_at
from cvbench.contracts import Splits
from cvbench.errors import DataError
from cvbench.readers import recognise
from cvbench.readers.idx import Idx
from cvbench.readers.image_folder import ImageFolder, ImageFolderOptions
from cvbench.readers.items import items_of, repeats
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages
from tests.conftest import one_line_refusal
from tests.faults.test_bad_data import STEMS, write_folder, write_idx
from tests.harness.test_readers_scenes import write_yolo


def found(reader, root):
    return [(finding.level, finding.where.removeprefix(f"{root}/"), finding.what) for finding in reader.check(root)]


def test_it_tells_what_is_there(tmp_path, cvbench):
    root = write_folder(tmp_path / "data")
    (root / "test" / "cat" / "0.png").write_bytes((root / "train" / "dog" / "0.png").read_bytes())
    (root / "train" / "cat" / "1.png").write_bytes((root / "train" / "dog" / "1.png").read_bytes())
    said = cvbench("check-data", root)
    assert said.code == 2
    assert "5×4 RGB pictures of 2 classes" in said.out
    assert f"✗ {root}: 1 test picture is also in train: test/cat/0.png = train/dog/0.png. take them out" in said.out
    assert f"✗ {root}: 2 pictures are under more than one class: train/cat/1.png = train/dog/1.png" in said.out
    assert "2 problems" in said.out
    facts = json.loads(cvbench("check-data", root, "--format", "json").out)
    assert facts["splits"]["train"] == {"cat": 5, "dog": 5}
    assert facts["reader"] == "image-folder"


def test_an_image_folder_is_checked_to_its_end(tmp_path):
    root = write_folder(tmp_path / "data")
    (root / "train" / "cat" / "0.png").write_bytes(b"")
    (root / "train" / "dog" / "4.png").write_bytes(b"plain text")
    (root / "train" / "dog" / "link.png").symlink_to(root / "nowhere.png")
    (root / "train" / "dog" / "notes.txt").write_text("x")
    (root / "train" / "ant").mkdir()
    (root / "train" / "loop").symlink_to(root / "train" / "loop")
    (root / "test" / "bird").mkdir()
    Image.new("RGB", (9, 9)).save(root / "test" / "dog" / "0.png")
    assert found(ImageFolder(), root) == [
        ("problem", "train/ant", "this class folder holds no pictures"),
        ("problem", "test", "test has a class 'bird' that train lacks"),
        ("problem", "train/cat/0.png", "an empty file"),
        ("problem", "train/dog/4.png", "not a picture that can be read"),
        ("problem", str(root), "pictures of 2 sizes, from 5x4 to 9x9 (height x width)"),
        ("note", "train/dog/link.png", "not a picture file: left out"),
        ("note", "train/dog/notes.txt", "not a picture file: left out"),
    ]


def test_idx_files_are_checked_to_the_last(tmp_path):
    files = write_idx(tmp_path)
    files[STEMS[0]].write_bytes(b"")
    files[STEMS[3]].unlink()
    assert found(Idx(), tmp_path) == [
        ("problem", files[STEMS[0]].name, "0 bytes: too short for an idx header"),
        ("problem", str(tmp_path), "there is no t10k-labels-idx1-ubyte, gzipped or not"),
    ]


def test_a_file_name_may_hold_anything(tmp_path, cvbench):
    root = write_folder(tmp_path / "data")
    (root / "train" / "cat" / os.fsdecode(b"\xff\n\x1b[red].png")).write_bytes(b"x")
    said = cvbench("check-data", root, PYTHONIOENCODING="utf-8:strict")
    assert said.code == 2
    assert r"\udcff\n\x1b[red].png: not a picture that can be read" in said.out
    assert "1 problem" in said.out


def test_what_no_task_can_use_is_a_problem(tmp_path, cvbench):
    root = write_yolo(tmp_path)
    for labels in (root / "labels" / "train").iterdir():
        labels.write_text("")
    said = cvbench("check-data", root)
    assert said.code == 2
    assert "detection cannot use it: " in said.out
    assert "classes 'cat', 'dog' have no training object" in said.out


def test_what_most_tasks_cannot_use_is_a_problem_though_one_can(tmp_path, cvbench):
    for split in ("train", "test"):
        folder = tmp_path / "data" / split / "cat"
        folder.mkdir(parents=True)
        for k in range(3):
            Image.fromarray(np.full((4, 4), 9 * k + (split == "test"), np.uint8)).save(folder / f"{k}.png")
    said = cvbench("check-data", tmp_path / "data")
    assert said.code == 2
    assert "classification cannot use it: all training pictures are of one class ('cat')" in said.out


def test_a_path_that_is_no_folder_is_one_line(tmp_path, cvbench):
    (tmp_path / "data.tar").write_bytes(b"x")
    one_line_refusal(cvbench("check-data", tmp_path / "data.tar"), "data.tar: is a file, not a folder", "unpack it")
    (tmp_path / "data.json").write_text("{}")
    with pytest.raises(DataError, match=r"is a file, not a folder. name the folder that it is in"):
        recognise(tmp_path / "data.json")
    said = cvbench("check-data", tmp_path / "nowhere", "--reader", "image-folder")
    assert (said.code, said.err) == (2, "")
    assert "nowhere: there is no such folder" in said.out


def findings_of(root):
    return [(finding.level, finding.what) for finding in looked_at(ImageFolder(), root, "root")[0]]


def test_leaks_are_told_with_a_few_names_and_plain_copies_are_a_note(tmp_path):
    root = write_folder(tmp_path / "data")
    for k in range(5):
        shutil.copy(root / "train" / "cat" / f"{k}.png", root / "test" / "cat" / f"leak{k}.png")
    shutil.copy(root / "train" / "dog" / "0.png", root / "train" / "dog" / "again.png")
    (leak, leaked), (note, copied) = findings_of(root)
    assert (leak, note) == ("problem", "note")
    assert leaked == (
        "5 test pictures are also in train: test/cat/leak0.png = train/cat/0.png, test/cat/leak1.png = "
        "train/cat/1.png, test/cat/leak2.png = train/cat/2.png and 2 more"
    )
    assert copied == "1 picture is there once more in the same class: train/dog/again.png"


def test_copies_that_a_seed_would_draw_apart_are_a_leak(tmp_path):
    root = write_folder(tmp_path / "data", splits=False)
    for k in range(5):
        shutil.copy(root / "cat" / f"{k}.png", root / "cat" / f"copy{k}.png")
    halves = ImageFolder(ImageFolderOptions(test_fraction=0.5))
    splits = halves.open(root)
    shared = set(splits.train.item_hashes()) & set(splits.test.item_hashes())
    assert shared
    are = "picture is" if len(shared) == 1 else "pictures are"
    assert looked_at(halves, root, "root")[0][0].what.startswith(f"{len(shared)} test {are} also in train: cat/")


def test_what_is_converted_or_left_out_is_a_note_with_a_count(tmp_path):
    root = write_folder(tmp_path / "data")
    cat = root / "train" / "cat"
    rng = np.random.default_rng(1)
    for k in range(2):
        Image.fromarray(rng.integers(0, 256, (5, 4, 4), np.uint8)).save(cat / f"clear{k}.png")
    Image.fromarray(rng.integers(0, 65536, (5, 4)).astype(np.uint16)).save(cat / "deep.png")
    Image.fromarray(rng.integers(0, 256, (5, 4), np.uint8)).save(cat / "grey.png")
    Image.fromarray(rng.integers(0, 256, (5, 4, 4), np.uint8), "CMYK").save(root / "test" / "dog" / "print.tif")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8)).save(root / "test" / "dog" / "turned.png", exif=exif)
    frames = [Image.fromarray(rng.integers(0, 256, (5, 4), np.uint8)) for _ in range(2)]
    frames[0].save(root / "test" / "dog" / "moves.gif", save_all=True, append_images=frames[1:])
    (cat / "more").mkdir()
    shutil.copy(cat / "0.png", cat / "more" / "0.png")
    shutil.copy(cat / "0.png", root / "loose.png")
    (root / ".hidden").mkdir()
    shutil.copy(cat / "0.png", root / ".hidden" / "0.png")
    assert found(ImageFolder(), root) == [
        ("note", str(root), "2 pictures with transparency: put on white"),
        ("note", str(root), "1 picture of 16 bits per channel: scaled down to 8"),
        ("note", str(root), "1 picture of several frames: the first is taken"),
        ("note", str(root), "1 picture in CMYK: converted to RGB"),
        ("note", str(root), "1 picture turned as EXIF says"),
        ("note", "train", "2 of 14 pictures are grey among RGB ones: made RGB"),
        ("note", str(root), "1 picture left out, for this is no class folder: loose.png"),
        ("note", "train/cat/more", "1 picture left out, for this is no class folder: 0.png"),
    ]


def test_beside_a_broken_file_the_others_are_counted_and_compared(tmp_path, cvbench):
    root = write_folder(tmp_path / "data")
    (root / "train" / "cat" / "4.png").write_bytes(b"plain text")
    shutil.copy(root / "train" / "dog" / "0.png", root / "test" / "dog" / "leak.png")
    said = cvbench("check-data", root)
    assert said.code == 2
    assert "cat          4       5" in said.out
    assert "4.png: not a picture that can be read" in said.out
    assert "1 test picture is also in train: test/dog/leak.png = train/dog/0.png" in said.out
    assert "2 problems" in said.out


def test_a_readers_name_is_checked_where_the_reader_keeps_it(tmp_path, cvbench):
    said = cvbench("check-data", "digits")
    assert said.code == 0
    assert "8×8 grey pictures of 10 classes" in said.out
    assert "nothing wrong" in said.out
    assert "needs a folder. name it: root: in a suite, or cvbench check-data FOLDER" in cvbench("check-data", "voc").out
    one_line_refusal(cvbench("check-data", "digit", cwd=tmp_path), "no such folder", "did you mean 'digits'", "yolo)")


def test_copies_in_arrays_are_told_by_their_places():
    spec = DatasetSpec("tiny", AnnotationKind.LABEL, ("a", "b"), 1, 1, 1)
    train = LabelledImages(spec, np.array([1, 2, 2], np.uint8).reshape(3, 1, 1, 1), np.array([0, 1, 1]))
    test = LabelledImages(spec, np.array([7, 1], np.uint8).reshape(2, 1, 1, 1), np.array([0, 0]))
    said = [finding.what for finding in repeats(items_of(Splits(train, test)), "tiny")]
    assert said == [
        "1 test picture is also in train: test[1] = train[0]",
        "1 picture is there once more in the same class: train[2]",
    ]
