"""Each network of `configs/` can be fine-tuned by the form of its name."""

import pytest

from alexnet_jax.run import experiment, typed_config
from configs import fine_tune

FORMS = ('quickstart', 'authors_2012', 'tiny_imagenet_small',
         'cifar10/net_18pct', 'history/lenet5', 'history/lenet5:simplified',
         'history/vgg16', 'history/googlenet', 'history/resnet:18',
         'history/cifar_resnet:20')


@pytest.mark.parametrize('form', FORMS)
def test_the_first_and_the_last_layer_have_rates_of_their_own(form):
  config = fine_tune.get_config(form)
  built = experiment.build(typed_config.read(config), 3, 640)
  (first, slow), (last, fast) = built.settings.optimizer.rates.layer_rates
  assert (first, last) == (built.model.layers[0].name, 'fc8')
  assert slow < 1 < fast
