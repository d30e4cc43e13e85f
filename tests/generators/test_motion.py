"""The generator ``motion`` and the controls on clips: exact tracks, learnt habits, and what the options change."""

import numpy as np
import pytest
from cvbench_generators.controls import Copy, Noise, ShuffledLabels
from cvbench_generators.motion import Motion
from cvbench_generators.motion.courses import camera_of, displacements, folded
from cvbench_generators.motion.cutting import cutouts
from cvbench_generators.motion.drawing import Mover, Shot, tracks_of
from cvbench_generators.motion.learnt import habits_of, speeds_of
from cvbench_generators.scenes.objects import objects_of

from cvbench.clips import Clip, Clips, Tracks
from cvbench.conformance import tiny_clips, tiny_scenes
from cvbench.contracts import Workplace, silent
from cvbench.datasets import gather
from cvbench.errors import DataError, NotApplicable, UserError
from cvbench.plugins import make_plugin
from cvbench.readers import open_dataset


@pytest.fixture(scope="module")
def digits() -> Clips:
    quick = {"train": 4, "test": 1, "length": 16, "size": [64, 64]}
    return open_dataset("moving-digits", "", None, quick, 0.0).train


def fitted(train, tmp_path, **options):
    place = Workplace(tmp_path)
    return make_plugin("generators", "motion", options).fit(
        train, budget=None, seed=0, progress=silent, workplace=place
    )


def drawn(train, tmp_path, count=6, seed=0, **options) -> Clips:
    return gather(fitted(train, tmp_path, **options).sample(count, seed=seed), train.spec)


# ----------------------------------------------------------------------------------------- exactness


def mover(label, centres, side=10, ink=200):
    centres = np.array(centres, float)
    mask = np.zeros((side + 6, side + 6), np.uint8)
    mask[3:-3, 3:-3] = 255
    pixels = np.full((*mask.shape, 1), ink, np.uint8)
    still = np.zeros(len(centres))
    return Mover(pixels, mask, label, centres, np.full(len(centres), float(side)), still, np.ones(len(centres)))


def shot(*movers, length, noise=0.0, blur=0.0):
    camera = camera_of(64, 48, length, 0.0, np.random.default_rng(0))
    return Shot(np.full((48, 64, 1), 20, np.uint8), camera, movers, blur, noise, seed=0)


def test_boxes_are_where_the_pixels_are():
    one = shot(mover(0, [[20, 20], [31, 25], [60, 25]]), length=3)
    tracks = tracks_of(one)
    assert tracks.boxes.tolist() == [[15, 15, 25, 25], [26, 20, 36, 30], [55, 20, 65, 30]]
    for frame, box in zip(one, tracks.boxes.astype(int), strict=True):
        rows, columns = np.nonzero(frame[..., 0] > 100)
        edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert edges == [box[0], box[1], min(box[2], 64), box[3]]
    assert tracks.visibility.tolist() == pytest.approx([1, 1, 0.9])


def test_what_is_in_front_hides_and_what_is_outside_has_no_row():
    still, passing = mover(0, [[20, 20]] * 3), mover(0, [[0 - 30, 20], [25, 20], [20, 20]], ink=90)
    back_first = tracks_of(shot(still, passing, length=3))
    assert list(zip(back_first.frames.tolist(), back_first.ids.tolist(), strict=True)) == [
        (0, 1), (1, 1), (1, 2), (2, 1), (2, 2),
    ]  # fmt: skip
    assert back_first.visibility.tolist() == pytest.approx([1, 0.5, 1, 0, 1])
    other_order = tracks_of(shot(passing, still, length=3))
    assert other_order.visibility.tolist() == pytest.approx([1, 0.5, 1, 0, 1])
    assert other_order.ids.tolist() == [2, 1, 2, 1, 2]
    occluded = tracks_of(shot(still, mover(None, [[25, 20]] * 3), length=3))
    assert set(occluded.ids.tolist()) == {1}
    assert occluded.visibility.tolist() == pytest.approx([0.5] * 3)


def test_a_frame_is_the_same_whenever_it_is_drawn():
    one = shot(mover(0, [[10 + 5 * k, 20] for k in range(6)]), length=6, noise=5.0, blur=0.5)
    assert np.array_equal(list(one)[4], one[4])
    assert np.array_equal(one[-1], one[5])
    assert not np.array_equal(one[0][:8], one[1][:8])  # noise
    sharp = shot(mover(0, [[10 + 5 * k, 20] for k in range(6)]), length=6)
    assert (np.abs(np.diff(one[4][20, :, 0].astype(int))) > 80).sum() < (
        np.abs(np.diff(sharp[4][20, :, 0].astype(int))) > 80
    ).sum()
    with pytest.raises(IndexError):
        one[6]


def test_courses_are_what_they_are_called():
    rng = np.random.default_rng(0)
    straight = displacements("constant", 2.0, 10.0, 20, rng)
    assert np.allclose(np.hypot(*np.diff(straight, axis=0).T), 2)
    assert np.allclose(np.diff(straight, 2, axis=0), 0)
    assert straight[0].tolist() == [0, 0]
    turned = displacements("turn", 2.0, 10.0, 20, rng)
    assert np.allclose(np.hypot(*np.diff(turned, axis=0).T), 2)
    assert not np.allclose(np.diff(turned, 2, axis=0), 0)
    for course in ("acceleration", "sine"):
        assert not np.allclose(np.diff(displacements(course, 2.0, 10.0, 20, rng), 2, axis=0), 0)
    inside = folded(5 + 30 * straight, np.array([4.0, 6.0]), np.array([40.0, 50.0]))
    assert (inside >= (4, 6)).all()
    assert (inside <= (40, 50)).all()


# ------------------------------------------------------------------------------------------- learning


def test_speeds_lengths_and_numbers_are_learnt():
    frames = np.arange(12)
    boxes = np.stack([3.0 * frames, 0 * frames, 3.0 * frames + 10, 0 * frames + 6], axis=1)
    tracks = Tracks.of(np.tile(frames, 2), np.repeat([1, 2], 12), np.concatenate([boxes, boxes + 1]))
    assert speeds_of(tracks) == pytest.approx(0.3)
    clip = Clip("a", np.zeros((12, 16, 64, 1), np.uint8), tracks)
    spec = tiny_clips(16, 64, 1).spec
    habits = habits_of(Clips(spec, (clip,)))
    assert set(habits.at_once) == {2}
    assert habits.length == 12
    assert set(np.round(habits.speeds, 6)) == {0.3}


def test_objects_are_cut_along_their_own_pixels(digits):
    from cvbench.clips import frames_with_boxes

    objects, _ = objects_of(frames_with_boxes(digits, most=20), None, 12, 0, silent)
    found = list(cutouts(objects))
    assert {one.way for one in found} & {"a threshold", "GrabCut"}
    for one in found:
        if one.way == "a threshold":
            inside = one.mask > 0
            rows, columns = np.nonzero(inside)
            box = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
            assert one.pixels[inside].mean() > one.pixels[box][~inside[box]].mean() + 20


def test_one_object_is_seen_in_the_first_frame_and_there_to_the_end(tmp_path):
    quick = {"train": 3, "test": 1, "length": 12, "objects": 1}
    train = open_dataset("moving-digits", "", None, quick, 0.0).train
    for clip in drawn(train, tmp_path, 12).clips:
        assert set(clip.tracks.ids.tolist()) == {1}
        assert clip.tracks.frames[0] == 0
        assert clip.tracks.visibility[0] >= 0.6
        assert len(clip) == 12


def test_many_objects_come_go_and_cross(digits, tmp_path):
    clips = drawn(digits, tmp_path, 10, length=20, objects_per_clip=[3, 5])
    tracks = [clip.tracks for clip in clips.clips]
    assert max(len(set(own.ids.tolist())) for own in tracks) >= 4
    assert min(own.visibility.min() for own in tracks) < 0.5
    assert any((own.ids[own.rows(19)].tolist() != own.ids[own.rows(0)].tolist()) for own in tracks)


def test_as_many_are_seen_at_a_time_as_asked_for_from_the_first_frame_to_the_last(digits, tmp_path):
    clips = drawn(digits, tmp_path, 40, length=16, objects_per_clip=[3, 3], occluders=0)
    seen = np.mean([np.bincount(clip.tracks.frames, minlength=16) for clip in clips.clips], axis=0)
    assert seen.mean() == pytest.approx(3, abs=0.3)
    assert seen[[0, -1]] == pytest.approx(3, abs=0.6)


def test_what_moves_beside_the_one_object_is_seen(tmp_path):
    quick = {"train": 3, "test": 1, "length": 12, "objects": 1}
    train = open_dataset("moving-digits", "", None, quick, 0.0).train
    director = fitted(train, tmp_path, occluders=0).director
    shots = [director.take(seed)[0] for seed in range(60)]
    beside = [
        (mover, len(shot), shot.background.shape) for shot in shots for mover in shot.movers if mover.label is None
    ]
    assert len(beside) > 20
    for mover, length, (height, width, _) in beside:
        reach = mover.lengths / 2
        x, y = mover.centres.T
        assert ((x > -reach) & (x < width + reach) & (y > -reach) & (y < height + reach)).sum() > 0, length


def test_clips_of_unequal_size_give_clips_of_their_sizes(tmp_path):
    small, large = tiny_clips(32, 40, 3), tiny_clips(48, 56, 3)
    from dataclasses import replace

    spec = replace(small.spec, height=0, width=0)
    both = Clips(spec, (*small.clips[:2], *large.clips[:2]))
    shapes = {clip.frames[0].shape for clip in drawn(both, tmp_path, 16).clips}
    assert shapes == {(32, 40, 3), (48, 56, 3)}


def test_shapes_and_textures_need_nothing_of_the_frames(digits, tmp_path):
    sampler = fitted(digits, tmp_path, objects="shapes", backgrounds="textures")
    assert sampler.notes == ("objects: procedural shapes",)
    clip = next(sampler.sample(1, seed=0)).clips[0]
    assert clip.frames[0].shape == (64, 64, 1)


def test_a_picture_generator_draws_the_objects(digits, tmp_path):
    sampler = fitted(digits, tmp_path, objects="cgan", object_steps=4, object_side=16)
    assert sampler.parameter_count > 0
    assert any("drawn by cgan" in note for note in sampler.notes)
    (tmp_path / "saved").mkdir()
    sampler.save(tmp_path / "saved")
    again = Motion().load(tmp_path / "saved")
    assert again.notes == sampler.notes
    assert gather(again.sample(2, seed=1), digits.spec).fingerprint == (
        gather(sampler.sample(2, seed=1), digits.spec).fingerprint
    )


def test_frames_are_not_kept_in_memory(digits, tmp_path):
    clips = drawn(digits, tmp_path, 2, length=2000, objects_per_clip=[1, 1])
    assert not isinstance(clips.clips[0].frames, np.ndarray)
    assert clips.clips[1].frames[1999].shape == (64, 64, 1)


def test_what_it_is_not_for_is_said(digits, tmp_path):
    with pytest.raises(NotApplicable, match="needs clips"):
        fitted(tiny_scenes(32, 32, 1), tmp_path)
    bare = [Clip(clip.name, clip.frames, Tracks.of([], [], [])) for clip in digits.clips]
    with pytest.raises(NotApplicable, match="no object"):
        fitted(Clips(digits.spec, tuple(bare)), tmp_path)
    with pytest.raises(NotApplicable, match="by class"):
        next(fitted(digits, tmp_path).sample(1, seed=0, class_counts=np.array([1])))
    for options, words in (
        ({"objects": "nobody"}, "unknown generator 'nobody'"),
        ({"objects": "motion"}, "objects: motion draws no pictures with one label each"),
        ({"objects_per_clip": [4, 2]}, "runs from low to high"),
        ({"object_steps": 5}, "objects: cut learns none"),
    ):
        with pytest.raises(UserError, match=words):
            make_plugin("generators", "motion", options)
    with pytest.raises(DataError, match="not a readable sampler"):
        Motion().load(tmp_path)


# ------------------------------------------------------------------------------------------- controls


def made_by(control, clips, tmp_path, count):
    sampler = control().fit(clips, budget=None, seed=0, progress=silent, workplace=Workplace(tmp_path))
    return gather(sampler.sample(count, seed=0), clips.spec)


def test_controls_on_clips(tmp_path):
    clips = tiny_clips(32, 40, 1)
    assert made_by(Copy, clips, tmp_path, 4).fingerprint == clips.fingerprint
    noise = made_by(Noise, clips, tmp_path, 4)
    frame = noise.clips[0].frames[3]
    assert 110 < frame.mean() < 145
    assert np.array_equal(frame, noise.clips[0].frames[3])
    assert np.array_equal(noise.clips[1].tracks.boxes, clips.clips[1].tracks.boxes)
    shuffled = made_by(ShuffledLabels, clips, tmp_path, 4)
    assert shuffled.item_hashes() == clips.item_hashes()
    assert not any(
        np.array_equal(a.tracks.boxes, b.tracks.boxes) for a, b in zip(shuffled.clips, clips.clips, strict=True)
    )
    with pytest.raises(NotApplicable, match="one clip alone"):
        made_by(ShuffledLabels, clips.select([0]), tmp_path, 1)
