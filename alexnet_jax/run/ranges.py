"""Kinds of valid values of a field: numbers, choices, tuples of them."""

import itertools
from typing import Any, NamedTuple, Protocol


class Range(Protocol):
  """The valid values of a field."""

  @property
  def text(self) -> str:
    """The values in words, as they follow 'give'."""
    ...

  def contains(self, value: Any) -> bool:
    """Returns whether the value is one of them."""
    ...


class Integer(NamedTuple):
  """Whole numbers, both ends included."""

  least: int
  most: int
  multiple_of: int = 1

  @property
  def text(self) -> str:
    """Such as 'a whole number of 1 or more, up to 16'."""
    kind = ('a whole number' if self.multiple_of == 1
            else f'a multiple of {self.multiple_of}')
    return f'{kind} of {self.least} or more, up to {self.most:,}'

  def contains(self, value: Any) -> bool:
    """Returns whether the value is one of them; True and 1.0 are not."""
    return (isinstance(value, int) and not isinstance(value, bool)
            and self.least <= value <= self.most
            and value % self.multiple_of == 0)


class Real(NamedTuple):
  """Finite numbers, both ends included unless said otherwise."""

  least: float
  most: float
  above_least: bool = False
  below_most: bool = False

  @property
  def text(self) -> str:
    """Such as 'a number of 0 or more, below 1'."""
    least, most = (f'{end:,.0f}' if end == round(end) else f'{end:g}'
                   for end in (self.least, self.most))
    return ('a number '
            + (f'above {least}' if self.above_least else f'of {least} or more')
            + (f', below {most}' if self.below_most else f', up to {most}'))

  def contains(self, value: Any) -> bool:
    """Returns whether the value is one of them; NaN and True are not."""
    return (isinstance(value, int | float) and not isinstance(value, bool)
            and self.least <= value <= self.most
            and not (self.above_least and value == self.least)
            and not (self.below_most and value == self.most))


class Choice(NamedTuple):
  """A few values, such as names."""

  values: tuple[Any, ...]

  @property
  def text(self) -> str:
    """'one of relu, tanh'."""
    return 'one of ' + ', '.join(str(one) or "''" for one in self.values)

  def contains(self, value: Any) -> bool:
    """Returns whether the value is one of them; True is not 1."""
    return not isinstance(value, bool) and value in self.values


class Switch(NamedTuple):
  """True or False."""

  text: str = 'True or False'

  def contains(self, value: Any) -> bool:
    """Returns whether the value is one of them; 1 is not."""
    return isinstance(value, bool)


class Text(NamedTuple):
  """Any text."""

  text: str = 'a text'

  def contains(self, value: Any) -> bool:
    """Returns whether the value is a text."""
    return isinstance(value, str)


class Each(NamedTuple):
  """Tuples of any length whose elements are all in one range."""

  element: Range
  example: tuple[Any, ...]
  distinct: bool = False  # no two are equal, and there is one at least

  @property
  def text(self) -> str:
    """Such as 'a tuple such as (32, 64), each a multiple of 32 ...'."""
    kind = 'different' if self.distinct else 'each'
    return f'a tuple such as {self.example!r}, {kind} {self.element.text}'

  def contains(self, value: Any) -> bool:
    """Returns whether all elements are in the range."""
    return (isinstance(value, tuple | list)
            and all(map(self.element.contains, value))
            and (not self.distinct or len(set(value)) == len(value) > 0))


class Rows(NamedTuple):
  """Tuples of tuples, whose elements each have a range of their own.

  The first elements of the rows differ. If a row is the start of a new rate,
  the epochs ascend instead, for each layer on its own.
  """

  elements: tuple[Range, ...]
  example: tuple[Any, ...]
  ascending: bool = False  # in the last element but one

  @property
  def text(self) -> str:
    """Such as 'a tuple such as ((25, 0.1),), in each ...'."""
    each = ' and '.join(element.text for element in self.elements)
    order = ', in ascending order' if self.ascending else ''
    return f'a tuple such as {(self.example,)!r}, in each {each}{order}'

  def contains(self, value: Any) -> bool:
    """Returns whether all elements of all rows are in their ranges."""
    if not isinstance(value, tuple | list) or not all(
        isinstance(row, tuple | list) and len(row) == len(self.elements)
        and all(element.contains(item)
                for element, item in zip(self.elements, row, strict=True))
        for row in value):
      return False
    if not self.ascending:
      return len({row[0] for row in value}) == len(value)
    return all(
        a[-2] <= b[-2] for a, b in itertools.combinations(value, 2)
        if a[:-2] == b[:-2])
