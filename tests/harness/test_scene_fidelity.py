"""Scenes are judged as whole pictures, without a class."""

import numpy as np

from cvbench.conformance import tiny_scenes
from cvbench.datasets import with_labels
from cvbench.fidelity.extractors import make_extractor
from cvbench.fidelity.judge import judge_samples
from cvbench.fidelity.probe import untrained_probe


def test_noise_is_farther_than_real_scenes_and_classes_are_not_spoken_of():
    train, test, more = (with_labels(tiny_scenes(32, 32, 1, count=count)) for count in (24, 60, 30))
    noise = type(more)(more.spec, np.random.default_rng(0).integers(0, 256, more.images.shape, np.uint8), more.labels)
    probe = untrained_probe(test.spec, 0)
    extractor = make_extractor("random", spec=test.spec)
    real, far = (judge_samples(train, test, made, extractor, probe, seed=0) for made in (more, noise))
    assert far.values["frechet_distance"] > 3 * real.values["frechet_distance"]
    assert np.isnan([far.values[name] for name in ("trts", "mode_coverage", "class_balance")]).all()
    assert far.values["recall"] < real.values["recall"]
    assert np.isfinite(far.values["diversity"])
