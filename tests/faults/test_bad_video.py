"""Bad video: what is cut short, and what `check-data` says of it: all that is wrong, each with its file and line."""

import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from cvbench.cli.data import clip_facts, clip_lines, looked_at
from cvbench.clips import FrameFiles
from cvbench.errors import DataError
from cvbench.plugins import make_plugin
from cvbench.readers import open_dataset
from cvbench.readers.pictures import decode
from tests.harness.test_video_readers import LENGTH, film, frames, mot, problems, text, vot

BOX = "2,3,10,8"
ROW = "1,1,3,4,10,8,1,1,1"


def told(reader, root, **options):
    """Level, place and words of all that is found."""
    found = looked_at(make_plugin("readers", reader, options), root, "set")[0]
    return [(one.level, one.where.removeprefix(f"{root}/"), one.what) for one in found]


def jpeg(file, *, progressive=False, preview=False):
    """A JPEG with something to see, and perhaps a preview, a whole JPEG, in its header."""
    rng = np.random.default_rng(1)
    pixels = cv2.GaussianBlur(rng.integers(0, 255, (24, 32, 3), np.uint8), (0, 0), 1)
    Image.fromarray(pixels).save(file, quality=90, progressive=progressive)
    if preview:
        inner = b"\xff\xd8\xff\xd9"
        whole = file.read_bytes()
        file.write_bytes(whole[:2] + b"\xff\xe1" + (2 + len(inner)).to_bytes(2, "big") + inner + whole[2:])
    return file.read_bytes()


# ------------------------------------------------------------------------------------ pictures


@pytest.mark.parametrize("form", [{}, {"progressive": True}, {"preview": True}])
@pytest.mark.parametrize("lost", [2, 40, 300])
def test_a_jpeg_that_is_cut_short_is_refused_by_its_name(form, lost, tmp_path, capfd):
    file = tmp_path / "000003.jpg"
    whole = jpeg(file, **form)
    file.write_bytes(whole[:-lost])
    with pytest.raises(DataError, match=r"000003\.jpg: not a picture that can be read: the JPEG is cut short"):
        FrameFiles((file,), 3)[0]
    with pytest.raises(DataError, match=r"000003\.jpg: damaged or cut short"):  # pictures of all other readers
        decode(file, None, None)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("after", [b"\0" * 100, b"\xff\xd8 a film \xff", b"\n"])
def test_what_follows_the_end_of_a_jpeg_does_not_matter(after, tmp_path):
    file = tmp_path / "a.jpg"
    whole = jpeg(file)
    before = FrameFiles((file,), 3)[0]
    file.write_bytes(whole + after)
    assert np.array_equal(FrameFiles((file,), 3)[0], before)
    file.write_bytes(whole[:-2] + b"\0" * 5000)  # without its end, with all of its pixels
    assert np.array_equal(FrameFiles((file,), 3)[0], before)
    assert decode(file, None, None).shape == (24, 32, 3)


def test_every_frame_that_is_cut_short_or_of_another_size_is_told_by_its_file(tmp_path):
    for name in "ab":
        vot(tmp_path, name)
    folder = tmp_path / "a" / "color"
    for number in (2, 4):
        (folder / f"{number:08d}.png").unlink()
        (folder / f"{number:08d}.jpg").write_bytes(jpeg(tmp_path / "whole.jpg")[:-300])
    cv2.imwrite(str(folder / "00000006.png"), np.zeros((8, 9, 3), np.uint8))
    lacks = "not a picture that can be read: the JPEG is cut short"
    for options in ({}, {"halves": True}):
        assert told("vot", tmp_path, **options) == [
            ("problem", "a/color/00000002.jpg", lacks),
            ("problem", "a/color/00000004.jpg", lacks),
            ("problem", "a/color/00000006.png", "is 8×9, the first frame is 24×32"),
        ]


# -------------------------------------------------------------------------- all in one list


def test_all_faults_of_a_ground_truth_are_told_and_its_frames_are_looked_at(tmp_path):
    vot(tmp_path, "a", ["two", BOX, "nan,3,10,8", "2,3,10", "2,3,12,3,12,11", BOX, BOX])  # a line too many
    cv2.imwrite(str(tmp_path / "a" / "color" / "00000006.png"), np.zeros((8, 9, 3), np.uint8))
    vot(tmp_path, "b")
    assert [(where, what.partition(":")[0]) for _, where, what in told("vot", tmp_path)] == [
        ("a/groundtruth.txt:1", "'two' are not numbers"),
        ("a/groundtruth.txt:3", "NaN beside other numbers"),
        ("a/groundtruth.txt:4", "3 numbers"),
        ("a/groundtruth.txt:5", "6 numbers, a polygon"),
        ("a/groundtruth.txt", "7 lines for 6 frames"),
        ("a/color/00000006.png", "is 8×9, the first frame is 24×32"),
        ("a/groundtruth.txt", "1 polygon of 3 points"),
    ]


def test_all_faults_of_a_mot_text_are_told(tmp_path):
    rows = [ROW, ROW, "2,1.5,3,4,10,8,1,1,1", "2,1,x", "0,1,3,4,10,8,1,1,1", "3,2,3,4,10,8,1,1", "9,1,3,4,10,8,1,1,1"]
    mot(tmp_path, "a", [*rows, ROW])
    mot(tmp_path, "b", [ROW])
    text(tmp_path / "a" / "seqinfo.ini", "[Sequence]", "seqLength=7", "imWidth=33")
    assert [(where, what.partition(":")[0]) for _, where, what in told("motchallenge", tmp_path)] == [
        ("a/seqinfo.ini", "seqLength is 7, there are 6 pictures"),
        ("a/seqinfo.ini", "imWidth is 33, 000001.png is 32 pixels wide"),
        ("a/gt/gt.txt:4", "'2,1,x' are not numbers"),
        ("a/gt/gt.txt:6", "8 columns; frame, id, left, top, width and height are needed, and as many in every line"),
        ("a/gt/gt.txt:3", "id 1.5"),
        ("a/gt/gt.txt:5", "frame 0"),
        ("a/gt/gt.txt:1", "the id 1 is twice in frame 1"),
        ("a/gt/gt.txt:1", "the id 1 is twice in frame 1"),
        ("a/gt/gt.txt", "reaches frame 9, the last picture is 000006.png"),
    ]


def test_of_a_text_with_many_faults_a_few_are_told_and_how_many_more_there_are(tmp_path):
    mot(tmp_path, "a", [ROW, *(f"1,{k}.5,3,4,10,8,1,1,1" for k in range(30))])
    mot(tmp_path, "b", [ROW])
    found = told("motchallenge", tmp_path)
    assert len(found) == 11
    assert found[9][1:] == ("a/gt/gt.txt:11", "id 9.5: an id is a whole number and not negative")
    assert found[10] == ("problem", "a/gt/gt.txt", "and 20 more of this file")


def test_numbers_that_are_whole_are_read_however_they_are_written(tmp_path):
    for name in "ab":
        mot(tmp_path, name, ["1.00e+00,1.0,3,4,10,8,1,1,1", "2,0,3,4,10,8,1,1,1"])
    assert open_dataset("motchallenge", "", tmp_path, {}, 0.0).train.clips[0].tracks.ids.tolist() == [1, 0]


@pytest.mark.parametrize("lines", [["two"] * LENGTH, [""]])
def test_beside_a_broken_sequence_it_is_not_told_that_one_cannot_be_split(lines, tmp_path):
    vot(tmp_path, "a", lines)
    vot(tmp_path, "b")
    assert not any("split" in problem for problem in problems("vot", tmp_path))
    assert problems("vot", tmp_path)


def test_beside_a_broken_video_it_is_not_told_that_one_cannot_be_split(tmp_path):
    film(tmp_path / "b.avi")
    (tmp_path / "a.avi").write_bytes(b"RIFF")
    for name in "ab":
        text(tmp_path / f"{name}.txt", *[BOX] * LENGTH)
    assert problems("video-file", tmp_path) == [f"{tmp_path / 'a.avi'} no frame can be read from this video"]
    (tmp_path / "b.avi").unlink()
    assert problems("video-file", tmp_path) == [f"{tmp_path / 'a.avi'} no frame can be read from this video"]
    (tmp_path / "a.avi").unlink()
    film(tmp_path / "b.avi")
    (tmp_path / "a.txt").unlink()
    assert ["cannot be split" in problem for problem in problems("video-file", tmp_path)] == [True]


def test_a_name_that_is_no_sequences_is_told_beside_another_fault(tmp_path):
    vot(tmp_path, "a", ["two"] * LENGTH)
    vot(tmp_path, "b")
    words = [what for _, _, what in told("vot", tmp_path, train=["zz"])]
    assert "no sequence 'zz'" in words
    assert any("two" in what for what in words)


def test_lines_for_a_part_of_otbs_sequence_that_is_not_there_are_a_problem(tmp_path):
    """Of ``David`` OTB scores frames 300 to 770."""
    frames(tmp_path / "David" / "img")
    text(tmp_path / "David" / "groundtruth_rect.txt", *[BOX] * (LENGTH - 1))
    assert f"{LENGTH - 1} lines for {LENGTH} frames" in [what for _, _, what in told("otb", tmp_path)]


# ------------------------------------------------------------------------- what is there, for whom


def test_what_no_task_can_use_for_different_reasons_is_a_problem(tmp_path):
    for name in "ab":
        mot(tmp_path, name, [ROW, "1,2,4,4,10,8,1,1,1"])
    shutil.rmtree(tmp_path / "b" / "img1")
    frames(tmp_path / "b" / "img1", LENGTH, digits=6, size=(48, 48))
    problems_told = [what for level, _, what in told("motchallenge", tmp_path) if level == "problem"]
    assert sorted(what.split(" cannot use it")[0] for what in problems_told) == ["sot", "tracking"]


def test_sequences_of_unequal_size_are_not_for_a_detector(tmp_path):
    vot(tmp_path, "a")
    frames(tmp_path / "b" / "color", size=(48, 48))
    text(tmp_path / "b" / "groundtruth.txt", *[BOX] * LENGTH)
    needs = "a detector needs clips of one size: set the reader's option size"
    assert [(level, words) for level, _, words in told("vot", tmp_path)] == [
        ("note", f"for sot; not for yolo_csrt of sot: {needs}"),
        ("note", f"for sot; not for tracking: {needs}"),
    ]
    assert [words for _, _, words in told("vot", tmp_path, size=[24, 32])] == ["for sot, tracking"]


def test_the_sequences_of_each_split_are_named_with_what_they_hold(tmp_path, cvbench):
    for name in ("a1", "a2", "a3", "a4"):
        mot(tmp_path / "train", name, [ROW, "2,7,3,4,10,8,1,1,1"], count=LENGTH + int(name[1]))
    mot(tmp_path / "test", "b", [ROW, "2,1,3,4,10,8,1,1,1"])
    items = make_plugin("readers", "motchallenge", {}).inspect(tmp_path)[1]
    assert list(clip_lines(clip_facts(items))) == [
        "train: a1 (7 frames, 2 tracks), a2 (8 frames, 2 tracks), a3 (9 frames, 2 tracks) and 1 more; 7 to 10 frames",
        "test: b (6 frames, 1 track)",
    ]
    said = cvbench("check-data", tmp_path)
    assert "frames           34       6" in said.out
    assert "tracks            8       1" in said.out
    assert f"{tmp_path}: for sot, tracking" in said.out
