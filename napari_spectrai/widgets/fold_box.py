"""A heading that shows or hides the widgets under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container, PushButton

from napari_spectrai.widgets import fold_state
from napari_spectrai.widgets.dock import dock_name
from napari_spectrai.widgets.visibility import Visibility


class FoldBox(Container[Any]):
    """A heading that shows or hides its content, and remembers from session to session whether it was open.

    Parameters
    ----------
    title : text of the heading
    content : widgets under the heading
    open_ : whether it is open until a person has opened or closed it
    key : name under which its state is saved in its dock; default: the title
    """

    def __init__(self, title: str, content: Sequence[Any], *, open_: bool = False, key: str = "") -> None:
        self._title, self._key, self._open = title, key or title, open_
        self.heading = PushButton(text="", tooltip="show or hide the section under this heading")
        self.heading.native.setFlat(True)
        self.heading.native.setStyleSheet("text-align: left; padding: 3px;")
        self.content = Container(widgets=list(content), labels=False)
        self.content.margins = (10, 0, 0, 0)
        super().__init__(widgets=[self.heading, self.content], labels=False)
        self.margins = (0, 0, 0, 0)
        self._show()
        self.heading.changed.connect(self.toggle)
        # the name of the dock is known only once the widget is shown
        self._recalled = False
        Visibility(self.native, self._recall)

    @property
    def is_open(self) -> bool:
        """Whether the content is shown."""
        return self._open

    def toggle(self) -> None:
        """Open or close the section."""
        self._open = not self._open
        self._show()
        name = dock_name(self.native)
        if name:
            fold_state.save(f"{name}: {self._key}", is_open=self._open)

    def _recall(self, visible: bool) -> None:  # noqa: FBT001
        name = dock_name(self.native) if visible and not self._recalled else ""  # hidden for the last time, it has no window any more
        if not name:
            return
        self._recalled = True
        left = fold_state.load(f"{name}: {self._key}")
        if left is not None and left != self._open:
            self._open = left
            self._show()

    def _show(self) -> None:
        self.heading.text = f"{'▾' if self._open else '▸'} {self._title}"
        self.content.visible = self._open
