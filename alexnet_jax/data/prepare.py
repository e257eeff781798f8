"""Converts any source, before training, to square records and statistics.

The folder contains ArrayRecord shards in a seeded random order (the 2012
program also used a fixed, shuffled order), `statistics.npz` with the mean image
and RGB covariance of the training images, `labels.npz` and `meta.json`. A shard
gets its final name only when it is complete, so an interrupted preparation can
be continued and produces the same bytes.
"""

import glob
import json
import os
import shutil
import sys
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from alexnet_jax import files
from alexnet_jax.data import checksums, records
from alexnet_jax.data import statistics as stats
from alexnet_jax.data.shards import (
  Shard,
  divide,
  is_written,
  read_beside,
  write,
)
from alexnet_jax.data.sources import Source, Subset
from alexnet_jax.data.statistics import Statistics, statistics
from alexnet_jax.errors import InputError, printable

__all__ = ['Statistics', 'Summary', 'prepare', 'statistics']

# Settings that older folders do not say.
ADDED = {'resize': 'crop', 'store': records.JPEG}


class Summary(NamedTuple):
  """The result of a preparation."""

  folder: str
  counts: dict[str, int]  # number of images written, by split
  skipped: list[dict]  # {'where': ..., 'reason': ...} of unreadable images


def prepare(source_by_split: Mapping[str, Source], folder: str, *,
            image_size: int = 256, quality: int = 95, seed: int = 0,
            shard_size: int = 1024, threads: int = 2,
            progress: bool = True, resize: str = 'crop',
            store: str = records.JPEG) -> Summary:
  """Writes square records of every split, and the training statistics.

  Unreadable images are skipped and listed in the summary and in `meta.json`;
  their shard is shorter, as in the authors' files. A finished folder is not
  changed.

  Args:
    source_by_split: sources with equal class names; 'train' is required.
    folder: output folder; created if it does not exist.
    image_size: side of the stored squares in pixels (256 in section 2).
    quality: JPEG quality; without effect on raw records.
    seed: seed of the order of the records.
    shard_size: examples per shard (1024, as in the authors' files).
    threads: number of decoding threads; 0 for one per core, at most 16.
    progress: shows a progress bar, or a message if the folder is finished.
    resize: how the sources made the images square; see `images.square`.
    store: 'jpeg', or 'raw' for the pixels, which need no decoding and some six
      times the space.

  Returns:
    The folder, the number of images and the list of skipped images.

  Raises:
    InputError: the folder contains a different preparation or cannot be
      written, its disk is too small for raw records, or no training image can
      be read.
  """
  folder = os.path.expanduser(folder)
  settings = {
      'store': store, 'image_size': image_size, 'seed': seed,
      'shard_size': shard_size,
      'source': {k: _fingerprint(v) for k, v in source_by_split.items()}}
  if store == records.JPEG:
    settings['quality'] = quality
  if resize != 'crop':
    settings['resize'] = resize
  try:
    with files.hold(folder, 'a task that prepares records'):
      _check_same_preparation(folder, settings)
      if not os.path.exists(os.path.join(folder, records.META)):
        shards = {
            split: divide(
                split, source, folder, image_size=image_size, quality=quality,
                store=store, seed=seed, shard_size=shard_size)
            for split, source in source_by_split.items()}
        _check_room(folder, shards, settings)
        _write_json(os.path.join(folder, records.PREPARATION), settings)
        _write_all(shards, threads, progress)
        _finish(folder, shards, source_by_split['train'].class_names, settings)
      elif progress:
        print(f'{printable(folder)} is already prepared; nothing to do.',
              file=sys.stderr)
      _remove_leftovers(folder)
  except OSError as error:
    raise InputError(
        f'{folder!r} cannot be written ({error.strerror or error}); make room'
        ' or give another --workdir. The same command goes on where it'
        ' stopped.') from error
  meta = records.read_meta(folder)
  return Summary(folder, meta['counts'], meta['skipped'])


def _fingerprint(source: Source) -> dict:
  """Identifies a source by its classes, length and some of its examples."""
  sample = Subset(source, 100)
  return {'class_names': list(source.class_names), 'length': len(source),
          'examples': [sample.where(i) for i in range(len(sample))]}


def _check_same_preparation(folder: str, settings: dict) -> None:
  """Compares the settings with those of an earlier preparation, if any."""
  path = os.path.join(folder, records.PREPARATION)
  if not os.path.exists(path):
    return
  before = ADDED | records.read_json(folder, records.PREPARATION)
  for field, value in (ADDED | settings).items():
    if field not in before:
      raise checksums.damaged(path, f'{field} is missing')
    if before[field] != value:
      was, now = ((f'{before[field]}', f'{value}') if field != 'source'
                  else ('another data set', 'this one'))
      raise InputError(
          f'{folder!r} holds records prepared with a different {field} '
          f'({was}, not {now}); choose another --workdir or remove the '
          'folder.')


def _check_room(folder: str, shards: dict[str, list[Shard]],
                settings: dict) -> None:
  """Checks that raw records, whose size is known, fit on the disk."""
  if settings['store'] != records.RAW:
    return
  count = sum(len(shard.order) for shard in _missing(shards))
  needed = count * records.size_of_raw(settings['image_size'])
  free = shutil.disk_usage(folder).free
  if needed > free:
    raise InputError(
        f'config.data.store=raw needs {_in_words(needed)} for {count:,}'
        f' pictures of {settings["image_size"]} pixels, and the disk of'
        f' {folder!r} has {_in_words(free)} left; make room, give another'
        ' --workdir, or store JPEGs with --config.data.store=jpeg.')


def _in_words(count: int) -> str:
  scale, unit = (1e9, 'GB') if count >= 1e9 else (1e6, 'MB')
  return f'{count / scale:,.1f} {unit}'


def _missing(shards: dict[str, list[Shard]]) -> list[Shard]:
  return [shard for part in shards.values() for shard in part
          if not is_written(shard)]


def _write_all(shards: dict[str, list[Shard]], threads: int,
               progress: bool) -> None:
  missing = _missing(shards)
  total = sum(len(shard.order) for part in shards.values() for shard in part)
  ahead = sum(len(shard.order) for shard in missing)
  with tqdm(total=total, initial=total - ahead, unit=' images',
            desc='prepare', disable=None if progress else True) as bar:
    for shard in missing:
      write(shard, threads, bar)


def _finish(folder: str, shards: dict[str, list[Shard]],
            class_names: tuple[str, ...], settings: dict) -> None:
  """Merges the sums of all shards; writes `meta.json` last."""
  counts, labels, skipped = {}, {}, []
  for split, part in shards.items():
    sums = stats.zero(settings['image_size'])
    labels_of_shards = [np.zeros(0, np.int32)]  # a split may have no shard
    for shard in part:
      more, of_shard, unreadable = read_beside(shard)
      sums = stats.joined(sums, more)
      labels_of_shards.append(of_shard)
      skipped += unreadable
    labels[split] = np.concatenate(labels_of_shards)
    counts[split] = int(sums.count)
    if split == 'train':
      if not sums.count:
        raise InputError(
            f'none of the {len(skipped)} training images could be read, the '
            f'first being {skipped[0]["where"]}; mend them, remove '
            f'{folder!r} and prepare again.')
      stats.save(folder, stats.from_sums(sums))
  records.save_labels(folder, labels)
  names = [os.path.basename(shard.file)
           for part in shards.values() for shard in part]
  described = checksums.describe_files(folder, [*names, records.STATISTICS])
  optional = {name: settings[name] for name in ('quality', 'resize')
              if name in settings}
  _write_json(os.path.join(folder, records.META), {
      'class_names': list(class_names), 'counts': counts,
      'shards': {split: len(part) for split, part in shards.items()},
      'store': settings['store'], 'image_size': settings['image_size'],
      'seed': settings['seed'], 'skipped': skipped, **optional,
      # The labels, which older folders lack, are in the shards as well.
      'fingerprint': checksums.fingerprint(class_names, described),
      'files': described | checksums.describe_files(folder, [records.LABELS])})


def _remove_leftovers(folder: str) -> None:
  for pattern in ('*.array_record.npz', '*.part'):
    for path in glob.glob(os.path.join(glob.escape(folder), pattern)):
      os.remove(path)


def _write_json(path: str, content: dict) -> None:
  """Writes a JSON file atomically."""
  with files.atomic_write(path) as file:
    file.write(json.dumps(content, indent=1).encode())
