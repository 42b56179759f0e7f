"""Names of classes in containers: as labels themselves, or as a list next to their numbers."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io
import zarr

from napari_spectrai import SpectralWarning
from napari_spectrai.io.labels import read_labels

NAMED = np.array(["grass", "soil", "", "grass"] * 5).reshape(4, 5)


def _names_in(path, names, **others):
    if path.suffix == ".npz":
        np.savez(path, truth_map=names, **others)
    elif path.suffix == ".mat":
        scipy.io.savemat(path, {"truth_map": names.astype(object), **others})
    elif path.suffix == ".zarr":
        group = zarr.create_group(path, zarr_format=2)
        for key, values in {"truth_map": names, **others}.items():
            group.create_array(key, data=values)
    else:
        with h5py.File(path, "w") as file:
            for key, values in others.items():
                file[key] = values
            if path.stem == "bytes":
                file["truth_map"] = np.char.encode(names)
            else:
                file.create_dataset("truth_map", data=names.astype(object), dtype=h5py.string_dtype())
    return path


@pytest.mark.parametrize("name", ["x.npz", "x.mat", "x.zarr", "bytes.h5", "texts.h5", "texts.nxs"])
@pytest.mark.parametrize("others", [{}, {"X": np.zeros((20, 33)), "wavelength": np.linspace(400, 700, 33)}], ids=["alone", "with spectra"])
def test_names_of_classes_are_labels_in_every_container(name, others, tmp_path):
    with pytest.warns(SpectralWarning, match="5 pixels"):
        labels = read_labels(_names_in(tmp_path / name, NAMED, **others))
    np.testing.assert_array_equal(labels.data, np.tile([1, 2, -1, 1], 5).reshape(4, 5))
    assert dict(labels.names) == {1: "grass", 2: "soil"}


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".mat"])
@pytest.mark.parametrize(
    ("numbers", "names", "known"),
    [
        ([1, 2, 3], ["a", "b", "c"], {1: "a", 2: "b", 3: "c"}),
        ([0, 1, 3], ["a", "b", "c"], {1: "a", 2: "b", 3: "c"}),
        ([0, 1, 2], ["background", "b", "c"], {0: "background", 1: "b", 2: "c"}),
        ([1, 2, 2], ["background", "b"], {0: "background", 1: "b"}),
        ([1, 2, 2], ["", "b"], {1: "b"}),
    ],
)
def test_a_list_of_names_begins_with_the_class_that_it_fits(numbers, names, known, suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    truth = np.array(numbers * 4).reshape(4, 3)
    if suffix == ".npz":
        np.savez(path, truth=truth, class_names=np.array(names))
    elif suffix == ".mat":
        scipy.io.savemat(path, {"truth": truth, "class_names": np.array(names, object)})
    else:
        with h5py.File(path, "w") as file:
            file["truth"] = truth
            file.create_dataset("class_names", data=np.array(names, object), dtype=h5py.string_dtype())
    assert dict(read_labels(path).names) == known


def test_a_class_of_number_zero_is_mentioned(tmp_path):
    np.savez(tmp_path / "x.npz", truth=np.array([[0, 1], [2, 1]]), class_names=np.array(["grass", "soil", "water"]))
    with pytest.warns(SpectralWarning, match="its class 0 is called 'grass', which means no class"):
        assert dict(read_labels(tmp_path / "x.npz").names) == {0: "grass", 1: "soil", 2: "water"}


def test_an_enumeration_names_its_classes(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        kind = h5py.enum_dtype({"none": 0, "grass": 1, "soil": 2}, basetype="i1")
        file.create_dataset("truth", data=np.array([[0, 1], [2, 1]]), dtype=kind)
    assert dict(read_labels(tmp_path / "x.h5").names) == {0: "none", 1: "grass", 2: "soil"}
