"""Choices that may be narrower than their texts: these end with "…", and are shown in full in the tooltip."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QToolTip

from napari_spectrai.widgets.wheel import WheelScrolls

_LEAST_LETTERS, _ROOM = 6, 44
"""Letters that a choice always shows, and the width of its arrow and margins in pixels."""


def dress(choice: ComboBox) -> None:
    """Let a choice become narrower than its longest item, say in full what it shows, and treat it as a field.

    It has a name for screen readers, and the wheel scrolls past it.
    """
    native = choice.native
    native.setAccessibleName(choice.label or choice.name)
    native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    native.setMinimumContentsLength(_LEAST_LETTERS)
    native.view().setTextElideMode(Qt.TextElideMode.ElideMiddle)
    _FullText(native)
    WheelScrolls(native)


class _FullText(QObject):
    """Ends a text that is too long for a choice with "…", and shows the whole text in the tooltip, above what the choice is about."""

    def __init__(self, native: QComboBox) -> None:
        super().__init__(native)
        native.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802
        """Filter the events of the choice."""
        wanted = (QEvent.Type.ToolTip, QEvent.Type.Paint)
        if event.type() not in wanted or watched.fontMetrics().horizontalAdvance(watched.currentText()) < watched.width() - _ROOM:
            return False
        if event.type() == QEvent.Type.Paint:  # Qt cuts the text without a sign
            _paint_elided(watched)
            return True
        QToolTip.showText(event.globalPos(), "\n".join(filter(None, [watched.currentText(), watched.toolTip()])), watched)
        return True


def elided(choice: QComboBox) -> str:
    """Return the text of a choice as it is shown."""
    return choice.fontMetrics().elidedText(choice.currentText(), Qt.TextElideMode.ElideRight, choice.width() - _ROOM)


def _paint_elided(choice: QComboBox) -> None:
    option = QStyleOptionComboBox()
    option.initFrom(choice)
    option.subControls = QStyle.SubControl.SC_All
    option.currentText, option.frame = elided(choice), choice.hasFrame()
    painter = QStylePainter(choice)
    painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
    painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
    painter.end()
