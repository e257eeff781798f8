"""conv3 to conv5 by Winograd's minimal filtering, beside the direct form.

    python -m benchmarks.winograd

Lavin and Gray (2016, arXiv:1509.09308) multiply tiles of m + 2 pixels in the
basis in which a convolution of 3 x 3 is a product: 2.25 times fewer
multiplications with m = 2, four times with m = 4, but maps are laid out anew
twice. The times are those of the processor, all threads together, in turns.
"""

import functools
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from absl import app
from jax import lax

BATCH, ROUNDS = 32, 7
SIDE = 13  # of the maps of conv3 to conv5
LAYERS = {'conv3': (256, 384), 'conv4, a column': (192, 192),
          'conv5, a column': (192, 128)}  # maps read, kernels
# m: the transforms of the paper's section 4 for pixels, kernels and results.
TRANSFORMS = {
    2: (((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
        ((1, 0, 0), (.5, .5, .5), (.5, -.5, .5), (0, 0, 1)),
        ((1, 1, 1, 0), (0, 1, -1, -1))),
    4: (((4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
         (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1)),
        ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6),
         (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1)),
        ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0),
         (0, 1, -1, 8, -8, 1))),
}


def direct(x: jax.Array, kernels: jax.Array) -> jax.Array:
  """The convolution as XLA has it: [B, H, W, C] -> [B, H, W, K]."""
  return lax.conv_general_dilated(
      x, kernels, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))


def winograd(m: int, x: jax.Array, kernels: jax.Array) -> jax.Array:
  """The same with tiles of m x m results: [B, H, W, C] -> [B, H, W, K]."""
  of_pixels, of_kernels, of_results = (
      np.array(matrix, np.float32) for matrix in TRANSFORMS[m])
  batch, side = x.shape[:2]
  tiles = -(-side // m)
  after = tiles * m + 1 - side
  padded = jnp.pad(x, ((0, 0), (1, after), (1, after), (0, 0)))
  offsets, span = range(m + 2), tiles * m
  pixels = jnp.stack([
      jnp.stack([padded[:, i:i + span:m, j:j + span:m] for j in offsets])
      for i in offsets])
  pixels = jnp.einsum('ip,jq,pqbstc->ijbstc', of_pixels, of_pixels, pixels)
  kernels = jnp.einsum('ip,jq,pqck->ijck', of_kernels, of_kernels, kernels)
  products = jnp.einsum('ijbstc,ijck->ijbstk', pixels, kernels)
  results = jnp.einsum('mi,nj,ijbstk->bsmtnk', of_results, of_results, products)
  return results.reshape(batch, span, span, -1)[:, :side, :side]


FORMS = {'direct': direct, 'm = 2': functools.partial(winograd, 2),
         'm = 4': functools.partial(winograd, 4)}


def main(argv: list[str]) -> None:
  """Prints times as multiples of the direct form's, and the largest errors."""
  del argv
  draw = np.random.default_rng(0)
  for name, (maps, count) in LAYERS.items():
    x = np.maximum(
        draw.normal(size=(BATCH, SIDE, SIDE, maps)), 0).astype(np.float32)
    kernels = draw.normal(0, 0.01, (3, 3, maps, count)).astype(np.float32)
    for what in ('forward', 'both gradients'):
      compiled = {form: _compiled(f, what, x, kernels)
                  for form, f in FORMS.items()}
      expected, *_ = compiled['direct'](x, kernels)
      spent: dict[str, list[float]] = {form: [] for form in compiled}
      for _ in range(ROUNDS):
        for form, f in compiled.items():
          before = time.process_time()
          jax.block_until_ready(f(x, kernels))
          spent[form].append(time.process_time() - before)
      print(f'{name}, {what}: direct'
            f' {1e3 * statistics.median(spent["direct"]):.1f} ms')
      for form in ('m = 2', 'm = 4'):
        ratios = [mine / base for mine, base
                  in zip(spent[form], spent['direct'], strict=True)]
        result, *_ = compiled[form](x, kernels)
        error = np.abs(result - expected).max() / np.abs(expected).max()
        print(f'  {form}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to'
              f' {max(ratios):.2f}) times that, error {error:.0e}')


def _compiled(f, what, x, kernels):
  if what == 'forward':
    run = lambda x, kernels: (f(x, kernels),)
  else:
    run = jax.grad(lambda x, kernels: (f(x, kernels)**2).sum(), (0, 1))
  step = jax.jit(run).lower(x, kernels).compile()
  jax.block_until_ready(step(x, kernels))  # The first turn does not count.
  return step


if __name__ == '__main__':
  app.run(main)
