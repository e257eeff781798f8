"""Wrong values of the fields of configs and of the flags of tasks."""

import os
import random
from collections.abc import Iterator

import program
from trial import Trial, clean, fields

COUNT = 140
NUMBERS = ('nan', 'inf', '-inf', '-1', '0', '1e30', '-0.5', '1.5',
           str(2**31), str(2**40), str(10**18))


def trials(folder: str, seed: int) -> Iterator[Trial]:
  """Yields a trial per wrong value."""
  chance = random.Random(seed)
  cache = os.path.join(folder, 'compiled')
  chosen = _numbers(chance)[:COUNT] + _tuples()
  workdirs = [os.path.join(folder, str(i)) for i in range(len(chosen))]
  base = fields(data__train_examples=16, data__validation_examples=8,
                run__steps=1)
  lines = [[*base, f'--config.{field}={value}', f'--workdir={workdir}']
           for (field, value), workdir in zip(chosen, workdirs, strict=True)]
  for (field, value), (code, out, err) in zip(
      chosen, program.launch_many(lines, cache), strict=True):
    text = out + err
    last = field.rpartition('.')[2]
    good = clean(text) and (code == 0 or (code == 2 and last in err))
    yield Trial('value: refused' if code == 2 else 'value: accepted, trained',
                f'{field}={value}: exit {code}', good, text)


def _numbers(chance):
  from configs import quickstart
  config = quickstart.get_config()
  found = [(f'{section}.{name}' if section else name, number)
           for section, content in [('', config), *config.items()]
           if hasattr(content, 'items')
           for name, value in content.items()
           if type(value) in (int, float) for number in NUMBERS]
  chance.shuffle(found)
  return found


def _tuples():
  return [
      ('model.kernels', '(0,4,6,6,4)'), ('model.kernels', '(4,4)'),
      ('model.kernels', '(4,-4,6,6,4)'), ('model.kernels', '()'),
      ('model.kernels', "('a',4,6,6,4)"), ('model.neurons', '(0,0)'),
      ('model.neurons', '(16,)'), ('model.stddevs', '(-1.0,)'),
      ('model.stddevs', "(float('nan'),)*8"), ('model.kernels', '7'),
      ('optimizer.drops', '((1,-0.1),)'), ('optimizer.drops', '(-1,)'),
      ('optimizer.drops', '(5,3)'), ('optimizer.drops', '(1e999,)'),
      ('optimizer.drops', 'x'), ('model.kernels', '(4,4,6,6,10**12)'),
  ]
