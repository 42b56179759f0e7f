from __future__ import annotations

import numpy as np
import pytest
from magicgui.widgets import ComboBox, Container, LineEdit, PushButton, SpinBox
from napari.components import ViewerModel
from napari.layers import Image
from pydantic.fields import FieldInfo
from qtpy.QtWidgets import QLabel, QRadioButton, QWidget

from napari_spectrai import Experiment, SpectralAxis
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.networks import UNet
from napari_spectrai.experiment.suitability import Suitability
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.mapping.components import ComponentMaps
from napari_spectrai.mapping.peaks import PeakMaps
from napari_spectrai.preparation.optical import Optical
from napari_spectrai.preparation.step import steps
from napari_spectrai.spec import SettingsError
from napari_spectrai.widgets.dock import line, rows, text
from napari_spectrai.widgets.evaluate_dock.result_list import ResultBoxes
from napari_spectrai.widgets.evaluate_dock.score_table import in_two_lines, short_names
from napari_spectrai.widgets.flow_layout import FewRows
from napari_spectrai.widgets.form import SpecForm
from napari_spectrai.widgets.form_row import FormRow
from napari_spectrai.widgets.radio_row import RadioRow
from napari_spectrai.widgets.setting_names import FOLDED, as_labelled
from napari_spectrai.widgets.short_names import MOST
from napari_spectrai.widgets.spectra_dock.layer_chips import LayerChips


@pytest.fixture
def form(qtbot):
    return SpecForm(Experiment, Experiment().override("network=unet", "augmentation=[noise]").model_dump(mode="json"))


def test_the_form_gives_back_what_it_was_given(form):
    document = Experiment().override(
        "network=resunet", "network.dims=2", "augmentation=[mixup, flip]", "training.optimiser=sgd", "split.gap=4"
    )
    document = document.override("training.optimiser.lr=0.00031", "preparation=[{kind: crop, low: 700, high: 900}, normalise]")
    document = document.override("data.groups=[Ö 1, 'b, c', '7']", "training.frozen=[stem]")
    form.fill(document.model_dump(mode="json"))
    assert Experiment.from_mapping(form.read()) == document


def test_a_list_is_typed_with_commas_and_shown_without_syntax(qtbot):
    for annotation, texts, value in (
        (list[str], ["", " ", "[]"], []),
        (list[str], ["ann, 2, Ö x", "[ann, 2, Ö x]", "['ann', '2', 'Ö x']", 'ann,"2",Ö x,'], ["ann", "2", "Ö x"]),
        (tuple[int, ...], ["3, 4", "[3, 4]"], [3, 4]),
        (tuple[tuple[float, float], ...], ["[1, 2.5], [3, 4]", "[[1, 2.5], [3, 4]]"], [[1, 2.5], [3, 4]]),
        (tuple[tuple[float, float], ...], ["[1, 2.5]", "[[1, 2.5]]"], [[1, 2.5]]),
    ):
        row = FormRow("names", FieldInfo(annotation=annotation, description="of each"), value)
        assert "[]" not in row.editor.value
        for words in (row.editor.value, *texts):
            row.editor.value = words
            assert row.read() == value, words


def test_messages_name_settings_and_their_values_as_the_form_does(form):
    for said, shown in {
        "set task.unlabelled=null, or data.groups=[]": "set Unlabelled value = empty, or Patches and groups ▸ Groups = empty",
        "set split.folds=5 to hold out each once.": "set Split ▸ Folds = 5 to hold out each once.",
        "network.norm=layer, or training.micro_batch=auto": "Network ▸ Norm = layer, or Training ▸ Samples computed at once = auto",
        "set network.kind=unet, or clear training.start": "set Network = UNet, or clear Training ▸ Pretrained model",
        "(task.learns_from=repeats)": "(Learn from = a second, equally noisy recording)",
        "training.optimiser.lr (0.1)": "Training ▸ Optimiser ▸ Learning rate (0.1)",
        "(preparation.1.window)": "(Preparation ▸ 2 ▸ Window (pixels) or Window (bands))",
        "set network.convolutions=2": "set Network ▸ Convolutions per block or Convolutions per level = 2",
        "data.csv, network.txt and /a/data.groups.zarr": "data.csv, network.txt and /a/data.groups.zarr",
    }.items():
        assert text(value=said).value == shown
    for section in ("split", "data", "training"):
        rows = {name: row for name, row in form._parts[section]._parts.items() if hasattr(row, "editor")}
        assert rows
        for name, row in rows.items():
            assert as_labelled(f"{section}.{name}=3") == f"{FOLDED[section]} ▸ {row.editor.label} = 3"


def test_every_field_has_a_tooltip_and_small_numbers_show(form):
    rows = []

    def walk(part):
        for child in getattr(part, "_parts", {}).values():
            rows.append(child) if hasattr(child, "editor") else walk(child)
        if getattr(part, "_settings", None) is not None:
            walk(part._settings)

    walk(form)
    assert len(rows) > 15
    assert all(row.editor.tooltip for row in rows)
    form.fill(Experiment().override("training.optimiser.lr=1e-4").model_dump(mode="json"))
    lr = form._parts["training"]._parts["optimiser"]._settings._parts["lr"]
    assert lr.editor.value == "0.0001"


def test_choosing_a_kind_shows_its_settings_and_keeps_those_of_the_last(form):
    network = form._parts["network"]
    network._settings._parts["width"].editor.value = 48
    network.choice.value = "residual_mlp"
    assert "dims" not in network.read()
    network.choice.value = "unet"
    assert network.read()["width"] == 48
    seen = []
    form.changed.connect(lambda: seen.append(Experiment.from_mapping(form.read())))
    for loss in ("charbonnier", "l1"):
        form._parts["loss"].choice.value = loss
    assert seen[-1].loss.kind == "l1"


@pytest.mark.parametrize(("part", "text"), [("lr", "fast"), ("lr", "-1"), ("lr", ""), ("lr", "["), ("lr", "%")])
def test_a_problem_is_shown_next_to_its_field(form, part, text):
    row = form._parts["training"]._parts["optimiser"]._settings._parts[part]
    row.editor.value = text
    with pytest.raises(SettingsError) as error:
        Experiment.from_mapping(form.read())
    assert form.show_problems(error.value.problems) == []
    assert row.problem.value
    assert form.show_problems([]) == []
    assert not row.problem.value


def test_only_what_suits_is_offered(qtbot):
    start = Experiment().model_dump(mode="json")
    form = SpecForm(Experiment, start, offer=Suitability(tasks.parse("denoising")))
    assert set(form._parts["network"].choice.choices) == {kind for kind in networks if "denoising" in networks[kind].tasks}
    assert "rcan" in form._parts["network"].choice.choices
    assert "svm" not in form._parts["network"].choice.choices
    left_out = form._parts["network"].choice.tooltip.partition("Not offered here:\n")[2]
    assert any("Support vector machine" in line and line.endswith("for classification and segmentation") for line in left_out.split("\n"))


def test_what_does_not_fit_a_set_of_spectra_is_left_out_with_the_reason_and_the_rest_begins_with_what_fits(qtbot):
    start = Experiment().model_dump(mode="json")
    form = SpecForm(Experiment, start, offer=Suitability(tasks.parse("denoising"), is_image=False))
    choice = form._parts["network"].choice
    assert "restormer" not in choice.choices
    assert not {"nl_bayes", "svd_nlm"} & set(choice.choices)
    why = next(line for line in choice.tooltip.split("\n") if "Restormer" in line)
    assert why.endswith(": needs images, but these are spectra without neighbours")
    choice.value = "unet"
    assert form.read()["network"]["dims"] == 1
    assert "Flip, Random crop, Rotate by quarter turns: rotates or crops patches of images" in form._parts["augmentation"].choice.tooltip


def test_a_field_that_does_not_apply_is_hidden_and_keeps_its_value(qtbot):
    from napari_spectrai.preparation.normalise import Normalise

    form = SpecForm(Normalise, Normalise(percentile=40).model_dump())
    form.native.show()
    assert not form._parts["percentile"].visible
    form._parts["by"].editor.value = "rnv"
    assert form._parts["percentile"].visible
    form._parts["by"].editor.value = "snv"
    assert not form._parts["percentile"].visible
    assert form.read()["percentile"] == 40
    form.native.hide()


def test_a_form_that_is_not_shown_yet_reports_new_values():
    form = SpecForm(type(steps.parse("despike")), steps.parse("despike").model_dump(), late=True)
    heard = []
    form.changed.connect(heard.append)
    form.fill({"width": form.read()["width"]})
    assert not heard
    form.fill({"keep": [[1001.0, 950.5]]})
    assert len(heard) == 1
    assert form.read()["keep"] == [[1001.0, 950.5]]


@pytest.mark.parametrize("cls", [ComponentMaps, PeakMaps, Optical, UNet])
def test_choices_are_shown_in_words(cls, qapp):
    given = {"low": 1, "high": 2} if cls is PeakMaps else {}
    form = SpecForm(cls, cls(**given).model_dump(mode="json"))
    boxes = [part.editor for part in form._parts.values() if isinstance(getattr(part, "editor", None), ComboBox)]
    shown = [box.native.itemText(row) for box in boxes for row in range(box.native.count())]
    assert shown
    assert not [words for words in shown if "_" in words]


def test_names_of_rows_are_short_and_stand_in_two_lines(qapp):
    assert short_names(["right half · enlarged by RCAN", "bicubic"]) == ["enlarged by RCAN", "bicubic"]
    assert short_names(["a · denoised", "b · denoised"]) == ["a · denoised", "b · denoised"]
    metrics = QLabel().fontMetrics()
    width = metrics.horizontalAdvance("enlarged by") + 2
    assert in_two_lines("enlarged by RCAN", metrics, width) == "enlarged by\nRCAN"
    assert in_two_lines("back-projection", metrics, metrics.horizontalAdvance("projection") + 2) == "back-\nprojection"
    lines = in_two_lines("a name with far too many words for two lines", metrics, width).split("\n")
    assert len(lines) == 2
    assert lines[1].endswith("…")


def test_fields_start_at_one_place_in_all_rows(qtbot):
    boxes = [rows(LineEdit(label="Low"), ComboBox(choices=["a"], label="Intensities")), rows(SpinBox(label="Factor"))]
    column = Container(widgets=boxes, labels=False)
    column.native.setStyleSheet("QLabel { padding: 3px; }")
    column.native.resize(360, 200)
    column.show()
    fields = [field.native for box in boxes for field in box]
    assert len({field.mapTo(column.native, field.rect().topLeft()).x() for field in fields}) == 1
    column.close()


def test_boxes_of_layers_are_kept_in_their_order(qtbot):
    """Where layers come, go and change places: making a box takes milliseconds, and all docks make some."""
    layers = [Image(np.zeros((3, 4, 5)), name=name, metadata={"spectral_axis": SpectralAxis.bands(3).to_json()}) for name in "abcde"]
    a, b, c, d, e = layers
    boxes, model = ResultBoxes(), ViewerModel()
    chips = LayerChips(model, lambda number: ("#ff0000", "#00ff00", "#0000ff", "#ffffff")[number % 4])
    for offered in ([a, b, c], [d, a, b, c], [d, c], [c, d, e], [e, b, d, c], []):
        before, kept = dict(boxes.of), dict(chips.of)
        boxes.offer(offered)
        model.layers.clear()
        model.layers.extend(offered)
        chips.refresh()
        assert list(boxes.of) == list(chips.of) == offered
        assert [one.native for one in boxes][1:] == [box.native for box in boxes.of.values()]
        assert [chips._rows.itemAt(n).widget() for n in range(chips._rows.count())] == [chip.native for chip in chips.of.values()]
        assert [box.text for box in boxes.of.values()] == [chip.text for chip in chips.of.values()] == [layer.name for layer in offered]
        assert all(boxes.of[layer] is before[layer] and chips.of[layer] is kept[layer] for layer in offered if layer in before)
    axis = {"spectral_axis": SpectralAxis.bands(3).to_json()}
    names = [f"measurement {number} of the sample, with 532 nm and 10 mW · prepared" for number in range(30)]
    model.layers.extend(Image(np.zeros((3, 4, 5)), name=name, metadata=axis) for name in names)
    chips.refresh()
    qtbot.addWidget(chips.native)
    chips.native.resize(600, 700)
    chips.show()
    qtbot.waitUntil(lambda: 0 < chips.native.findChild(FewRows).height() < 60)  # the plot below keeps its height
    assert all(len(chip.text) <= MOST and chip.text.endswith("· prepared") for chip in chips.of.values())
    chips.leave()


def test_buttons_of_a_row_stand_below_one_another_where_their_words_would_be_cut(qtbot):
    row = line(*(PushButton(text=words) for words in ("Apply to a new layer", "Cancel")))
    column = QWidget()  # in which a row may be narrower than it wants to be
    qtbot.addWidget(column)
    row.native.setParent(column)
    column.show()
    row.native.show()
    words = sum(button.native.fontMetrics().horizontalAdvance(button.text) for button in row)
    for width, below in ((2 * words, False), (words - 10, True), (2 * words, False)):
        row.native.resize(width, 100)
        qtbot.waitUntil(lambda below=below: (row[1].native.y() > row[0].native.y()) == below)
    row[0].text = "Apply " * words  # longer words, in the same width
    qtbot.waitUntil(lambda: row[1].native.y() > row[0].native.y())


def test_radio_buttons_stand_below_one_another_where_their_words_would_be_cut(qtbot):
    row, column = RadioRow({"a layer": "one", "several layers": "more"}), QWidget()
    qtbot.addWidget(column)
    row.native.setParent(column)
    column.show()
    row.native.show()
    first, second = row.native.findChildren(QRadioButton)
    words = first.sizeHint().width() + second.sizeHint().width()
    for width, below in ((2 * words, False), (words - 10, True), (2 * words, False)):
        row.native.resize(width, 100)
        qtbot.waitUntil(lambda below=below: (second.y() > first.y()) == below)
