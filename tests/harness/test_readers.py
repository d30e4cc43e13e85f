"""Readers: the embedded digits, named sets and their places, torchvision by name, decoded folders in the cache."""

import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cvbench.contracts import Splits
from cvbench.errors import DataError, UserError
from cvbench.readers import checked, open_dataset
from cvbench.samples import LabelledImages
from tests.faults.test_bad_data import STEMS, write_folder, write_idx


def test_the_digits_are_split_once_and_for_all():
    splits = open_dataset("digits", "", None, {}, 0.0)
    assert (len(splits.train), len(splits.test), splits.val) == (1198, 599, None)
    assert splits.train.images.max() == 255
    assert not set(splits.train.item_hashes()) & set(splits.test.item_hashes())
    assert np.ptp(splits.train.class_counts()) <= 7  # stratified: as unequal as the set itself
    assert splits.train.fingerprint == open_dataset("digits", "", None, {}, 0.0).train.fingerprint


def test_val_is_a_fixed_stratified_part_of_train():
    whole, one, again = (open_dataset("digits", "", None, {}, part) for part in (0.0, 0.25, 0.25))
    assert len(one.train) + len(one.val) == len(whole.train)
    assert np.abs(one.val.class_counts() / whole.train.class_counts() - 0.25).max() < 0.01
    assert one.val.fingerprint == again.val.fingerprint


def test_splits_that_do_not_fit_each_other_are_refused(tmp_path):
    write_idx(tmp_path)
    splits = open_dataset("", "", tmp_path, {}, 0.0)
    with pytest.raises(DataError, match="the train split is empty"):
        checked(Splits(splits.train.select([]), splits.test))
    spec = type(splits.test.spec)(**{**vars(splits.test.spec), "classes": ("a", "b", "c")})
    renamed = LabelledImages(spec, splits.test.images, splits.test.labels)
    with pytest.raises(DataError, match="name their classes differently"):
        checked(Splits(splits.train, renamed))
    with pytest.raises(DataError, match="a label is 2, there are 2 class names"):
        open_dataset("idx", "", tmp_path, {"classes": ["a", "b"]}, 0.0)


def test_named_sets_are_looked_for_in_order(tmp_path, own_cache, monkeypatch):
    for place, count in ((tmp_path / "root", 3), (tmp_path / "shared" / "mnist", 4), (own_cache / "data" / "mnist", 5)):
        place.mkdir(parents=True)
        write_idx(place, count)
    monkeypatch.delenv("CVBENCH_DATA", raising=False)
    assert len(open_dataset("mnist", "", None, {}, 0.0).train) == 5
    monkeypatch.setenv("CVBENCH_DATA", str(tmp_path / "shared"))
    assert len(open_dataset("mnist", "", None, {}, 0.0).train) == 4
    assert len(open_dataset("mnist", "", tmp_path / "root", {}, 0.0).train) == 3


def test_a_download_is_there_whole_or_not_at_all(own_cache, monkeypatch):
    from torchvision import datasets

    class Fetched:
        broken = True

        def __init__(self, root, *, download):
            self.raw_folder = str(Path(root) / "MNIST" / "raw")
            Path(self.raw_folder).mkdir(parents=True)
            write_idx(Path(self.raw_folder))
            if self.broken:
                raise RuntimeError("Error downloading\ntrain-images")

    monkeypatch.delenv("CVBENCH_DATA", raising=False)
    monkeypatch.setattr(datasets, "MNIST", Fetched)
    with pytest.raises(DataError, match=r"mnist: cannot be downloaded .*Error downloading train-images.* a network"):
        open_dataset("mnist", "", None, {"download": True}, 0.0)
    assert list((own_cache / "data").iterdir()) == []
    Fetched.broken = False
    assert len(open_dataset("mnist", "", None, {"download": True}, 0.0).train) == 6
    assert [place.name for place in (own_cache / "data").iterdir()] == ["mnist"]


def test_torchvision_sets_are_opened_by_name(tmp_path, monkeypatch):
    raw = tmp_path / "torchvision" / "KMNIST" / "raw"
    raw.mkdir(parents=True)
    for file in write_idx(raw).values():
        file.rename(file.with_name(file.name.removesuffix(".gz")))
    monkeypatch.setenv("CVBENCH_DATA", str(tmp_path))
    splits = open_dataset("torchvision", "KMNIST", None, {"size": 6}, 0.0)
    assert splits.train.images.shape == splits.test.images.shape == (6, 6, 6, 1)
    assert splits.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert len(splits.train.spec.classes) == 10
    with pytest.raises(DataError, match=r"did you mean 'CIFAR10'"):
        open_dataset("torchvision", "CIFAR", None, {}, 0.0)
    with pytest.raises(
        DataError, match=r"torchvision:CIFAR10: cannot be opened in .*download: true where there is a n"
    ):
        open_dataset("torchvision", "CIFAR10", None, {}, 0.0)
    (raw / f"{STEMS[0]}-ubyte").write_bytes(b"\0\0\x08\3")
    with pytest.raises(DataError, match="torchvision:KMNIST: cannot be opened"):
        open_dataset("torchvision", "KMNIST", None, {}, 0.0)
    with pytest.raises(UserError, match="option 'size'"):
        open_dataset("torchvision", "KMNIST", None, {"size": 0}, 0.0)


def test_a_torchvision_set_of_one_part_is_split_by_class(tmp_path, monkeypatch):
    from torchvision import datasets

    class Whole(datasets.ImageFolder):
        def __init__(self, root, download=False):
            super().__init__(Path(root) / "whole")

    write_folder(tmp_path / "whole", splits=False)
    monkeypatch.setattr(datasets, "EuroSAT", Whole)
    splits = open_dataset("torchvision", "EuroSAT", tmp_path, {}, 0.0)
    assert splits.train.class_counts().tolist() == [4, 4]
    assert splits.test.class_counts().tolist() == [1, 1]


def test_a_damaged_decoded_folder_is_decoded_again(tmp_path, own_cache):
    root = write_folder(tmp_path / "data")
    first = open_dataset("", "", root, {}, 0.0).train.fingerprint
    for name in ("images.npy", "labels.npy", "dataset.json"):
        for content in (b"", b"[]", b"\x93NUMPY\x01\x00"):
            for place in (own_cache / "decoded").iterdir():
                (place / name).write_bytes(content)
            assert open_dataset("", "", root, {}, 0.0).train.fingerprint == first


def test_a_decoded_folder_is_used_again_for_the_same_pictures_and_classes_only(tmp_path, own_cache):
    def decoded():
        return len(list((own_cache / "decoded").iterdir()))

    whole = write_folder(tmp_path / "whole", splits=False)
    for seed in (0, 1):
        open_dataset("", "", whole, {"split_seed": seed}, 0.0)
    assert decoded() == 1
    root = write_folder(tmp_path / "data")
    open_dataset("", "", root, {}, 0.0)
    shutil.copytree(root / "train" / "dog", root / "train" / "zebra")  # which test lacks: its pictures stay the same
    assert open_dataset("", "", root, {}, 0.0).test.spec.classes == ("cat", "dog", "zebra")


def test_a_class_that_would_be_all_test_is_refused(tmp_path):
    root = write_folder(tmp_path / "data", splits=False)
    for file in list((root / "cat").iterdir())[1:]:
        file.unlink()
    with pytest.raises(DataError, match=r"class 'cat' has so few pictures \(1\) that all fall to test"):
        open_dataset("", "", root, {}, 0.0)


@pytest.mark.real_data
def test_real_cifar_pictures_are_read_from_their_folder(tmp_path):
    if "CVBENCH_DATA" not in os.environ:
        pytest.skip("CVBENCH_DATA is not set: no CIFAR-10 pictures here")
    packed = Path(os.environ["CVBENCH_DATA"]) / "cifar10-subset" / "cifar10_jpg_10000_2000.tar"
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "data", filter="data")
    splits = open_dataset("", "", tmp_path / "data", {}, 0.0)
    assert splits.train.images.shape == (10_000, 32, 32, 3)
    assert splits.test.class_counts().tolist() == [200] * 10
