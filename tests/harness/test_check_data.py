"""``cvbench check-data``: what is there, and everything that is wrong with it."""

import json
import os

import numpy as np
from PIL import Image

from cvbench.readers.idx import Idx
from cvbench.readers.image_folder import ImageFolder
from tests.conftest import one_line_refusal
from tests.faults.test_bad_data import STEMS, write_folder, write_idx


def found(reader, root):
    return [(finding.level, finding.where.removeprefix(f"{root}/"), finding.what) for finding in reader.check(root)]


def test_it_tells_what_is_there(tmp_path, cvbench):
    root = write_folder(tmp_path / "data")
    (root / "test" / "cat" / "0.png").write_bytes((root / "train" / "dog" / "0.png").read_bytes())
    (root / "train" / "cat" / "1.png").write_bytes((root / "train" / "dog" / "1.png").read_bytes())
    said = cvbench("check-data", root)
    assert said.code == 0
    assert "5×4 RGB pictures of 2 classes" in said.out
    assert "1 distinct test pictures are also training pictures" in said.out
    assert "1 training pictures are there under different classes" in said.out
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
    for split in ("train", "test"):
        folder = tmp_path / "data" / split / "cat"
        folder.mkdir(parents=True)
        for k in range(3):
            Image.fromarray(np.full((4, 4), 9 * k, np.uint8)).save(folder / f"{k}.png")
    said = cvbench("check-data", tmp_path / "data")
    assert said.code == 2
    assert "classification cannot use it: all training pictures are of one class ('cat')" in said.out


def test_a_path_that_is_no_folder_is_one_line(tmp_path, cvbench):
    (tmp_path / "data.tar").write_bytes(b"x")
    one_line_refusal(cvbench("check-data", tmp_path / "data.tar"), "data.tar: is a file, not a folder", "unpack it")
    said = cvbench("check-data", tmp_path / "nowhere", "--reader", "image-folder")
    assert (said.code, said.err) == (2, "")
    assert "nowhere: there is no such folder" in said.out
