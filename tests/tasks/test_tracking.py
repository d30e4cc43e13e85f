"""The task of multi-object tracking: boxes become tracks, frames are streamed, training repeats, one-line refusals."""

import sys
import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.tracking import Tracking
from cvbench_tasks.tracking.association import associator
from cvbench_tasks.tracking.evaluated import evaluated
from cvbench_tasks.tracking.kalman import KalmanBox
from cvbench_tasks.tracking.models import OPTIONS
from cvbench_tasks.tracking.particle import ParticleBox
from cvbench_tasks.tracking.sort import assigned
from cvbench_tasks.tracking.tracker import AT_A_TIME

from cvbench.clips import Clip, Clips, Tracks
from cvbench.conformance import assert_task, tiny_clips
from cvbench.contracts import Augmentation, Budget, Splits, Workplace, silent
from cvbench.errors import DataError, NotApplicable, PluginError, UserError
from cvbench.plugins import make_options, options_json

TASK = Tracking()
EVERY = tuple(OPTIONS)
SIDE = 20.0


def follows(name, boxes_of_frames, *, scores=None, seed=0, side=96, **options):
    """The ids and boxes that an associator tells of, frame by frame, for (k, 4) boxes in each."""
    one = associator(name, make_options(TASK.model_options(name), options))(seed)
    frame = np.zeros((side, side, 1), np.uint8)
    told = []
    for number, boxes in enumerate(boxes_of_frames):
        sure = np.full(len(boxes), 0.9) if scores is None else np.asarray(scores[number])
        told.append(one.update(np.reshape(boxes, (-1, 4)).astype(float), sure.astype(np.float32), frame))
    return told


def crossing(length=24, speed=3.0):
    """Two boxes that pass each other at different heights, shuffled in every frame; (L, 2, 4) and their true order."""
    rng = np.random.default_rng(0)
    boxes, orders = np.empty((length, 2, 4)), np.empty((length, 2), int)
    for number in range(length):
        lefts = 5 + speed * number, 80 - speed * number
        both = np.array([[lefts[0], 10, lefts[0] + SIDE, 30], [lefts[1], 22, lefts[1] + SIDE, 42]])
        orders[number] = rng.permutation(2)
        boxes[number] = both[orders[number]] + rng.normal(0, 0.3, (2, 4))
    return boxes, orders


# -------------------------------------------------------------------------------------- the contract


def test_it_keeps_the_contract():
    assert_task(Tracking)


def test_every_model_listed_has_options_and_the_other_way_round():
    assert {info.name for info in TASK.models()} == OPTIONS.keys()
    with pytest.raises(UserError, match="did you mean 'bytetrack'"):
        TASK.model_options("bytetracks")


def test_detector_options_are_the_detectors_with_its_defaults_filled_in():
    plain = options_json(make_options(TASK.model_options("sort"), {}))
    assert plain["detector_options"]["backbone"] == "resnet10"
    changed = make_options(TASK.model_options("sort"), {"detector_options": {"width": 16}})
    assert options_json(changed)["detector_options"] == plain["detector_options"] | {"width": 16}
    with pytest.raises(
        UserError, match=r"detector_options of fasterrcnn: unknown option 'widht'.*did you mean 'width'"
    ):
        make_options(TASK.model_options("sort"), {"detector_options": {"widht": 16}})
    with pytest.raises(UserError, match="did you mean 'yolov8n'"):
        make_options(TASK.model_options("sort"), {"detector": "yolo8n"})
    with pytest.raises(UserError, match="'min_score'"):
        make_options(TASK.model_options("sort"), {"min_score": 1.5})


# --------------------------------------------------------------------------------------- association


@pytest.mark.parametrize("name", EVERY)
def test_objects_that_pass_each_other_keep_their_ids(name):
    boxes, orders = crossing()
    told = follows(name, boxes)
    ids_of = [set(), set()]
    for (seen, ids), own, order in list(zip(told, boxes, orders, strict=True))[4:]:
        assert len(ids) == 2
        for place, one in enumerate(order):
            off = np.abs(seen - own[place]).mean(axis=1)
            assert off.min() < 3
            ids_of[one].add(int(ids[off.argmin()]))
    assert [len(ids) for ids in ids_of] == [1, 1]
    assert ids_of[0] != ids_of[1]


@pytest.mark.parametrize("name", EVERY)
def test_frames_without_detections_are_survived(name):
    empty = np.zeros((0, 4))
    boxes, _ = crossing(12)
    assert [len(ids) for _, ids in follows(name, [empty] * 3)] == [0, 0, 0]
    told = follows(name, [empty, *boxes[:6], empty, *boxes[7:], empty])
    assert len(told[0][1]) == len(told[-1][1]) == 0
    assert len(told[-2][1]) == 2 or name in ("sort", "particle")


def test_sort_coasts_for_max_age_frames_and_no_longer():
    boxes, _ = crossing(12, speed=2.0)
    one = [own[own[:, 1].argmin()][None] for own in boxes]
    gap = [*one[:6], *[np.zeros((0, 4))] * 2, *one[8:]]
    assert len({int(ids[0]) for _, ids in follows("sort", gap, max_age=2, min_hits=0) if len(ids)}) == 1
    assert len({int(ids[0]) for _, ids in follows("sort", gap, max_age=1, min_hits=0) if len(ids)}) == 2


def test_sort_waits_for_min_hits_but_not_among_the_first_frames():
    still = [np.array([[10, 10, 30, 30.0]])] * 8
    assert [len(ids) for _, ids in follows("sort", still, min_hits=3)] == [1] * 8
    late = [np.zeros((0, 4))] * 4 + still
    assert [len(ids) for _, ids in follows("sort", late, min_hits=3)] == [0] * 7 + [1] * 5


def test_unsure_detections_do_not_count_but_bytetrack_follows_by_them():
    boxes = [np.array([[10.0 + k, 10, 30 + k, 30]]) for k in range(10)]
    scores = [[0.9]] * 5 + [[0.3]] * 5
    assert [len(ids) for _, ids in follows("sort", boxes, scores=scores, min_hits=0)] == [1] * 5 + [0] * 5
    assert [len(ids) for _, ids in follows("bytetrack", boxes, scores=scores)][2:] == [1] * 8
    assert [len(ids) for _, ids in follows("bytetrack", boxes, scores=scores, min_score=0.4)][2:] == [1] * 3 + [0] * 5


def test_botsort_compensates_the_cameras_motion():
    """Still objects before a camera that jumps sideways: seen from it they jump, and only compensation finds them."""
    rng = np.random.default_rng(1)
    world = cv2.resize(rng.integers(0, 256, (20, 40), np.uint8), (320, 160), interpolation=cv2.INTER_CUBIC)
    ids_with = {}
    for enable in (True, False):
        one = associator("botsort", make_options(TASK.model_options("botsort"), {"enable_cmc": enable}))(0)
        ids = []
        for number in range(10):
            left = 0 if number < 5 else 18
            box = np.array([[100.0 - left, 60, 120 - left, 80]])
            frame = world[:, left : left + 200, None]
            ids.append(one.update(box, np.array([0.9], np.float32), frame)[1].tolist())
        ids_with[enable] = {place for own in ids[2:] for place in own}
    assert len(ids_with[True]) == 1
    assert len(ids_with[False]) == 2


@pytest.mark.parametrize("name", EVERY)
def test_the_same_detections_and_seed_give_the_same_tracks(name):
    boxes, _ = crossing(10)
    first, second = follows(name, boxes, seed=3), follows(name, boxes, seed=3)
    assert all(
        a.tobytes() == b.tobytes()
        for one, other in zip(first, second, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def test_assignment_is_of_the_largest_sum_and_of_what_overlaps():
    predicted = np.array([[0, 0, 10, 10], [4, 0, 14, 10], [50, 50, 60, 60.0]])
    boxes = np.array([[3, 0, 13, 10], [90, 90, 99, 99], [-3, 0, 7, 10.0]])
    assert assigned(predicted, boxes, 0.3) == {0: 2, 1: 0}
    assert assigned(predicted, boxes, 0.8) == {1: 0}
    assert assigned(predicted, boxes, 0.0) == {0: 2, 1: 0}
    assert assigned(np.zeros((0, 4)), boxes, 0.3) == {}


@pytest.mark.parametrize("kind", ["kalman", "particle"])
def test_a_filter_learns_the_velocity_and_coasts(kind):
    options = make_options(TASK.model_options("particle"), {})
    truth = np.array([[10 + 2 * k, 20 + k, 30 + 2 * k, 44 + k] for k in range(20)], float)
    one = KalmanBox(truth[0]) if kind == "kalman" else ParticleBox(options, np.random.default_rng(0), truth[0])
    for box in truth[1:15]:
        one.predict()
        one.correct(box + np.random.default_rng(1).normal(0, 0.2, 4))
    coasted = [one.predict() for _ in truth[15:18]]
    assert np.abs(coasted[-1] - truth[17]).max() < 3


def test_a_shrinking_box_does_not_vanish():
    one = KalmanBox(np.array([0, 0, 40, 40.0]))
    for side in (30, 20, 10, 4):
        one.predict()
        one.correct(np.array([0, 0, side, side], float))
    for _ in range(20):
        x1, y1, x2, y2 = one.predict()
        assert min(x2 - x1, y2 - y1) > 1


# ------------------------------------------------------------------------------------------ the model


class Oracle:
    """A detector that knows the boxes of a clip, frame after frame."""

    def __init__(self, tracks):
        self.tracks, self.place = tracks, 0

    def predict(self, pictures):
        for _ in range(len(pictures)):
            own = self.tracks.rows(self.place)
            self.place += 1
            sure = np.full(own.stop - own.start, 0.9, np.float32)
            yield Detections(self.tracks.boxes[own], sure, self.tracks.labels[own])


def model(name, data, folder, **options):
    made = make_options(TASK.model_options(name), {"detector_options": {"width": 8}, **options})
    return TASK.model(name, data.spec, options=made, seed=1, workplace=Workplace(folder))


def crossing_clips(labels=(0, 0), classes=("box",)):
    boxes, orders = crossing()
    length = len(boxes)
    rows = np.repeat(np.arange(length), 2), (orders + 1).ravel(), boxes.reshape(-1, 4)
    tracks = Tracks.of(*rows, labels=np.array(labels)[orders.ravel()])
    spec = replace(tiny_clips(96, 96, 1).spec, classes=classes)
    return Clips(spec, (Clip("crossing", np.zeros((length, 96, 96, 1), np.uint8), tracks),))


@pytest.mark.parametrize("name", EVERY)
def test_perfect_detections_give_nearly_perfect_tracks(tmp_path, name):
    data = crossing_clips()
    one = model(name, data, tmp_path)
    one.detector = Oracle(data.clips[0].tracks)
    values = TASK.score(one.predict(data), data).values
    assert values["AssA"] > 0.85
    assert values["IDSW"] == 0
    assert values["MOTA"] > 0.8


def test_classes_are_followed_apart_and_ids_are_the_clips_own(tmp_path):
    data = crossing_clips(labels=(0, 1), classes=("box", "ball"))
    one = model("sort", data, tmp_path, min_hits=0)
    one.detector = Oracle(data.clips[0].tracks)
    (found,) = one.predict(data)
    assert {(int(i), int(k)) for i, k in zip(found.ids, found.labels, strict=True)} in (
        {(0, 0), (1, 1)},
        {(0, 1), (1, 0)},
    )
    scores = TASK.score([found], data)
    assert scores.values["IDSW"] == 0
    assert scores.per_class["HOTA"].keys() == {"box", "ball"}
    assert scores.values["HOTA"] == pytest.approx(np.mean(list(scores.per_class["HOTA"].values())))


def test_a_class_that_the_test_split_lacks_enters_no_mean():
    data = crossing_clips(classes=("box", "ball"))
    perfect = data.clips[0].tracks
    also = Tracks.of(perfect.frames, perfect.ids, perfect.boxes, np.where(perfect.ids == 1, 0, 1))
    assert TASK.score([perfect], data).values["HOTA"] == pytest.approx(1)
    assert np.isnan(TASK.score([perfect], data).per_class["HOTA"]["ball"])
    assert TASK.score([also], data).values["DetA"] == pytest.approx(0.5)


@pytest.mark.parametrize("name", EVERY)
def test_detections_without_area_are_passed_over(tmp_path, name):
    data = crossing_clips()
    one = model(name, data, tmp_path)

    class AlsoAtTheEdge(Oracle):
        def predict(self, pictures):
            for found in super().predict(pictures):
                boxes = np.concatenate([found.boxes, [[96, 3, 96, 9]]]).astype(np.float32)
                yield Detections(boxes, np.full(3, 0.9, np.float32), np.zeros(3, np.int64))

    one.detector = AlsoAtTheEdge(data.clips[0].tracks)
    assert TASK.score(one.predict(data), data).values["MOTA"] > 0.8


class Watched:
    """Frames that know how many of them are alive at once."""

    def __init__(self, count):
        self.count, self.alive, self.most = count, set(), 0

    def __len__(self):
        return self.count

    def __getitem__(self, place):
        return np.zeros((32, 32, 1), np.uint8)

    def __iter__(self):
        for place in range(self.count):
            frame = self[place]
            self.alive.add(place)
            weakref.finalize(frame, self.alive.discard, place)
            self.most = max(self.most, len(self.alive))
            yield frame


def test_a_clip_is_never_held_whole(tmp_path):
    frames = Watched(200)
    tracks = Tracks.of([0], [1], [[1, 1, 9, 9]])
    data = Clips(tiny_clips(32, 32, 1).spec, (Clip("long", frames, tracks),))
    one = model("sort", data, tmp_path)
    one.detector = Oracle(tracks)
    (found,) = one.predict(data)
    assert len(found) == 1
    assert frames.most <= 2 * AT_A_TIME + 1


def test_training_repeats_and_saved_weights_track_the_same(tmp_path):
    data = tiny_clips(32, 32, 1, count=3)
    every_box = {"min_score": 0.0, "high_conf_det_threshold": 0.01, "track_activation_threshold": 0.0}
    how = {"budget": Budget(3, 4, "fp32"), "augmentation": Augmentation.STRONG, "seed": 2, "progress": silent}

    def trained(folder):
        one = model("bytetrack", data, folder, **every_box)
        one.train(data, data, workplace=Workplace(folder), **how)
        return one

    first, second = trained(tmp_path / "a"), trained(tmp_path / "b")
    found = list(first.predict(data))
    assert sum(map(len, found)) > 0
    first.save(tmp_path)
    third = model("bytetrack", data, tmp_path / "c", **every_box)
    third.load(tmp_path)
    for other in (second, third):
        assert [one.boxes.tobytes() for one in other.predict(data)] == [one.boxes.tobytes() for one in found]


# ------------------------------------------------------------------------------- protocol and refusals


def test_boxes_on_ignored_objects_are_neither_hits_nor_misses():
    frames = np.zeros((3, 64, 64, 1), np.uint8)
    columns = np.repeat(np.arange(3), 2), np.tile([1, 2], 3), np.tile([[5, 5, 25, 25], [30, 30, 60, 60]], (3, 1))
    true = Tracks.of(*columns, ignored=np.tile([False, True], 3), visibility=np.tile([0, 1], 3))
    clip = Clip("ignored", frames, true)
    both, one = Tracks.of(*columns), Tracks.of(np.arange(3), np.ones(3), np.tile([5, 5, 25, 25], (3, 1)))
    data = Clips(tiny_clips(64, 64, 1).spec, (clip,))
    assert TASK.score([both], data).values == TASK.score([one], data).values
    assert TASK.score([one], data).values["HOTA"] == pytest.approx(1)  # however little of it can be seen
    assert evaluated(both, clip, 0)["num_tracker_dets"] == evaluated(both, clip, 0)["num_gt_dets"] == 3


def test_boxes_are_matched_to_ignored_objects_above_one_half_alone():
    """Of all pairs the largest sum would be of the two that overlap too little, and hide the one that does not."""
    ignored, counted = [0.0, 0, 10, 9], [6.3, 0, 16.3, 9]
    true = Tracks.of([0, 0], [1, 2], [ignored, counted], ignored=np.array([True, False]))
    found = Tracks.of([0, 0], [1, 2], [[2.5, 0, 12.5, 9], [-3.8, 0, 6.2, 9]])
    clip = Clip("between", np.zeros((1, 64, 64, 1), np.uint8), true)
    assert evaluated(found, clip, 0)["num_tracker_dets"] == 1


def test_a_class_whose_objects_are_all_ignored_enters_no_mean():
    data = crossing_clips(labels=(0, 1), classes=("box", "ball"))
    true = data.clips[0].tracks
    ignoring = replace(data, clips=(replace(data.clips[0], tracks=replace(true, ignored=true.labels == 1)),))
    scores = TASK.score([true], ignoring)
    assert np.isnan(scores.per_class["HOTA"]["ball"])
    assert scores.values["HOTA"] == pytest.approx(1)


def test_predictions_that_do_not_fit_are_one_line():
    data = crossing_clips()
    with pytest.raises(PluginError, match="0 predictions for 1 test clips"):
        TASK.score([], data)
    with pytest.raises(PluginError, match="must be Tracks, one per clip, not list"):
        TASK.score([[]], data)
    with pytest.raises(PluginError, match="tracks of crossing reach frame 24, it has 24"):
        TASK.score([Tracks.of([24], [0], [[0, 0, 1, 1]])], data)
    with pytest.raises(PluginError, match="have the class 3, there are 1 classes"):
        TASK.score([Tracks.of([2], [0], [[0, 0, 1, 1]], [3])], data)


def test_splits_that_cannot_be_used_are_one_line(tmp_path):
    data, none = crossing_clips(), Tracks.of([], [], [])
    empty = replace(data, clips=(replace(data.clips[0], tracks=none),))
    with pytest.raises(DataError, match="the test split has no object"):
        TASK.check_splits(Splits(data, empty))
    with pytest.raises(DataError, match="the train split has no object"):
        TASK.check_splits(Splits(empty, data))
    two = crossing_clips(labels=(0, 1), classes=("box", "ball"))
    alone = crossing_clips(classes=("box", "ball"))
    with pytest.raises(DataError, match="a class that train lacks: 'ball'"):
        TASK.check_splits(Splits(alone, two))
    TASK.check_splits(Splits(two, alone))
    unequal = replace(data.spec, height=0, width=0)
    with pytest.raises(NotApplicable, match="set the reader's option size"):
        TASK.model("sort", unequal, options=OPTIONS["sort"](), seed=1, workplace=Workplace(tmp_path))
    with pytest.raises(NotApplicable, match="set the reader's option size"):
        TASK.check_model("sort", OPTIONS["sort"](), unequal)


@pytest.mark.parametrize("name", ["bytetrack", "botsort"])
def test_a_missing_library_is_one_line_before_anything_is_trained(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(NotApplicable, match=r"pip install 'cvbench\[tracking\]'"):
        TASK.model(name, crossing_clips().spec, options=OPTIONS[name](), seed=1, workplace=Workplace(tmp_path))


def test_associators_around_one_detector_learn_the_same():
    quick = {"detector": "yolov8n", "pictures": 50}
    sort, bytetrack = (
        TASK.learnt(name, make_options(TASK.model_options(name), {**quick, "min_score": 0.2}))
        for name in ("sort", "bytetrack")
    )
    assert sort == bytetrack
    assert sort.name == "yolov8n"
    assert sort != TASK.learnt("sort", make_options(TASK.model_options("sort"), quick | {"pictures": 60}))
