"""Clips drawn for people and written in the formats of tracking."""

import json
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from cvbench.cli import main
from cvbench.clip_drawing import clip_sheet, drawn_frame, write_clip
from cvbench.clips import Clip, Clips, Tracks
from cvbench.colours import colour
from cvbench.conformance import tiny_clips
from cvbench.contracts import silent
from cvbench.errors import UserError
from cvbench.formats import Format
from cvbench.readers import open_dataset
from cvbench.writers import write_set


def crowded() -> Clips:
    """Two clips with two objects each, one absent at first, hidden or ignored at times, of class 1."""
    clips = tiny_clips(24, 32, 1, count=2)
    spec = replace(clips.spec, classes=("cat", "dog"))
    tracks = Tracks.of(
        np.array([0, 1, 2, 3, 5]),
        np.array([1, 1, 1, 2, 2]),
        np.array([[2, 3, 10, 11], [3.25, 3, 11, 11], [4, 3, 12, 11], [-4, 5, 6, 15.5], [0, 5, 10, 15]]),
        labels=np.array([0, 0, 0, 1, 1]),
        visibility=np.array([1, 0.25, 1, 0.6, 1]),
        ignored=np.array([0, 0, 1, 0, 0]),
    )
    return Clips(spec, tuple(replace(clip, tracks=tracks) for clip in clips.clips))


def test_mot_is_read_back_as_it_was(tmp_path):
    data = crowded()
    write_set(data, tmp_path / "made", format=Format.mot, about={}, progress=silent)
    read = open_dataset("motchallenge", "", tmp_path / "made", {"train": ["tiny-0"], "channels": 1}, 0.0)
    assert read.train.spec.classes == data.spec.classes
    for clip, written in zip((*read.train.clips, *read.test.clips), data.clips, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(clip.frames, written.frames, strict=True))
        for part in ("frames", "ids", "labels", "ignored"):
            assert np.array_equal(getattr(clip.tracks, part), getattr(written.tracks, part)), part
        assert np.allclose(clip.tracks.boxes, written.tracks.boxes, atol=1e-3)
        assert np.allclose(clip.tracks.visibility, written.tracks.visibility, atol=1e-3)
    assert (tmp_path / "made" / "contact-sheet.png").is_file()


def test_a_clip_that_is_there_twice_is_written_twice(tmp_path):
    data = crowded()
    write_set(data.select([0, 1, 0]), tmp_path / "mot", format=Format.mot, about={}, progress=silent)
    names = [clip.name for clip in data.clips]
    assert {folder.name for folder in (tmp_path / "mot").iterdir() if folder.is_dir()} == {*names, f"{names[0]}-2"}


def test_otb_holds_one_object_and_marks_absence(tmp_path):
    clips = tiny_clips(24, 32, 1, count=2)
    kept = clips.clips[0].tracks
    gone = Tracks.of(kept.frames[[0, 1, 4]], kept.ids[[0, 1, 4]], kept.boxes[[0, 1, 4]])
    clips = replace(clips, clips=(replace(clips.clips[0], tracks=gone), clips.clips[1]))
    write_set(clips, tmp_path / "made", format=Format.otb, about={}, progress=silent)
    read = open_dataset("otb", "", tmp_path / "made", {"train": ["tiny-0"], "channels": 1}, 0.0).train.clips[0]
    assert read.tracks.frames.tolist() == [0, 1, 4]
    assert np.allclose(read.tracks.boxes, gone.boxes)
    with pytest.raises(UserError, match="has 2 objects, OTB holds one"):
        write_set(crowded(), tmp_path / "other", format=Format.otb, about={}, progress=silent)
    assert not (tmp_path / "other").exists()


def test_coco_video_names_videos_frames_and_instances(tmp_path):
    write_set(crowded(), tmp_path / "made", format=Format.coco_video, about={}, progress=silent)
    content = json.loads((tmp_path / "made" / "annotations.json").read_text())
    assert [video["name"] for video in content["videos"]] == ["tiny-0", "tiny-1"]
    assert len(content["images"]) == 12
    last = content["annotations"][-1]
    image = next(one for one in content["images"] if one["id"] == last["image_id"])
    assert (image["video_id"], image["frame_id"]) == (last["video_id"], 5) == (2, 5)
    assert (last["instance_id"], last["category_id"], last["bbox"]) == (2, 2, [0, 5, 10, 10])
    assert (tmp_path / "made" / image["file_name"]).is_file()
    assert [one["iscrowd"] for one in content["annotations"][:5]] == [0, 0, 1, 0, 0]


def test_a_drawn_frame_has_boxes_in_their_ids_colours():
    clip = crowded().clips[0]
    dark = np.zeros((24, 32, 1), np.uint8)
    picture = drawn_frame(dark, clip.tracks, 0, ("cat", "dog"))
    assert picture.shape == (288, 384, 3)
    assert tuple(picture[11 * 12 - 1, 2 * 12]) == colour(1)
    assert not (picture[200:250, 200:] > 0).any()
    ignored = drawn_frame(dark, clip.tracks, 2, ("cat", "dog"))
    assert tuple(ignored[11 * 12 - 1, 4 * 12]) == (128, 128, 128)
    assert drawn_frame(dark, clip.tracks, 4, ("cat", "dog")).shape == picture.shape  # nobody is there


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".gif"])
def test_a_film_has_every_frame(tmp_path, ending):
    clip, file = tiny_clips(24, 32, 3).clips[0], tmp_path / f"film{ending}"
    write_clip(clip, ("box",), file, rate=20)
    if ending == ".gif":
        with Image.open(file) as film:
            assert film.n_frames == 6
    else:
        film = cv2.VideoCapture(str(file))
        count = 0
        while film.read()[0]:
            count += 1
        assert count == 6
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_what_cannot_be_a_film_is_one_line_and_leaves_nothing(tmp_path):
    clip = tiny_clips(8, 8, 1).clips[0]
    with pytest.raises(UserError, match=r"cannot write \.mov"):
        write_clip(clip, ("box",), tmp_path / "film.mov", rate=20)
    long = Clip("long", np.zeros((301, 8, 8, 1), np.uint8), Tracks.of([], [], []))
    with pytest.raises(UserError, match="too many for a GIF"):
        write_clip(long, ("box",), tmp_path / "film.gif", rate=20)
    assert not list(tmp_path.iterdir())


def test_a_sheet_has_a_row_per_clip_and_real_ones_first():
    clips = tiny_clips(24, 32, 1, count=2)
    assert clip_sheet(clips).size == (6 * 256, 2 * 192)
    assert clip_sheet(clips, above=clips).height == 3 * 192


def cvbench(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["cvbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


def test_show_clip_of_data_and_what_has_none(tmp_path, monkeypatch, capsys):
    options = ("train=1", "test=2", "length=4", "size=[48,48]")
    quick = [part for option in options for part in ("--data-option", option)]
    assert cvbench(monkeypatch, "show", "clip", "moving-digits", "--out", tmp_path, "--count", 2, *quick) == 0
    names = [f"moving_digits_test-test_00{number}.mp4" for number in range(2)]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    capsys.readouterr()
    assert cvbench(monkeypatch, "show", "clip", "digits", "--out", tmp_path / "none") == 2
    assert capsys.readouterr().err == "cvbench: digits: is annotated with label, it has no clips\n"
    assert not (tmp_path / "none").exists()
