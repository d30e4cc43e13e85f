"""How many parameters a generator has, from the fit to the report."""

import csv
import io
import json

import pytest
import torch

from cvbench.conformance import tiny_pictures
from cvbench.contestants import fields
from cvbench.contracts import Budget, Metric, Workplace, silent
from cvbench.ledger import FIDELITY, CellRecord, Coordinates
from cvbench.plugins import make_plugin
from cvbench.report.words import FIELD_HEAD, field_rows, parameters

SUITE = """
name: counted
task: toy
seeds: 1
datasets: [digits]
models: [means]
generators: [{name: vae, budget: {steps: 2, batch_size: 8}, options: {width: 16}}, copy]
regimes: [mixed]
fidelity: none
"""


def fitted(name, folder, **options):
    torch.set_num_threads(1)
    generator = make_plugin("generators", name, options)
    data = tiny_pictures(8, 8, 1)
    budget = Budget(len(data.spec.classes), 4, "fp32")
    return generator.fit(data, budget=budget, seed=1, progress=silent, workplace=Workplace(folder))


def test_a_network_counts_its_own_and_a_control_none(tmp_path):
    sampler = fitted("cgan", tmp_path, width=8)
    assert sampler.parameter_count == sum(p.numel() for p in sampler.network.parameters()) > 0
    assert fitted("copy", tmp_path).parameter_count == 0


def test_an_autoencoder_counts_the_density_of_its_codes(tmp_path):
    sampler = fitted("autoencoder", tmp_path, width=16, code=4, components=2)
    decoder = sum(p.numel() for p in sampler.network.decoder.parameters())
    assert sampler.parameter_count == decoder + 3 * 2 * (1 + 4 + 4 * 4)


def test_samplers_per_class_count_together(tmp_path):
    sampler = fitted("dcgan", tmp_path, width=8)
    counts = {part.parameter_count for part in sampler.parts.values()}
    assert len(counts) == 1
    assert sampler.parameter_count == len(sampler.parts) * counts.pop()


def test_a_translator_counts_what_translates_and_not_its_critics(tmp_path):
    sampler = fitted("cyclegan", tmp_path, width=4, blocks=1)
    everything = sum(p.numel() for p in sampler.networks.parameters())
    assert 0 < sampler.parameter_count < everything / 2


@pytest.mark.parametrize(
    ("count", "words"),
    [(None, "–"), (0, "–"), (999, "999"), (370_900, "371 k"), (999_499, "999 k"), (999_500, "1.00 M")],
)
def test_counts_are_told_in_three_digits(count, words):
    assert parameters(count) == words


def test_the_report_tells_them(tmp_path, toy, cvbench):
    file, run = tmp_path / "suite.yaml", tmp_path / "run"
    file.write_text(SUITE)
    said = cvbench("run", file, "--out", run, COLUMNS="160")
    assert said.code == 0, said
    rows = list(csv.DictReader(io.StringIO(cvbench("report", run, "--format", "csv").out)))
    told = {row["generator"]: row["generator_parameters"] for row in rows}
    (table,) = json.loads(cvbench("report", run, "--format", "json").out)["tables"]
    in_json = {row["generator"]: row["cost"]["parameters"] for row in table["rows"]}
    assert int(told["vae"]) == in_json["vae"] > 1000
    assert (told[""], told["copy"], in_json["copy"]) == ("", "0", 0)


def test_the_table_of_generators_tells_them():
    place = Coordinates("generation", "digits", "task", "100%", FIDELITY, "vae", 1.0, 0)
    found = {"values": {}, "floors": {}, "extractor": {"hash": "0"}, "compared": 3}
    (field,) = fields([CellRecord("a", place, "ok", fidelity=found, parameters=370_900)], [])
    _, vae = field_rows(field, Metric("tstr", "", primary=True))
    assert vae[FIELD_HEAD.index("params")] == "371 k"
