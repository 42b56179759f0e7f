"""Files of strangers: model files, experiments and headers that claim what they do not hold are refused at once, in one error."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import pickle
import random
import re
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
import zarr
from safetensors import safe_open
from safetensors.torch import save_file

import napari_spectrai
from napari_spectrai import Cube, Experiment, Model, SpectralAxis, read, train, write
from napari_spectrai.experiment.card import KEY, read_card
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.io.found import UnreadableError
from napari_spectrai.io.labels import read_labels
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.learn.weights import _Empty
from napari_spectrai.networks import build
from napari_spectrai.parsing import brief, parse_json, parse_yaml
from napari_spectrai.preparation import load_steps

BILLION = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    clean = np.random.default_rng(0).random((24, 24, 6), dtype=np.float32)
    experiment = Experiment.from_mapping({
        "task": "denoising", "network": {"kind": "unet", "dims": 2, "width": 4, "depth": 1, "ridge": False},
        "data": {"patch": 8, "samples": 8}, "training": {"epochs": 1, "batch": 4},
    })  # fmt: skip
    axis = SpectralAxis(np.linspace(400, 700, 6), "nm")
    return train(experiment, Cube(clean + 0.01, axis), Cube(clean, axis), run=folder / "run").save(folder / "model.safetensors")


def card_of(path) -> tuple[dict, dict]:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()[KEY]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def with_card(path, card, tensors, out):
    save_file(tensors, out, metadata={KEY: card if isinstance(card, str) else json.dumps(card)})
    return out


# ---------------------------------------------------------------- model files


@pytest.mark.parametrize("network", [
    {"kind": "unet", "dims": 2, "width": 512, "depth": 6}, {"kind": "unet", "dims": 3, "width": 512, "depth": 5},
    {"kind": "rcan", "width": 512}, {"kind": "restormer", "width": 96}, {"kind": "densenet", "width": 128}, {"kind": "automatic"},
])  # fmt: skip
def test_a_network_larger_than_its_file_is_refused_before_it_is_built(model, network, tmp_path, monkeypatch):
    card, tensors = card_of(model)
    card["experiment"]["network"] = network
    if network["kind"] == "automatic":
        member = {"network": {"kind": "unet", "dims": 2, "width": 512, "depth": 6}, "preparation": [], "weight": 1.0}
        card["experiment"]["network"]["members"] = [member] * 3
    evil = with_card(model, card, tensors, tmp_path / "evil.safetensors")

    def allocated(*_, **__):
        raise AssertionError("memory was asked for")

    monkeypatch.setattr("napari_spectrai.learn.model.load_file", allocated)
    with pytest.raises(ValueError, match=r"evil\.safetensors"):
        Model.load(evil)


def test_weights_of_other_names_or_shapes_are_named(model, tmp_path):
    card, tensors = card_of(model)
    name = next(name for name in tensors if name.startswith("network.") and tensors[name].ndim == 4)
    short = name.removeprefix("network.")
    shape = "×".join(map(str, tensors[name].shape))
    for change, words in (
        ({name: torch.zeros(2, 3)}, f"{short} is 2×3 and not {shape}"), ({"network.more": torch.zeros(1)}, "more is not part of it"),
        ({name: None}, f"{short} is missing"),
    ):  # fmt: skip
        changed = {key: tensor for key, tensor in (tensors | change).items() if tensor is not None}
        with pytest.raises(ValueError, match=rf"evil\.safetensors: the weights do not fit .*: {words}"):
            Model.load(with_card(model, card, changed, tmp_path / "evil.safetensors"))


@pytest.mark.parametrize("kind", list(networks))
def test_every_network_of_ours_is_checked_without_memory(kind):
    checked = 0
    for settings in ({}, {"dims": 1}, {"dims": 3}, {"ridge": True}, {"components": 4}):
        for classes in (False, True):
            try:
                spec = networks.parse({"kind": kind} | settings)
                (spec.load() if spec.classical else build)(spec, 16, 3 if classes else 16, classes=classes)
            except (ValueError, TypeError):  # these settings are not of this network
                continue
            with torch.device("meta"), _Empty():
                made = (spec.load() if spec.classical else build)(spec, 16, 3 if classes else 16, classes=classes)
            assert {tensor.device.type for tensor in (*made.parameters(), *made.buffers())} <= {"meta"}
            checked += 1
    assert checked


STRANGE = (None, True, "x", "", -1, 0, 10**400, 1e308, float("nan"), float("inf"), [], {}, [[]], [{}], {"x": 1}, {"kind": []},
           {"kind": "x" * 9999},
           "9" * 5000,
           [[[[[[[[[[1]]]]]]]]]], ["x"] * 1000)  # fmt: skip


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def error_of(path) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            str(read_card(path))
            Model.load(path)
    except ValueError as error:
        return str(error)
    return None


def changed(plain, path, value):
    if not path:
        return value
    made = copy.deepcopy(plain)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return made


def test_a_card_with_a_value_of_another_kind_is_one_error_with_the_name_of_the_file(model, tmp_path):
    card, tensors = card_of(model)
    rng, evil = random.Random(0), tmp_path / "evil.safetensors"
    for path in places(card):
        for value in rng.sample(STRANGE, 4):
            with_card(model, json.dumps(changed(card, path, value)), tensors, evil)
            begun = time.monotonic()
            told = error_of(evil)
            assert told is None or ("evil.safetensors" in told and len(told) < 2000), (path, value)
            assert time.monotonic() - begun < 300, (path, value)


CHANGES = {
    "dropped": lambda tensor: None, "empty": lambda tensor: tensor.flatten()[:0], "complex": lambda tensor: tensor.to(torch.complex64),
    "shorter": lambda tensor: tensor[:-1] if tensor.ndim else tensor,
    "20 dimensions": lambda tensor: tensor.reshape((1,) * 20 + tensor.shape),
    "integers": lambda tensor: tensor.to(torch.int8), "negative": lambda tensor: tensor.flip(0) * -1 if tensor.ndim else -tensor,
    "large": lambda tensor: torch.full_like(tensor, 2**40),
}  # fmt: skip


@pytest.fixture(scope="module", params=["random_forest", "svm", "pca_lda", "logistic_regression"])
def classifier(request):
    """Return a fitted classical classifier of spectra of 6 bands."""
    rng = np.random.default_rng(0)
    spectra, classes = rng.random((40, 6)), np.arange(40) % 2
    spectra[classes == 1, 2] += 1
    spec = networks.parse(request.param)
    method = spec.load()(spec, 6, 2, classes=True)
    scene = Scene(
        torch.from_numpy(spectra).float().view(1, 5, 8, 6),
        torch.from_numpy(classes + 1).view(1, 5, 8),
        torch.ones(1, 5, 8, dtype=torch.bool),
    )
    method.fit([scene])
    return method


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_values_of_a_classical_method_that_do_not_fit_are_refused_or_harmless(classifier, change):
    known = classifier.state_dict()
    for name in known:
        values = {key: value for key, value in (known | {name: change(known[name])}).items() if value is not None}
        method, fits = type(classifier)(classifier.spec, 6, 2, classes=True), False
        with contextlib.suppress(ValueError, RuntimeError, AttributeError):  # which `Model.load` puts into words
            method.learn(values)
            method.try_out()
            fits = method.has_learnt
        if fits:
            assert method(torch.rand(1, 2, 3, 6)).shape == (1, 2, 3, 2), name


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_training_spectra_for_comparison_that_do_not_fit_are_refused_or_harmless(model, change, tmp_path):
    card, tensors = card_of(model)
    cube = Cube(np.random.default_rng(1).random((8, 8, 6), dtype=np.float32), SpectralAxis(np.linspace(400, 700, 6), "nm"))
    for name in [name for name in tensors if name.startswith("applicability.")]:
        changed = {key: value.contiguous() for key, value in (tensors | {name: change(tensors[name])}).items() if value is not None}
        evil, loaded = with_card(model, card, changed, tmp_path / "evil.safetensors"), None
        with contextlib.suppress(ValueError):
            loaded = Model.load(evil)
        if loaded is not None:
            napari_spectrai.predict(loaded, cube, applicability=True)


def test_a_model_is_saved_and_loaded_under_a_path_that_is_no_utf_8(model, tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff\xfe")
    folder.mkdir()
    path = Model.load(model).save(folder / "m.safetensors")
    assert str(read_card(path)) == str(read_card(model))
    assert Model.load(path).axis == Model.load(model).axis


@pytest.mark.parametrize("text", ["", "{", "null", "[]", "3", '"x"', "[" * 200_000, '{"format": ' + "9" * 5000 + "}", '{"format": [[]]}',
                                  '{"a":' * 50_000 + "1" + "}" * 50_000])  # fmt: skip
def test_a_card_that_is_no_card_is_one_error_with_the_name_of_the_file(model, text, tmp_path):
    _, tensors = card_of(model)
    with pytest.raises(ValueError, match=r"^[^\n]*evil\.safetensors[^\n]*$"):
        Model.load(with_card(model, text, tensors, tmp_path / "evil.safetensors"))


# ---------------------------------------------------------------- Zarr


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (type(self.path).touch, (self.path,))


def _pickled(store, trace, *, where, group):
    """Write a store of Zarr 2 whose one chunk is a pickle that leaves a trace."""
    array = store / group if group else store
    array.mkdir(parents=True)
    codec = {"id": "pickle", "protocol": 4}
    plain = {"zarr_format": 2, "shape": [4, 4], "chunks": [4, 4], "dtype": "|O" if where == "object" else "<f4",
             "order": "C", "fill_value": None,
             "compressor": codec if where == "compressor" else None, "filters": None if where == "compressor" else [codec]}  # fmt: skip
    (array / ".zarray").write_text(json.dumps(plain))
    (array / "0.0").write_bytes(pickle.dumps(Bomb(trace)))
    if group:
        (store / ".zgroup").write_text('{"zarr_format": 2}')
        scales = [
            {"axes": [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}], "datasets": [{"path": group}], "version": "0.4"}
        ]
        (store / ".zattrs").write_text(json.dumps({"multiscales": scales}))


@pytest.mark.parametrize("where", ["compressor", "filters", "object"])
@pytest.mark.parametrize("group", ["", "0"])
def test_a_zarr_store_runs_no_code(where, group, tmp_path):
    store, trace = tmp_path / "x.zarr", tmp_path / "trace"
    _pickled(store, trace, where=where, group=group)
    for reader in (read, read_labels, lambda path: read(path, dataset=group or "data")):
        with pytest.raises(ValueError, match=r"x\.zarr"):
            np.asarray(reader(store).data)
    assert not trace.exists()


def test_a_codec_of_zarr_3_that_is_not_known_to_be_harmless_is_refused(tmp_path):
    write(Cube(np.zeros((4, 4, 4), np.float32)), tmp_path / "x.zarr")
    plain = json.loads((tmp_path / "x.zarr" / "zarr.json").read_text())
    for name in ("pickle", "numcodecs.pickle", "numcodecs.json2"):
        for codecs in ([{"name": name}], [*plain["codecs"], {"name": name, "configuration": {}}]):
            (tmp_path / "x.zarr" / "zarr.json").write_text(json.dumps(plain | {"codecs": codecs}))
            with pytest.raises(ValueError, match=r"x\.zarr"):
                np.asarray(read(tmp_path / "x.zarr").data)


@pytest.mark.parametrize("version", [2, 3])
def test_codecs_in_use_are_read(version, tmp_path):
    data = np.arange(64, dtype="f4").reshape(4, 4, 4)
    array = zarr.create_array(tmp_path / "x.zarr", shape=data.shape, dtype="f4", zarr_format=version)
    array[...] = data
    np.testing.assert_array_equal(read(tmp_path / "x.zarr", spectral=-1).numpy(), data)
    if version == 3:
        array = zarr.create_array(tmp_path / "y.zarr", shape=data.shape, dtype="f4", chunks=(2, 2, 2), shards=(4, 4, 4))
        array[...] = data
        np.testing.assert_array_equal(read(tmp_path / "y.zarr", spectral=-1).numpy(), data)


# ---------------------------------------------------------------- documents


@pytest.mark.parametrize("text", [
    BILLION + "task: *i\n", BILLION + "data: {input: *i}\n", "a: &a [*a]\n", "a: &a {b: *a}\n", "[" * 5000, "{a: " * 5000,
    "training: {epochs: " + "9" * 5000 + "}\n", "training: {epochs: " + "1:" * 3000 + "1}\n",
    "training: {epochs: 0x" + "f" * 100_000 + "}\n",
    "a: &a {x: 1}\nb: &b {<<: [" + ",".join(["*a"] * 9000) + "]}\nc: {<<: [" + ",".join(["*b"] * 9000) + "]}\n",
    "? [1, 2]\n: 3\n", "!!python/object/apply:os.system ['true']\n", "name: \x00\n", "2: 3\n", "name: " + "x" * 1_000_000 + "\n",
    "network: {kind: {a: b}}\n", "network: [unet]\n", "task: {kind: 3}\n", "preparation: {kind: normalise}\n", "-\n- -\n",
])  # fmt: skip
def test_a_hostile_document_is_refused_at_once(text, tmp_path):
    (tmp_path / "e.yml").write_text(text)
    begun = time.monotonic()
    for reader in (Experiment.load, load_steps):
        with pytest.raises(ValueError, match=r"e\.yml") as told:
            reader(tmp_path / "e.yml")
        assert len(str(told.value)) < 5000
    assert time.monotonic() - begun < 300


def test_aliases_that_repeat_little_and_long_lists_are_read(tmp_path):
    assert parse_yaml("a: &a [1, 2]\nb: [*a, *a]\nc: {<<: {d: 1}}\n") == {"a": [1, 2], "b": [[1, 2]] * 2, "c": {"d": 1}}
    values = np.random.default_rng(0).random(20_000).tolist()
    assert parse_yaml(yaml.safe_dump({"a": values})) == {"a": values}
    assert parse_json(json.dumps({"a": values})) == {"a": values}
    shared = [1.5, 2.5]
    assert parse_yaml(yaml.safe_dump([shared, shared])) == [shared, shared]


@pytest.mark.parametrize(("text", "words"), [
    ("task: denoising\ntask: segmentation\n", "'task' is given twice, in lines 1 and 2; keep one"),
    ("training:\n  epochs: 3\n  batch: 2\n  epochs: 4\n", "'epochs' is given twice, in lines 2 and 4; keep one"),
    ("? [1, 2]\n: 3\n", "line 1: the name of a setting is a word"), ("~: 1\n", "the name of a setting is a word, not None"),
    ("task: {\n", "line 2, column 1: "),
])  # fmt: skip
def test_a_doubtful_document_is_refused_in_a_line_that_says_where(text, words, tmp_path):
    (tmp_path / "e.yml").write_text(text)
    with pytest.raises(ValueError, match=r"e\.yml") as told:
        Experiment.load(tmp_path / "e.yml")
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_setting_may_name_a_file_whose_name_is_no_utf_8():
    name = os.fsdecode(b"caf\xe9 \xff.npz")
    assert Experiment().override(f"data.input=[{name}]").data.input == [Path(name)]
    assert parse_yaml(f"{{a: ['{name}'], {name}: 1}}") == {"a": [name], name: 1}


def test_merged_settings_may_be_given_again():
    assert parse_yaml("a: &a {k: 1, l: 1}\nb: {<<: *a, k: 2}\n")["b"] == {"k": 2, "l": 1}


def test_a_value_in_a_message_is_short_whatever_it_is():
    nested: list = []
    nested.append(nested)
    for value in (10**5000, "x" * 10**6, nested, {"a": {"b": {"c": {"d": {}}}}}, b"x" * 1000):
        assert len(brief(value)) <= 80


# ---------------------------------------------------------------- headers


@pytest.mark.parametrize("body", [
    " " * 200_000, "\t \n" * 60_000, "a" * 200_000, "a = {" * 30_000, "a = {\n" * 30_000, "a = {}\n" * 30_000, " \n" * 50_000 + "=",
    "= \n" * 50_000, "a =" + " " * 200_000 + "{", "{" * 100_000 + "}" * 100_000,
    "samples = " + "9" * 4000 + "\nlines = 1\nbands = 1\ndata type = 4\n", "samples = 1e400\nlines = 1\nbands = 1\ndata type = 4\n",
])  # fmt: skip
def test_a_hostile_envi_header_is_read_in_linear_time(body, tmp_path):
    (tmp_path / "a.hdr").write_text("ENVI\n" + body)
    (tmp_path / "a.img").write_bytes(b"")
    begun = time.monotonic()
    with pytest.raises(ValueError, match=r"a\.hdr"):
        read(tmp_path / "a.hdr")
    assert time.monotonic() - begun < 300


@pytest.mark.parametrize("head", [
    "x,y,wavenumber," + "i," * 300_000, "x" + " " * 1_000_000, "x" + " " * 1_000_000 + "y",
    "x, y, " + "wave(" * 200_000, "(" * 1_000_000, "1" * 1_000_000 + "a",
    "nm " * 300_000, ",".join(["1.5"] * 250_000), " " * 1_000_000, "x,y," * 250_000,
])  # fmt: skip
def test_a_line_of_a_megabyte_in_a_table_takes_no_quadratic_time(head, tmp_path):
    (tmp_path / "a.csv").write_text(head + "\n" + "1,2,3,4\n" * 4)
    begun = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            read(tmp_path / "a.csv")
        except ValueError as error:
            told = str(error)
        else:
            told = "a.csv"
    assert "a.csv" in told
    assert time.monotonic() - begun < 300


def test_a_header_is_read_as_before(tmp_path):
    from napari_spectrai.io.envi import parse

    (tmp_path / "a.hdr").write_text(
        "ENVI\n; a comment = 3\n description = {a = b,\n two lines } rest\n\tSamples=4\nempty =\nwavelength = {\n 1,\n 2\n}\r\n"
        "units = {nm} \nname with spaces = a = b",
    )
    assert parse(tmp_path / "a.hdr") == {
        "description": "{a = b,\n two lines }", "samples": "4", "empty": "", "wavelength": "{\n 1,\n 2\n}",
        "units": "{nm}", "name with spaces": "a = b",
    }  # fmt: skip


def _wide(width):
    """Return tables of a few lines of a given width."""
    ones = ",".join("1" for _ in range(width))
    return {
        "titles that are positions": ("x," + ",".join(map(str, range(width))), "a," + ones),
        "titles that are words": (",".join(f"spectrum {n}" for n in range(width)), ones),
        "two lines of words and numbers": (("1,a,2," * (width // 3) + "3"), ("1,a,2," * (width // 3) + "3")),
        "positions and units": ("x,y," + ",".join(f"{n} nm" for n in range(width)), "1,1," + ones),
        "columns without titles": (ones, ones, "3," * (width - 1) + "1"),
        "dark and light spectra": ("wavelength," + "dark,light," * (width // 2) + "end", *("1," * (width + 1) + str(n) for n in range(3))),
    }


@pytest.mark.filterwarnings("ignore::napari_spectrai.layer_axes.SpectralWarning")
@pytest.mark.parametrize("kind", _wide(3))
def test_a_wide_table_takes_a_time_that_grows_with_its_width_alone(kind, tmp_path):
    path, took = tmp_path / "wide.csv", {}
    for width in (100, 2_000, 16_000):  # the first loads what is loaded once
        path.write_text("\n".join(_wide(width)[kind]))
        each = []
        for _ in range(3):  # the shortest: other processes empty the cache meanwhile
            begun = time.thread_time()
            with contextlib.suppress(UnreadableError):
                read(path)
            each.append(time.thread_time() - begun)
        took[width] = min(each)
    assert took[16_000] < 32 * took[2_000], took  # eight times as wide: 64 times if it grew with the square


@pytest.mark.filterwarnings("ignore::napari_spectrai.layer_axes.SpectralWarning")
def test_more_titles_than_any_instrument_writes_are_refused_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_spectrai.io.columns._MOST_TITLES", 20)
    path = tmp_path / "names.csv"
    table = "{}\n" + ",".join("1" * 30) + "\n" + ",".join("2" * 30) + "\n"
    path.write_text(table.format(",".join("ab"[n % 2] * (n + 1) for n in range(30))))
    with pytest.raises(UnreadableError, match=r"more than 20 different titles; save its spectra in rows, or as .npz"):
        read(path)
    path.write_text(table.format(",".join(f"x={n} y={n}.5" for n in range(30))))  # titles that differ in their numbers alone are few
    assert read(path).shape == (30, 2)


def test_nothing_in_the_package_unpickles():
    forbidden = re.compile(
        r"pickle\.loads?\b|Unpickler|joblib|allow_pickle=True|weights_only=False|object_list\(|gather_object|scatter_object|unsafe_load"
    )
    modules = Path(napari_spectrai.__file__).parent.rglob("*.py")
    found = [f"{module.name}: {line.strip()}" for module in modules for line in module.read_text().splitlines() if forbidden.search(line)]
    assert not found


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are of POSIX")
@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.hdr", "x.h5", "x.tif", "x.spc", "x.wdf", "x.yml", "x.npz", "x"])
def test_a_pipe_is_no_file(name, tmp_path):
    os.mkfifo(tmp_path / name)
    for reader in (read, read_labels, napari_spectrai.inspect, Experiment.load):
        with pytest.raises(ValueError, match="a device or a pipe and no file"):
            reader(tmp_path / name)
