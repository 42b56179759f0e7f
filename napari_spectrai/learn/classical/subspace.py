"""Denoising of images in the subspace of their leading singular vectors; no truth is needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from skimage.restoration import denoise_nl_means
from torch import Tensor

from napari_spectrai.cube import FloatArray
from napari_spectrai.learn.classical.stabilised import Denoiser
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.noise import eigenimages
from napari_spectrai.valid import held_by

BLOCK = 24
"""Height and width, in patches, of the blocks whose reference patches are compared with patches of the same window."""
SHRINK = 8.0
"""Squared noise variance at which patches of pure noise are shrunk by half in the first pass."""
LARGEST = 1 / np.finfo(np.float32).eps
"""Scores from which on float32 does not resolve unit noise, as of images with a few whole numbers: there is nothing to remove."""


def nl_bayes(noisy: Tensor, guide: Tensor | None, *, patch: int, reach: int, similar: int) -> Tensor:
    """Return an estimate of scores (y, x, k) with unit noise: similar patches share a Gaussian, with which each is filtered.

    Reference patches lie on a grid; on a finer grid, only those that were similar to no earlier one are used (the acceleration of
    Lebrun, Buades & Morel 2013).

    Parameters
    ----------
    noisy : Tensor of shape (y, x, k)
    guide : Tensor of the same shape, optional
        An earlier estimate, used to compare patches and fit the Gaussians; default: the noisy scores.
    reach : int
        Largest distance of a similar patch, in pixels; up to `BLOCK` more to one side of a block.
    """
    patches, seen = (_patches(image, patch) for image in (noisy, noisy if guide is None else guide))
    rows, columns, values = patches.shape
    patches, seen = patches.view(-1, values), seen.view(-1, values)
    length = seen.square().sum(1)
    total, weight = torch.zeros_like(noisy).view(-1, noisy.shape[2]), torch.zeros(noisy.shape[0] * noisy.shape[1], 1)
    corner = torch.arange(patch)
    offsets = (corner[:, None] * noisy.shape[1] + corner).flatten()
    met = torch.zeros(rows * columns, dtype=torch.bool)
    for step in (2 * patch, patch):  # the patches of the finer grid cover every pixel
        for inside, window in _blocks(rows, columns, step, reach):
            references = inside[~met[inside]]
            if not len(references):
                continue
            distance = torch.addmm(length[window], seen[references], seen[window].T, alpha=-2)
            chosen = window[distance.topk(min(similar, len(window)), largest=False, sorted=False).indices]
            met[chosen] = True
            filtered = _filtered(seen[chosen], None if guide is None else patches[chosen])
            pixels = ((chosen // columns * noisy.shape[1] + chosen % columns)[..., None] + offsets).flatten()
            total.index_add_(0, pixels, filtered.reshape(-1, noisy.shape[2]))
            weight.index_add_(0, pixels, torch.ones(len(pixels), 1))
    # if all patches are similar, some pixels are in none of the chosen ones
    return torch.where(weight > 0, total / weight.clamp(min=1), noisy.reshape(-1, noisy.shape[2])).view(noisy.shape)


def _blocks(rows: int, columns: int, step: int, reach: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the reference patches of each block, and the patches they are compared with."""
    down, across = (torch.unique(torch.cat([torch.arange(0, length, step), torch.tensor([length - 1])])) for length in (rows, columns))
    for y in range(0, rows, BLOCK):
        for x in range(0, columns, BLOCK):
            inside = [part[(part >= first) & (part < first + BLOCK)] for part, first in ((down, y), (across, x))]
            spans = [torch.arange(max(first - reach, 0), min(first + BLOCK + reach, length)) for first, length in ((y, rows), (x, columns))]
            (near_rows, near_columns), (high, wide) = inside, spans
            yield (near_rows[:, None] * columns + near_columns).flatten(), (high[:, None] * columns + wide).flatten()


def _filtered(model: Tensor, group: Tensor | None) -> Tensor:
    """Return groups of patches (N, n, v) with unit noise, filtered by the Gaussian of `model`; `group` None: those of the model.

    The Gaussian is represented by patches or values, whichever are fewer.
    """
    mean = model.mean(1, keepdim=True)
    centred = model - mean
    others = max(1, centred.shape[1] - 1)
    few = centred.shape[1] < centred.shape[2]
    spread = (centred @ centred.transpose(1, 2) if few else centred.transpose(1, 2) @ centred) / others
    unit = torch.eye(spread.shape[1], dtype=spread.dtype)
    if group is None:
        # each eigenvalue s becomes s² / (s² + c); in double, since s² spans many decades
        wide = spread.double()
        squared = wide @ wide.transpose(1, 2)
        gain = torch.cholesky_solve(squared, torch.linalg.cholesky(_definite(squared + SHRINK * unit))).to(model.dtype)
        return (gain @ centred if few else centred @ gain) + mean
    if spread.dtype == torch.float32:
        factor, failed = torch.linalg.cholesky_ex(spread + unit)
        if bool(failed.any()):  # the signal is so far above the noise that adding the noise changes nothing in single precision
            return _filtered(model.double(), group.double()).to(model.dtype)
    else:
        factor = torch.linalg.cholesky(_definite(spread + unit))
    off = group - mean
    if few:
        return off @ centred.transpose(1, 2) / others @ torch.cholesky_solve(centred, factor) + mean
    return torch.cholesky_solve(spread @ off.transpose(1, 2), factor).transpose(1, 2) + mean


def _definite(matrices: Tensor) -> Tensor:
    """Return matrices (N, v, v) with their rounding error added to the diagonal, so that they are positive definite."""
    diagonal = matrices.diagonal(dim1=1, dim2=2)
    rounding = diagonal.shape[1] * torch.finfo(matrices.dtype).eps * diagonal.sum(1)
    return matrices + torch.diag_embed(rounding[:, None].expand_as(diagonal))


def _patches(image: Tensor, size: int) -> Tensor:
    """Return all patches (y', x', size²·k) of (y, x, k)."""
    return image.unfold(0, size, 1).unfold(1, size, 1).permute(0, 1, 3, 4, 2).flatten(2).contiguous()


class Eigenimages(Denoiser, ABC):
    """Denoises the eigenimages of each image, then transforms back to the bands."""

    def fit(self, scenes: Sequence[Scene]) -> None:
        """Estimate the noise; everything else is computed for each image."""
        self.keep(self.noise_in(scenes))

    def denoise(self, x: Tensor) -> Tensor:
        """Map images ``(N, y, x, λ)``."""
        done = [self._image(image) for image in x.detach().cpu().numpy()]
        return torch.from_numpy(np.stack(done).astype(np.float32)).to(x.device)

    def _image(self, image: FloatArray) -> FloatArray:
        held = held_by(image)
        if held.complete or not held.count:
            scores, back, mean = eigenimages(image, self.spec.components)
            return np.asarray(self.denoised(scores) @ back + mean)
        # components of the spectra with data; elsewhere, the nearest ones continue the image
        some, back, mean = eigenimages(image[held.mask], self.spec.components)
        scores = np.zeros((*image.shape[:2], some.shape[-1]))
        scores[held.mask] = some
        nearest = distance_transform_edt(~held.mask, return_distances=False, return_indices=True)
        done = self.denoised(scores[tuple(nearest)]) @ back + mean
        return np.where(held.mask[..., None], done, image)

    @abstractmethod
    def denoised(self, scores: FloatArray) -> FloatArray:
        """Return an estimate of scores (y, x, k) with unit noise."""


class SVDNLM(Eigenimages):
    """Non-local means on each eigenimage."""

    def denoised(self, scores: FloatArray) -> FloatArray:
        """Return an estimate of scores (y, x, k) with unit noise."""
        reach = min(self.spec.search, max(1, min(scores.shape[:2]) - 1))
        for number in range(scores.shape[-1]):
            image = denoise_nl_means(
                scores[..., number], patch_size=self.spec.patch, patch_distance=reach, h=self.spec.strength, sigma=1.0, fast_mode=True
            )
            scores[..., number] = image.reshape(scores.shape[:2])  # the function drops dimensions of one pixel
        return scores


class NLBayes(Eigenimages):
    """Non-local Bayes on all eigenimages jointly."""

    def denoised(self, scores: FloatArray) -> FloatArray:
        """Return an estimate of scores (y, x, k) with unit noise."""
        if np.abs(scores).max(initial=0) > LARGEST:
            return scores
        size = min(self.spec.patch, *scores.shape[:2])
        noisy = torch.from_numpy(scores.astype(np.float32))
        estimate: Tensor | None = None
        for _ in range(self.spec.passes):
            estimate = nl_bayes(noisy, estimate, patch=size, reach=self.spec.search, similar=self.spec.similar)
        assert estimate is not None  # noqa: S101
        return np.asarray(estimate.numpy(), np.float64)
