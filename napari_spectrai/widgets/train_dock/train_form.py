"""The settings of a training as a form: task, preset, network and loss in view, the others folded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import ComboBox, Container
from psygnal import Signal

from napari_spectrai.experiment import Data, Experiment
from napari_spectrai.experiment.data_settings import READING
from napari_spectrai.experiment.network_spec import looks_around, networks
from napari_spectrai.experiment.suitability import Suitability
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.plan.presets import PRESETS, applied, found_in, preset
from napari_spectrai.spec import Problem, SettingsError
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.form import SpecForm, part_form
from napari_spectrai.widgets.setting_names import FOLDED
from napari_spectrai.widgets.train_dock import truth_choice

OWN = "own"
_SHOWN_ELSEWHERE = ("task", "name", "data", "split", "preparation", "augmentation", "training")


class TrainForm:
    """The fields of an `Experiment` except its data.

    Signals
    -------
    edited : a field was changed
    task_changed : another task was chosen, and its settings are shown
    """

    edited = Signal()
    task_changed = Signal()

    def __init__(self) -> None:
        self.task = ComboBox(
            choices=[(tasks[kind].title, kind) for kind in tasks],
            value="denoising",
            label="Task",
            name="task",
            tooltip="what to train a model for",
        )
        described = "; ".join(f"{known.title}: {known.about}" for known in PRESETS.values())
        self._times: dict[str, str] = {}
        self.preset = ComboBox(
            choices=self._presets,
            value="balanced",
            label="Preset",
            name="preset",
            tooltip=f"how long to train, estimated for this machine. {described}",
        )
        start = Experiment().model_dump(mode="json")
        self.offer = Suitability(tasks.parse("denoising"))
        self._filling = False
        self._usual: Experiment | None = None
        """Defaults for the data, before a preset."""
        self._given = False
        """Whether a document was given, which defaults for other data do not replace."""
        self.settings_box: Container[Any] = Container(labels=False, name="task_settings")
        self.rare_box: Container[Any] = Container(labels=False, name="rare_settings")
        """Settings of tasks that hardly anybody changes, such as the number that means unlabelled."""
        self.settings_box.margins = self.rare_box.margins = (0, 0, 0, 0)
        self._show_settings(start["task"])
        self.main = SpecForm(Experiment, start, offer=self.offer, skip=_SHOWN_ELSEWHERE)
        self._start = start

    def make_folds(self) -> None:
        """Make the folded parts, which take as long as the rest, and follow all fields."""
        self.parts = {name: self._sub_form(name, self._start) for name in FOLDED}
        self.folds = {name: FoldBox(title, [self.parts[name]]) for name, title in FOLDED.items()}
        self.task.changed.connect(self._on_task)
        self.preset.changed.connect(self._on_preset)
        for widget in (self.main, *self.parts.values()):
            widget.changed.connect(self._on_edit)

    def _presets(self, _: Any = None) -> list[tuple[str, str]]:
        offered = [
            (f"{known.title} · {self._times[kind]}" if kind in self._times else known.title, kind) for kind, known in PRESETS.items()
        ]
        return [*offered, ("Custom settings", OWN)]

    def show_times(self, times: dict[str, str]) -> None:
        """Show how long each preset will take."""
        if times == self._times:
            return
        self._times = times
        with self.preset.changed.blocked():
            chosen = self.preset.value
            self.preset.reset_choices()
            self.preset.value = chosen

    @property
    def network_kind(self) -> str:
        """The kind of the chosen network or method."""
        return str(self.main.read()["network"]["kind"])

    @property
    def usual(self) -> Experiment | None:
        """Defaults for the data, before a preset and changes made by a person."""
        return self._usual

    def _sub_form(self, name: str, document: dict[str, Any]) -> Any:
        if name == "data":
            return SpecForm(Data, document[name], skip=("input", "truth"), late=True)
        return part_form(name, Experiment.model_fields[name], document[name], self.offer, late=True)

    # ---------------------------------------------------------------- the document

    def experiment(self, name: str = "", paths: dict[str, Any] | None = None) -> Experiment:
        """Return the document with the name `name` and the files `paths`.

        Raises
        ------
        SettingsError
            If a field has a problem.
        """
        document: dict[str, Any] = {"task": {"kind": self.task.value, **self.settings.read()}, **self.main.read()}
        document |= {part: form.read() for part, form in self.parts.items()}
        document["data"] |= paths or {}
        document["name"] = name
        return Experiment.from_mapping(document)

    def give(self, experiment: Experiment) -> None:
        """Show a document of a person, which stays whatever data are chosen, until another task or preset is chosen."""
        self._given = True
        if experiment.task.kind != self.task.value:
            self._usual = None  # for another task
        self.fill(experiment)
        if self._usual is None:
            self.task_changed.emit()

    def fill(self, experiment: Experiment) -> None:
        """Show another document."""
        document = experiment.model_dump(mode="json")
        self._filling = True  # one signal, not one per field
        with self.task.changed.blocked():
            self.task.value = experiment.task.kind
        self._show_task(document["task"])
        self.main.fill(document)
        for name, form in self.parts.items():
            form.fill(document[name])
        self._filling = False
        self._on_edit()

    def takes_truth(self) -> bool:
        """Whether the task, with its settings, takes a truth."""
        return truth_choice.is_taken(self.task.value, self.settings.read())

    def _show_task(self, task: dict[str, Any]) -> None:
        self._show_settings(task)
        self.refresh()

    def _show_settings(self, task: dict[str, Any]) -> None:
        self.settings = SpecForm(tasks[task["kind"]], task)
        self.settings.changed.connect(self._on_settings)
        rare = tasks[task["kind"]].classifies and len(self.settings) == 1
        for box in (self.settings_box, self.rare_box):
            box.clear()
        (self.rare_box if rare else self.settings_box).append(self.settings)
        self.settings_box.visible, self.rare_box.visible = len(self.settings) > 0 and not rare, rare

    def refresh(self, *, is_image: bool | None = None) -> None:
        """Offer what fits the task and the data."""
        try:
            self.offer.task = tasks.parse({"kind": self.task.value, **self.settings.read()})
        except ValueError:  # shown next to the field
            self.offer.task = tasks.parse(self.task.value)
        if is_image is not None:
            self.offer.is_image = is_image
        self.main.refresh()
        self._follow_network()
        for form in self.parts.values():
            form.refresh()

    def _follow_network(self) -> bool:
        """Update what the chosen network can use; return whether that has changed."""
        try:
            network = networks.parse(self.main.read()["network"])
        except ValueError:  # shown next to the field
            return False
        found = looks_around(network), network.around > 0, not network.classical
        changed = found != (self.offer.looks_around, self.offer.in_windows, self.offer.learns)
        self.offer.looks_around, self.offer.in_windows, self.offer.learns = found
        return changed

    def _on_task(self, _: Any = None) -> None:
        """Load the defaults of another task."""
        self._show_task(tasks.parse(self.task.value).model_dump(mode="json"))
        self._usual, self._given = None, False
        self.task_changed.emit()

    def _on_settings(self, _: Any = None) -> None:
        self.refresh()  # other settings of a task allow other networks
        self._on_edit()

    def _on_edit(self, _: Any = None) -> None:
        if self._filling:
            return
        if self._follow_network():
            self.parts["augmentation"].refresh()
        self._show_preset()
        self.edited.emit()

    def _show_preset(self) -> None:
        with self.preset.changed.blocked():
            self.preset.value = self._chosen_preset()

    # ---------------------------------------------------------------- defaults for the data

    def load_pretrained(self, usual: Experiment) -> None:
        """Load settings that suit the data, unless a person has changed settings."""
        usual = self._reading_alike(self._as_read(usual))
        kind = self.preset.value if self.preset.value in PRESETS else "balanced"
        first, untouched = self._usual is None, self._is_untouched()
        self._usual = usual  # also with custom settings: a preset chosen later then suits the present data
        suited = preset(usual, kind)
        if self._given:
            self._show_preset()  # which depends on the defaults
        elif first or (untouched and self._read_quietly() != suited):  # filling rebuilds much of the form
            self.fill(suited)

    def _is_untouched(self) -> bool:
        current, kind = self._read_quietly(), self.preset.value
        return not self._given and self._usual is not None and kind in PRESETS and current == preset(self._reading_alike(self._usual), kind)

    def _chosen_preset(self) -> str:
        """Return the preset that the form shows; `OWN` for another length."""
        current = self._read_quietly()
        if self._usual is None or current is None:
            return str(self.preset.value)
        return found_in(current, self._reading_alike(self._usual)) or OWN

    def _on_preset(self, kind: str) -> None:
        current = self._read_quietly()
        if kind in PRESETS and self._usual is not None and current is not None:
            self._given = False
            self.fill(applied(current, self._reading_alike(self._usual), kind))

    def _read_quietly(self) -> Experiment | None:
        try:
            return self.experiment()
        except SettingsError:
            return None

    def _reading_alike(self, usual: Experiment) -> Experiment:
        """Return an experiment whose files are read as the form says, which suits any of them."""
        current = self._read_quietly()
        if current is None:
            return usual
        return usual.model_copy(update={"data": usual.data.model_copy(update=current.data.model_dump(include=set(READING)))})

    @staticmethod
    def _as_read(experiment: Experiment) -> Experiment:
        """Return an experiment as the form returns it: without files and name."""
        data = experiment.data.model_copy(update={"input": [], "truth": []})
        return experiment.model_copy(update={"name": "", "data": data})

    # ---------------------------------------------------------------- problems

    def show_problems(self, found: Sequence[Problem]) -> list[Problem]:
        """Show each problem next to its field; return those without a field, or whose field is folded away."""
        mine = [Problem(p.path.removeprefix("task."), p.message) for p in found if p.path.startswith("task.")]
        rest = [p for p in found if not p.path.startswith("task.")] + self.settings.show_problems(mine)
        rest = self.main.show_problems(rest)
        for name, form in self.parts.items():
            mine = [Problem(p.path.removeprefix(f"{name}."), p.message) for p in rest if p.path == name or p.path.startswith(f"{name}.")]
            rest = [p for p in rest if p.path != name and not p.path.startswith(f"{name}.")]
            rest += [Problem(f"{name}.{p.path}".rstrip("."), p.message) for p in form.show_problems(mine)]
            rest += [Problem("", f"{p.message} ({name}.{p.path})") for p in mine]
        return rest
