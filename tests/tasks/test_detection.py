"""The detection task: models by name, training that learns, repeats and resumes, augmentation, one-line refusals."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cvbench_tasks.detection import Detection
from cvbench_tasks.detection.augmentation import augmented, flipping, strong
from cvbench_tasks.detection.batches import Batches
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.detection.models import TORCHVISION, YOLO, in_ultralytics
from cvbench_tasks.detection.torchvision_form import from_torchvision
from cvbench_tasks.detection.torchvision_models import build
from cvbench_tasks.pretrained import check_weights
from torchvision.models import detection, list_models
from torchvision.ops import box_iou, masks_to_boxes

from cvbench import plan
from cvbench.conformance import assert_task, tiny_pictures, tiny_scenes
from cvbench.contracts import Augmentation, Budget, Splits, Workplace, silent
from cvbench.datasets import as_kind
from cvbench.errors import DataError, NotApplicable, PluginError, UserError
from cvbench.plan import make_plan
from cvbench.plugins import make_options
from cvbench.samples import AnnotationKind
from cvbench.suite_reading import parse_suite
from cvbench.yaml_source import Source

TASK = Detection()


def scenes(height=40, width=48, channels=3, **more):
    return as_kind(tiny_scenes(height, width, channels, **more), AnnotationKind.BOXES)


def trained(
    data, folder, *, name="fasterrcnn", options=None, steps=3, val=None, progress=silent, strong_=False, task=TASK
):
    place = Workplace(folder)
    made = make_options(task.model_options(name), options or {})
    model = task.model(name, data.spec, options=made, seed=1, workplace=place)
    model.train(
        data,
        val,
        budget=Budget(steps, 4, "fp32"),
        augmentation=Augmentation.STRONG if strong_ else Augmentation.ORDINARY,
        seed=2,
        progress=progress,
        workplace=place,
    )
    return model


def bits(model) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in model.net.state_dict().values()]


def test_it_keeps_the_contract():
    assert_task(Detection)


def test_the_static_list_is_torchvisions():
    detectors = [name for name in list_models(module=detection) if not name.startswith(("maskrcnn", "keypointrcnn"))]
    assert detectors == list(TORCHVISION)


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "fcos_resnet50_fpn"])
def test_torchvisions_detectors_train_whole_and_at_the_right_size(tmp_path, name):
    data = scenes(channels=1)
    model = trained(data.select([0, 1, 2, 3]), tmp_path, name=name, steps=1)
    assert all(np.isfinite(one.scores).all() for one in model.predict(data))
    assert all(parameter.requires_grad for parameter in model.net.parameters())
    own_size = (40,) if name.startswith("fcos") else (320,)
    assert model.net.model.transform.min_size == own_size


def test_pictures_without_objects_can_be_trained_on(tmp_path):
    empty = scenes().select([0, 4, 8, 0])
    assert len(empty.boxes) == 0
    assert all(np.isfinite(one.scores).all() for one in trained(empty, tmp_path).predict(empty))


def test_crowds_are_not_learnt(tmp_path):
    data = scenes().select([3])
    crowded = type(data).of(data.spec, data.images, [data.boxes], [data.labels], [np.array([True, False, True])])
    _, targets = Batches(crowded, "cpu")(torch.tensor([0]))
    assert targets[0]["boxes"].tolist() == data.boxes[1:2].tolist()


def test_an_unknown_model_and_unknown_weights_are_one_line():
    with pytest.raises(UserError, match="did you mean 'fasterrcnn"):
        TASK.model_options("fasterrcn")
    with pytest.raises(UserError, match="unknown model 'yolov8n-seg'"):
        TASK.model_options("yolov8n-seg")
    with pytest.raises(UserError, match="did you mean 'COCO_V1'"):
        check_weights("fcos_resnet50_fpn", "COCO_V")
    with pytest.raises(UserError, match=r"there is no file 'nowhere\.pt'"):
        make_options(TASK.model_options("yolov8n"), {"weights": "nowhere.pt"})


def test_weights_that_fit_are_taken_over_but_for_the_classes(monkeypatch):
    name, spec = "fcos_resnet50_fpn", scenes().spec
    whole = build(name, spec, TASK.model_options(name)()).model.state_dict()
    trained_ = {key: torch.full_like(value, 7) for key, value in whole.items()}
    trained_["head.classification_head.cls_logits.weight"] = torch.ones(91, 256, 3, 3)

    class Weights:
        @staticmethod
        def get_state_dict(**_):
            return trained_

    class Known(dict):
        def __iter__(self):
            return iter([type("W", (), {"name": "COCO_V1"})])

    monkeypatch.setattr(
        "cvbench_tasks.detection.torchvision_models.get_model_weights", lambda _: Known({"COCO_V1": Weights})
    )
    own = build(name, spec, make_options(TASK.model_options(name), {"weights": "COCO_V1"})).model.state_dict()
    assert (own["backbone.body.conv1.weight"] == 7).all()
    assert own["head.classification_head.cls_logits.weight"].shape[0] == len(spec.classes) + 1


@pytest.mark.parametrize("name", ["fasterrcnn", "yolo26n"])
def test_the_same_seeds_give_the_same_bits_and_a_kill_changes_nothing(tmp_path, monkeypatch, name):
    if name != "fasterrcnn":
        pytest.importorskip("ultralytics")
    data, val = scenes(), scenes(count=4)
    more = {"name": name, "options": {"flips": "both"}, "val": val if name == "fasterrcnn" else None}
    whole = bits(trained(data, tmp_path / "a", **more))
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)

    def kill(done: int, total: int, note: str = "") -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(data, tmp_path / "c", progress=kill, **more)
    assert bits(trained(data, tmp_path / "c", **more)) == whole


def test_training_takes_exactly_the_budgets_steps_and_goes_on_in_a_second_stage(tmp_path):
    seen = []
    model = trained(scenes(), tmp_path / "a", steps=3, progress=lambda done, total, note="": seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    before = bits(model)
    list(model.predict(scenes()))
    model.train(
        scenes(), None, budget=Budget(1, 2, "fp32"), augmentation=Augmentation.ORDINARY, seed=0,
        progress=silent, workplace=Workplace(tmp_path / "b"),
    )  # fmt: skip
    assert bits(model) != before


# --------------------------------------------------------------------------------------- augmentation


def picture_of(masks: torch.Tensor) -> torch.Tensor:
    """float (3, H, W) that is bright where an object is, so that what moves can be seen to move alike."""
    return masks.any(0).float().expand(3, -1, -1).clone()


@pytest.mark.parametrize("transform", [flipping("both"), strong("horizontal")])
def test_boxes_and_masks_move_with_the_picture(transform):
    torch.manual_seed(0)
    data = tiny_scenes(40, 48, 3)
    _, targets = Batches(data, "cpu")(torch.arange(12))
    targets = [{name: part[:1] for name, part in target.items()} for target in targets if len(target["labels"])]
    pictures = torch.stack([picture_of(target["masks"]) for target in targets])
    for _ in range(4):
        moved, after = augmented(transform, pictures, targets)
        assert moved.shape == pictures.shape
        for picture, target in zip(moved, after, strict=True):
            if len(target["labels"]):
                assert target["masks"].dtype == torch.bool
                shown = (picture.mean(0) > picture.mean(0).max() / 2)[None]
                box = masks_to_boxes(shown)[0] + torch.tensor([0, 0, 1, 1])
                assert torch.allclose(box, target["boxes"][0].float(), atol=1.01)


def test_boxes_without_masks_are_cut_at_the_edge_and_dropped_outside():
    torch.manual_seed(0)
    pictures = torch.zeros(1, 3, 40, 48)
    targets = [{"boxes": torch.tensor([[0.0, 0, 20, 20], [38, 30, 46, 38]]), "labels": torch.tensor([0, 1])}]
    counts = set()
    for _ in range(40):
        _, after = augmented(strong("none"), pictures, targets)
        boxes = after[0]["boxes"]
        counts.add(len(boxes))
        assert (boxes[:, :2] >= 0).all()
        assert (boxes[:, 2] <= 48).all()
        assert (boxes[:, 2:] - boxes[:, :2] >= 2).all()
    assert counts == {1, 2}


def test_strong_augmentation_and_flips_change_the_training(tmp_path):
    data = scenes()
    plain = bits(trained(data, tmp_path / "a", steps=1))
    assert bits(trained(data, tmp_path / "b", steps=1, strong_=True)) != plain
    assert bits(trained(data, tmp_path / "c", steps=1, options={"flips": "both"})) != plain


# ------------------------------------------------------------------------------------------------ YOLO


def test_every_listed_yolo_is_a_configuration_of_ultralytics():
    tasks = pytest.importorskip("ultralytics.nn.tasks")
    for family, sizes in YOLO.items():
        for size in sizes:
            configuration = tasks.yaml_model_load(f"{family}{size}.yaml")
            assert configuration["head"][-1][2] in ("Detect", "v10Detect")
            assert size in configuration.get("scales", {size: ()})
    assert in_ultralytics("yolov8n-p2", masks=False)
    assert not in_ultralytics("yolov8n-p2", masks=True)
    assert not in_ultralytics("yolov8n-pose", masks=False)
    assert not in_ultralytics("yolo99n", masks=False)


@pytest.mark.parametrize("name", ["yolov8z", "yolov8", "yolov8z-p2", "yolov8-p2", "yolo11", "yolov8n-pose-p6"])
def test_a_yolo_of_no_known_size_or_of_another_task_is_refused(name):
    with pytest.raises(UserError, match=f"unknown model '{name}'. did you mean 'yolo"):
        Detection().model_options(name)


@pytest.mark.parametrize("name", ["yolov3-tiny", "yolov5n", "yolo26n"])
def test_yolos_train_and_find(tmp_path, name):
    pytest.importorskip("ultralytics")
    data = scenes()  # 40 by 48: padded to whole cells, and back
    found = list(trained(data, tmp_path, name=name, options={"ema": 0.0}).predict(data))
    assert all((one.boxes <= [48, 40, 48, 40]).all() and (one.boxes >= 0).all() for one in found)
    assert max(len(one.boxes) for one in found) > 0


@pytest.mark.parametrize("enlarge", [1, 2])
def test_yolo_is_given_the_boxes_where_they_are_and_gives_them_back_there(enlarge):
    pytest.importorskip("ultralytics")
    from cvbench_tasks.detection import yolo

    options = make_options(TASK.model_options("yolov8n"), {"enlarge": enlarge})
    net = yolo.build("yolov8n", scenes().spec, options, masks=False).eval()
    pictures, targets = Batches(scenes(), "cpu")(torch.arange(12))
    padded = net._padded(pictures)
    assert padded.shape[-2:] == ((64, 64) if enlarge == 1 else (96, 96))
    batch = net._batch(padded, targets)
    height, width = padded.shape[-2:]
    centre, side = (batch["bboxes"] * torch.tensor([width, height, width, height]) / enlarge).split(2, 1)
    assert torch.allclose(
        torch.cat([centre - side / 2, centre + side / 2], 1), torch.cat([t["boxes"] for t in targets])
    )
    row = torch.tensor([[10.0, 20, 30, 40, 0.9, 1]]) * torch.tensor([enlarge] * 4 + [1, 1])
    assert net._detections(row, None).boxes.tolist() == [[10, 20, 30, 40]]


def test_a_two_headed_loss_moves_to_one_candidate_with_the_training(tmp_path):
    pytest.importorskip("ultralytics")
    net = trained(scenes(), tmp_path, name="yolo26n", steps=1).net
    shares = []
    for done in (0.0, 0.5, 0.999):
        net.at(done)
        shares.append(net.net.criterion.o2m)
    assert shares[0] == pytest.approx(0.8)
    assert shares[0] > shares[1] > shares[2] == pytest.approx(0.1)


def test_ultralytics_is_kept_from_the_net_the_home_and_torch(tmp_path):
    pytest.importorskip("ultralytics")
    program = """
import json, os, socket, sys
def refused(*a, **k): raise AssertionError("network")
socket.getaddrinfo = socket.create_connection = refused
import torch
torch.set_num_threads(1)
before = torch.save, torch.initial_seed(), torch.get_num_threads()
from cvbench_tasks.detection import Detection
from cvbench.conformance import tiny_scenes
from cvbench.contracts import Workplace
from pathlib import Path
task = Detection()
options = task.model_options("yolo11n")()
task.model("yolo11n", tiny_scenes(32, 32, 3).spec, options=options, seed=0, workplace=Workplace(Path()))
assert before[0] is torch.save and before[2] == torch.get_num_threads()
assert "ultralytics.engine.trainer" not in sys.modules
print(json.dumps([os.environ.get("OMP_NUM_THREADS"), os.environ["YOLO_CONFIG_DIR"]]))
"""
    home = tmp_path / "home"
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "XDG_CONFIG_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=home, check=True,
        env={**environment, "HOME": str(home)},
    )  # fmt: skip
    threads, config = json.loads(done.stdout)
    assert threads is None
    assert done.stderr == ""
    assert list(home.iterdir()) == []
    assert not os.path.exists(config)  # noqa: PTH110 - swept away with the process


def test_without_ultralytics_one_line_says_how_to_get_it(tmp_path, monkeypatch):
    from cvbench_tasks.detection import yolo

    yolo._imported.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "ultralytics"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    with pytest.raises(NotApplicable, match=r"pip install 'cvbench\[yolo\]', in a checkout '\.\[yolo\]' "):
        trained(scenes(), tmp_path, name="yolov8n")
    yolo._imported.cache_clear()


def test_yolo_weights_are_read_from_a_file_without_running_what_is_in_it(tmp_path):
    pytest.importorskip("ultralytics")
    data, file = scenes(), tmp_path / "weights.pt"
    model = trained(data, tmp_path / "a", name="yolo11n", options={"ema": 0.0})
    model.net.net.criterion = None
    torch.save({"model": model.net.net}, file)
    again = TASK.model(
        "yolo11n", data.spec, options=make_options(TASK.model_options("yolo11n"), {"weights": str(file)}), seed=9,
        workplace=Workplace(tmp_path),
    )  # fmt: skip
    assert bits(again) == bits(model)
    with pytest.raises(UserError, match=r"of yolov8n's \d+ tensors are in .*name that one as the model"):
        trained(data, tmp_path / "c", name="yolov8n", options={"weights": str(file)})
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"broken\.pt cannot be read"):
        trained(data, tmp_path / "b", name="yolo11n", options={"weights": str(tmp_path / "broken.pt")})


# ------------------------------------------------------------------------------------------ the splits


def test_splits_without_objects_or_with_a_new_class_in_test_are_refused():
    data = scenes()
    with pytest.raises(DataError, match="the train split has no object"):
        TASK.check_splits(Splits(data.select([0]), data))
    with pytest.raises(DataError, match="a class that train lacks: 'grey'"):
        TASK.check_splits(Splits(data.select([1]), data))
    labels = tiny_pictures(8, 8, 1)
    with pytest.raises(DataError, match="needs pictures with boxes"):
        TASK.check_splits(Splits(labels, labels))


# ---------------------------------------------------------------------------------------- the ancestors


def test_proposals_find_a_bright_square_first_of_all():
    from cvbench_tasks.detection.proposals import proposals

    pictures = torch.rand(1, 3, 40, 48) * 0.1
    pictures[0, :, 8:20, 10:30] += 0.8
    boxes = proposals(pictures, "regions")[0]
    assert box_iou(boxes[:3], torch.tensor([[10.0, 8, 30, 20]])).max() > 0.8
    assert proposals(torch.zeros(1, 1, 40, 48), "regions")[0].tolist() == [[0, 0, 48, 40]]


@pytest.mark.parametrize(("name", "steps"), [("fast_rcnn", 60), ("rcnn", 25)])
def test_the_ancestors_learn_where_the_bright_boxes_are(tmp_path, name, steps):
    data = scenes()
    model = trained(data, tmp_path, name=name, steps=steps, options={"ema": 0.0, "warmup": 0, "width": 16})
    assert TASK.score(model.predict(data), data).values["mAP50"] > 0.3
    folder = tmp_path / "saved"
    folder.mkdir()
    model.save(folder)
    again = TASK.model(name, data.spec, options=model.options, seed=5, workplace=Workplace(tmp_path))
    again.load(folder)
    assert bits(again) == bits(model)


def test_the_svms_are_fitted_on_every_object(tmp_path, monkeypatch):
    monkeypatch.setattr("cvbench_tasks.detection.rcnn.MOST_PROPOSALS", 5)
    data = scenes()
    features, _, overlap = trained(data, tmp_path, name="rcnn", steps=1)._regions(data, 0)
    objects = (overlap == 1).any(axis=1).sum()  # and proposals that are exactly one
    assert objects >= len(data.boxes)
    assert len(features) == objects + 5


@pytest.mark.parametrize("name", ["fast_rcnn", "rcnn"])
def test_the_ancestors_bear_pictures_without_objects_or_proposals(tmp_path, name):
    data = scenes(channels=1)
    dark = type(data).of(data.spec, np.zeros_like(data.images), [np.zeros((0, 4))] * 12, [np.zeros(0)] * 12)
    for one in trained(dark, tmp_path, name=name, steps=1).predict(dark):
        assert np.isfinite(one.scores).all()


def test_selective_search_says_how_to_get_it(tmp_path):
    import cv2

    if hasattr(cv2, "ximgproc"):
        pytest.skip("this OpenCV has it")
    with pytest.raises(NotApplicable, match="opencv-contrib-python=="):
        trained(scenes(), tmp_path, name="fast_rcnn", options={"proposals": "selective_search"})


def test_what_is_drawn_is_sure_and_inside_the_picture():
    data = scenes()
    boxes = np.array([[-5, 2, 10, 20], [1, 1, 9, 9], [60, 1, 70, 9]], np.float32)
    found = Detections(boxes, np.array([0.9, 0.1, 0.9], np.float32), np.array([1, 0, 0]))
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))
    answers = TASK.answers([found] + [nothing] * (len(data) - 1), data)
    assert answers.boxes.tolist() == [[0, 2, 10, 20]]
    assert answers.labels.tolist() == [1]
    assert len(answers) == len(data)


def test_what_does_not_fit_is_told():
    box, score, data = np.array([[1, 1, 5, 5]], np.float32), np.ones(1, np.float32), tiny_scenes(40, 48, 3)
    with pytest.raises(PluginError, match="found classes from -1 to -1"):
        Detections(box, score, np.array([-1])).checked(data.spec, masks=False)
    with pytest.raises(PluginError, match="masks must be bool, not float32"):
        Detections(box, score, np.array([0]), np.full((1, 40, 48), 0.7, np.float32)).checked(data.spec, masks=True)


@pytest.mark.parametrize("size", [1, 2])
def test_fast_rcnn_finds_boxes_where_they_are_at_every_size(tmp_path, size):
    options = {"ema": 0.0, "warmup": 0, "width": 16, "enlarge": size}
    model = trained(scenes(), tmp_path, name="fast_rcnn", steps=40, options=options)
    assert model.net.maps(torch.zeros(2, 3, 40, 48))["map"].shape[2:] == (10 * size, 12 * size)
    assert TASK.score(model.predict(scenes()), scenes()).values["mAP50"] > 0.3


def test_background_is_nothing_that_was_found():
    boxes, labels = torch.tensor([[0.0, 0, 4, 4], [1, 1, 5, 5]]), torch.tensor([0, 2])
    (found,) = from_torchvision([{"boxes": boxes, "scores": torch.tensor([0.9, 0.8]), "labels": labels}])
    assert (found.labels.tolist(), found.boxes.tolist()) == ([1], [[1, 1, 5, 5]])


@pytest.mark.parametrize(
    ("task", "model", "data"),
    [
        ("detection", "yolov8n", "digit-scenes"),
        ("instances", "yolov8n-seg", "digit-scenes"),
        ("tracking", "sort", "moving-digits"),
    ],
)
def test_other_weights_in_the_same_file_are_another_training(task, model, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def keys(weights, name="start.pt"):
        Path(name).write_bytes(weights)
        plan._read_once.cache_clear()  # a file counts as it is when a command first reads it
        options = {"weights": name}
        around = {"detector": "yolov8n", "detector_options": options} if task == "tracking" else options
        models = [{"name": model, "options": around}]
        said = {"name": "s", "task": task, "datasets": [data], "models": models, "generators": ["noise"], "seeds": 1}
        job = make_plan(parse_suite(Source("s.yaml", said)), device="cpu").cells[0].job
        return job.model_key, job.key

    first = keys(b"one")
    assert keys(b"one", "./moved.pt") == first
    assert not set(keys(b"other")) & set(first)
