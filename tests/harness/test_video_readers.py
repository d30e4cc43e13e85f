"""Readers of video: what each format means, how sequences are split, and one clear line for what is broken."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from cvbench.cli.data import looked_at
from cvbench.contracts import Splits
from cvbench.errors import DataError
from cvbench.plugins import make_plugin
from cvbench.readers import open_dataset, recognise
from cvbench.readers.findings import Findings
from cvbench.readers.mot_rows import read_result, read_truth

HEIGHT, WIDTH, LENGTH = 24, 32, 6
REAL = Path(os.environ.get("CVBENCH_DATA", ""))


def frames(folder, count=LENGTH, digits=8, size=(HEIGHT, WIDTH), first=1):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(folder.parts) + len(folder.name))
    for number in range(first, first + count):
        cv2.imwrite(str(folder / f"{number:0{digits}d}.png"), rng.integers(0, 255, (*size, 3), np.uint8))


def text(file, *lines):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))


def opened(reader, root, **options) -> Splits:
    return open_dataset(reader, "", root, options, 0.0)


def problems(reader, root, **options):
    return [
        f"{finding.where} {finding.what}"
        for finding in make_plugin("readers", reader, options).inspect(root)[0]
        if finding.level == "problem"
    ]


def vot(root, name, lines=None, count=LENGTH):
    frames(root / name / "color", count)
    text(root / name / "groundtruth.txt", *(lines or ["2,3,10,8"] * count))


def mot(root, name, lines, count=LENGTH):
    frames(root / name / "img1", count, digits=6)
    text(root / name / "gt" / "gt.txt", *lines)
    text(root / name / "seqinfo.ini", "[Sequence]", f"name={name}", "imDir=img1", f"seqLength={count}")


# ----------------------------------------------------------------------------------- one object


def test_vot_reads_boxes_polygons_and_absence(tmp_path):
    polygon = "2,3,12,3,12,11,2,11"
    vot(
        tmp_path,
        "a",
        [polygon, polygon.replace(",", "\t"), "NaN,NaN,NaN,NaN", "2 3;12 3;12 11;2 11", "1,1,9,1,1,7", "0"],
    )
    vot(tmp_path, "b", ["2,3,10,8", "0,0,0,0", "nan", "2\t3 10;8", "1,2,3,4", "2"])
    text(tmp_path / "a" / "occlusion.tag", *"001000")
    assert recognise(tmp_path) == "vot"
    clip = opened("vot", tmp_path, train=["a"]).train.clips[0]
    assert clip.tracks.frames.tolist() == [0, 1, 3, 4]
    assert clip.tracks.boxes.tolist() == [[2, 3, 12, 11], [2, 3, 12, 11], [2, 3, 12, 11], [1, 1, 9, 7]]
    assert clip.tracks.ids.tolist() == [1] * 4
    assert len(clip) == 6
    boxes = opened("vot", tmp_path, train=["a"]).test.clips[0].tracks
    assert (boxes.frames.tolist(), boxes.boxes[1].tolist()) == ([0, 3, 4], [2, 3, 12, 11])
    notes = [finding.what for finding in make_plugin("readers", "vot", {}).check(tmp_path)]
    assert "1 polygon of 3 points: the box around it stands" in notes
    assert any("occlusion" in note for note in notes)


def test_otb_counts_pixels_from_1_and_may_have_two_targets(tmp_path):
    frames(tmp_path / "Jogging" / "img", digits=4)
    text(tmp_path / "Jogging" / "groundtruth_rect.1.txt", *["3\t4\t10\t8"] * LENGTH)
    text(tmp_path / "Jogging" / "groundtruth_rect.2.txt", *["3,4,10,8"] * (LENGTH - 1), "NaN,NaN,NaN,NaN")
    assert recognise(tmp_path) == "otb"
    splits = opened("otb", tmp_path, train=["Jogging.1"])
    assert splits.train.clips[0].tracks.boxes[0].tolist() == [2, 3, 12, 11]
    assert [clip.name for clip in splits.test.clips] == ["Jogging.2"]
    assert len(splits.test.clips[0].tracks) == LENGTH - 1


def test_an_empty_ground_truth_is_a_problem_and_a_folder_without_one_is_noted(tmp_path):
    for name in "abcd":
        frames(tmp_path / name / "img", digits=4)
        text(tmp_path / name / "groundtruth_rect.txt", *["3,4,10,8"] * LENGTH)
    (tmp_path / "a" / "groundtruth_rect.txt").write_text("")
    (tmp_path / "b" / "groundtruth_rect.txt").unlink()
    text(tmp_path / "c" / "groundtruth_rect.1.txt")  # beside one that is not
    found = make_plugin("readers", "otb", {}).inspect(tmp_path)[0]
    told = [(finding.level, Path(finding.where).relative_to(tmp_path).as_posix(), finding.what) for finding in found]
    assert told == [
        ("problem", "a/groundtruth_rect.txt", "is empty"),
        ("note", "b", "holds frames, and no ground truth that is read: passed over"),
        ("note", "c/groundtruth_rect.1.txt", "is empty: passed over"),
    ]
    with pytest.raises(DataError, match=r"a/groundtruth_rect.txt: is empty"):
        opened("otb", tmp_path)


def test_otb_scores_the_known_part_of_david(tmp_path):
    frames(tmp_path / "Freeman3" / "img", digits=4, count=462, size=(8, 8))
    text(tmp_path / "Freeman3" / "groundtruth_rect.txt", *["1,1,4,4"] * 460)
    splits = opened("otb", tmp_path, halves=True)
    assert [len(part.clips[0]) for part in (splits.train, splits.test)] == [230, 230]
    assert splits.test.clips[0].frames.frames.files[-1].name == "0460.png"
    frames(tmp_path / "late/David" / "img", digits=4, count=310, size=(8, 8))
    text(tmp_path / "late/David" / "groundtruth_rect.txt", *["1,1,4,4"] * 11)  # from frame 300 on
    part = opened("otb", tmp_path / "late", halves=True).train.clips[0].frames
    assert (len(part), part.frames.files[part.start].name) == (5, "0300.png")


def test_got10k_tests_on_val_and_reads_absence_and_cover(tmp_path):
    for split, name in (("train", "GOT-10k_Train_000001"), ("val", "GOT-10k_Val_000001"), ("test", "GOT-10k_Test_1")):
        frames(tmp_path / split / name)
        text(tmp_path / split / name / "groundtruth.txt", *["2.5,3,10,8"] * (1 if split == "test" else LENGTH))
    own = tmp_path / "train" / "GOT-10k_Train_000001"
    text(own / "absence.label", *"000100")
    text(own / "cover.label", *"846088")
    assert recognise(tmp_path) == "got10k"
    splits = opened("got10k", tmp_path)
    tracks = splits.train.clips[0].tracks
    assert tracks.frames.tolist() == [0, 1, 2, 4, 5]
    assert tracks.visibility.tolist() == [1, 0.5, 0.75, 1, 1]
    assert [clip.name for clip in splits.test.clips] == ["GOT-10k_Val_000001"]
    assert any("withheld" in finding.what for finding in make_plugin("readers", "got10k", {}).check(tmp_path))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["2,3,10,8"] * 5, "5 lines for 6 frames"),
        (["2,3,10,8"] * 7, "7 lines for 6 frames"),
        (["NaN,NaN,NaN,NaN"] + ["2,3,10,8"] * 5, "absent from the first frame"),
        (["2,3,10,8", "2,3,10"] + ["2,3,10,8"] * 4, "groundtruth.txt:2: 3 numbers: a box has 4"),
        (["2,3,10,8", "nan,3,10,8"] + ["2,3,10,8"] * 4, "groundtruth.txt:2: NaN beside other numbers"),
        (["2,3,10,8", "2,3,inf,8"] + ["2,3,10,8"] * 4, "groundtruth.txt:2: infinite beside other numbers"),
        (["2,3,10,8", "2,3,12,3,12,11,2,11"] + ["2,3,10,8"] * 4, ":2: 8 numbers, a polygon: the other lines are boxes"),
        (["2,3,12,3,12,11", "2,3,10,8"] + ["2,3,12,3,12,11"] * 4, ":2: 4 numbers, a box: the other lines are polygons"),
        (["2,3,10,8", "two"] + ["2,3,10,8"] * 4, "'two' are not numbers"),
        (["2,3,10,8", "m0,0,2,2,4"] + ["2,3,10,8"] * 4, "is a mask"),
        (["2,3,10,8", ""] + ["2,3,10,8"] * 4, "groundtruth.txt:2: is empty"),
        ([""], "is empty"),
    ],
)
def test_a_broken_ground_truth_is_one_line(tmp_path, lines, words):
    vot(tmp_path, "a", lines)
    vot(tmp_path, "b")
    with pytest.raises(DataError, match=words) as raised:
        opened("vot", tmp_path)
    assert "\n" not in str(raised.value)
    assert any("a/groundtruth.txt" in problem for problem in problems("vot", tmp_path))


def test_frames_that_are_missing_broken_or_of_another_size(tmp_path):
    for name in ("gap", "none", "size", "torn", "fine"):
        vot(tmp_path, name)
    (tmp_path / "gap" / "color" / "00000003.png").unlink()
    for file in (tmp_path / "none" / "color").iterdir():
        file.unlink()
    cv2.imwrite(str(tmp_path / "size" / "color" / "00000004.png"), np.zeros((8, 9, 3), np.uint8))
    (tmp_path / "torn" / "color" / "00000002.png").write_bytes(b"no picture")
    found = " | ".join(problems("vot", tmp_path))  # all at once
    assert "frame 3 is missing: 00000002.png is followed by 00000004.png" in found
    assert "none/color no frames" in found
    assert "size/color/00000004.png is 8×9, the first frame is 24×32" in found
    assert "torn/color/00000002.png not a picture" in found
    with pytest.raises(DataError, match=r"is missing|no frames"):
        opened("vot", tmp_path)


# --------------------------------------------------------------------------------- many objects


MOT16 = [
    "1,1,3,4,10,8,1,1,0.5",  # a pedestrian
    "1,2,3,4,10,8,1,3,1",  # a car
    "1,3,3,4,10,8,0,1,1",  # a pedestrian that does not count
    "1,4,3,4,10,8,0,8,1",  # a distractor
    "4,1,-5,4,10,8,1,1,1",  # partly outside, after a gap
    "5,1,90,4,10,8,1,1,1",  # wholly outside
    "6,1,9,4,0,8,1,1,1",  # without area
]


def test_mot16_counts_pedestrians_and_ignores_distractors(tmp_path):
    mot(tmp_path, "MOT16-02", MOT16)
    mot(tmp_path, "MOT16-04", MOT16)
    assert recognise(tmp_path) == "motchallenge"
    tracks = opened("motchallenge", tmp_path).train.clips[0].tracks
    assert list(zip(tracks.frames.tolist(), tracks.ids.tolist(), strict=True)) == [(0, 1), (0, 4), (3, 1)]
    assert tracks.ignored.tolist() == [False, True, False]
    assert tracks.boxes[0].tolist() == [2, 3, 12, 11]
    assert tracks.visibility.tolist() == [0.5, 1, 1]
    notes = " | ".join(finding.what for finding in make_plugin("readers", "motchallenge", {}).check(tmp_path))
    assert "1 box of no area" in notes
    assert "1 box outside the picture" in notes
    assert "left out: 1 row with flag 0, 1 row of class 3; counted: class 1" in notes


def test_many_objects_are_for_tracking_alone_and_that_is_no_problem(tmp_path):
    for name in ("a", "b"):
        mot(tmp_path, name, [f"{frame},{one},3,4,10,8,1,1,1" for frame in (1, 2) for one in (1, 2)])
    cv2.imwrite(str(tmp_path / "b" / "img1" / "000001.png"), np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    found = looked_at(make_plugin("readers", "motchallenge", {}), tmp_path, "set")[0]
    said = "for tracking; not for sot: has 2 objects, a sequence to test on has one"
    assert [(finding.level, finding.what) for finding in found] == [("note", said)]


def test_vehicles_without_a_motor_are_distractors_in_mot20_alone(tmp_path):
    rows = ["1,1,3,4,10,8,1,1,1", "1,2,20,4,10,8,0,6,1"]
    for name in ("MOT20-01", "MOT20-02", "MOT17-02", "MOT17-04"):
        mot(tmp_path / name[:5], name, rows)
    ignored = {
        n: opened("motchallenge", tmp_path / n).train.clips[0].tracks.ignored.tolist() for n in ("MOT20", "MOT17")
    }
    assert ignored == {"MOT20": [False, True], "MOT17": [False]}


@pytest.mark.parametrize("endings", [("-DPM", "-SDP"), ("-DPM", "-FRCNN", "-SDP")])
def test_a_video_of_mot17_is_read_once(endings, tmp_path):
    for number in ("02", "04", "05"):
        for ending in endings:
            mot(tmp_path, f"MOT17-{number}{ending}", MOT16)
    splits = opened("motchallenge", tmp_path)
    read = "-FRCNN" if "-FRCNN" in endings else "-SDP"
    names = [clip.name for split in (splits.train, splits.test) for clip in split.clips]
    assert sorted(names) == [f"MOT17-{number}{read}" for number in ("02", "04", "05")]


def test_mot15_leaves_out_what_does_not_count(tmp_path):
    text(tmp_path / "gt.txt", "1,1,3,4,10,8,1,-1,-1,-1", "1,2,3,4,10,8,0,-1,-1,-1")
    assert read_truth(tmp_path / "gt.txt").ids.tolist() == [1]
    assert read_result(tmp_path / "gt.txt").ids.tolist() == [1, 2]
    text(tmp_path / "det.txt", "1,-1,3,4,10,8,0.9,-1,-1,-1", "1,-1,5,4,10,8,0.8,-1,-1,-1")
    with pytest.raises(DataError, match="detections, not tracks"):
        read_result(tmp_path / "det.txt")


def test_cvats_labels_are_classes(tmp_path):
    for name in ("a", "b"):
        mot(tmp_path, name, ["1,1,3,4,10,8,1,2,1", "2,1,3,4,10,8,0,1,1"])
        text(tmp_path / name / "gt" / "labels.txt", "cat", "dog")
    data = opened("motchallenge", tmp_path).train
    assert data.spec.classes == ("cat", "dog")
    assert data.clips[0].tracks.labels.tolist() == [1, 0]
    assert data.clips[0].tracks.ignored.tolist() == [False, True]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["1,1,3,4,10,8,1,1,1", "1,1,5,4,10,8,1,1,1"], r"gt\.txt:1: the id 1 is twice in frame 1"),
        (["9,1,3,4,10,8,1,1,1"], "reaches frame 9, the last picture is 000006.png"),
        (["0,1,3,4,10,8,1,1,1"], "frames count from 1"),
        (["1,1,3,4,10,8,1,1,1", "3.7,1,3,4,10,8,1,1,1"], r"gt\.txt:2: frame 3\.7: frames count from 1, in whole"),
        (["1,1,3,4,10,8,1,1,1", "1,1.5,3,4,10,8,1,1,1"], r"gt\.txt:2: id 1\.5: an id is a whole number"),
        (["1,0,3,4,10,8,1,1,1", "1,-1,3,4,10,8,1,1,1"], r"gt\.txt:2: id -1: an id is a whole number and not negative"),
        (["1,-1,3,4,10,8,1,1,1", "2,-1,3,4,10,8,1,1,1"], r"gt\.txt: all ids are −1: these look like detections"),
        (["1,1,3", "1,1,3,4,10,8,1,1,1", "2,1,3,4,10,8,1,1,1"], r"gt\.txt:1: 3 columns"),
        (["1,1,3,4,nan,8,1,1,1"], "NaN or infinite"),
        (["1,1,3,4,10,8,1,1,1", "2,1,3"], r"gt\.txt:2: 3 columns"),
    ],
)
def test_a_broken_mot_text_is_one_line(tmp_path, lines, words):
    mot(tmp_path, "a", lines)
    mot(tmp_path, "b", MOT16)
    with pytest.raises(DataError, match=words):
        opened("motchallenge", tmp_path)
    assert len(problems("motchallenge", tmp_path)) >= 1


def test_seqinfo_is_held_against_the_pictures(tmp_path):
    mot(tmp_path, "a", MOT16)
    mot(tmp_path, "b", MOT16)
    text(tmp_path / "a" / "seqinfo.ini", "[Sequence]", "seqLength=9")
    with pytest.raises(DataError, match="seqLength is 9, there are 6 pictures"):
        opened("motchallenge", tmp_path)
    text(tmp_path / "a" / "seqinfo.ini", "[Sequence]", "imWidth=32", "imHeight=1080")
    with pytest.raises(DataError, match=r"a/seqinfo\.ini: imHeight is 1080, 000001\.png is 24 pixels high"):
        opened("motchallenge", tmp_path)
    text(tmp_path / "a" / "seqinfo.ini", "nonsense")
    with pytest.raises(DataError, match=r"no \[Sequence\]"):
        opened("motchallenge", tmp_path)


# ---------------------------------------------------------------------------------- video files


def film(file, count=LENGTH):
    video = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (WIDTH, HEIGHT))
    for number in range(count):
        video.write(np.full((HEIGHT, WIDTH, 3), 40 * number, np.uint8))
    video.release()


def test_a_video_with_a_text_of_either_kind(tmp_path):
    film(tmp_path / "one.avi")
    text(tmp_path / "one.txt", *["2,3,10,8"] * 4)
    assert recognise(tmp_path) == "video-file"
    splits = opened("video-file", tmp_path, halves=True, channels=1)
    assert [len(part.clips[0]) for part in (splits.train, splits.test)] == [2, 2]
    assert splits.test.clips[0].frames[1].shape == (HEIGHT, WIDTH, 1)
    assert abs(int(splits.test.clips[0].frames[1].mean()) - 120) < 3
    text(tmp_path / "one.txt", *MOT16[:2])
    assert opened("video-file", tmp_path, halves=True).train.spec.classes == ("pedestrian",)


def test_a_video_that_stops_early_or_has_no_frames(tmp_path, cvbench):
    film(tmp_path / "short.avi")
    text(tmp_path / "short.txt", *["2,3,10,8"] * 9)
    (tmp_path / "empty.avi").write_bytes(b"RIFF")
    text(tmp_path / "empty.txt", "2,3,10,8")
    found = " | ".join(problems("video-file", tmp_path))
    assert "reaches frame 9, short.avi stops at 6" in found
    assert "empty.avi no frame can be read" in found
    (tmp_path / "cut.mp4").write_bytes(b"\0\0\0\x14ftypisom\0\0\0\0isom")
    text(tmp_path / "cut.txt", "2,3,10,8")
    assert cvbench("check-data", tmp_path).err == ""  # nothing of FFmpeg's own


# ------------------------------------------------------------------------------- splits and size


def test_sequences_are_split_by_name_by_folder_or_by_a_seed(tmp_path):
    for name in "abcd":
        vot(tmp_path, name)

    def names(**options):
        splits = opened("vot", tmp_path, **options)
        return "".join(clip.name for clip in splits.train.clips), "".join(clip.name for clip in splits.test.clips)

    assert names(train=["c"]) == ("c", "abd")
    assert names(train=["c"], test=["a"]) == ("c", "a")
    assert names() == names()
    assert len({names(split_seed=seed) for seed in range(8)}) > 1
    with pytest.raises(DataError, match="no sequence 'x'"):
        names(test=["x"])
    with pytest.raises(DataError, match="in both"):
        names(test=["a"], train=["a"])
    with pytest.raises(DataError, match=r"cannot be split.*halves"):
        opened("vot", tmp_path / "a")


def test_size_brings_unequal_sequences_to_one(tmp_path):
    vot(tmp_path, "a")
    frames(tmp_path / "b" / "color", size=(48, 48))
    text(tmp_path / "b" / "groundtruth.txt", *["4,8,12,16"] * LENGTH)
    assert opened("vot", tmp_path).train.spec.height == 0
    splits = opened("vot", tmp_path, size=[24, 48], train=["a"])
    clip = splits.test.clips[0]
    assert next(iter(clip.frames)).shape == (24, 48, 3)
    assert clip.tracks.boxes[0].tolist() == [14, 4, 20, 12]  # half the size, 12 pixels to the right


# ------------------------------------------------------------------------------- moving digits


def test_moving_digits_are_the_same_again_and_split_by_glyph():
    quick = {"train": 2, "test": 2, "length": 8}
    first = open_dataset("moving-digits", "", None, quick, 0.0)
    assert open_dataset("moving-digits", "", None, quick, 0.0).train.fingerprint == first.train.fingerprint
    more = open_dataset("moving-digits", "", None, quick | {"train": 3}, 0.0)
    assert more.train.select([0, 1]).fingerprint == first.train.fingerprint
    assert open_dataset("moving-digits", "", None, quick | {"seed": 1}, 0.0).test.fingerprint != first.test.fingerprint
    ten = open_dataset("moving-digits", "", None, quick | {"classes": "ten"}, 0.0)
    assert len(ten.train.spec.classes) == 10
    assert np.array_equal(ten.train.clips[0].frames, first.train.clips[0].frames)


def test_one_moving_digit_is_in_every_frame_and_bright_in_its_box():
    data = open_dataset("moving-digits", "", None, {"objects": 1, "train": 6, "test": 1, "length": 20}, 0.0).train
    inner, outer = [], []
    for clip in data.clips:
        assert clip.tracks.frames.tolist() == list(range(20))
        for frame, box in zip(clip.frames, clip.tracks.boxes, strict=True):
            x1, y1, x2, y2 = box.astype(int).clip(0, 96)
            inner.append(frame[y1:y2, x1:x2].max())
            outer.append(np.median(frame))
    assert np.mean(inner) > np.mean(outer) + 80


def test_several_moving_digits_cross_enter_and_leave():
    data = open_dataset("moving-digits", "", None, {"train": 12, "test": 1}, 0.0).train
    tracks = [clip.tracks for clip in data.clips]
    assert max(len(set(own.ids.tolist())) for own in tracks) == 4
    assert min(own.visibility.min() for own in tracks) < 0.5
    spans = [np.flatnonzero(own.ids == one) for own in tracks for one in set(own.ids.tolist())]
    assert any(len(span) < 40 for span in spans)


# ------------------------------------------------------------------------------------ real data


@pytest.mark.real_data
def test_the_real_sequences_of_vot():
    if not os.environ.get("CVBENCH_DATA"):
        pytest.skip("needs CVBENCH_DATA")
    splits = opened("vot", REAL / "sot_vot", train=["vot2013_jump"])
    jump, car = splits.train.clips[0], splits.test.clips[0]
    assert (len(jump), len(car)) == (228, 252)
    assert jump.tracks.boxes[0].tolist() == [328, 189, 381, 239]
    assert car.tracks.boxes[0].tolist() == [6, 166, 49, 193]  # of a polygon
    assert jump.frames[227].shape == (360, 640, 3)


@pytest.mark.real_data
def test_the_real_ground_truth_of_mot():
    if not os.environ.get("CVBENCH_DATA"):
        pytest.skip("needs CVBENCH_DATA")
    for name, truth, result, people in (("TUD-Campus", 359, 222, 8), ("TUD-Stadtmitte", 1156, 749, 10)):
        folder = REAL / "mot_tud" / name
        found = read_truth(folder / "gt.txt", findings=Findings(strict=True))
        assert (len(found), len(set(found.ids.tolist()))) == (truth, people)
        assert len(read_result(folder / "test.txt")) == result
