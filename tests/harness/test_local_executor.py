"""How workers share the machine's devices."""

from unittest.mock import Mock

import pytest

from cvbench.executors.local import Workers, _gpu, _least_free, _Worker


@pytest.mark.parametrize(("there", "free"), [([], 0), ([0], 1), ([0, 1], 2), ([1], 0), ([2, 0], 1)])
def test_who_follows_a_dead_worker_takes_its_devices(there, free):
    assert _least_free([_Worker(number, Mock(), Mock()) for number in there]) == free


def test_workers_have_devices_of_their_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,6,7")
    workers = Workers(jobs=2, threads=1, device="cuda", gpus=4, processes=2)
    assert [_gpu(number, workers)["CUDA_VISIBLE_DEVICES"] for number in (0, 1)] == ["3,5", "6,7"]
