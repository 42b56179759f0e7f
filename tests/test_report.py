"""The report of a run: whole, escaped, true to the journal, and never in the way of the model."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment, Model, Run, SpectralAxis, fit
from napari_spectrai.cli import app
from napari_spectrai.experiment.document import Split
from napari_spectrai.labels import Labels
from napari_spectrai.plan import subsets
from napari_spectrai.reports.html import element, escaped
from napari_spectrai.reports.run_report import write_report
from napari_spectrai.reports.split_maps import PARTS, split_pictures
from napari_spectrai.reports.svg import Curve, plot
from napari_spectrai.reports.tables import confusion_tables, verdict
from napari_spectrai.runs import Confusion, Epoch, Failed, Finished, Preview, RunFolder, Started
from napari_spectrai.runs.events import from_json, to_json

ODD = """<b>&"'</b> λ 😀 </script>"""


class Page(HTMLParser):
    """A page as read: its text, its figures by row, and whether every element is closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.names, self.values, self.links = [], "", [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag == "data":
            self.values.append(float(dict(attrs)["value"]))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def told(folder, kind):
    return [event for event in RunFolder(folder).events() if isinstance(event, kind)]


def read(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def scene():
    """An image of 24 × 20 pixels in two classes, the second named to try the page, and its labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 2], [10, 10])[None, :].repeat(24, 0)
    data = labels[..., None] * np.linspace(0, 1, 8) + rng.normal(0, 0.1, (24, 20, 8))
    return Cube(data.astype(np.float32), SpectralAxis(np.linspace(400, 700, 8), "nm"), name=ODD), Labels(labels, {1: "fat", 2: ODD})


def test_the_report_of_a_denoiser_shows_the_scores_of_its_journal(pairs, quick, tmp_path):
    experiment = quick("split.test=0.2").model_copy(update={"name": ODD})
    events = list(fit(experiment, *pairs, run=tmp_path / "run"))
    page = read(tmp_path / "run")
    (finished,) = told(tmp_path / "run", Finished)
    assert events[-1] == finished
    assert finished.notes == []
    expected = [value for rows in finished.scores.values() for row in rows.values() for value in row.values()]
    np.testing.assert_array_equal(page.values, expected)
    assert "b" not in page.names
    assert "script" not in page.names
    assert ODD in page.text
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    for words in (
        "Wavenumber (1/cm)",
        "training loss",
        f"best epoch {finished.best_epoch}",
        "Done",
        "Savitzky–Golay",
        "72 training samples",
        "torch",
        "epochs: 4",
        "Residual MLP on top of ridge regression",
        "On the test part, the network",
    ):
        assert words in page.text
    # the spectrum shown is of the model that is saved
    assert told(tmp_path / "run", Preview)[-1].epoch == finished.best_epoch


@pytest.mark.parametrize("network", ["local_means_mlp", "svm"])
def test_classes_of_the_saved_model(scene, tmp_path, network):
    cube, labels = scene
    experiment = Experiment.default("segmentation", cube, labels).override(
        f"network={network}", "split.method=random", "split.test=0.2", "split.validation=0.2", "training.epochs=3", "training.device=cpu",
    )  # fmt: skip
    list(fit(experiment, cube, labels, run=tmp_path / "run"))
    page = read(tmp_path / "run")
    (finished,) = told(tmp_path / "run", Finished)
    last = {event.part: event for event in told(tmp_path / "run", Confusion)}
    assert last.keys() == {"validation", "test"}
    for part, confusion in last.items():
        counts = np.array(confusion.matrix)
        assert confusion.epoch == finished.best_epoch
        assert counts.trace() / counts.sum() == pytest.approx(finished.scores[part]["network"]["overall_accuracy"])
        assert counts.sum() == getattr(told(tmp_path / "run", Started)[-1], part)
    for words in ("Neighbouring pixels are split at random, so that scores are too optimistic", "Support", "fat", ODD):
        assert words in page.text
    assert "b" not in page.names
    assert ("this method (" in page.text) == (network == "svm")


def test_the_report_of_a_classical_method_does_not_compare_it_with_itself(pairs, quick, tmp_path):
    list(fit(quick("network=ridge", "split.test=0.2"), *pairs, run=tmp_path / "run"))
    page = read(tmp_path / "run")
    assert len(told(tmp_path / "run", Preview)) == 1
    assert "this method (Ridge" in page.text
    assert "On the test part, this method" in page.text
    assert "the best classical method, ridge" not in page.text


def test_a_stopped_run_and_its_end_after_resuming(pairs, quick, tmp_path):
    folder = RunFolder(tmp_path / "run")
    for event in fit(quick(), *pairs, run=folder.path):
        if isinstance(event, Epoch) and event.epoch == 2:
            folder.say("stop")
    assert "Stopped after epoch 2 of 4; it can be resumed" in read(folder.path).text
    list(fit(None, *pairs, run=folder.path, resume=True))
    assert "Stopped" not in read(folder.path).text
    assert [event.epoch for event in told(folder.path, Epoch)] == [1, 2, 3, 4]


def test_a_failed_run_says_why(pairs, quick, tmp_path):
    experiment = quick("training.optimiser=sgd", "training.optimiser.lr=10", "training.clip=0", "training.epochs=50")
    with pytest.raises(FloatingPointError):
        list(fit(experiment.override("training.schedule=constant"), *pairs, run=tmp_path / "run"))
    page = read(tmp_path / "run")
    assert "Why it failed: the loss became" in page.text
    assert "Traceback" in page.text


def test_a_report_that_cannot_be_written_loses_nothing(pairs, quick, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_spectrai.reports.run_report.write_text", full)
    events = list(fit(quick("training.epochs=1"), *pairs, run=tmp_path / "run"))
    folder = RunFolder(tmp_path / "run")
    assert events[-1].reason == "done"
    (note,) = events[-1].notes
    assert "The report was not written" in note
    assert "No space left" in note
    assert f"napari-spectrai report {folder.path}" in note
    assert list(folder.events())[-1] == events[-1]
    assert folder.state() == "finished"
    assert not folder.report.exists()
    Model.load(folder.best)
    monkeypatch.undo()
    assert Run(folder).report() == folder.report
    assert "The report was not written" in read(folder.path).text


def test_unfinished_damaged_and_foreign_folders(pairs, quick, tmp_path):
    events = fit(quick(), *pairs, run=tmp_path / "run")
    for event in events:
        if isinstance(event, Epoch) and event.epoch == 2:
            events.close()
            break
    done = CliRunner().invoke(app, ["report", str(tmp_path / "run"), "-o", str(tmp_path / "there.html")])
    assert done.exit_code == 0, done.output
    page = Page((tmp_path / "there.html").read_text(encoding="utf-8"))
    assert "Interrupted after 2 of 4 epochs" in page.text
    assert "On the validation part, the network" in page.text
    assert not (tmp_path / "run" / "report.html").exists()
    assert CliRunner().invoke(app, ["report", str(tmp_path)]).exit_code == 2
    (tmp_path / "run" / "split.npz").write_bytes(b"PK no archive")
    (tmp_path / "run" / "environment.json").write_text("{")
    (tmp_path / "run" / "best.safetensors").write_bytes(b"short")
    assert "split.npz cannot be read" in Page(write_report(tmp_path / "run").read_text(encoding="utf-8")).text
    (tmp_path / "run" / "events.jsonl").write_text('{"event": "Unheard"}\n')
    with pytest.raises(ValueError, match=r"events\.jsonl is damaged, or of another version"):
        write_report(tmp_path / "run")
    (tmp_path / "run" / "events.jsonl").unlink()
    assert "Not started" in Page(write_report(tmp_path / "run").read_text(encoding="utf-8")).text


def test_the_verdict_on_a_network_states_how_certain_it_is():
    rows = {"raw": {"mse": 0.9}, "ridge": {"mse": 0.2}, "network": {"mse": 0.1}}
    assert (
        verdict("test", rows, "mse")
        == "On the test part, the network beats the best classical method, ridge: MSE 0.1 against 0.2, 50 % lower. "
        "The score has no interval, so the difference may be chance."
    )
    rows["network"]["mse"] = 0.3
    assert "does not beat the best classical method, ridge: MSE 0.3 against 0.2, 50 % higher" in verdict("test", rows, "mse")
    rows["network"]["mse"] = 0.199
    assert "0.5 % lower; a difference this small could be reversed by another seed" in verdict("test", rows, "mse")
    rows["network"]["mse"] = 0.2
    assert "exactly as good as" in verdict("test", rows, "mse")
    rows["network"]["mse"] = float("nan")
    assert "no score to compare" in verdict("test", rows, "mse")
    assert "no baseline to compare with" in verdict("test", {"network": {"mse": 1.0}}, "mse")
    assert "does not beat the raw data" in verdict("test", {"raw": {"psnr": 30.0}, "network": {"psnr": 20.0}}, "psnr")
    assert "20 dB against 30 dB, 10 dB lower" in verdict("test", {"raw": {"psnr": 30.0}, "network": {"psnr": 20.0}}, "psnr")


def test_many_classes_and_files_and_odd_names():
    names = [f"class {number} {ODD}" for number in range(30)]
    tables = confusion_tables(Confusion(1, names, np.eye(30, dtype=int).tolist()), {names[3]: (1.0, 0.5, 0.0, 1.0)})
    page = Page("".join(tables))
    assert page.names.count("tr") == 2 * 31
    assert "—" not in page.text
    empty = Page("".join(confusion_tables(Confusion(1, ["a", "b"], [[3, 1], [0, 0]]), {})))
    assert "—" in empty.text
    maps = [np.full((1, 6, 5), 1 + (number > 79) + (number > 89), np.uint8) for number in range(100)]
    listed = Page(split_pictures(maps, names))
    assert "80 images" in listed.text
    assert "img" not in listed.names
    pictured = Page(split_pictures([np.arange(60, dtype=np.uint8).reshape(1, 12, 5) % 4] * 40, names))
    assert pictured.names.count("img") == 40
    assert "28 more" in pictured.text
    volume = Page(split_pictures([np.ones((30, 9, 7), np.uint8), np.arange(20, dtype=np.uint8).reshape(1, 20, 1) % 4], []))
    assert "training: 275" not in volume.text
    assert "spectra 1 to 20" in volume.text
    assert "12 of 30 planes" in Page(split_pictures([np.arange(30 * 63, dtype=np.uint8).reshape(30, 9, 7) % 4], [])).text


def test_the_words_and_numbers_of_the_split_are_those_of_the_house():
    assert PARTS == {**subsets.PARTS, subsets.UNUSED: "unused"}
    words = str(Split.model_fields["method"].description)
    for method in ("auto", "file", "group", "contiguous", "blocks", "stratified", "random"):
        assert f"{method}: " in words or method == "file"


def test_what_no_page_can_hold():
    assert escaped("a\x00b\ud800") == "a�b�"
    assert element("p", "<", title='"') == '<p title="&quot;">&lt;</p>'
    assert element("td", 3, class_="x", style=None) == '<td class="x">3</td>'


@pytest.mark.parametrize(
    ("x", "y", "levels"),
    [
        ([1], [0.1], {"a": 0.1}),
        ([1, 2], [0.0, 0.0], {}),
        ([1, 2, 3], [float("nan"), 1e-300, 1.0], {"inf": float("inf")}),
        (range(1, 50_001), np.exp(-np.arange(50_000) / 1e4).tolist(), {f"method {n}": 0.01 + n * 1e-6 for n in range(30)}),
        ([5, 4, 3, 6, 5], [-1e9, 2, 3, 4, 1e9], {}),
        ([1.0, 1.0 + 1e-9], [7.0, 7.0], {}),
    ],
)
def test_curves_are_drawn_whatever_their_values(x, y, levels):
    for logarithmic in (True, False):
        drawn = plot(
            [Curve(ODD, list(x), list(y), "accent")], x="x", y="y", levels=levels, logarithmic=logarithmic, mark=(x[0], y[0], "here")
        )
        page = Page(drawn)
        assert "nan" not in drawn
        assert len(drawn) < 120_000
        assert page.names.count("path") == 1
    assert "Nothing to draw" in plot([Curve("a", [], [], "accent")], x="", y="")


def test_events_with_and_without_what_is_new():
    confusion = Confusion(3, ["a"], [[4]], "test")
    assert from_json(to_json(confusion)) == confusion
    older = {"event": "Confusion", "epoch": 3, "classes": ["a"], "matrix": [[4]]}
    assert from_json(json.dumps(older)).part == "validation"
    assert from_json('{"event": "Failed", "message": "m", "details": ""}') == Failed("m")


def test_notes_of_a_finished_training_are_printed(capsys):
    from napari_spectrai.learn.train.console import TrainingBar

    TrainingBar().show(Finished("done", notes=["The report was not written [x]"]))
    assert "note: The report was not written [x]" in capsys.readouterr().err


def test_a_run_without_a_split_says_so(tmp_path):
    folder = RunFolder.create(Experiment(), tmp_path / "run")
    assert "The run was not split yet." in write_report(folder.path).read_text(encoding="utf-8")
    assert folder.parts() == []
    folder.keep_maps([np.full((1, 3, 4), 1, np.uint8), np.array([[[1], [2]]], np.uint8)])
    assert [labels.shape for labels in folder.parts()] == [(3, 4), (2,)]
    assert "The run was not split yet." not in write_report(folder.path).read_text(encoding="utf-8")
    folder.split.write_bytes(b"damaged")
    assert "cannot be read" in write_report(folder.path).read_text(encoding="utf-8")


@pytest.mark.parametrize(("ridge", "found"), [([0.15, 0.22], "indistinguishable"), ([0.17, 0.22], "beats the best")])
def test_methods_whose_intervals_overlap_are_called_indistinguishable(ridge, found):
    rows, ends = {"ridge": {"mse": 0.2}, "network": {"mse": 0.1}}, {"network": {"mse": [0.08, 0.16]}, "ridge": {"mse": ridge}}
    words = verdict("test", rows, "mse", intervals=ends)
    assert found in words
    assert "may be chance" not in words
