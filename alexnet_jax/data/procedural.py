"""A built-in, endless data set of textured shapes; nothing is downloaded.

A picture is a pure function of (split, index, size). Its class is the shape,
texture and color family of its one large object. Everything else is random: the
position, scale and rotation, the pitch and phase of the texture, the exact
colors, the light, a textured background in any colors, clutter and noise.

A canvas is drawn as [3, S, S], a plane for each color: NumPy is several times
faster at long rows than at rows of three.
"""

import functools
import itertools

import numpy as np

SHAPES = ('disc', 'square', 'triangle')
TEXTURES = ('striped', 'checked')
COLORS = ('red', 'blue')
CLASS_NAMES = tuple(
    ' '.join(words) for words in itertools.product(COLORS, TEXTURES, SHAPES))

_SPLITS = ('train', 'validation')
_LENGTHS = {'train': 8192, 'validation': 1024}


class Procedural:
  """A source of procedural pictures that cycles through the classes.

  Args:
    split: 'train' or 'validation'.
    image_size: side of the pictures in pixels.
    length: number of pictures; 0 means 8192 for training and 1024 for
      validation.
  """

  class_names: tuple[str, ...] = CLASS_NAMES

  def __init__(self, split: str, image_size: int, length: int = 0):
    """Stores the arguments; pictures are drawn on access."""
    self._split = split
    self._image_size = image_size
    self._length = length or _LENGTHS[split]

  def __len__(self) -> int:
    return self._length

  def __getitem__(self, i: int) -> dict:
    if not 0 <= i < self._length:
      raise IndexError(i)
    return {'image': picture(self._split, i, self._image_size),
            'label': np.int32(i % len(CLASS_NAMES))}

  def where(self, i: int) -> str:
    return f'procedural {self._split} picture {i}'

  def labels(self) -> np.ndarray:
    return np.arange(self._length, dtype=np.int32) % len(CLASS_NAMES)


def picture(split: str, index: int, size: int) -> np.ndarray:
  """Draws a picture, uint8 `[size, size, 3]`.

  Args:
    split: 'train' or 'validation'.
    index: number of the picture; index modulo 12 is the class.
    size: side of the picture in pixels.
  """
  rng = np.random.default_rng((_SPLITS.index(split), index))
  color, texture, shape = CLASS_NAMES[index % len(CLASS_NAMES)].split()
  canvas = _background(rng, size)
  _clutter(rng, canvas, count=5, largest=0.25)
  _object(rng, canvas, color, texture, shape)
  _clutter(rng, canvas, count=2, largest=0.1)
  canvas *= _light(rng, size)
  return _add_noise(rng, canvas)


@functools.lru_cache(maxsize=8)
def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns x `[1, size]`, rightward, and y `[size, 1]`, downward, in -1..1."""
  line = (2 * np.arange(size, dtype=np.float32) + 1) / size - 1
  return line[None, :], line[:, None]


def _plane(rng, size, scale) -> np.ndarray:
  """Linear ramp of slope `scale` in a random direction, `[size, size]`."""
  x, y = _grid(size)
  angle = rng.uniform(0, 2 * np.pi)
  return (np.float32(scale * np.cos(angle)) * x
          + np.float32(scale * np.sin(angle)) * y)


def _background(rng, size) -> np.ndarray:
  """A wave, bent by a second wave, between two random colors: [3, S, S]."""
  bend = np.sin(_plane(rng, size, rng.uniform(2, 9)))
  wave = _plane(rng, size, rng.uniform(2, 16))
  wave += np.float32(rng.uniform(0, 2)) * bend
  wave += np.float32(rng.uniform(0, 2 * np.pi))
  wave = np.sin(wave)
  middle, half = _any_color(rng), rng.uniform(-40, 40, 3)
  return _plain(middle) + wave * _plain(half.astype(np.float32))


def _any_color(rng) -> np.ndarray:
  """Draws any color; half are object colors, so that color is no giveaway."""
  if rng.random() < 0.5:
    return _family_color(rng, COLORS[rng.integers(2)])
  return rng.uniform(30, 225, 3).astype(np.float32)


def _family_color(rng, color) -> np.ndarray:
  """A red (pink to orange) or a blue (azure to violet), float32 `[3]`."""
  strong = rng.uniform(150, 250)
  weak = strong * rng.uniform(0.0, 0.35)
  between = weak + (strong - weak) * rng.uniform(0.0, 0.4)
  rgb = ((strong, between, weak) if rng.random() < 0.5
         else (strong, weak, between))
  return np.array(rgb if color == 'red' else rgb[::-1], np.float32)


def _plain(color) -> np.ndarray:
  """Returns a color as a canvas of one pixel, `[3, 1, 1]`."""
  return color[:, None, None]


def _clutter(rng, canvas, count, largest) -> None:
  """Draws plain boxes of any color, all much smaller than the object."""
  size = canvas.shape[1]
  for _ in range(count):
    top, left = rng.integers(0, size, 2)
    height, width = (rng.uniform(0.04, largest, 2) * size).astype(int) + 1
    box = canvas[:, top:top + height, left:left + width]
    box[:] = _plain(_any_color(rng))


def _object(rng, canvas, color, texture, shape) -> None:
  size = canvas.shape[1]
  x, y = _grid(size)
  radius = rng.uniform(0.5, 0.75)
  angle = rng.uniform(0, 2 * np.pi)
  cos, sin = _direction(angle) / np.float32(radius)
  dx = x - np.float32(rng.uniform(-0.25, 0.25))
  dy = y - np.float32(rng.uniform(-0.25, 0.25))
  u, v = cos * dx + sin * dy, cos * dy - sin * dx

  inside = 1 - _extent(shape, u, v)
  inside *= np.float32(0.5 * radius * size)  # a soft edge of one pixel
  inside = np.clip(inside, 0, 1)

  light = _plain(_family_color(rng, color))
  dark = light * np.float32(rng.uniform(0.1, 0.4))
  pattern = _pattern(rng, texture, u, v)
  canvas += inside * (dark + pattern * (light - dark) - canvas)


def _direction(angle) -> np.ndarray:
  return np.array([np.cos(angle), np.sin(angle)], np.float32)


def _extent(shape, u, v) -> np.ndarray:
  """Below 1 inside the shape; the three shapes have about the same area."""
  if shape == 'disc':
    return np.sqrt(u * u + v * v) * np.float32(1.1)
  if shape == 'square':
    return np.maximum(np.abs(u), np.abs(v)) * np.float32(1.25)
  side = np.float32(np.sqrt(0.75)) * np.abs(u) - np.float32(0.5) * v
  return np.maximum(side, v) * np.float32(1.65)


def _pattern(rng, texture, u, v) -> np.ndarray:
  """Stripes or checks in 0..1, rotated independently of the shape."""
  pitch = rng.uniform(6.0, 11.0)
  angle = rng.uniform(0, 2 * np.pi)
  cos, sin = _direction(angle) * np.float32(pitch)
  phases = rng.uniform(0, 2 * np.pi, 2).astype(np.float32)
  wave = np.sin(cos * u + sin * v + phases[0])
  if texture == 'checked':
    wave *= np.sin(cos * v - sin * u + phases[1])
    wave *= 2
  return np.clip(0.5 + 2 * wave, 0, 1)


def _light(rng, size) -> np.ndarray:
  """Brightness that falls in a random direction, `[size, size]`."""
  fall = _plane(rng, size, rng.uniform(0, 0.25))
  return fall + np.float32(rng.uniform(0.75, 1.1))


def _add_noise(rng, canvas) -> np.ndarray:
  """Adds uniform noise of random strength: uint8 `[size, size, 3]`."""
  canvas = np.ascontiguousarray(canvas.transpose(1, 2, 0))
  strength = rng.uniform(0.05, 0.2)
  noise = rng.integers(0, 256, canvas.shape, np.uint8)
  canvas += np.float32(strength) * noise
  canvas -= np.float32(strength * 127.5)
  return np.clip(canvas, 0, 255).astype(np.uint8)
