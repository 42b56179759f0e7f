"""The dialog in which a person saves a table as CSV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import Label, show_file_dialog

from napari_spectrai.widgets.dock import say


def ask_and_save(save: Callable[[str], Any], problem: Label, *, caption: str, name: str, parent: Any) -> None:
    """Ask for a file and save the table there; say why where that fails.

    Parameters
    ----------
    save : callable
        Saves the table as the file of that path.
    problem : Label
        Where an error is shown.
    caption : str
        Title of the dialog.
    name : str
        Name that is offered for the file.
    parent : QWidget
    """
    path = show_file_dialog(FileDialogMode.OPTIONAL_FILE, caption=caption, start_path=name, filter="Tables (*.csv)", parent=parent)
    if path:
        try:
            save(str(path))
            say(problem, "")
        except OSError as error:
            say(problem, str(error))
