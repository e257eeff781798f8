r"""VGG-19 (2014), configuration E: 143,667,240 parameters.

    python launch.py --config=configs/history/vgg19.py \
      --config.data.path=RECORDS --workdir=runs/vgg19

It has one more layer in each of the last three blocks of `vgg16.py`, and is
trained in the same way. `vgg19.py:torchvision` is torchvision's form.

Claim: 25.5 % top-1 and 8.0 % top-5 error of one network at one scale (Table 3),
24.8 % and 7.5 % at three scales (Table 4). Not run here.
"""

from ml_collections import ConfigDict

from configs.history import vgg16

CLAIM = {
    'what': 'VGG-19',
    'section': '4 of Simonyan and Zisserman (2014)',
    'against': '',
    'top1_error': 25.5,
    'top5_error': 8.0,
    'source': 'Table 3, E, scales 256 to 512: ILSVRC-2012 validation, dense',
}


def get_config(form: str = '') -> ConfigDict:
  config = vgg16.get_config(form)
  config.model.convolutions = (2, 2, 4, 4, 4)
  return config
