"""Tracking metrics against TrackEval's whole evaluation and py-motmetrics, on real ground truth and on random tracks.

TrackEval reads the texts itself here, by its own reader and protocol; py-motmetrics is given distances, since its own
overlaps break on NumPy 2.
"""

import os
from pathlib import Path

import motmetrics
import numpy as np
import pytest
from cvbench_tasks.tracking.metrics import score
from trackeval import Evaluator
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

from cvbench.clips import Clip, Clips, Tracks
from cvbench.readers.mot_rows import read_result, read_truth
from cvbench.samples import AnnotationKind, DatasetSpec

SPEC = DatasetSpec("text", AnnotationKind.TRACKS, ("person",), 8, 8, 1)
TUD = {"TUD-Campus": 71, "TUD-Stadtmitte": 179}


def clips_of(texts, lengths):
    clips = [
        Clip(name, np.zeros((length, 8, 8, 1), np.uint8), read_truth(texts / name / "gt.txt"))
        for name, length in lengths.items()
    ]
    return Clips(SPEC, tuple(clips)), [read_result(texts / name / "test.txt") for name in lengths]


def ours(texts, lengths):
    truth, found = clips_of(texts, lengths)
    return score(found, truth).values


def trackevals(texts, lengths, folder, benchmark):
    """The same numbers by TrackEval alone, from the same texts in the folders that it expects."""
    for name in lengths:
        (folder / "gt" / name / "gt").mkdir(parents=True)
        (folder / "gt" / name / "gt" / "gt.txt").write_text((texts / name / "gt.txt").read_text())
        (folder / "found" / "it" / "data").mkdir(parents=True, exist_ok=True)
        (folder / "found" / "it" / "data" / f"{name}.txt").write_text((texts / name / "test.txt").read_text())
    dataset = MotChallenge2DBox(
        {
            "GT_FOLDER": str(folder / "gt"),
            "TRACKERS_FOLDER": str(folder / "found"),
            "BENCHMARK": benchmark,
            "SEQ_INFO": lengths,
            "SKIP_SPLIT_FOL": True,
            "DO_PREPROC": benchmark != "MOT15",
            "PRINT_CONFIG": False,
        }
    )
    silent = dict.fromkeys(("PRINT_CONFIG", "PRINT_RESULTS", "TIME_PROGRESS", "PLOT_CURVES"), False)
    silent |= dict.fromkeys(("OUTPUT_SUMMARY", "OUTPUT_DETAILED", "OUTPUT_EMPTY_CLASSES", "LOG_ON_ERROR"), False)
    quiet = {"PRINT_CONFIG": False}
    results, _ = Evaluator(silent).evaluate([dataset], [HOTA(), CLEAR(quiet), Identity(quiet)])
    pooled = results["MotChallenge2DBox"]["it"]["COMBINED_SEQ"]["pedestrian"]
    values = {name: np.mean(pooled["HOTA"][name]) for name in ("HOTA", "DetA", "AssA")}
    return values | {
        "IDF1": pooled["Identity"]["IDF1"],
        "MOTA": pooled["CLEAR"]["MOTA"],
        "IDSW": pooled["CLEAR"]["IDSW"],
    }


def distances(true, found):
    """(n, k) 1 − overlap, NaN below an overlap of one half."""
    low = np.maximum(true[:, None, :2], found[None, :, :2])
    high = np.minimum(true[:, None, 2:], found[None, :, 2:])
    shared = (high - low).clip(0).prod(-1)
    union = (true[:, 2:] - true[:, :2]).prod(-1)[:, None] + (found[:, 2:] - found[:, :2]).prod(-1) - shared
    overlap = shared / union
    return np.where(overlap >= 0.5, 1 - overlap, np.nan)


def motmetricss(truth, found):
    accumulators = []
    for clip, tracks in zip(truth.clips, found, strict=True):
        accumulator = motmetrics.MOTAccumulator(auto_id=True)
        for frame in range(len(clip)):
            theirs, own = clip.tracks.rows(frame), tracks.rows(frame)
            between = distances(clip.tracks.boxes[theirs].astype(float), tracks.boxes[own].astype(float))
            accumulator.update(clip.tracks.ids[theirs], tracks.ids[own], between)
        accumulators.append(accumulator)
    host = motmetrics.metrics.create()
    table = host.compute_many(
        accumulators, metrics=["mota", "idf1", "num_switches"], names=list("ab")[: len(found)], generate_overall=True
    )
    overall = table.loc["OVERALL"]
    return {"MOTA": overall["mota"], "IDF1": overall["idf1"], "IDSW": overall["num_switches"]}


def random_texts(folder, seed, *, length=30):
    """MOT16's columns: walkers, some of them distractors or not counted; a tracker that misses, strays and swaps."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for one in range(1, 9):
        kind, flag = [(1, 1), (1, 1), (1, 1), (1, 0), (8, 0), (7, 0), (3, 0), (1, 1)][one - 1]
        place, speed = rng.uniform(0, 150, 2), rng.normal(0, 2, 2)
        size = rng.uniform(20, 40, 2)
        for frame in range(1, length + 1):
            left, top = place + speed * frame
            if rng.random() < 0.9:
                row = f"{left:.2f},{top:.2f},{size[0]:.2f},{size[1]:.2f},{flag},{kind},{rng.random():.2f}"
                truth.append(f"{frame},{one},{row}")
            if rng.random() < 0.8:
                identity = one + (100 if frame > length // 2 and one % 2 else 0)
                x, y = np.array([left, top]) + rng.normal(0, 3, 2)
                found.append(f"{frame},{identity},{x:.2f},{y:.2f},{size[0]:.2f},{size[1]:.2f},1,-1,-1,-1")
    folder.mkdir(parents=True)
    (folder / "gt.txt").write_text("\n".join(truth))
    (folder / "test.txt").write_text("\n".join(found))


# ---------------------------------------------------------------------------------- real ground truth

REAL = pytest.mark.skipif("CVBENCH_DATA" not in os.environ, reason="CVBENCH_DATA is not set")


@pytest.fixture
def tud():
    return Path(os.environ["CVBENCH_DATA"]) / "mot_tud"


@REAL
@pytest.mark.real_data
@pytest.mark.parametrize("names", [["TUD-Campus"], ["TUD-Stadtmitte"], list(TUD)])
def test_real_tracks_get_the_references_numbers(tud, tmp_path, names):
    lengths = {name: TUD[name] for name in names}
    values = ours(tud, lengths)
    assert values == pytest.approx(trackevals(tud, lengths, tmp_path, "MOT15"), abs=1e-6)
    theirs = motmetricss(*clips_of(tud, lengths))
    assert {name: values[name] for name in theirs} == pytest.approx(theirs, abs=1e-6)


@REAL
@pytest.mark.real_data
@pytest.mark.parametrize(("name", "mota", "idf1"), [("TUD-Campus", 52.6, 55.8), ("TUD-Stadtmitte", 56.4, 64.5)])
def test_real_tracks_get_the_published_numbers(tud, name, mota, idf1):
    values = ours(tud, {name: TUD[name]})
    assert (round(100 * values["MOTA"], 1), round(100 * values["IDF1"], 1), values["IDSW"]) == (mota, idf1, 7)


# ------------------------------------------------------------------------------------- random tracks


@pytest.mark.parametrize("seed", range(4))
def test_distractors_and_rows_that_do_not_count_are_handled_as_motchallenge_does(tmp_path, seed):
    for number, name in enumerate(("one", "two")):
        random_texts(tmp_path / "texts" / name, 10 * seed + number)
    lengths = {"one": 30, "two": 30}
    truth, _ = clips_of(tmp_path / "texts", lengths)
    assert any(clip.tracks.ignored.any() for clip in truth.clips)
    values = ours(tmp_path / "texts", lengths)
    assert values == pytest.approx(trackevals(tmp_path / "texts", lengths, tmp_path, "MOT17"), abs=1e-6)
    assert 0.2 < values["HOTA"] < 0.9
    assert values["IDSW"] > 0


def test_nothing_found_and_nothing_there_get_what_trackeval_gives_them():
    still = Tracks.of(np.arange(4), np.ones(4), np.tile([1, 1, 5, 5], (4, 1)))
    none = Tracks.of([], [], [])
    frames = np.zeros((4, 8, 8, 1), np.uint8)
    truth = Clips(SPEC, (Clip("there", frames, still), Clip("empty", frames, none)))
    assert score([still, none], truth).values == {
        "HOTA": 1, "DetA": 1, "AssA": 1, "IDF1": 1, "MOTA": 1, "IDSW": 0,
    }  # fmt: skip
    assert score([none, none], truth).values == {
        "HOTA": 0, "DetA": 0, "AssA": 0, "IDF1": 0, "MOTA": 0, "IDSW": 0,
    }  # fmt: skip
    assert score([still, still], truth).values["MOTA"] == 0  # as many false boxes as objects
    assert 0 < score([still, still], truth).values["DetA"] < 1
