"""The speed of the input alone: the loader without a network."""

import os
import time
from collections.abc import Callable

from alexnet_jax import files
from alexnet_jax.data import images, loader, prepare, records, sources
from alexnet_jax.data.folders import Folder
from alexnet_jax.data.sources import Source

BATCHES = 4  # Per turn.
FORM_IMAGES = 256  # Written in every form.
FORM_BATCH = 64


class InputAlone:
  """The batches of a run as fast as the loader makes them; a `turns.Timed`."""

  def __init__(self, open_batches: Callable[[], loader.Batches]):
    self.seconds = []  # Of one batch.
    self._open = open_batches

  def warm_up(self) -> None:
    """Reads the files once, so that they are in memory."""
    self.turn()
    self.seconds.clear()

  def turn(self) -> None:
    """Times the batches after the first; none of them is prefetched."""
    batches = self._open()
    next(batches)
    begin = time.perf_counter()
    for _ in range(BATCHES):
      next(batches)
    self.seconds.append((time.perf_counter() - begin) / BATCHES)
    batches.close()


def in_every_form(source: Source, folder: str,
                  image_size: int) -> dict[str, Source]:
  """Writes some images of a source as files, as records and as raw records.

  All forms store squares of `image_size`, as --task=prepare does, so that only
  the form differs. The result also includes the source itself.

  Args:
    source: the images, which may be larger than the squares.
    folder: an empty folder to write to.
    image_size: the side of the squares in pixels.
  """
  chosen = sources.Subset(source, FORM_IMAGES)
  stored = {}
  for store in records.STORES:
    prepared = os.path.join(folder, store)
    prepare.prepare({'train': chosen}, prepared, image_size=image_size,
                    progress=False, store=store)
    stored[store] = records.Records(prepared, 'train', image_size)
  for i in range(len(stored[records.RAW])):
    # A folder needs classes: any two.
    path = os.path.join(folder, 'folder', 'train', f'{i % 2}', f'{i}.jpg')
    with files.atomic_write(path) as file:
      file.write(images.encode_jpeg(stored[records.RAW][i]['image']))
  # Without this folder, some pictures would be used for validation.
  os.makedirs(os.path.join(folder, 'folder', 'val'))
  return {
      'as it comes': chosen,
      'folder of JPEGs': Folder(os.path.join(folder, 'folder'), 'train',
                                image_size, 0.1),
      'records of JPEGs': stored[records.JPEG],
      'raw records': stored[records.RAW]}


def images_per_core_second(forms: dict[str, Source],
                           rounds: int) -> dict[str, list[float]]:
  """Measures how many images one core prepares per second of CPU time.

  It uses CPU time instead of wall-clock time, so that other programs do not
  count. The forms take turns.

  Args:
    forms: the output of `in_every_form`.
    rounds: turns of each form, after one that does not count.
  """
  rates = {name: [] for name in forms}
  for number in range(rounds + 1):
    for name, source in forms.items():
      batch_size = min(FORM_BATCH, len(source))
      begin = time.process_time()
      # In order: Grain's shuffle of so few takes longer than that of many.
      batches = loader.evaluation_batches(
          source, batch_size=batch_size, threads=1)
      count = sum(int(batch['valid'].sum()) for batch in batches)
      seconds = time.process_time() - begin
      batches.close()
      if number:
        rates[name].append(count / seconds)
  return rates
