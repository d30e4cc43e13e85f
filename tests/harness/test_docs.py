"""The documents name what there is."""

import re
from pathlib import Path

import pytest

from cvbench.suite import BudgetEntry, DatasetEntry, GeneratorEntry, ModelEntry, Suite
from cvbench.suite_names import builtin_suites
from cvbench.suite_reading import parse_suite
from cvbench.yaml_source import parse_yaml

REPOSITORY = Path(__file__).parent.parent.parent
SUITES = (REPOSITORY / "docs/suites.md").read_text()


@pytest.mark.parametrize("model", [Suite, DatasetEntry, ModelEntry, GeneratorEntry, BudgetEntry])
def test_every_key_of_a_suite_is_in_its_reference(model):
    for name, field in model.model_fields.items():
        assert f"`{field.alias or name}`" in SUITES, name


def test_the_examples_of_suites_are_suites():
    for text in (SUITES, (REPOSITORY / "README.md").read_text()):
        for example in re.findall(r"```yaml\n(.*?)```", text, re.S):
            whole = (
                example
                if "name: photos" in example
                else ("name: a\ntask: classification\ndatasets: [digits]\nmodels: [simple_cnn]\n" + example)
            )
            parse_suite(parse_yaml(whole.replace("./photos, options: {size: 32}", "digits"), "example"))


def test_the_readme_names_the_built_in_suites():
    readme = (REPOSITORY / "README.md").read_text()
    for name in builtin_suites():
        assert f"`{name}`" in readme, name
