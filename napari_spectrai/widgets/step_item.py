"""One entry of an ordered list: its name with a switch, its settings in a fold, and buttons to move, duplicate and remove it."""

from __future__ import annotations

import re
from typing import Any

from magicgui.widgets import CheckBox, Container, PushButton
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QCheckBox, QLabel, QSizePolicy

from napari_spectrai.preparation.step import GROUPS
from napari_spectrai.spec import Named
from napari_spectrai.widgets.dock import line, message

GROUP_ORDER = GROUPS
_BUTTON_WIDTH = 23
_BOX = 30
"""Pixels of a check box without its text."""


def group_of(cls: type[Any]) -> str:
    """Return the group of a kind; empty where kinds have none."""
    return str(getattr(cls, "group", ""))


def name_in_group(cls: type[Any]) -> str:
    """Return the title of a kind, without the name of its group: ``"arPLS"`` for ``"Baseline (arPLS)"``."""
    title = str(cls.title or cls.model_fields["kind"].default)
    inside = re.fullmatch(rf"{group_of(cls)} \((.+)\)", title)
    name = inside.group(1) if inside else title
    return name[0].upper() + name[1:] if name.split()[0].islower() else name  # arPLS keeps its small letter


def _button(text: str, tooltip: str) -> PushButton:
    made = PushButton(text=text, tooltip=tooltip)
    made.native.setFixedWidth(_BUTTON_WIDTH)
    made.native.setStyleSheet("padding: 2px 0px;")
    made.native.setAccessibleName(tooltip)
    return made


class _Elided(QObject):
    """Shortens the text of a check box to its width."""

    def __init__(self, box: QCheckBox, whole: str) -> None:
        super().__init__(box)
        self._whole = whole
        box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        box.setAccessibleName(whole)
        box.installEventFilter(self)

    def eventFilter(self, box: Any, event: Any) -> bool:  # noqa: N802
        """Follow the width."""
        if event.type() == QEvent.Type.Resize:
            short = box.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, max(0, box.width() - _BOX))
            if box.text() != short:
                box.setText(short)
        return False


class Item(Container[Any]):
    """One spec of an ordered list.

    Parameters
    ----------
    cls : class of the spec
    value : its fields, with its ``kind``
    form : form of its settings
    on : whether it is enabled
    open_ : whether its settings are shown
    grouped : whether the name of its group is shown before its own
    """

    def __init__(
        self, cls: type[Named], value: dict[str, Any], form: Any, *, on: bool = True, open_: bool = False, grouped: bool = False
    ) -> None:  # fmt: skip
        self.kind = str(value["kind"])
        words = name_in_group(cls) if grouped else cls.title or self.kind
        about = " ".join((cls.__doc__ or "").split("\n\n")[0].split())
        self.on = CheckBox(value=on, text=words, tooltip=f"{cls.title or self.kind}: {about}")
        _Elided(self.on.native, words)
        self.up, self.down = _button("▲", "move up"), _button("▼", "move down")
        self.double = _button("2×", "duplicate")
        self.unfold, self.remove_button = _button("▾", "settings"), _button("✕", "remove")
        self.form = form
        self.form.margins = (20, 0, 0, 0)
        self.problem = message()
        self.extra: Container[Any] = Container(labels=False)
        """Shown under the name, also while the settings are folded: space for messages of a dock about this entry."""
        self.extra.margins = (0, 0, 0, 0)
        self.extra.visible = False
        heading = line(self.on, self.up, self.down, self.double, self.unfold, self.remove_button)
        heading.native.layout().setSpacing(2)
        heading.native.layout().setStretch(0, 1)
        if grouped:
            label = QLabel(group_of(cls))
            widest = max(label.fontMetrics().horizontalAdvance(group) for group in GROUP_ORDER)
            label.setFixedWidth(round(1.25 * widest))  # napari's letters are larger than those before it is shown
            label.setEnabled(False)  # paler than the names
            heading.native.layout().insertWidget(0, label)
        super().__init__(widgets=[heading, self.extra, self.form, self.problem], labels=False)
        self.margins = (0, 0, 0, 0)
        self.native.layout().setSpacing(2)
        self._open(open_)
        self.unfold.enabled = self.form.has_fields
        self.unfold.changed.connect(self.toggle)

    def toggle(self) -> None:
        """Show or hide the settings."""
        self._open(not self.form.visible)

    def _open(self, open_: bool) -> None:  # noqa: FBT001
        self.form.visible = open_
        self.unfold.text = "▴" if open_ else "▾"
