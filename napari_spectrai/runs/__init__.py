"""Runs: their events, their folders, and the processes that work on them. Nothing here imports torch."""

from napari_spectrai.runs.commands import prepare_evaluation, prepare_folder_evaluation
from napari_spectrai.runs.evaluation import Evaluation
from napari_spectrai.runs.events import (
    Compared,
    Confusion,
    Epoch,
    Event,
    Failed,
    Finished,
    Fold,
    Patch,
    Paused,
    Preview,
    Progress,
    Saved,
    Stage,
    Started,
    Step,
)
from napari_spectrai.runs.folder import RunFolder, all_runs, default_folder
from napari_spectrai.runs.job import Job
from napari_spectrai.runs.launch_signal import launched
from napari_spectrai.runs.recent_models import recent_models, remember_model
from napari_spectrai.runs.run import Run
from napari_spectrai.runs.start import launch, prepare, prepare_prediction, prepare_preprocessing

__all__ = [
    "Compared",
    "Confusion",
    "Epoch",
    "Evaluation",
    "Event",
    "Failed",
    "Finished",
    "Fold",
    "Job",
    "Patch",
    "Paused",
    "Preview",
    "Progress",
    "Run",
    "RunFolder",
    "Saved",
    "Stage",
    "Started",
    "Step",
    "all_runs",
    "default_folder",
    "launch",
    "launched",
    "prepare",
    "prepare_evaluation",
    "prepare_folder_evaluation",
    "prepare_prediction",
    "prepare_preprocessing",
    "recent_models",
    "remember_model",
]
