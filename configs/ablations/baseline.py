"""What every ablation is compared with; its form is chosen behind a colon.

    python launch.py --config=configs/ablations/baseline.py \
      --config.data.path=RECORDS
    python launch.py --config=configs/ablations/baseline.py:small \
      --config.data.path=RECORDS

Without a form it is `authors_2012.py`, the net of the program's own ablations;
`paper` is the printed one; `small` is the program's net, narrow, on 64-pixel
patches and for 12 epochs, so that a CPU can run them all.

Claim: 40.66 % top-1 and 18.21 % top-5 error (#145, ILSVRC-2012 validation, ten
patches). Measured: not run on ImageNet; `small` on 12,500 photographs of 50
classes of Tiny ImageNet, seeds 0 and 1: 81.5 ± 0.7 / 52.8 ± 0.1.
"""

from ml_collections import ConfigDict

from configs import authors_2012, paper

CLAIM = {
    'what': 'the net of all ablations',
    'section': '6',
    'against': '',
    'top1_error': 40.66,
    'top5_error': 18.21,
    'source': '#145, ILSVRC-2012 validation, ten patches',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  forms = {'authors_2012': authors_2012.get_config, 'paper': paper.get_config,
           'small': small}
  if form not in forms:
    raise ValueError(f'an ablation has no form {form!r}: give one of'
                     f' {", ".join(forms)} behind the colon.')
  return forms[form]()


def small() -> ConfigDict:
  config = authors_2012.get_config()
  model, augment, optimizer = config.model, config.augment, config.optimizer
  model.kernels = (16, 32, 48, 48, 32)
  model.neurons = (256, 256)
  # A narrow layer sums fewer inputs, so each weight starts larger.
  model.stddevs = (0.02, 0.05, 0.06, 0.06, 0.06, 0.05, 0.06, 0.05)
  model.biases = (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0)

  config.data.image_size = 72
  config.data.train_examples = 12_500
  augment.crop = 64
  augment.jitter_until = 10

  optimizer.batch_size = 64
  optimizer.drops = ((8, 0.1), (11, 0.01))  # the program's, 7.6 times faster
  optimizer.bias_drops = ((8, 0.1),)
  optimizer.layer_drops = ()

  config.run.epochs = 12.0
  config.run.evaluate_every = 780  # four epochs
  config.run.stall_steps = 1000
  return config
