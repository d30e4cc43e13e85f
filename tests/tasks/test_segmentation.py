"""The segmentation task: models by name, any size of picture, losses, augmentation, training that repeats."""

import warnings

import numpy as np
import pytest
import torch
from cvbench_tasks.segmentation import Segmentation
from cvbench_tasks.segmentation.augmentation import GROUP, in_groups, ordinary, strong
from cvbench_tasks.segmentation.losses import summed
from cvbench_tasks.segmentation.models import ENCODERS, OPTIONS, SMP
from torch.nn.functional import cross_entropy

from cvbench.conformance import assert_task, tiny_scenes
from cvbench.contracts import Augmentation, Budget, Splits, Workplace, silent
from cvbench.datasets import as_kind
from cvbench.errors import DataError, UserError
from cvbench.plugins import make_options
from cvbench.readers import open_dataset
from cvbench.samples import AnnotationKind
from cvbench.scenes import IGNORED, SegmentedImages

TASK = Segmentation()
FAST = "tu-tf_mobilenetv3_small_minimal_100"


def tiny(height=32, width=32, channels=3, count=8):
    return as_kind(tiny_scenes(height, width, channels, count=count), AnnotationKind.MASK)


def made(name, spec, folder, options=None):
    options = make_options(TASK.model_options(name), options or {})
    return TASK.model(name, spec, options=options, seed=1, workplace=Workplace(folder))


def trained(data, folder, *, name="fcn_light", options=None, steps=4, val=None, progress=silent, strong_=False):
    model = made(name, data.spec, folder, options)
    model.train(
        data,
        val,
        budget=Budget(steps, 4, "fp32"),
        augmentation=Augmentation.STRONG if strong_ else Augmentation.ORDINARY,
        seed=2,
        progress=progress,
        workplace=Workplace(folder),
    )
    return model


def bits(model) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in model.net.state_dict().values()]


def test_the_task_keeps_its_promises():
    assert_task(Segmentation)


def test_the_static_lists_are_the_librarys():
    import segmentation_models_pytorch as smp

    assert list(smp.MODEL_ARCHITECTURES_MAPPING) == list(SMP)
    assert smp.encoders.get_encoder_names() == list(ENCODERS)


@pytest.mark.parametrize(("name", "shape"), [("fcn", (20, 36, 1)), ("pan", (40, 40, 3)), ("segformer", (33, 50, 1))])
def test_pictures_of_any_size_get_masks_of_their_size(tmp_path, name, shape):
    data = tiny(*shape, count=2)
    model = trained(data, tmp_path, name=name, steps=1)
    masks = np.concatenate(list(model.predict(data)))
    assert masks.shape == data.masks.shape
    assert masks.dtype == np.uint8
    assert masks.max() < len(data.spec.classes)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in ("fcn", "pan", "segformer")])
def test_every_model_gives_logits_for_a_small_grey_picture(tmp_path, name):
    spec = tiny(32, 48, 1).spec
    assert made(name, spec, tmp_path).net.eval()(torch.zeros(1, 1, 32, 48)).shape == (1, 3, 32, 48)


@pytest.mark.parametrize("name", ["unet", "manet", "linknet", "fpn", "deeplabv3plus"])
def test_a_shallower_encoder_trains_without_its_last_stage(tmp_path, name):
    data = tiny(count=2)
    model = trained(data, tmp_path, name=name, steps=1, options={"encoder_depth": 4})
    frozen = {name for name, parameter in model.net.named_parameters() if not parameter.requires_grad}
    assert frozen
    assert all("encoder.layer4" in name for name in frozen)


def test_padding_is_cropped_away_again(tmp_path):
    """A fully convolutional network scores a picture alike, whether it is padded by hand or by the model."""
    net = made("fcn_light", tiny().spec, tmp_path).net.eval()
    net.mean.fill_(0.5)
    net.deviation.fill_(1)
    picture = torch.rand(1, 3, 20, 27)
    by_hand = torch.nn.functional.pad(picture, (0, 5, 0, 12), value=0.5)
    assert torch.allclose(net(picture), net(by_hand)[..., :20, :27], atol=1e-5)


def test_what_cannot_be_had_is_one_line(tmp_path, monkeypatch):
    spec = tiny().spec
    with pytest.raises(UserError, match="did you mean 'unetplusplus' or 'unet'"):
        TASK.model_options("unetplus")
    with pytest.raises(UserError, match=r"'encoder': unknown 'resnet19'\. did you mean 'resnet18'"):
        make_options(TASK.model_options("unet"), {"encoder": "resnet19"})
    with pytest.raises(UserError, match=r"resnet18 has no 'imagnet'\. did you mean 'imagenet'"):
        make_options(TASK.model_options("unet"), {"encoder_weights": "imagnet"})
    with pytest.raises(UserError, match="did you mean 'IMAGENET1K_V2' or 'IMAGENET1K_V1'"):
        make_options(TASK.model_options("fcn"), {"encoder_weights": "IMAGENET1K"})
    with pytest.raises(UserError, match=r"'encoder': unknown 'tu-resnet19'\. did you mean 'tu-resnet1"):
        make_options(TASK.model_options("unet"), {"encoder": "tu-resnet19"})
    make_options(TASK.model_options("unet"), {"encoder": "tu-resnet18.a1_in1k"})  # a name with the tag of its weights
    with pytest.raises(UserError, match="dpt cannot be built on the encoder 'resnet18'"):
        made("dpt", spec, tmp_path, {"encoder": "resnet18"})

    def offline(*_, **__):
        raise FileNotFoundError("An error happened while\ntrying to locate the file on the Hub")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", offline)
    with pytest.raises(UserError, match="weights imagenet of resnet18 cannot be had: An error happened while trying"):
        made("unet", spec, tmp_path, {"encoder_weights": "imagenet"})


def test_a_crop_that_is_larger_than_the_pictures_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"fcn_light: option 'crop': 40 pixels, the pictures are 32x48 \(height x"):
        made("fcn_light", tiny(32, 48).spec, tmp_path, {"crop": 40})


def test_data_that_cannot_be_trained_on_is_refused():
    data = tiny()
    void = SegmentedImages(data.spec, data.images, np.full_like(data.masks, IGNORED))
    empty = SegmentedImages(data.spec, data.images, np.zeros_like(data.masks))
    TASK.check_splits(Splits(data, data))
    with pytest.raises(DataError, match="no pixel of the test masks has a class"):
        TASK.check_splits(Splits(data, void))
    with pytest.raises(DataError, match="all training pixels are of one class \\('background'\\)"):
        TASK.check_splits(Splits(empty, data))
    with pytest.raises(DataError, match="needs pictures of equal size with a class per pixel"):
        TASK.check_splits(Splits(tiny_scenes(32, 32, 3), data))


@pytest.mark.parametrize("names", [("cross_entropy",), ("dice",), ("focal",), ("cross_entropy", "dice", "focal")])
def test_ignored_pixels_cost_nothing_and_right_ones_less(names):
    torch.manual_seed(0)
    loss, logits = summed(names), torch.randn(2, 3, 6, 6)
    truth = torch.randint(0, 3, (2, 6, 6))
    truth[:, :3] = IGNORED
    changed = logits.clone()
    changed[:, :, :3] += 5 * torch.randn(2, 3, 3, 6)
    assert loss(changed, truth).item() == pytest.approx(loss(logits, truth).item(), abs=1e-6)
    right = 20.0 * torch.nn.functional.one_hot(truth.clamp_max(2), 3).permute(0, 3, 1, 2) - 10
    assert loss(right, truth) < loss(logits, truth) / 10
    assert loss(logits, torch.full_like(truth, IGNORED)).item() == 0


def test_cross_entropy_is_torchs_and_several_are_summed():
    logits, truth = torch.randn(1, 3, 4, 4), torch.randint(0, 3, (1, 4, 4))
    parts = [summed([name])(logits, truth) for name in ("cross_entropy", "dice", "focal")]
    assert torch.allclose(parts[0], cross_entropy(logits, truth))
    assert torch.allclose(summed(["cross_entropy", "dice", "focal"])(logits, truth), sum(parts))


@pytest.mark.parametrize("augment", [ordinary("flip", 0), ordinary("none", 24), strong("none", 0), strong("flip", 24)])
def test_pictures_and_masks_are_varied_together(augment):
    """A picture whose brightness is its mask stays that, but for blur at the edges and jitter as a whole."""
    torch.manual_seed(3)
    masks = torch.zeros(4 * GROUP, 32, 32, dtype=torch.uint8)
    masks[:, 8:20, 10:24] = 1
    pictures = (0.2 + 0.6 * masks.float())[:, None].expand(-1, 3, -1, -1).contiguous()
    varied, own = in_groups(augment, pictures, masks)
    assert varied.shape[-2:] == own.shape[-2:]
    assert own.dtype == torch.uint8
    assert set(own.unique().tolist()) <= {0, 1, IGNORED}
    for picture, mask in zip(varied.mean(1), own, strict=True):
        if (mask == 0).any() and (mask == 1).any():
            threshold = (picture[mask == 0].median() + picture[mask == 1].median()) / 2
            assert ((picture > threshold) == (mask == 1))[mask != IGNORED].float().mean() > 0.93
    assert not torch.equal(own[0], own[-1])


def test_what_comes_in_from_beyond_the_edge_has_no_class():
    torch.manual_seed(0)
    pictures, masks = torch.ones(2 * GROUP, 3, 32, 32), torch.ones(2 * GROUP, 32, 32, dtype=torch.uint8)
    varied, own = in_groups(ordinary("light", 0), pictures, masks)
    assert set(own.unique().tolist()) == {1, IGNORED}
    assert (own[(varied < 0.01).all(1)] == IGNORED).all()


def test_ordinary_training_varies_nothing_unless_asked():
    assert ordinary("none", 0) is None


def test_the_same_seeds_give_the_same_bits_and_a_kill_changes_nothing(tmp_path, monkeypatch):
    data = tiny()
    options = {"augmentation": "flip", "ema": 0.9, "encoder": FAST, "loss": ["cross_entropy", "dice"]}

    def train(folder, progress=silent):
        return trained(data, tmp_path / folder, name="unet", options=options, val=data, progress=progress)

    whole = bits(train("a"))
    assert bits(train("b")) == whole
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)

    def kill(done: int, total: int, note: str = "") -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("c", kill)
    assert bits(train("c")) == whole


def test_strong_augmentation_and_crops_change_the_training(tmp_path):
    data = tiny()
    found = [bits(trained(data, tmp_path / str(k), **asked)) for k, asked in enumerate(
        ({}, {"strong_": True}, {"options": {"crop": 16}}, {"options": {"augmentation": "light"}})
    )]  # fmt: skip
    assert len({tuple(one) for one in found}) == 4


def test_it_learns_composed_scenes(tmp_path):
    splits = open_dataset("digit-scenes", "", None, {"train": 100, "test": 30}, 0.0)
    train, test = (as_kind(part, AnnotationKind.MASK) for part in (splits.train, splits.test))
    model = trained(train, tmp_path, steps=40, options={"learning_rate": 3e-3})
    scores = TASK.score(model.predict(test), test)
    assert scores.values["pixel_accuracy"] > 0.85
    assert scores.per_class["iou"]["background"] > 0.8


def test_building_warns_of_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made("unet", tiny().spec, tmp_path, {"encoder": "timm-mobilenetv3_small_minimal_100"})
