"""The JSON schema of experiments."""

import json

import jsonschema
import pytest
import yaml

from napari_spectrai import Experiment
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.schema import SHIPPED, schema, schema_text
from napari_spectrai.experiment.tasks import tasks


@pytest.fixture(scope="module")
def checker():
    jsonschema.Draft202012Validator.check_schema(known := schema())
    return jsonschema.Draft202012Validator(known)


def test_the_file_of_the_package_is_current():
    current = SHIPPED.read_text(encoding="utf-8") == schema_text(plugins=False)
    assert current, f"settings have changed: napari-spectrai schema --no-plugins --overwrite -o {SHIPPED}"


@pytest.mark.parametrize("task", list(tasks))
def test_default_documents_satisfy_the_schema(checker, task):
    checker.validate(Experiment.from_mapping({"task": task}).model_dump(mode="json"))


@pytest.mark.parametrize("kind", list(networks))
def test_a_kind_can_be_named_alone_or_with_its_settings(checker, kind):
    checker.validate({"network": kind})
    checker.validate({"network": json.loads(networks.parse(kind).model_dump_json())})


@pytest.mark.parametrize(
    "text",
    ["network: {kind: unet, widht: 3}", "network: resnett", "training: {epochs: 0}", "preparation: [crop: {low: 3}]", "netwrok: unet"],
)
def test_the_schema_refuses_mistakes(checker, text):
    with pytest.raises(jsonschema.ValidationError):
        checker.validate(yaml.safe_load(text))
