r"""Section 6: a sixth convolutional layer over the last pooling, net #146.

    python launch.py --config=configs/six_conv.py --config.data.path=RECORDS

61,555,304 parameters and 668,488 neurons with 1000 classes. The paper trains it
on a larger ImageNet first (`six_conv_many_classes.py`) and then fine-tunes it
(`fine_tune_2011.py`). This is the network alone, on the schedule of
`authors_2012.py`; its error without pre-training is not reported.

After a colon follows the form of the network that gets a sixth layer, one of
those of `ablations.py`: `overfit` and `converged` are narrow, for a CPU.
docs/ensembles.md has an experiment with them.

    python launch.py --config=configs/six_conv.py:overfit \
      --config.data.path=FEW
"""

from ml_collections import ConfigDict

from configs import ablations

CLAIM = {
    'what': 'a sixth convolutional layer, without pre-training',
    'section': '6',
    'against': '',
    'top1_error': None,
    'top5_error': None,
    'source': 'given nowhere; see fine_tune_2011',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  if form not in ablations.FORMS:
    raise ValueError(f'there is no form {form!r}: give one of'
                     f' {", ".join(ablations.FORMS)} behind the colon.')
  config = ablations.FORMS[form]()
  model = config.model
  # conv6 is as wide as conv5 and starts like it, as in the program.
  model.kernels, model.stddevs, model.biases = (
      (*values[:5], values[4], *values[5:])
      for values in (model.kernels, model.stddevs, model.biases))
  model.crossings = ('conv3', 'conv6', 'fc6', 'fc7', 'fc8')
  return config
