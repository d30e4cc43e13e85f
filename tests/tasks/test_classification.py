"""The classification task: models by name, training that repeats and resumes, stages, val, augmentation."""

import numpy as np
import pytest
import torch
from cvbench_tasks.classification import Classification
from cvbench_tasks.classification.augmentation import GROUP, in_groups, light, strong
from cvbench_tasks.classification.models import TORCHVISION
from cvbench_tasks.classification.torchvision_models import _keep_resolution, _take_channels, build
from torchvision import models

from cvbench.conformance import tiny_pictures
from cvbench.contracts import Augmentation, Budget, Workplace, silent
from cvbench.errors import UserError
from cvbench.plugins import make_options
from cvbench.readers import open_dataset

TASK = Classification()


def trained(data, folder, *, name="simple_cnn", options=None, steps=6, val=None, progress=silent, strong_=False):
    place = Workplace(folder)
    made = make_options(TASK.model_options(name), options or {})
    model = TASK.model(name, data.spec, options=made, seed=1, workplace=place)
    model.train(
        data,
        val,
        budget=Budget(steps, 8, "fp32"),
        augmentation=Augmentation.STRONG if strong_ else Augmentation.ORDINARY,
        seed=2,
        progress=progress,
        workplace=place,
    )
    return model


def bits(model) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in model.net.state_dict().values()]


def test_the_static_list_is_torchvisions():
    assert models.list_models(module=models) == list(TORCHVISION)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "efficientnet_b0", "densenet121"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 40, 3)])
def test_torchvisions_classifiers_take_small_pictures(tmp_path, name, shape):
    data = tiny_pictures(*shape, per_class=3)
    model = trained(data, tmp_path, name=name, steps=1)
    probabilities = np.concatenate(list(model.predict(data)))
    assert probabilities.shape == (9, 3)
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-4)


FAMILIES = "googlenet inception_v3 vgg11 alexnet vit_b_32 swin_t convnext_tiny shufflenet_v2_x0_5 regnet_y_400mf"


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAMILIES.split(), "mnasnet0_5", "resnext50_32x4d"])
def test_every_family_gives_logits_for_a_small_grey_picture(name):
    spec = tiny_pictures(28, 28, 1).spec
    net = build(name, spec, "none").train()
    assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "height", "width"), [("vit_b_32", 256, 240), ("maxvit_t", 230, 230), ("vgg11", 20, 70)]
)
def test_a_picture_of_another_size_than_the_network_was_made_for(name, height, width):
    net = build(name, tiny_pictures(height, width, 3).spec, "none").eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 3, height, width)).shape == (1, 3)


@pytest.mark.parametrize("changed", [lambda net: _take_channels(net, 1, keep=True), _keep_resolution])
def test_a_changed_first_convolution_keeps_its_bias(changed):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, stride=2), torch.nn.ReLU())
    bias = net[0].bias.detach().clone()
    changed(net)
    assert torch.equal(net[0].bias, bias)
    bare = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, stride=2, bias=False))
    changed(bare)
    assert bare[0].bias is None


def test_an_unknown_model_and_unknown_weights_are_one_line():
    with pytest.raises(UserError, match="did you mean 'resnet18'"):
        TASK.model_options("resnet1")
    with pytest.raises(UserError, match="did you mean 'IMAGENET1K_V1'"):
        build("resnet18", tiny_pictures(28, 28, 3).spec, "IMAGENET1K_V")


def test_the_same_seeds_give_the_same_bits_and_a_kill_changes_nothing(tmp_path, monkeypatch):
    data = tiny_pictures(8, 8, 1)
    options = {"augmentation": "light", "ema": 0.9}
    whole = bits(trained(data, tmp_path / "a", options=options, val=data))
    assert bits(trained(data, tmp_path / "b", options=options, val=data)) == whole
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)

    def kill(done: int, total: int, note: str = "") -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(data, tmp_path / "c", options=options, val=data, progress=kill)
    assert bits(trained(data, tmp_path / "c", options=options, val=data)) == whole


def test_it_learns_real_digits(tmp_path):
    splits = open_dataset("digits", "", None, {}, 0.0)
    model = trained(splits.train, tmp_path, steps=150)
    scores = TASK.score(model.predict(splits.test), splits.test)
    assert scores.values["top1"] > 0.9
    assert scores.values["ece"] < 0.2


def test_normalisation_comes_from_the_first_stage_and_stays(tmp_path):
    data = tiny_pictures(8, 8, 1)
    model = trained(data, tmp_path / "a")
    assert model.net.mean.item() == pytest.approx(data.images.mean() / 255, abs=1e-5)
    assert model.net.deviation.item() == pytest.approx(data.images.std() / 255, abs=1e-3)
    before = model.net.mean.clone()
    model.train(
        data.select([0, 1]), None, budget=Budget(1, 2, "fp32"), augmentation=Augmentation.ORDINARY, seed=0,
        progress=silent, workplace=Workplace(tmp_path / "b"),
    )  # fmt: skip
    assert torch.equal(model.net.mean, before)


def test_weights_are_chosen_on_val(tmp_path, monkeypatch):
    data = tiny_pictures(8, 8, 1)
    scores = iter([0.2, 0.9, 0.1, 0.3, 0.2, 0.1])
    seen = []

    def top1(self, net, val):
        seen.append([t.clone() for t in net.state_dict().values()])
        return next(scores)

    monkeypatch.setattr("cvbench_tasks.classification.classifier.Classifier._top1", top1)
    model = trained(data, tmp_path, steps=6, val=data)
    assert all(torch.equal(a, b) for a, b in zip(model.net.state_dict().values(), seen[1], strict=True))


@pytest.mark.parametrize("augment", [light(), strong(1), strong(3)])
def test_augmentation_varies_between_groups_and_keeps_shape(augment):
    torch.manual_seed(0)
    channels = 3
    pictures = torch.rand(1, channels, 12, 12).expand(2 * GROUP, -1, -1, -1).contiguous()
    out = in_groups(augment, pictures)
    assert out.shape == pictures.shape
    assert not torch.equal(out[0], out[GROUP])


def test_strong_augmentation_changes_the_training(tmp_path):
    data = tiny_pictures(8, 8, 3)
    assert bits(trained(data, tmp_path / "a")) != bits(trained(data, tmp_path / "b", strong_=True))
