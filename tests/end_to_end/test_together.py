"""One training shared by several processes through torchrun, on CPU cores (Gloo): the GPU path's own code."""

import json
from pathlib import Path

import pytest

SUITE = """
name: shared
task: classification
fidelity: none
seeds: 1
datasets: [digits]
models: [{name: simple_cnn, options: {width: 8}}]
generators: [copy]
regimes: [finetune]
real_fraction: [0.5]
budget: {steps: 120, batch_size: 32, precision: fp32}
"""


def records(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_train_one_cell_as_well_as_one(tmp_path, cvbench):
    suite = tmp_path / "shared.yaml"
    suite.write_text(SUITE)
    top1 = {}
    for processes in (1, 2):
        run = tmp_path / f"run-{processes}"
        said = cvbench("run", suite, "--out", run, "--jobs", 1, "--processes-per-cell", processes)
        assert said.code == 0, said.out
        found = records(run)
        assert [r["status"] for r in found] == ["ok", "ok"]
        top1[processes] = [r["metrics"]["top1"] for r in found]
    assert min(top1[2]) > 0.8
    assert top1[2] == pytest.approx(top1[1], abs=0.08)
    cells = [{r["cell"] for r in records(tmp_path / f"run-{n}")} for n in (1, 2)]
    assert not cells[0] & cells[1], "what computes is part of a cell's key"


@pytest.mark.slow
def test_a_rank_that_fails_says_why(tmp_path, cvbench, toy):
    suite = tmp_path / "shared.yaml"
    suite.write_text(
        "name: shared\ntask: toy\nseeds: 1\ndatasets: [digits]\nregimes: [augment]\n"
        "models: [{name: means, options: {fault: raise}}]\n"
    )
    said = cvbench("run", suite, "--out", tmp_path / "run", "--jobs", 1, "--processes-per-cell", 2)
    assert said.code == 1
    assert all("RuntimeError: the model fell over" in r["reason"] for r in records(tmp_path / "run"))
