"""Fidelity as the harness uses it: extractors and their hashes, a judged set beside its floor, controls, refusals."""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cvbench.conformance import tiny_pictures
from cvbench.contracts import Splits, Workplace, silent
from cvbench.errors import DataError, NotApplicable, UserError
from cvbench.fidelity import judge, quality
from cvbench.fidelity import probe as probe_module
from cvbench.fidelity.extractors import Extractor, inception_extractor, make_extractor, pixel_extractor
from cvbench.fidelity.features import CHUNK_ENTRIES, checked, chunks
from cvbench.fidelity.judge import METRICS, judge_samples
from cvbench.fidelity.pictures import pair_sheet
from cvbench.fidelity.probe import load_probe, train_probe, untrained_probe
from cvbench.fidelity.quality import Pair, open_synthetic
from cvbench.jobs import DataRef
from cvbench.readers import open_dataset
from cvbench.real_data import OpenedData
from cvbench.samples import LabelledImages
from cvbench.writers import write_set

INCEPTION = "torch_fidelity.feature_extractor_inceptionv3"


@pytest.fixture(scope="module")
def real():
    """Digits in three parts: for the generator to see, to judge on, and to play a perfect generator with."""
    splits = open_dataset("digits", "", None, {}, 0.0)
    places = np.random.default_rng(0).permutation(1198)
    return splits.train.select(places[:600]), splits.test, splits.train.select(places[600:])


@pytest.fixture(scope="module")
def probe(real, tmp_path_factory):
    return train_probe(real[0], seed=0, workplace=Workplace(tmp_path_factory.mktemp("probe")), steps=120)


def noise_like(data: LabelledImages) -> LabelledImages:
    return replace(data, images=np.random.default_rng(1).integers(0, 256, data.images.shape, dtype=np.uint8))


def judged(real, probe, synthetic, name="task", **asked):
    extractor = make_extractor(name, probe=probe, spec=synthetic.spec)
    return judge_samples(real[0], real[1], synthetic, extractor, probe, **{"seed": 0, **asked})


# ------------------------------------------------------------------------------------------- controls


@pytest.mark.parametrize("name", ["task", "random", "pixel"])
def test_controls_get_what_they_must(real, probe, name):
    train, _, fresh = real
    copy, oracle, noise = (judged(real, probe, made, name).values for made in (train, fresh, noise_like(train)))
    assert copy["memorization"] > 0.95
    assert copy["exact_copies"] == 1
    assert oracle["memorization"] == pytest.approx(0.5, abs=0.12)
    assert oracle["exact_copies"] == 0
    assert oracle["c2st"] == pytest.approx(0.5, abs=0.12)
    assert oracle["coverage"] > 0.85
    assert noise["coverage"] < 0.1
    assert noise["c2st"] > 0.95
    assert noise["frechet_distance"] > 5 * oracle["frechet_distance"]
    assert noise["trts"] < 0.3 < oracle["trts"]


def test_the_floor_is_what_real_pictures_get(real, probe):
    found = judged(real, probe, real[2])
    assert set(found.values) == set(found.floors) == {metric.name for metric in METRICS}
    assert found.compared == 297
    assert found.searched == 600
    for name in ("precision", "recall", "coverage", "density", "trts", "class_balance", "diversity"):
        assert found.values[name] == pytest.approx(found.floors[name], abs=0.12), name
    assert found.floors["exact_copies"] == 0
    again = judged(real, probe, real[0])
    assert again.floors == found.floors  # whatever is judged, if there is as much of it
    for metric in METRICS:
        low, high = metric.low, metric.high
        assert low is None or found.values[metric.name] >= low
        assert high is None or found.values[metric.name] <= high


def test_a_lost_class_and_a_repeated_picture_are_seen(real, probe):
    train = real[0]
    lost = judged(real, probe, train.select(np.flatnonzero(train.labels != 3)))
    assert lost.values["mode_coverage"] == pytest.approx(0.9)
    assert np.isnan(lost.per_class["diversity"]["3"])
    assert lost.to_json()["per_class"]["diversity"]["3"] is None
    firsts = np.array([np.flatnonzero(train.labels == label)[0] for label in range(10)])
    same = judged(real, probe, train.select(np.repeat(firsts, 30)))
    assert same.values["diversity"] == pytest.approx(0, abs=1e-6)
    assert same.values["recall"] < 0.1
    assert same.errors["memorization"] > 0.1  # ten pictures, not three hundred


def test_wrong_labels_are_seen_by_class(real, probe):
    train = real[0]
    found = judged(real, probe, replace(train, labels=np.where(train.labels == 3, 4, train.labels)))
    assert found.values["trts"] == pytest.approx(found.floors["trts"] - 0.1, abs=0.05)
    assert found.per_class["trts"]["4"] < 0.7 < found.per_class["trts"]["5"]


def test_pairs_name_the_pictures_that_they_are(real, probe):
    train = real[0]
    some = train.select(np.arange(599, 0, -1))
    found = judged(real, probe, some)
    assert len(found.pairs) == judge.PAIRS
    for made, seen, apart in found.pairs:
        assert apart == 0
        np.testing.assert_array_equal(some.images[made], train.images[seen])


def test_the_same_seed_gives_the_same_numbers_and_they_can_be_written(real, probe):
    one, again, other = (judged(real, probe, real[2], seed=seed, most=100).to_json() for seed in (0, 0, 1))
    assert one == again
    assert one["values"]["frechet_distance"] != other["values"]["frechet_distance"]
    assert one["compared"] == 100
    assert json.loads(json.dumps(one, allow_nan=False))["extractor"]["name"] == "task"


def test_only_so_many_training_pictures_are_searched(real, probe, monkeypatch):
    monkeypatch.setattr(judge, "MOST_SEARCHED", 200)
    found = judged(real, probe, real[0])
    assert found.searched == 200
    for made, seen, _ in found.pairs:
        np.testing.assert_array_equal(real[0].images[made], real[0].images[seen])


# ----------------------------------------------------------------------------------------- extractors


def test_a_hash_is_of_name_and_weights(real, probe, tmp_path):
    spec = real[0].spec
    hashes = {name: make_extractor(name, probe=probe, spec=spec).hash for name in ("task", "random", "pixel")}
    assert len(set(hashes.values())) == 3
    assert hashes["pixel"] == hashlib.sha256(b"pixel 32").hexdigest()
    probe.save(tmp_path)
    again = make_extractor("task", probe=load_probe(tmp_path), spec=spec)
    assert again.hash == hashes["task"]
    other = untrained_probe(spec, 1)
    assert make_extractor("task", probe=other, spec=spec).hash != hashes["task"]
    assert make_extractor("random", probe=other, spec=spec).hash == hashes["random"]
    with torch.no_grad():
        next(other.network.parameters()).view(-1)[0] += 1e-3
    assert make_extractor("task", probe=other, spec=spec).hash != make_extractor("task", probe=untrained_probe(spec, 1),
                                                                                 spec=spec).hash  # fmt: skip


def test_drawing_an_untrained_network_leaves_the_global_generator_alone(real):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    make_extractor("random", probe=untrained_probe(real[0].spec, 0), spec=real[0].spec)
    assert torch.equal(torch.rand(2), expected)


def test_large_pictures_are_averaged_before_their_pixels_are_compared():
    assert pixel_extractor().features(np.full((2, 64, 40, 3), 51, np.uint8)) == pytest.approx(np.full((2, 3072), 0.2))
    assert pixel_extractor().features(np.zeros((2, 8, 6, 1), np.uint8)).shape == (2, 48)


def test_extractors_refuse_in_one_line(real, probe, tmp_path, monkeypatch):
    spec = real[0].spec
    with pytest.raises(UserError, match="did you mean 'inception'"):
        make_extractor("incepton", probe=probe, spec=spec)
    with pytest.raises(UserError, match="takes no weights file"):
        make_extractor("task", probe=probe, spec=spec, weights=tmp_path)
    with pytest.raises(DataError, match="task: needs a probe"):
        make_extractor("task", spec=spec)
    with pytest.raises(DataError, match="RGB pictures, but the probe was trained on grey ones"):
        make_extractor("task", probe=probe, spec=replace(spec, channels=3))
    monkeypatch.setitem(sys.modules, INCEPTION, None)
    with pytest.raises(DataError, match=r"inception: needs torch-fidelity.*pip install torch-fidelity"):
        make_extractor("inception", probe=probe, spec=spec)


class TinyInception(torch.nn.Module):
    """Stands in for torch-fidelity's network: the same call, weights of one number."""

    def __init__(self, name, features_list, weights):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.load_state_dict(torch.load(weights, weights_only=True))

    def forward(self, pictures):
        assert pictures.dtype == torch.uint8
        assert pictures.shape[1] == 3
        return (pictures.float().mean((2, 3)).repeat(1, 683)[:, :2048] * self.weight,)


@pytest.fixture
def published(monkeypatch, tmp_path):
    """torch-fidelity with the tiny network, and no network to download from."""
    module = type("Module", (), {"URL_INCEPTION_V3": "http://localhost:1/weights-inception-6726825d.pth",
                                 "FeatureExtractorInceptionV3": TinyInception})  # fmt: skip
    monkeypatch.setitem(sys.modules, INCEPTION, module)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return module


@pytest.mark.parametrize("zipped", [False, True])  # the published file is of torch's old format, which is no zip
def test_inception_takes_grey_pictures_as_rgb(published, tmp_path, zipped):
    weights = {"weight": torch.tensor([2.0])}
    torch.save(weights, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
    extractor = inception_extractor(tmp_path / "weights.pth")
    grey = np.random.default_rng(0).integers(0, 256, (60, 9, 9, 1), dtype=np.uint8)
    np.testing.assert_array_equal(extractor.features(grey), extractor.features(grey.repeat(3, axis=3)))
    assert extractor.features(grey).shape == (60, 2048)
    torch.save({"weight": torch.tensor([3.0])}, tmp_path / "other.pth")
    assert inception_extractor(tmp_path / "other.pth").hash != extractor.hash


def test_inceptions_weights_are_asked_for_and_not_unpickled(published, tmp_path):
    with pytest.raises(DataError, match=r"weights cannot be downloaded \(.*\). fetch http.*--weights"):
        inception_extractor(None)
    assert not list(tmp_path.glob("hub/**/*.pth"))
    with pytest.raises(DataError, match="there is no such file"):
        inception_extractor(tmp_path / "nowhere.pth")
    (tmp_path / "torn.pth").write_bytes(b"PK\3\4 torn")
    with pytest.raises(DataError, match="not a file of weights"):
        inception_extractor(tmp_path / "torn.pth")
    torch.save({"weight": Path("/")}, tmp_path / "evil.pth")
    with pytest.raises(DataError, match="not a file of weights"):
        inception_extractor(tmp_path / "evil.pth")
    torch.save({"other": torch.ones(1)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match="not the weights of FID's InceptionV3"):
        inception_extractor(tmp_path / "other.pth")
    for what in ([1, 2], {1: torch.ones(1)}):
        torch.save(what, tmp_path / "other.pth")
        with pytest.raises(DataError, match="not the weights of FID's InceptionV3"):
            inception_extractor(tmp_path / "other.pth")


def test_the_real_side_is_looked_at_once_for_all_generators(real, probe):
    looked: list[int] = []

    def features(images):
        looked.append(len(images))
        return images.reshape(len(images), -1)[:, ::7].astype(np.float32)

    def found(synthetic, most, seed=0):
        extractor = Extractor("counting", "of this test", features)
        return judge_samples(real[0], real[1], synthetic, extractor, probe, most=most, seed=seed)

    train, first = len(real[0]), found(real[2], 40)
    assert sorted(looked) == [40, 40, 40, train]
    looked.clear()
    assert found(noise_like(real[2]), 40).floors == first.floors
    assert looked == [40]
    assert found(real[2], 40).values == first.values
    found(real[2], 60)
    found(real[2], 40, seed=1)
    assert looked == [40, 40, *[60] * 3, *[40] * 3]


# ------------------------------------------------------------------------------------------- refusals


def test_sets_that_cannot_be_compared_are_refused(real, probe):
    train, test, _ = real
    one_each = train.select(np.array([np.flatnonzero(train.labels == label)[0] for label in range(10)]))
    with pytest.raises(NotApplicable, match=r"10 synthetic pictures of 10 classes are too few .* at least 20"):
        judged(real, probe, one_each)
    with pytest.raises(NotApplicable, match="0 synthetic pictures"):
        judged(real, probe, train.select([]))
    with pytest.raises(NotApplicable, match="pictures in half of the real test split"):
        judged((train, test.select(np.arange(30)), train), probe, train)
    small = tiny_pictures(8, 8, 1)
    with pytest.raises(DataError, match=r"synthetic pictures have other \(dark, grey, light.*classes"):
        judged(real, probe, small)
    wide = replace(train, spec=replace(train.spec, width=16), images=train.images.repeat(2, axis=2))
    with pytest.raises(DataError, match="synthetic pictures have 16 width, real training ones 8"):
        judged(real, probe, wide)
    colour = replace(train, spec=replace(train.spec, channels=3), images=train.images.repeat(3, axis=3))
    with pytest.raises(DataError, match="synthetic pictures have 3 channels"):
        judge_samples(train, test, colour, pixel_extractor(), probe, seed=0)


def test_features_that_are_no_numbers_are_refused(real, probe):
    broken = Extractor("broken", "", lambda images: np.full((len(images), 4), np.nan, np.float32))
    with pytest.raises(DataError, match="extractor 'broken': gave features that are NaN or infinite"):
        judge_samples(real[0], real[1], real[2], broken, probe, seed=0)
    good, bad = np.zeros((9, 2)), np.zeros((9, 2))
    bad[3, 1] = np.inf
    with pytest.raises(DataError, match="NaN or infinite"):
        checked(good, bad, least=2)
    with pytest.raises(DataError, match=r"of one D, not \(9, 2\) and \(9, 3\)"):
        checked(good, np.zeros((9, 3)), least=2)
    with pytest.raises(NotApplicable, match="1 pictures are too few"):
        checked(good, bad[:1], least=2)


def written(data: LabelledImages, folder: Path) -> Path:
    write_set(data, folder, about={}, progress=silent)
    return folder


def test_a_synthetic_folder_is_read_as_it_was_written(real, tmp_path):
    """Twelve classes: as folders, 10 comes before 2."""
    spec = replace(real[0].spec, classes=tuple(map(str, range(12))))
    data = LabelledImages(spec, real[0].images[:24], np.repeat(np.arange(12), 2).astype(np.int64))
    found = open_synthetic(written(data, tmp_path / "made"), spec)
    assert found.fingerprint == data.fingerprint


def test_test_pictures_among_the_synthetic_ones_are_counted_once_each(real):
    train, test, fresh = real
    synthetic = test.select([0, 5, 0, 0]).join(fresh.select([1, 2]))
    pair = Pair(DataRef("digits", "digits", "", None, {}, 0.0), OpenedData(Splits(train, test)), synthetic)
    assert quality.test_pictures_among(pair) == 2


def test_a_class_may_be_lost_but_not_its_folder(real, tmp_path):
    data = real[0].select(np.flatnonzero(real[0].labels != 3)[:60])
    found = open_synthetic(written(data, tmp_path / "made"), data.spec)
    assert found.class_counts()[3] == 0
    (tmp_path / "made" / "3").rename(tmp_path / "made" / "three")
    with pytest.raises(DataError, match=r"made: has no class '3', but digits does.*one folder per class"):
        open_synthetic(tmp_path / "made", data.spec)
    (tmp_path / "made" / "3").mkdir()
    with pytest.raises(DataError, match="has a class 'three', which digits lacks"):
        open_synthetic(tmp_path / "made", data.spec)


def test_synthetic_folders_that_do_not_fit_are_refused(real, tmp_path):
    some, spec = real[0].select(np.arange(20)), real[0].spec
    with pytest.raises(DataError, match="there is no such folder"):
        open_synthetic(tmp_path / "nowhere", spec)
    with pytest.raises(DataError, match="its class folders hold no pictures"):
        open_synthetic(written(some.select([]), tmp_path / "empty"), spec)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: is a file, not a folder"):
        open_synthetic(tmp_path / "file", spec)
    remedy = r"\. bring them to 28x28, or read the real folder at theirs: --data-option size=8"
    with pytest.raises(DataError, match=r"its pictures are 8x8 \(height x width\), those of digits 28x28" + remedy):
        open_synthetic(written(some, tmp_path / "small"), replace(spec, height=28, width=28))
    with pytest.raises(DataError, match=r"is grey, the pictures of digits are RGB.*--data-option channels=1"):
        open_synthetic(tmp_path / "small", replace(spec, channels=3))
    (tmp_path / "whole" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"has splits in the place of classes\. name one of them: .*whole/train"):
        open_synthetic(tmp_path / "whole", spec)
    Image.new("L", (9, 8)).save(tmp_path / "small" / "0" / "odd.png")
    with pytest.raises(DataError, match=r"pictures of 2 sizes, from 8x8 to 8x9.*bring them to 8x8"):
        open_synthetic(tmp_path / "small", spec)


def test_large_matrices_are_walked_through_in_chunks():
    assert list(chunks(0, 5)) == []
    slices = list(chunks(10_000, 10_000))
    assert [part.start for part in slices[1:]] == [part.stop for part in slices[:-1]]
    assert (slices[0].start, slices[-1].stop) == (0, 10_000)
    assert max(part.stop - part.start for part in slices) * 10_000 <= CHUNK_ENTRIES


# ------------------------------------------------------------------------------------------- pictures


def test_pairs_lie_side_by_side():
    made, seen = np.full((7, 28, 20, 3), 10, np.uint8), np.full((7, 28, 20, 3), 200, np.uint8)
    sheet = np.asarray(pair_sheet(made, seen, [0.5] * 7))
    assert sheet.shape[0] == 18 + 2 * (56 + 18)
    heading, first, distance, second = np.split(sheet, [18, 18 + 56, 2 * 18 + 56])
    assert (first[:, :40] == 10).all()
    assert (first[:, 42:82] == 200).all()
    assert (second[:56, 92:132] == 10).all()
    assert (second[:, 2 * 92 :] == 255).all()
    for written in (heading, distance[:, :82], second[56:, :82]):
        assert written.min() < 100 < written.mean(), "dark letters on white"
    one_pair = pair_sheet(made[:1, ..., :1], seen[:1, ..., :1], [0.5])
    assert one_pair.mode == "L"
    assert one_pair.width > 200, "wide enough for the heading"


def test_few_pictures_fill_a_batch_of_the_probe_too(tmp_path, monkeypatch):
    """Else real pictures alone, fewer than a batch, would be seen less often than a larger mixed set."""
    sizes, forward = [], probe_module._Network.forward
    monkeypatch.setattr(probe_module._Network, "forward", lambda net, x: sizes.append(len(x)) or forward(net, x))
    few = tiny_pictures(8, 8, 1, per_class=2)
    train_probe(few, seed=0, workplace=Workplace(tmp_path), steps=2, batch=32)
    assert sizes == [32, 32]
