"""The child that runs the peer: `python -m benchmarks.in_pytorch`, for turns.

It uses all optimizations that we know: all cores, no denormal numbers (as in
XLA), a fused update, and on a GPU TF32 and cuDNN's search for the best
algorithm.
"""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from alexnet_jax.bench import process
from benchmarks import peer
from benchmarks import problem as problems
from benchmarks.problem import Peer, Problem


class PeersWork:
  """One mode of PyTorch's network."""

  def __init__(self, problem: Problem, variant: Peer):
    sizes = problem.sizes
    self._device = torch.device('cuda' if problem.gpu else 'cpu')
    self._layout = (torch.channels_last if variant.channels_last
                    else torch.contiguous_format)
    self._patch = sizes.patch
    torch.manual_seed(0)
    net = peer.TwoColumns(sizes.kernels, sizes.neurons, sizes.classes,
                          sizes.patch, variant.norm)
    self._net = net.to(self._device, memory_format=self._layout)
    self._labels = torch.from_numpy(
        problems.labels(problem)).long().to(self._device)
    self._arithmetic = (
        torch.autocast(self._device.type, torch.bfloat16)
        if variant.arithmetic == 'bfloat16' else contextlib.nullcontext())
    compiled = torch.compile if variant.compiled else lambda f: f
    self._result = torch.zeros(())
    self._steps = 0
    if problem.mode == 'train':
      self._patches = self._pictures(problems.patches(problem))
      self._optimizer = peer.optimizer(self._net)
      self._loss = compiled(self._loss_of_the_batch)
      self._work = self._train
      return
    self._net.eval()
    self._apply = compiled(self._net)
    if problem.mode == 'forward':
      self._patches = self._pictures(problems.patches(problem))
      self._work = self._forward
    else:
      self._images = self._pictures(problems.images(problem))
      self._mean = torch.full((3, sizes.image, sizes.image), 120.0,
                              device=self._device)
      self._work = self._ten_crop

  def step(self) -> None:
    """See process.Work.

    cuDNN searches for the best algorithms in the third step, the first that
    a contender takes without others beside it.
    """
    torch.backends.cudnn.benchmark = self._steps >= 2
    self._steps += 1
    self._work()

  def _pictures(self, array: np.ndarray) -> torch.Tensor:
    """Converts [B, S, S, 3] to [B, 3, S, S] in the variant's memory layout."""
    return torch.from_numpy(array).permute(0, 3, 1, 2).to(
        self._device).contiguous(memory_format=self._layout)

  def _loss_of_the_batch(self, patches, labels):
    return F.cross_entropy(self._net(patches), labels)

  def _train(self):
    self._optimizer.zero_grad(set_to_none=True)
    with self._arithmetic:
      loss = self._loss(self._patches, self._labels)
    loss.backward()
    self._optimizer.step()
    self._result = loss.detach()

  @torch.inference_mode()
  def _forward(self):
    with self._arithmetic:
      self._result = self._apply(self._patches)

  @torch.inference_mode()
  def _ten_crop(self):
    """Runs the views one by one on a CPU, and all at once on a GPU.

    On a CPU this takes two thirds of the time of all at once; a single view is
    too little work for a GPU.
    """
    views = ten_patches(self._images, self._mean, self._patch)
    if self._device.type == 'cuda':
      views = [torch.cat(list(views))]
    outputs = []
    for patches in views:
      patches = patches.contiguous(memory_format=self._layout)
      with self._arithmetic:
        logits = self._apply(patches)
      outputs.append(logits.float().softmax(-1))
    mean = torch.cat(outputs).unflatten(0, (10, -1)).mean(0)
    smallest = torch.finfo(mean.dtype).tiny
    self._result = F.nll_loss(mean.clamp_min(smallest).log(), self._labels)

  def wait(self) -> float:
    """See process.Work."""
    if self._device.type == 'cuda':
      torch.cuda.synchronize()
    return float(self._result.float().mean())

  def rest(self) -> None:
    """See process.Work."""
    if self._device.type == 'cuda':
      torch.cuda.empty_cache()

  def describe(self) -> dict[str, Any]:
    """See process.Work."""
    description = {'versions': {'torch': torch.__version__}}
    if self._device.type == 'cuda':
      description |= {'device': torch.cuda.get_device_name(),
                'device_peak_bytes': torch.cuda.max_memory_allocated()}
    return description


def ten_patches(images: torch.Tensor, mean: torch.Tensor,
                size: int) -> Iterator[torch.Tensor]:
  """Yields the corner and center patches, then their reflections (4.1).

  The center of the mean image is subtracted from every patch. The result is ten
  arrays float32 [B, 3, size, size].

  Args:
    images: uint8 [B, 3, S, S].
    mean: the mean image, [3, S, S].
    size: the side of the patches in pixels.
  """
  far = images.shape[-1] - size
  center = far // 2
  mean = mean[:, center : center + size, center : center + size]
  five = [images[..., y : y + size, x : x + size]
          for y, x in ((0, 0), (0, far), (center, center), (far, 0),
                       (far, far))]
  for patch in five:
    yield patch - mean
  for patch in five:
    yield patch.flip(-1) - mean


def build(task: Mapping[str, Any]) -> PeersWork:
  """Builds the work that the parent requests."""
  problem, variant = Problem(**task['problem']), Peer(**task['variant'])
  torch.set_num_threads(task['cores'])
  torch.set_flush_denormal(True)
  if problem.gpu:
    if not torch.cuda.is_available():
      raise RuntimeError('PyTorch sees no GPU: install a CUDA build of torch')
    fast = variant.arithmetic != 'strict'
    torch.set_float32_matmul_precision('high' if fast else 'highest')
    torch.backends.cudnn.allow_tf32 = fast
  return PeersWork(problem, variant)


if __name__ == '__main__':
  process.serve(build)
