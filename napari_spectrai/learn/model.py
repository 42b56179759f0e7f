"""A trained network with everything needed to use it again: one ``.safetensors`` file, its card in the header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

import napari_spectrai
from napari_spectrai.cube import SpectralAxis
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.card import KEY, ModelCard, read_card
from napari_spectrai.experiment.package import model_file
from napari_spectrai.experiment.untrained import ready_card, ready_spec
from napari_spectrai.files import replacing
from napari_spectrai.learn import classical
from napari_spectrai.learn.applicability import Applicability
from napari_spectrai.learn.classical import Method
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.fingerprints import Fingerprints
from napari_spectrai.learn.weights import refuse_misfit, shapes_in
from napari_spectrai.networks import build
from napari_spectrai.networks.hooks import on_whole_images
from napari_spectrai.preparation import Preparation

_NETWORK = "network."


@dataclass(frozen=True, slots=True)
class Model:
    """A network with its preparation, axis, scores and the classical methods tuned on the same data.

    Get one from `train`, `fit` or `Model.load`.

    Attributes
    ----------
    network : torch.nn.Module
        In evaluation mode. It maps prepared spectra of shape (N, y, x, λ), float32, to (N, y, x, out): bands, or one logit per class. A
        batch of single spectra is (N, 1, 1, λ). What it expects is what `preparation` gives (`Preparation.apply`), which also returns what
        `Preparation.restore` needs to bring results back to the intensities of the source; logits are divided by
        ``card().temperature`` before the softmax. Networks over windows that answer for the middle pixel have ``network.same(batch)``
        for whole images; `prepared` calls the right one.
    description : ModelCard
        Task, settings, axis, classes and scores; also as `card`.
    classical : dict of str to torch.nn.Module
        The classical methods tuned on the same training data, by name.
    fingerprints, applicability
        To recognise the training data, and spectra unlike them.

    Examples
    --------
    >>> import torch, napari_spectrai as spectrai
    >>> model = spectrai.Model.load(spectrai.samples.sample_model())
    >>> cube = spectrai.sample("raman_pairs").cube[:5]
    >>> spectra, axis, removed = model.preparation.apply(cube.numpy(), cube.axis)
    >>> output = model.prepared(torch.from_numpy(spectra)[:, None, None, :])
    >>> result = model.preparation.restore(output[:, 0, 0].numpy(), removed)
    >>> bool(abs(result - model.predict(cube).result.numpy()).max() < 1e-5)
    True
    """

    network: nn.Module
    description: ModelCard
    classical: dict[str, Method]
    fingerprints: Fingerprints = field(default_factory=Fingerprints)
    """Of the spectra it was trained and validated on; none in files of earlier versions."""
    applicability: Applicability | None = None

    @classmethod
    def of(
        cls, network: nn.Module, data: Dataset, experiment: Experiment, name: str, *, classical: Mapping[str, Method],
        applicability: Applicability | None = None, **about: Any,
    ) -> Self:  # fmt: skip
        """Return the model of a network trained on some data.

        Parameters
        ----------
        network : torch.nn.Module
            Trained; it is put into evaluation mode.
        data : Dataset
            The training data: its axes, classes, fitted preparation and fingerprints are kept.
        experiment : Experiment
        name : str
            Used if the experiment has no name.
        classical : dict of str to Method
            The classical methods tuned on the same data.
        applicability : Applicability, optional
        **about
            Further attributes of the `ModelCard`: scores, intervals, notes, compared, temperature.

        Returns
        -------
        Model
        """
        card = ModelCard.now(
            name=experiment.name or name, experiment=experiment.model_copy(update={"preparation": list(data.preparation.steps)}),
            axis=data.axis, truth_axis=data.truth_axis, classes=data.classes, intensities=data.intensities, negative=data.negative,
            trained_on=data.names, baselines=[method.spec.kind for method in classical.values()], **about,
        )  # fmt: skip
        return cls(network.eval(), card, dict(classical), data.fingerprints, applicability)

    def __repr__(self) -> str:
        return f"Model({self.description.brief})"

    def _repr_html_(self) -> str:
        return self.description._repr_html_()

    @property
    def axis(self) -> SpectralAxis:
        """The axis a cube must have."""
        return self.description.axis

    @property
    def preparation(self) -> Preparation:
        """The fitted steps before the network."""
        return Preparation(tuple(self.description.experiment.preparation))

    def card(self) -> ModelCard:
        """Return the description of the model: task, settings, axis, classes, scores; ``print(model.card())``."""
        return self.description

    def predict(self, cube: Any, **options: Any) -> Any:
        """Return ``napari_spectrai.predict(self, cube, **options)``, a `Prediction`.

        Parameters
        ----------
        cube : Cube, array, napari layer or path
        **options
            Of `predict`.

        Returns
        -------
        Prediction
        """
        return napari_spectrai.predict(self, cube, **options)

    def evaluate(self, cube: Any, truth: Any, **options: Any) -> Any:
        """Return ``napari_spectrai.evaluate(self, truth, source=cube, **options)``, an `Evaluation`.

        Parameters
        ----------
        cube : Cube, array, napari layer or path
        truth : Cube, Labels, array, napari layer or path
        **options
            Of `evaluate`.

        Returns
        -------
        Evaluation
        """
        return napari_spectrai.evaluate(self, truth, source=cube, **options)

    def save(self, path: str | Path) -> Path:
        """Write the model to one ``.safetensors`` file, atomically.

        Parameters
        ----------
        path : path
            Ends in ``.safetensors``; replaced if it exists.

        Returns
        -------
        Path
        """
        path = Path(path)
        if path.suffix != ".safetensors":
            raise ValueError(f"a model file ends in .safetensors, not {path.suffix or 'nothing'!r}: {path}")
        with replacing(path) as temporary:
            temporary.write_bytes(self.to_bytes())
        return path

    def to_bytes(self) -> bytes:
        """Return the content of the model's ``.safetensors`` file."""
        weights = {_NETWORK + name: tensor.detach().cpu().contiguous().clone() for name, tensor in self.network.state_dict().items()}
        kept = classical.to_tensors(self.classical) | (self.applicability.tensors() if self.applicability is not None else {})
        # bytes, since save_file makes the file readable for its owner only
        content: bytes = to_bytes(weights | kept | self.fingerprints.to_tensors(), {KEY: self.description.to_json()})
        return content

    def export(self, path: str | Path) -> Path:
        """Write the model for other programs, by the suffix of `path`: ONNX, `torch.export` or the BioImage Model Zoo.

        The suffix is ``.onnx``, ``.pt2`` or ``.bioimage.zip``; the last is a package of the format 0.5 [1]_ with the ONNX file, test
        tensors, a cover, and the model file, from which `load` reads it back.

        The graph maps raw intensities ``spectra`` of shape (N, y, x, λ), float32, on the model's axis, to ``result``: a cube in the
        intensities of the source, or class probabilities. N, y and x may have any size; single spectra are (N, 1, 1, λ). The card is in
        the file's metadata. The file is computed again and compared with the model's predictions before it is kept. Unlike in
        `predict`, pixels without data (NaN, all zero) are not replaced by the nearest ones before a network uses them as neighbours;
        replace them first.

        Parameters
        ----------
        path : path
            Replaced if it exists.

        Returns
        -------
        Path

        Raises
        ------
        ValueError
            If the model cannot be written as a graph (classical methods, mixtures, steps that are not linear), or the suffix is another.
        ImportError
            If a package for ONNX is not installed.

        References
        ----------
        .. [1] Ouyang et al., BioImage Model Zoo, bioRxiv (2022). doi:10.1101/2022.06.07.495102
        """
        from napari_spectrai.learn.export.files import export

        return export(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a model file, or the one in a ``.bioimage.zip`` of `export`. Nothing in it is executed.

        Parameters
        ----------
        path : path

        Returns
        -------
        Model

        Raises
        ------
        FileNotFoundError
            If there is none.
        ValueError
            If the file is truncated, foreign, of another format version, or its weights do not fit its description.
        """
        path = Path(path)
        card = read_card(path)
        try:
            bands = len(Preparation(tuple(card.experiment.preparation)).axis_after(card.axis))

            def build() -> nn.Module:
                return built(card.experiment, bands, card.out, classes=bool(card.classes))

            with model_file(path) as opened:
                refuse_misfit(path, shapes_in(opened, _NETWORK), build)
                network, tensors = build(), load_file(opened)
            weights = {name.removeprefix(_NETWORK): tensor for name, tensor in tensors.items() if name.startswith(_NETWORK)}
            if isinstance(network, Method):
                network.learn(weights)
                network.try_out()
            else:
                network.load_state_dict(weights)
            kept = classical.from_tensors(card.baselines, tensors, bands, card.out, card.experiment.task.enlarges)
            return cls(network.eval(), card, kept, Fingerprints.from_tensors(tensors), Applicability.from_tensors(tensors))
        except (RuntimeError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, SafetensorError) as error:
            if str(path) in str(error):
                raise
            lines = [f"{error} is missing"] if isinstance(error, KeyError) else str(error).splitlines()
            reason = (lines or [type(error).__name__])[0][:500]
            raise ValueError(f"{path}: the weights do not fit the network its card describes: {reason}") from error

    @torch.no_grad()
    def prepared(self, batch: Tensor) -> Tensor:
        """Apply the network alone to prepared spectra ``(N, y, x, λ)``: what it gives for each pixel.

        Parameters
        ----------
        batch : Tensor of shape (N, y, x, λ)
            What `preparation` gives, float32.

        Returns
        -------
        Tensor of shape (N, y, x, out)
            Prepared intensities, or logits.
        """
        return on_whole_images(self.network, batch)


def ready(kind: str, axis: SpectralAxis, *, factor: int = 2, settings: Mapping[str, Any] | None = None) -> Model:
    """Return a classical method that needs no training, as a model for cubes on `axis`.

    Parameters
    ----------
    kind : str
        ``"savitzky_golay"``, ``"whittaker"``, ``"wavelet"``, ``"svd_nlm"``, ``"nl_bayes"``, ``"bicubic"`` or ``"lanczos"``, whose
        settings follow the data by the rules that their descriptions name; or ``"kmeans"``, ``"nmf"`` or ``"vca_fcls"``, which find
        clusters or components in each cube they are applied to.
    factor : int
        Pixels out along each side of a pixel in, for those that enlarge.
    settings : mapping, optional
        Of the method, such as ``{"count": 8}``; default: its own.

    Raises
    ------
    ValueError
        If there is no such method, it has to learn, or a setting does not fit.
    """
    card = ready_card(ready_spec(kind, settings), axis, factor=factor)
    return Model(built(card.experiment, len(axis), card.out, classes=bool(card.classes)).eval(), card, {})


def built(experiment: Experiment, bands: int, out: int, *, classes: bool) -> nn.Module:
    """Return the network or classical method of an experiment."""
    spec, enlarges = experiment.network, experiment.task.enlarges
    if spec.classical:
        method: nn.Module = spec.load()(spec, bands, out, classes=classes, enlarges=enlarges)
        return method
    return build(spec, bands, out, ridge=experiment.over_ridge, classes=classes, enlarges=enlarges)
