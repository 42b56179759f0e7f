"""The column of a dock: it scrolls, and may have a row below it that stays in sight."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import QApplication, QWidget

from napari_spectrai.widgets.focus_frame import show_focus
from napari_spectrai.widgets.reason import Footer
from napari_spectrai.widgets.scrolling import Scrolling
from napari_spectrai.widgets.tab_order import put_in_order, stops

_AROUND = 4
"""Pixels around the row below a column."""
WIDTH = 390
"""Initial width of a dock, in pixels."""


class Column(Scrolling):
    """What is docked: the widgets of a dock, scrolling, over a row that does not scroll."""

    on_resize: Callable[[QSize], Any] | None = None
    """Called with the size of the visible part whenever it changes."""
    viewer: Any = None
    """The viewer whose layers its dock works on."""
    footer: Footer | None = None
    """A row below the visible part that does not scroll."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumWidth(300)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        QApplication.instance().focusChanged.connect(self._on_focus)  # type: ignore[union-attr]  # there is one where there are widgets

    def sizeHint(self) -> QSize:  # noqa: N802
        """Return the size of a dock that nobody has resized."""
        return QSize(WIDTH, 640)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802
        """Follow the size of the window."""
        super().resizeEvent(event)
        self._place_footer()
        if self.on_resize is not None:
            self.on_resize(self.size())

    def pin(self, widget: QWidget, colour: str) -> None:
        """Show a widget below the visible part, in sight wherever the column is scrolled to; `colour`: of the reason why it is off."""
        self.footer = Footer(self, widget, colour)
        self.footer.installEventFilter(self)
        self._place_footer()
        self.footer.show()

    def eventFilter(self, watched: QObject | None, event: Any) -> bool:  # noqa: N802
        """Follow what is shown in the column and in the row below it."""
        if watched is not None and watched is self.footer and event.type() == QEvent.Type.LayoutRequest:
            self._place_footer()
        return super().eventFilter(watched, event)

    def focusNextPrevChild(self, forward: bool) -> bool:  # noqa: FBT001, N802
        """Go to the field that stands next; its parts were made one after another, and some of them later or in between."""
        put_in_order([self, *stops(self.widget()), *stops(self.footer)])
        return bool(super().focusNextPrevChild(forward))

    def _on_focus(self, _: QWidget | None, widget: QWidget | None) -> None:
        if widget is not None and self.isAncestorOf(widget):
            show_focus(widget)

    def _place_footer(self) -> None:
        if self.footer is not None:
            bar = self.verticalScrollBar()
            width = self.width() - 2 * _AROUND - (bar.sizeHint().width() if bar is not None else 0)  # the bar has the whole height
            height = self.footer.height_at(width) + 2 * _AROUND
            self.setViewportMargins(0, 0, 0, height)
            self.footer.look_again()
            self.footer.setGeometry(_AROUND, self.height() - height + _AROUND, width, height - 2 * _AROUND)
