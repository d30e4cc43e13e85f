"""Clips drawn for people and written in the formats of tracking."""

import json
import sys
from dataclasses import replace
from pathlib import Path

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
from cvbench.formats import Format, TrackFormat
from cvbench.plugins import load_task
from cvbench.readers import open_dataset
from cvbench.readers.letterbox import Letterbox
from cvbench.readers.videos import Letterboxed
from cvbench.track_results import result_texts
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


def test_the_frame_rate_is_the_sources_where_it_says_one(tmp_path, monkeypatch):
    def rate(folder):
        return next(line for line in (folder / "seqinfo.ini").read_text().splitlines() if "frameRate" in line)

    data = crowded()
    write_set(data, tmp_path / "made", format=Format.mot, about={}, progress=silent)
    assert rate(tmp_path / "made" / "tiny-0") == "frameRate=25"
    for folder, told in (("tiny-0", "frameRate=29.97"), ("tiny-1", "frameRate=fast")):
        file = tmp_path / "made" / folder / "seqinfo.ini"
        file.write_text(file.read_text().replace("frameRate=25", told))
    read = open_dataset("motchallenge", "", tmp_path / "made", {"train": ["tiny-0"], "channels": 1}, 0.0)
    assert [clip.fps for clip in (*read.train.clips, *read.test.clips)] == [29.97, None]
    write_set(data, tmp_path / "like", format=Format.mot, about={}, real=read.train, progress=silent)
    assert rate(tmp_path / "like" / "tiny-1") == "frameRate=29.97"
    assert data.with_fps(10).fingerprint == data.fingerprint
    assert cvbench(monkeypatch, "show", "clip", tmp_path / "like", "--out", tmp_path / "seen", "--format", "avi") == 0
    film = cv2.VideoCapture(str(next((tmp_path / "seen").glob("*.avi"))))
    assert abs(film.get(cv2.CAP_PROP_FPS) - 29.97) < 0.01
    film.release()


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


def test_a_result_is_in_the_files_own_pixels_and_holds_one_class():
    """A detector needs frames of one size, a benchmark the ones that it gave: what the reader scaled is scaled back."""
    data = crowded()
    fit = Letterbox(24, 32, (48, 96))
    scaled = [
        replace(
            clip,
            name=f"{clip.name}[0:6]",
            frames=Letterboxed(clip.frames, fit),
            tracks=replace(clip.tracks, boxes=fit.boxes(clip.tracks.boxes.astype(np.float64)).astype(np.float32)),
        )
        for clip in data.clips
    ]
    clips = Clips(replace(data.spec, height=48, width=96), tuple(scaled))
    texts = dict(result_texts(load_task("tracking"), [clip.tracks for clip in scaled], clips, "sort", TrackFormat.mot))
    names = ("tiny-0[0_6].txt", "tiny-1[0_6].txt")
    assert sorted(texts) == [Path(folder) / "data" / name for folder in ("sort-cat", "sort-dog") for name in names]
    assert texts[Path("sort-dog/data") / names[0]] == "4,2,-3,6,10,10.5,1,-1,-1,-1\n6,2,1,6,10,10,1,-1,-1,-1\n"


def test_the_truth_is_dashed_over_what_was_found():
    clip, dark = crowded().clips[0], np.zeros((24, 32, 1), np.uint8)
    nothing = Tracks.of([], [], [])
    alone = drawn_frame(dark, nothing, 0, ("cat", "dog"))
    missed = drawn_frame(dark, nothing, 0, ("cat", "dog"), truth=clip.tracks)
    edge = missed[3 * 12, 2 * 12 : 10 * 12]
    assert {tuple(pixel) for pixel in edge.tolist()} == {(0, 0, 0), (255, 255, 255)}
    assert (missed != alone)[-18:, 20:150].any()  # a legend says which is which
    ignored = drawn_frame(dark, nothing, 2, ("cat", "dog"), truth=clip.tracks)
    assert (128, 128, 128) in {tuple(pixel) for pixel in ignored[3 * 12, 4 * 12 : 12 * 12].tolist()}


def test_words_on_a_sheet_are_as_large_as_in_a_film():
    """A frame of a sheet is drawn at its size: words that shrink with it cannot be read."""
    huge = np.zeros((1200, 1600, 1), np.uint8)
    there = Tracks.of([0], [1], [[400, 600, 800, 1000]], visibility=[0.92])
    drawn = drawn_frame(huge, there, 0, ("cat",), fit_width=256)
    label = (drawn == colour(1)).all(axis=2)[80:96, 64:]
    assert drawn.shape == (192, 256, 3)
    assert label.any(axis=0).sum() > 40  # pixels: "#1 (92%)"
    assert label.any(axis=1).sum() > 8


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


def test_a_gif_is_no_faster_than_viewers_play(tmp_path):
    clip = tiny_clips(24, 32, 3).clips[0]
    for rate, pause in ((10, 100), (60, 20), (240, 20)):
        write_clip(clip, ("box",), tmp_path / "film.gif", rate=rate)
        with Image.open(tmp_path / "film.gif") as film:
            assert film.info["duration"] == pause


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


def test_a_name_that_is_a_folder_and_a_reader_is_refused_everywhere(tmp_path, monkeypatch, capsys):
    write_set(crowded(), tmp_path / "digits", format=Format.mot, about={}, progress=silent)
    monkeypatch.chdir(tmp_path)
    for asked in (("check-data", "digits"), ("show", "clip", "digits"), ("generate", "copy", "--data", "digits")):
        assert cvbench(monkeypatch, *asked, *(("--count", 1, "--out", "made") if "copy" in asked else ())) == 2
        assert "'digits' is a reader's name and a folder here. for the folder write ./digits" in capsys.readouterr().err
    assert cvbench(monkeypatch, "check-data", "./digits") == 0


def test_show_clip_takes_a_reader_and_refuses_what_is_for_a_run(tmp_path, monkeypatch, capsys):
    write_set(crowded(), tmp_path / "made", format=Format.mot, about={}, progress=silent)
    asked = ("show", "clip", tmp_path / "made", "--out", tmp_path / "films", "--data-option", "channels=1")
    assert cvbench(monkeypatch, *asked, "--reader", "motchallenge") == 0
    assert len(list((tmp_path / "films").iterdir())) == 1
    assert cvbench(monkeypatch, *asked, "--reader", "otb") == 2
    capsys.readouterr()
    assert cvbench(monkeypatch, *asked, "--seed", 1) == 2
    assert capsys.readouterr().err == "cvbench: --seed: is for a run, this is a data set\n"
