"""Section 6: a sixth convolutional layer over the last pooling, net #146.

    python launch.py --config=configs/six_conv.py --config.data.path=RECORDS

61,555,304 parameters and 668,488 neurons with 1000 classes. The paper trains it
on a larger ImageNet first (`six_conv_many_classes.py`) and then fine-tunes it
(`fine_tune_2011.py`). This is the network alone, on the schedule of
`authors_2012.py`; its error without pre-training is not reported.
"""

from ml_collections import ConfigDict

from configs import authors_2012

CLAIM = {
    'what': 'a sixth convolutional layer, without pre-training',
    'section': '6',
    'against': '',
    'top1_error': None,
    'top5_error': None,
    'source': 'given nowhere; see fine_tune_2011',
}


def get_config() -> ConfigDict:
  config = authors_2012.get_config()
  model = config.model
  model.kernels = (48, 128, 192, 192, 128, 128)
  model.crossings = ('conv3', 'conv6', 'fc6', 'fc7', 'fc8')
  # conv1 to conv6, fc6 to fc8; the value of conv6 is that of the program.
  model.stddevs = (0.01, 0.01, 0.03, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01)
  model.biases = (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0)
  return config
