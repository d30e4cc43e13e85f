"""The instances task: Mask R-CNN and YOLO-seg train, find masks, repeat and resume; one-line refusals."""

import pytest
import torch
from cvbench_tasks.instances import TORCHVISION, Instances
from torchvision import models

from cvbench.conformance import assert_task, tiny_scenes
from cvbench.contracts import Splits
from cvbench.datasets import as_kind
from cvbench.errors import DataError, UserError
from cvbench.samples import AnnotationKind
from tests.tasks.test_detection import bits, trained

TASK = Instances()


def test_it_keeps_the_contract():
    assert_task(Instances)


def test_the_static_list_is_torchvisions():
    listed = [name for name in models.list_models(module=models.detection) if name.startswith("maskrcnn")]
    assert listed == list(TORCHVISION)


@pytest.mark.parametrize(("name", "enlarge"), [("yolov8n-seg", 2), ("yolo26n-seg", 1)])
def test_yolo_seg_trains_finds_masks_and_survives_a_kill(tmp_path, monkeypatch, name, enlarge):
    pytest.importorskip("ultralytics")
    data = tiny_scenes(40, 48, 3)
    more = {"name": name, "task": TASK, "options": {"flips": "both", "enlarge": enlarge}}
    model = trained(data, tmp_path / "a", **more)
    found = list(model.predict(data))
    assert all(one.masks.shape == (len(one.boxes), 40, 48) for one in found)
    for one in found:  # a mask stays within its box, give or take a pixel's rounding
        for box, mask in zip(one.boxes, one.masks, strict=True):
            rows, columns = mask.nonzero()
            if len(rows):
                assert columns.min() >= box[0] - 1
                assert columns.max() <= box[2] + 1
                assert rows.max() <= box[3] + 1
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)

    def kill(done: int, total: int, note: str = "") -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(data, tmp_path / "b", progress=kill, **more)
    assert bits(trained(data, tmp_path / "b", **more)) == bits(model)


def test_masks_on_the_networks_grid_keep_their_place():
    pytest.importorskip("ultralytics")
    from cvbench_tasks.detection import yolo
    from cvbench_tasks.detection.models import YoloOptions

    net = yolo.build("yolov8n-seg", tiny_scenes(40, 48, 3).spec, YoloOptions(), masks=True)
    masks = torch.zeros(1, 40, 48, dtype=torch.bool)
    masks[0, 8:20, 4:12] = True
    cells = net._cells(masks, 64, 64)
    assert cells.shape == (1, 16, 16)
    assert cells[0].nonzero().min(0).values.tolist() == [2, 1]
    assert cells[0].nonzero().max(0).values.tolist() == [4, 2]


def test_mask_targets_are_shares_of_a_cell_and_the_larger_share_gives_its_class():
    pytest.importorskip("ultralytics")
    from cvbench_tasks.detection import yolo
    from cvbench_tasks.detection.models import YoloOptions

    net = yolo.build("yolov8n-seg", tiny_scenes(40, 48, 3).spec, YoloOptions(), masks=True)
    masks = torch.zeros(2, 40, 48, dtype=torch.bool)
    masks[0, 0:4, 0:7], masks[1, 0:4, 7:10] = True, True
    cells = net._cells(masks, 64, 64)
    assert cells[:, 0, :3].tolist() == [[1, 0.75, 0], [0, 0.25, 0.5]]
    assert yolo._classes(cells, torch.tensor([2, 1]))[0, :3].tolist() == [2, 2, 1]
    assert not yolo._classes(cells[:0], torch.zeros(0, dtype=torch.long)).any()


def test_pictures_without_masks_and_unknown_models_are_refused():
    boxes = as_kind(tiny_scenes(32, 32, 1), AnnotationKind.BOXES)
    with pytest.raises(DataError, match="a mask per object"):
        TASK.check_splits(Splits(boxes, boxes))
    with pytest.raises(UserError, match="unknown model 'yolov8n'"):
        TASK.model_options("yolov8n")
    with pytest.raises(UserError, match="did you mean 'maskrcnn"):
        TASK.model_options("maskrcn")
