"""The task of single-object tracking: each tracker follows, training repeats and resumes, one-line refusals."""

import os
import runpy
import weakref
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from cvbench_tasks.sot import SingleObjectTracking
from cvbench_tasks.sot.atom import CELLS, CROP, Atom, pool
from cvbench_tasks.sot.atom_tracker import AtomTracker
from cvbench_tasks.sot.box_draws import jittered, overlapping
from cvbench_tasks.sot.boxes import around, kept_inside, overlaps, squares
from cvbench_tasks.sot.crops import crops, in_crop, in_frame
from cvbench_tasks.sot.draws import Draws
from cvbench_tasks.sot.mdnet import MdNet
from cvbench_tasks.sot.models import OPTIONS, AtomOptions, YoloCsrtOptions
from cvbench_tasks.sot.one_pass import Tracker, one_pass
from cvbench_tasks.sot.opencv_trackers import MAKERS, OpenCvTracker
from cvbench_tasks.sot.sequences import Trajectory, truth_of
from cvbench_tasks.sot.siamfc import CELLS as RESPONSES
from cvbench_tasks.sot.yolo_csrt import RestartedCsrt
from torch import nn

from cvbench.clips import Clip, Clips, Tracks
from cvbench.conformance import assert_task, tiny_clips
from cvbench.contracts import Augmentation, Budget, Splits, Workplace, silent
from cvbench.errors import DataError, NotApplicable, PluginError, UserError
from cvbench.plugins import make_options
from cvbench.readers.moving_digits import MovingDigits, MovingDigitsOptions
from cvbench.suite_reading import dataset_entry

TASK = SingleObjectTracking()
LEARNT = ("siamfc", "mdnet", "atom")
CONTRIB = pytest.mark.skipif(not hasattr(cv2, "TrackerCSRT_create"), reason="OpenCV without its contrib build")


@pytest.fixture(scope="module")
def digits() -> Splits:
    return MovingDigits(MovingDigitsOptions(train=6, test=2, length=16, objects=1)).open(None)


def fresh(name, data, folder, *, seed=1, **options):
    made = make_options(TASK.model_options(name), options)
    return TASK.model(name, data.spec, options=made, seed=seed, workplace=Workplace(folder))


def trained(name, data, folder, *, steps=3, val=None, progress=silent, augmentation=Augmentation.ORDINARY, **options):
    model = fresh(name, data, folder, **options)
    budget = Budget(steps, 4, "fp32")
    model.train(
        data, val, budget=budget, augmentation=augmentation, seed=2, progress=progress, workplace=Workplace(folder)
    )
    return model


def bits(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.net.state_dict().items()}


def scores(model, data):
    return TASK.score(model.predict(data), data).values


def gliding(length=10, *, step=2, side=14, channels=1):
    """One textured square on a noisy background that moves by ``step`` pixels a frame."""
    rng = np.random.default_rng(3)
    texture = rng.integers(120, 256, (side, side, channels)).astype(np.uint8)
    frames = np.repeat(rng.integers(0, 60, (1, 64, 80, channels)), length, axis=0).astype(np.uint8)
    lefts = 20 + step * np.arange(length)
    for frame, left in zip(frames, lefts, strict=True):
        frame[24 : 24 + side, left : left + side] = texture
    boxes = np.stack([lefts, np.full(length, 24), lefts + side, np.full(length, 24 + side)], axis=1)
    return Clip("gliding", frames, Tracks.of(np.arange(length), np.ones(length), boxes))


def clips_of(*clips):
    height, width, channels = clips[0].frames[0].shape
    return Clips(replace(tiny_clips(height, width, channels).spec), clips)


# -------------------------------------------------------------------------------------- the contract


def test_it_keeps_the_contract():
    assert_task(SingleObjectTracking)


def test_every_model_listed_has_options_and_the_other_way_round():
    assert {info.name for info in TASK.models()} == OPTIONS.keys()
    with pytest.raises(UserError, match="did you mean 'siamfc'"):
        TASK.model_options("siamfcc")


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("kalman", 0.7),
        ("particle", 0.7),
        ("mil", 0.2),
        pytest.param("csrt", 0.7, marks=CONTRIB),
        pytest.param("kcf", 0.7, marks=CONTRIB),
    ],
)
def test_untrained_trackers_follow_and_repeat(tmp_path, name, least):
    data = clips_of(gliding(channels=3))
    model = trained(name, data, tmp_path)
    assert scores(model, data)["AO"] > least
    again = fresh(name, data, tmp_path)
    assert [one.boxes.tobytes() for one in again.predict(data)] == [one.boxes.tobytes() for one in model.predict(data)]
    model.save(tmp_path)
    assert not list(tmp_path.iterdir())


def test_static_never_moves(tmp_path):
    data = clips_of(gliding())
    (track,) = trained("static", data, tmp_path).predict(data)
    assert (track.boxes == truth_of(data.clips[0]).boxes[0]).all()
    assert scores(fresh("static", data, tmp_path), data)["AO"] < 0.7


@pytest.mark.parametrize("name", ["kalman", "particle"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("likelihood", ["histogram", "template"])
def test_both_likelihoods_follow_grey_and_colour(tmp_path, name, channels, likelihood):
    data = clips_of(gliding(channels=channels))
    assert scores(fresh(name, data, tmp_path, likelihood=likelihood), data)["AO"] > 0.5


def test_kalman_coasts_through_an_occlusion(tmp_path):
    clip = gliding(16)
    frames = clip.frames.copy()
    frames[8:11] = frames[0, :, :10].mean()
    data = clips_of(replace(clip, frames=frames))
    assert scores(fresh("kalman", data, tmp_path), data)["SR0.5"] > 0.9


@pytest.mark.parametrize("name", LEARNT)
def test_learnt_trackers_repeat_resume_and_reload(tmp_path, name, digits, monkeypatch):
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", 0.0)
    train = digits.train.select([0, 1])
    whole = trained(name, train, tmp_path / "whole", steps=4)

    def kill(done, total, note=""):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(name, train, tmp_path / "killed", steps=4, progress=kill)
    assert (tmp_path / "killed" / "checkpoint.pt").exists()
    resumed = trained(name, train, tmp_path / "killed", steps=4)
    assert bits(resumed) == bits(whole) != bits(fresh(name, train, tmp_path))
    (tmp_path / "saved").mkdir()
    whole.save(tmp_path / "saved")
    loaded = fresh(name, train, tmp_path)
    loaded.load(tmp_path / "saved")
    test = digits.test.select([0])
    before = bits(loaded)
    assert scores(loaded, test) == scores(whole, test)
    assert bits(loaded) == before, "tracking changed the weights"


@pytest.mark.parametrize("name", LEARNT)
def test_a_second_stage_goes_on_beside_a_val_split(tmp_path, name, digits):
    model = trained(name, digits.train.select([0, 1]), tmp_path / "1", steps=2)
    before = bits(model)
    model.train(
        digits.train.select([2, 3, 4]),
        digits.test.select([0]),
        budget=Budget(1, 2, "auto"),
        augmentation=Augmentation.STRONG,
        seed=3,
        progress=silent,
        workplace=Workplace(tmp_path / "2"),
    )
    assert bits(model).keys() == before.keys()
    assert bits(model) != before


@pytest.mark.parametrize(("name", "share"), [("siamfc", 0.7), ("atom", 0.75)])
def test_what_is_learnt_holds_for_unseen_objects(tmp_path, name, share, digits):
    """Against saying the same of everything: a loss of ln 2 for SiamFC, the overlaps' variance for ATOM."""
    draws, rng = Draws(digits.test, Augmentation.ORDINARY), np.random.default_rng(0)
    net = trained(name, digits.train, tmp_path, steps=60).net.eval()
    batch = net.batch(draws, rng, 16)
    blind = np.log(2) if name == "siamfc" else float(batch["overlaps"].var())
    with torch.no_grad():
        assert float(net(batch)) < share * blind


def test_memory_does_not_grow_with_the_clip():
    alive: set[int] = set()
    most = []

    class Watched:
        """Frames that are made as they are read, and known for as long as they live."""

        def __len__(self):
            return 500

        def __getitem__(self, place):
            return np.zeros((32, 32, 1), np.uint8)

        def __iter__(self):
            for place in range(len(self)):
                frame = self[place]
                alive.add(place)
                weakref.finalize(frame, alive.discard, place)
                most.append(len(alive))
                yield frame

    class Still(Tracker):
        def start(self, frame, box):
            self.box = box

        def follow(self, frame):
            return self.box

    clip = Clip("long", Watched(), Tracks.of([0, 499], [1, 1], [[4, 4, 12, 12]] * 2))
    found = one_pass(Still(), clip)
    assert found.boxes.shape == (500, 4)
    assert (found.seconds >= 0).all()
    assert max(most) <= 3


# ------------------------------------------------------------------------------------ OpenCV's builds


@pytest.mark.parametrize("name", ["csrt", "kcf", "yolo_csrt"])
def test_a_missing_contrib_build_is_one_line_with_the_repair(tmp_path, name, monkeypatch):
    for maker in (MAKERS["csrt"], MAKERS["kcf"]):
        monkeypatch.delattr(cv2, maker, raising=False)
    with pytest.raises(NotApplicable, match=r"pip install --force-reinstall --no-deps opencv-contrib-python==\d+"):
        fresh(name, tiny_clips(32, 32, 1), tmp_path)


@CONTRIB
@pytest.mark.skipif(find_spec("ultralytics") is None, reason="needs the extra yolo")
def test_the_example_of_yolo_and_csrt_runs(tmp_path, monkeypatch, capsys):
    example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "yolo_csrt.py"))
    few = dataset_entry("moving-digits", ["objects=1", "train=1", "test=1", "length=4", "size=[48, 48]"])
    monkeypatch.setitem(example["compare"].__globals__, "dataset_entry", lambda *_: few)
    example["compare"](None, 1, tmp_path)
    told = capsys.readouterr().out
    assert all(f"{name} " in told for name in ("csrt", "yolo_csrt", "videos"))
    assert {file.name for file in tmp_path.iterdir()} == {"csrt.mp4", "yolo_csrt.mp4"}


@CONTRIB
def test_csrt_is_started_again_at_the_nearest_detection():
    clip = gliding(6, channels=3)
    looks = []

    def detect(frame):
        looks.append(1)
        return np.array([[60.0, 40, 74, 54], [0.0, 0, 14, 14]])

    tracker = RestartedCsrt(detect, YoloCsrtOptions(look_every=2), 0)
    tracker.start(clip.frames[0], np.array([20.0, 24, 34, 38]))
    first, second = tracker.follow(clip.frames[1]), tracker.follow(clip.frames[2])
    assert overlaps(first, truth_of(clip).boxes[1]) > 0.5
    assert len(looks) == 1
    assert second.tolist() == [0, 0, 14, 14]


@CONTRIB
def test_yolo_csrt_trains_and_tracks(tmp_path, digits):
    pytest.importorskip("ultralytics")
    model = trained("yolo_csrt", digits.train.select([0]), tmp_path, steps=1, pictures=8)
    assert scores(model, digits.test.select([0]))["AO"] > 0.3


def test_yolo_csrt_asks_for_a_yolo_that_there_is():
    with pytest.raises(UserError, match=r"unknown model 'yolov8z'. did you mean 'yolov8x'"):
        OPTIONS["yolo_csrt"](detector="yolov8z")


@CONTRIB
def test_yolo_csrt_asks_for_clips_of_one_size(tmp_path):
    data = Clips(replace(tiny_clips(32, 32, 3).spec, height=0, width=0), tiny_clips(32, 32, 3).clips)
    with pytest.raises(NotApplicable, match="clips of one size"):
        fresh("yolo_csrt", data, tmp_path)


# ------------------------------------------------------------------------------------- what is refused


def test_clips_that_are_no_sequence_are_told(digits):
    boxes = np.array([[4.0, 4, 12, 12]])

    def clip(frames, ids, **more):
        return Clip(
            "street", np.zeros((4, 32, 32, 1), np.uint8), Tracks.of(frames, ids, np.repeat(boxes, len(ids), 0), **more)
        )

    for one, said in [
        (clip([0, 0, 1], [1, 2, 1]), "street: has 2 objects"),
        (clip([], []), "street: has 0 objects"),
        (clip([1, 2], [1, 1]), "not in the first frame"),
        (clip([0, 1], [1, 1], visibility=[0, 1]), "not in the first frame"),
        (clip([0, 1], [1, 1], ignored=[False, True]), "first frame alone"),
    ]:
        with pytest.raises(DataError, match=said):
            TASK.check_splits(Splits(digits.train, clips_of(one)))
    with pytest.raises(DataError, match="no object"):
        TASK.check_splits(Splits(clips_of(clip([], [])), digits.test))
    with pytest.raises(DataError, match="no object can be seen"):
        Draws(clips_of(clip([0], [1], visibility=[0.1])), Augmentation.ORDINARY)


def test_trajectories_that_do_not_fit_are_refused():
    data = tiny_clips(32, 32, 1, count=1, length=3)
    good = Trajectory(truth_of(data.clips[0]).boxes, np.zeros(3))
    nan = good.boxes.copy()
    nan[1, 2] = np.nan
    for wrong, said in [
        ([], "0 predictions for 1"),
        ([good.boxes], "not ndarray"),
        ([replace(good, boxes=good.boxes[:2])], "must be"),
        ([replace(good, boxes=nan)], "frame 1 of tiny-0"),
    ]:
        with pytest.raises(PluginError, match=said):
            TASK.score(wrong, data)
    assert TASK.score([good], data).values["AO"] == 1


# --------------------------------------------------------------------------------------------- parts


def test_answers_are_tracks_without_the_empty_boxes():
    data = clips_of(gliding(4))
    boxes = np.array([[0, 0, 5, 5], [1, 0, 6, 5], [9, 9, 9, 9], [3, 0, 8, 5]], np.float64)
    (clip,) = TASK.answers([Trajectory(boxes, np.zeros(4))], data).clips
    assert clip.tracks.frames.tolist() == [0, 1, 3]
    assert clip.tracks.boxes.tolist() == boxes[[0, 1, 3]].tolist()


@pytest.mark.parametrize("box", [[-30.0, 4, -2, 20], [60, 40, 90, 70]])
def test_mil_begins_on_what_is_in_the_picture(box):
    frame = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    tracker = OpenCvTracker("mil", 0)
    tracker.start(frame, np.array(box))
    assert np.isfinite(tracker.follow(frame)).all()
    with pytest.raises(NotApplicable, match=r"cannot begin on this object: 6. by 4. pixels of 64 by 48"):
        OpenCvTracker("mil", 0).start(frame, np.array([-9.0, -9, 80, 60]))


def test_what_learns_says_so():
    learns = {name for name in OPTIONS if TASK.learnt(name, OPTIONS[name]()) is not None}
    assert learns == {"siamfc", "mdnet", "atom", "yolo_csrt"}
    assert TASK.learnt("yolo_csrt", YoloCsrtOptions(sure=0.9)) == TASK.learnt("yolo_csrt", YoloCsrtOptions())
    assert TASK.learnt("yolo_csrt", YoloCsrtOptions()).options.detector_options["enlarge"] == 1  # defaults count too
    assert TASK.learnt("yolo_csrt", YoloCsrtOptions(pictures=9)) != TASK.learnt("yolo_csrt", YoloCsrtOptions())


def test_crops_are_the_pixels_and_mean_colour_beyond():
    frame = np.random.default_rng(0).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    region = np.array([8.0, 4, 24, 20])
    whole = crops(frame, region[None], 16, "cpu")[0]
    pixels = torch.from_numpy(frame[4:20, 8:24].copy()).permute(2, 0, 1).float()
    assert torch.allclose((pixels - pixels[:, :1, :1]) / 64, whole - whole[:, :1, :1], atol=1e-5)
    assert crops(frame, np.array([[100.0, 100, 120, 120]]), 8, "cpu").abs().max() == 0
    box = np.array([10.0, 6, 18, 16])
    assert in_frame(in_crop(box, region, 96), region, 96) == pytest.approx(box)
    assert in_crop(region, region, 96) == pytest.approx([0, 0, 96, 96])


@pytest.mark.filterwarnings("error")
def test_crops_of_frames_that_are_mapped_from_disk_raise_no_warning():
    frame = np.zeros((32, 32, 1), np.uint8)
    frame.flags.writeable = False
    crops(frame, np.array([[0.0, 0, 32, 32]]), 8, "cpu")


def test_crops_near_the_edge_are_where_they_should_be():
    frame = np.zeros((32, 32, 1), np.uint8)
    frame[0:4, 0:4] = 255
    crop = crops(frame, np.array([[-8.0, -8, 8, 8]]), 16, "cpu")[0, 0]
    row, column = divmod(int(crop.argmax()), 16)
    assert 7 <= row < 12  # half a pixel beyond the edge still counts as its own
    assert 7 <= column < 12
    assert crop[:7].abs().max() == crop[:, :7].abs().max() == 0


def test_pooling_a_box_reads_the_features_under_it():
    features = torch.zeros(1, 1, CELLS, CELLS)
    features[..., 9, 9] = 1  # the cell whose centre is at 50, 50 of the crop
    centre = CROP / 2 + (9 - (CELLS - 1) / 2) * 4
    on, off = [centre - 6, centre - 6, centre + 6, centre + 6], [10.0, 10, 30, 30]
    pooled = pool(features, torch.tensor([[on, off]]), 3)[0]
    assert int(pooled[0].flatten().argmax()) == 4
    assert pooled[1].abs().max() == 0


def test_atoms_classifier_peaks_on_the_object():
    """Conjugate gradients on raw features that tell the object apart."""
    torch.manual_seed(0)
    net = Atom(1, AtomOptions(width=4)).eval()
    clip = gliding(2, step=4, side=16)
    tracker = AtomTracker(net, 0)
    box = truth_of(clip).boxes[0]
    tracker.start(clip.frames[0], box)
    features, _ = tracker._sample(clip.frames[0], np.array([28 - 32.0, 32 - 32, 28 + 32, 32 + 32]))
    with torch.no_grad():
        response = nn.functional.interpolate(tracker._classified(features), scale_factor=4)[0, 0]
    row, column = divmod(int(response.argmax()), response.shape[1])
    assert abs(row / 4 - CELLS / 2) < 2
    assert abs(column / 4 - CELLS / 2) < 2


def test_atoms_boxes_keep_the_first_frames_aspect(monkeypatch):
    """Also where a thin box is cut at the least side on its way."""
    monkeypatch.setattr("cvbench_tasks.sot.atom_tracker.LOST", -np.inf)
    clip = gliding(3)
    tracker = AtomTracker(Atom(1, AtomOptions(width=4)).eval(), 0)
    tracker.start(clip.frames[0], np.array([10.0, 20, 40, 24.5]))
    for frame, scale in zip(clip.frames[1:], (0.5, 4), strict=True):
        monkeypatch.setattr(
            tracker, "_climbed", lambda _, start, scale=scale: around([48, 48], scale * (start[2:] - start[:2]))
        )
        box = tracker.follow(frame)
    width, height = box[2:] - box[:2]
    assert width / height == pytest.approx(30 / 4.5)


def test_the_response_is_centred_on_a_centred_object():
    from cvbench_tasks.sot.siamfc import _near

    centred = _near(np.zeros(2))
    assert centred.sum() > 0
    assert centred.flip(0, 1).equal(centred)
    assert centred[RESPONSES // 2, RESPONSES // 2] == 1
    right = _near(np.array([8.0, 0]))
    assert right[RESPONSES // 2, RESPONSES // 2 + 2] == 1


def test_boxes_are_drawn_as_asked():
    rng, box = np.random.default_rng(0), np.array([20.0, 20, 40, 50])
    near = overlapping(box, 50, 0.7, 1.0, (100, 100, 1), rng)
    far = overlapping(box, 50, 0.0, 0.3, (100, 100, 1), rng)
    assert len(near) == len(far) == 50
    assert (overlaps(near, box) >= 0.7).all()
    assert (overlaps(far, box) <= 0.3).all()
    assert jittered(box, 5, 0, 0, rng) == pytest.approx(np.tile(box, (5, 1)))


def test_boxes_stay_in_the_picture():
    assert kept_inside(np.array([-50.0, 10, -30, 30]), (40, 60, 1)).tolist() == [-10, 10, 10, 30]
    assert kept_inside(np.array([10.0, 10, 10.5, 500]), (40, 60, 1)).tolist() == [8.25, 20, 12.25, 60]
    assert squares(np.array([0.0, 0, 10, 10]), 1.0).tolist() == [-5, -5, 15, 15]


def test_mdnet_sees_late_videos_in_its_first_steps(digits):
    draws = Draws(digits.train, Augmentation.ORDINARY)
    net = MdNet(digits.train.spec.channels, OPTIONS["mdnet"]())
    seen = {int(net.batch(draws, np.random.default_rng(seed), 4)["track"]) for seed in range(40)}
    assert seen == set(range(len(draws.tracks)))


def test_strong_augmentation_changes_both_frames_of_a_pair(digits):
    draws = [Draws(digits.train, augmentation) for augmentation in Augmentation]
    plain, strong = (one.pair(np.random.default_rng(5), 3) for one in draws)
    assert plain[0].box.tolist() == strong[0].box.tolist()
    assert not np.array_equal(plain[0].frame, strong[0].frame)


@pytest.mark.real_data
def test_trackers_follow_the_real_jumper(tmp_path):
    if "CVBENCH_DATA" not in os.environ:
        pytest.skip("CVBENCH_DATA is not set")
    from cvbench.readers.vot import Vot

    test = Vot(make_options(Vot.Options, {"test": ["vot2013_jump"]})).open(None).test  # CVBENCH_DATA/sot_vot
    clip = test.clips[0]
    few = clip.tracks.frames < 30
    short = Clip(
        "start",
        np.stack([clip.frames[k] for k in range(30)]),
        Tracks.of(clip.tracks.frames[few], clip.tracks.ids[few], clip.tracks.boxes[few]),
    )
    data = Clips(test.spec, (short,))
    assert scores(fresh("particle", data, tmp_path), data)["AO"] > 0.5
