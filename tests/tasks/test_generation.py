"""Generation: the judge learns from samples alone and says when it is asked for something else."""

import numpy as np
import pytest
from cvbench_tasks.generation import Generation

from cvbench.conformance import assert_task, tiny_pictures
from cvbench.contracts import Augmentation, Budget, Workplace, silent
from cvbench.errors import NotApplicable, UserError
from cvbench.fidelity import PROBE_VERSION


def test_it_keeps_the_contract():
    assert_task(Generation)


def judge(folder, data):
    task = Generation()
    return task, task.model("judge", data.spec, options=None, seed=3, workplace=Workplace(folder))


def test_a_judge_learns_what_it_is_shown(tmp_path):
    data = tiny_pictures(8, 8, 1)
    task, model = judge(tmp_path, data)
    asked = {"budget": Budget(60, 16), "seed": 1, "progress": silent, "workplace": Workplace(tmp_path)}
    model.train(data, None, augmentation=Augmentation.ORDINARY, **asked)
    scores = task.score(model.predict(data), data)
    assert scores.values["tstr"] > 0.9
    assert scores.values["tstr"] == np.mean(scores.per_item["tstr"])
    with pytest.raises(NotApplicable, match="synthetic and mixed"):  # finetune's second stage
        model.train(data, None, augmentation=Augmentation.ORDINARY, **asked)


def test_a_judge_learns_alone_and_in_fp32(tmp_path, monkeypatch):
    data = tiny_pictures(8, 8, 1)
    _, model = judge(tmp_path, data)

    def learn(precision):
        asked = {"budget": Budget(2, 4, precision), "seed": 1, "progress": silent, "workplace": Workplace(tmp_path)}
        model.train(data, None, augmentation=Augmentation.ORDINARY, **asked)

    with pytest.raises(NotApplicable, match="learns in fp32, not bf16"):
        learn("bf16")
    monkeypatch.setattr("cvbench.training.rank_and_world", lambda: (0, 2))
    with pytest.raises(NotApplicable, match="trained by one process"):
        learn("auto")


def test_there_is_one_judge():
    with pytest.raises(UserError, match="judge"):
        Generation().model_options("simple_cnn")


def test_the_judge_is_the_probe_and_of_its_version():
    (info,) = Generation().models()
    assert info.version == PROBE_VERSION
