"""What Chromium makes of the HTML pages: nothing is cut on a telephone or a screen, light, dark or printed, and everything is legible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import napari_spectrai as spectrai
from napari_spectrai import Cube, Experiment, SpectralAxis, evaluate, fit
from napari_spectrai.labels import Labels
from napari_spectrai.learn.sweep import sweep
from napari_spectrai.reports.evaluation_report import write_page

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs" / "_build" / "html"
LAYOUT = (Path(__file__).parent / "layout.js").read_text(encoding="utf-8")
LONG = "Messreihe_2026-11-29_Polyethylen_gealtert_" * 3
CHINESE = "聚乙烯微塑料样品老化后的拉曼光谱测量结果" * 5
A4 = 718
"""Width of a sheet in CSS pixels, less the margins."""
VIEWS = [(400, "light", False), (400, "dark", False), (1280, "light", False), (1280, "dark", False), (A4, "dark", True)]
PAGES = ("denoising", "segmentation", "spectra scored", "classes scored", "sweep", "notebook")


def scene(bands: int = 8) -> tuple[Cube, Labels]:
    """Return an image of 24 × 20 pixels in ten classes, some with long names, and its labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(1, 11).repeat(2)[None, :].repeat(24, 0)
    data = labels[..., None] * np.linspace(0, 1, bands) + rng.normal(0, 0.1, (24, 20, bands))
    names = {1: LONG, 2: CHINESE} | {number: f"class {number}" for number in range(3, 11)}
    return Cube(data.astype(np.float32), SpectralAxis(np.linspace(400, 700, bands), "nm"), name=LONG), Labels(labels, names)


@pytest.fixture(scope="session")
def pages(make_spectra, tmp_path_factory) -> dict[str, Path]:
    """Return pages of every kind, of tiny data."""
    folder = tmp_path_factory.mktemp(CHINESE[:40])
    noisy, clean = (Cube(one, SpectralAxis(np.linspace(600, 1800, 40), "1/cm"), name=LONG) for one in make_spectra(120, 40))
    short = ("training.epochs=3", "training.batch=16", "network.width=16", "split.validation=0.2", "split.test=0.2", "training.device=cpu")
    experiment = Experiment().override(*short).model_copy(update={"name": CHINESE})
    *_, last = fit(experiment, noisy, clean, run=folder / "denoising")
    assert last.reason == "done"
    cube, labels = scene()
    classes = Experiment.default("segmentation", cube, labels).override(
        "network=svm", "split.method=random", "split.test=0.2", "split.validation=0.2", "training.device=cpu"
    )
    *_, last = fit(classes, cube, labels, run=folder / "segmentation")
    assert last.reason == "done"
    sweep(experiment.override("training.epochs=1"), ["network.width=8", "training.seed=0..1"], noisy, clean, out=folder / "sweep")
    image = noisy.with_data(noisy.data.reshape(10, 12, 40)), clean.with_data(clean.data.reshape(10, 12, 40))
    scored = evaluate({LONG: image[0], CHINESE: image[1].with_data(image[1].data * 1.1)}, image[1], source=image[0])
    wrong = Labels(np.roll(labels.data, 1, 1), labels.names)
    classified = evaluate({LONG: wrong, CHINESE: labels}, labels, "segmentation")
    notebook = folder / "notebook.html"
    notebook.write_text(
        '<!DOCTYPE html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><body style="margin:8px">'
        + "".join(one._repr_html_() for one in (noisy, cube, scored, spectrai.Model.load(folder / "denoising" / "best.safetensors"))),
        encoding="utf-8",
    )
    return {
        "denoising": folder / "denoising" / "report.html", "segmentation": folder / "segmentation" / "report.html",
        "spectra scored": write_page(scored, folder / "spectra.html"), "classes scored": write_page(classified, folder / "classes.html"),
        "sweep": folder / "sweep" / "sweep.html", "notebook": notebook,
    }  # fmt: skip


def wrong(browser, page, width, scheme, printed) -> list[str]:
    """Return what could not be read on a page, folded parts opened."""
    browser.show(page, width=width, scheme=scheme, printed=printed)
    browser.value("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    return browser.value(f"{LAYOUT}({'true' if printed else 'false'})")


SEEN = [(name, *view) for name in PAGES for view in VIEWS if name != "notebook" or view[1] == "light"]
"""A notebook decides itself about its colours and about printing."""


@pytest.mark.parametrize(("name", "width", "scheme", "printed"), SEEN)
def test_everything_on_a_page_can_be_read(browser, pages, name, width, scheme, printed):
    assert wrong(browser, pages[name], width, scheme, printed) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_printed(browser, pages, name):
    browser.show(pages[name], width=1280)
    assert browser.pdf().count(b"/Type /Page\n") >= 1


@pytest.mark.parametrize("name", ["index", "choose", "formats", "reference/commands", "reference/kinds", "docks/train"])
@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (1280, "light"), (1280, "dark")])
def test_everything_on_a_page_of_the_site_can_be_read(browser, name, width, scheme):
    page = SITE / f"{name}.html"
    assert page.exists(), "`make docs` builds the site first"
    assert wrong(browser, page, width, scheme, False) == []


def test_what_cannot_be_read_is_noticed(browser, tmp_path):
    page = tmp_path / "page.html"
    text = '<!DOCTYPE html><meta charset="utf-8"><body style="margin:0; background: #fff; color: #000">'
    for content, words in (
        ('<p style="color: #aaa">pale</p>', "contrast 2.32"),
        ('<div style="width: 900px">wide</div>', "the page is 900 pixels wide, and the window 400"),
        ('<div style="overflow: hidden; width: 20px; white-space: nowrap">hidden words</div>', "cut by DIV"),
        ('<svg width="50" height="20"><text x="30" y="12">a label</text></svg>', "cut at the edge of its drawing"),
    ):
        page.write_text(text + content, encoding="utf-8")
        (found,) = wrong(browser, page, 400, "light", False)
        assert words in found
    page.write_text(text + '<div style="overflow-x: auto; width: 60px; white-space: nowrap">a long line</div>', encoding="utf-8")
    assert wrong(browser, page, 400, "light", False) == []
    assert "cut by DIV" in wrong(browser, page, 400, "light", True)[0]
