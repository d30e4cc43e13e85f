"""Clips and their tracks: read a frame at a time, saved and joined without loss, rubbish refused."""

import cv2
import numpy as np
import pytest

from cvbench.clips import Clip, Clips, FrameFiles, Tracks, VideoFrames, frames_with_boxes
from cvbench.conformance import tiny_clips
from cvbench.datasets import gather, load_dataset
from cvbench.errors import DataError

BOXES = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [2, 2, 4, 4]])


def test_saved_and_loaded_is_the_same_and_memory_mapped(tmp_path):
    clips = tiny_clips(16, 20, 3)
    clips.save(tmp_path)
    loaded = load_dataset(tmp_path)
    assert loaded.fingerprint == clips.fingerprint
    assert all(isinstance(clip.frames, np.memmap) for clip in loaded.clips)
    assert loaded.item_hashes() == clips.item_hashes()


def test_selected_joined_and_gathered_keep_the_order():
    clips = tiny_clips(16, 20, 1)
    joined = clips.select([2, 0]).join(clips.select([1]))
    assert [clip.name for clip in joined.clips] == ["tiny-2", "tiny-0", "tiny-1"]
    assert gather([clips.select([2, 0]), clips.select([1])], clips.spec).fingerprint == joined.fingerprint
    assert clips.select([1, 0]).fingerprint != clips.select([0, 1]).fingerprint


def test_rows_come_frame_by_frame_in_whatever_order_they_were():
    tracks = Tracks.of(np.array([2, 0, 2]), np.array([7, 5, 3]), BOXES)
    assert tracks.frames.tolist() == [0, 2, 2]
    assert tracks.ids.tolist() == [5, 3, 7]
    assert tracks.ids[tracks.rows(2)].tolist() == [3, 7]
    assert len(tracks.ids[tracks.rows(1)]) == 0
    assert tracks.visibility.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("frames", "ids", "boxes", "words"),
    [
        ([0, 0, 1], [1, 1, 1], BOXES, "the id 1 is twice in frame 0"),
        ([-1, 0, 1], [1, 1, 1], BOXES, "begins at frame -1"),
        ([0, 1, 2], [1, 1, 1], BOXES[:, [2, 1, 0, 3]], r"a box in frame 0 is"),
        ([0, 1, 2], [1, 1, 1], np.where(BOXES == 4, np.nan, BOXES), r"a box in frame 2 is"),
    ],
)
def test_rubbish_is_refused(frames, ids, boxes, words):
    with pytest.raises(DataError, match=words):
        Tracks.of(np.array(frames), np.array(ids), boxes)


def test_a_clip_holds_its_tracks_to_its_frames():
    tracks = Tracks.of(np.array([0, 3]), np.array([1, 1]), BOXES[:2])
    with pytest.raises(DataError, match="tracks reach frame 3, there are 3 frames"):
        Clip("short", np.zeros((3, 8, 8, 1), np.uint8), tracks)
    with pytest.raises(DataError, match="without frames"):
        Clip("none", np.zeros((0, 8, 8, 1), np.uint8), Tracks.of([], [], []))
    clips = tiny_clips(16, 20, 3)
    with pytest.raises(DataError, match="the spec says otherwise"):
        Clips(tiny_clips(16, 24, 3).spec, clips.clips)


def test_files_and_a_video_are_read_one_frame_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr("cvbench.clips.LOOKED_AT", 2)  # the first and the last
    clip = tiny_clips(32, 48, 3).clips[0]
    files = []
    for number, frame in enumerate(clip.frames):
        files.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(files[-1]), frame[..., ::-1])
    from_files = FrameFiles(tuple(files), 3)
    assert all(np.array_equal(a, b) for a, b in zip(from_files, clip.frames, strict=True))
    before = Clip("files", from_files, clip.tracks).digest
    assert Clip("files", from_files, clip.tracks).digest == before
    cv2.imwrite(str(files[4]), np.zeros_like(clip.frames[4]))
    assert Clip("files", from_files, clip.tracks).digest != before
    cv2.imwrite(str(files[4]), clip.frames[4][..., ::-1])
    video = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (48, 32))
    for frame in clip.frames:
        video.write(np.ascontiguousarray(frame[..., ::-1]))
    video.release()
    frames = VideoFrames(tmp_path / "clip.avi", len(clip), 3)
    seen = list(frames)
    assert len(seen) == len(clip)
    assert np.abs(seen[3].astype(int) - clip.frames[3]).mean() < 12  # JPEG loses some
    assert np.array_equal(frames[3], seen[3])
    assert np.array_equal(frames[-1], seen[-1])
    with pytest.raises(IndexError):
        frames[len(clip)]
    with pytest.raises(DataError, match="stops at frame 6 of 9"):
        list(VideoFrames(tmp_path / "clip.avi", 9, 3))
    files[2].write_bytes(b"")
    with pytest.raises(DataError, match=r"2\.png: not a picture"):
        list(from_files)


def test_frames_become_pictures_with_the_boxes_that_can_be_seen():
    clips = tiny_clips(16, 20, 1)
    clip = clips.clips[0]
    tracks = Tracks.of(
        np.array([0, 0, 0]),
        np.array([1, 2, 3]),
        np.array([[-3, 2, 4, 6], [30, 2, 40, 6], [5, 5, 9, 9]]),
        visibility=np.array([1, 1, 0]),
    )
    one = Clips(clips.spec, (Clip("cut", clip.frames[:1], tracks),))
    assert frames_with_boxes(one, most=5).boxes.tolist() == [[0, 2, 4, 6]]
    assert len(frames_with_boxes(clips, most=7)) == 7
    assert len(frames_with_boxes(clips, most=1000)) == 24
