r"""The program's networks on four GPUs, #153, #183 and #184; not in the paper.

    JAX_NUM_CPU_DEVICES=4 python launch.py --config=configs/four_gpus.py:184 \
      --config.data.path=FALL2009 --config.mesh.column=4

In the layers that cross, each column reads itself and two of the other three,
and fc8 all of them. FALL2009 is as in `six_conv_many_classes.py`, with 10,184
classes. #153 has 116,262,856 parameters; #183 has a wider conv1 and a sixth
convolution, 118,260,936; #184, the default, half of that convolution and full
layers that read all columns, 102,695,880.

Claim: none; the notes have no errors. On #153 they say that "its no better than
146", on #183 that it has too many parameters.

The rates are those of #184: batches of 256, 50 epochs. #153 had others, which
were changed by hand. Where the color jitter ended is not noted: here never.
"""

from ml_collections import ConfigDict

from configs import authors_2012

# A to D of the program are 0 to 3.
PARTNERS = ((0, 1, 2), (0, 1, 3), (2, 3, 0), (2, 3, 1))


def get_config(form: str = '184') -> ConfigDict:
  if form not in ('153', '183', '184'):
    raise ValueError(
        f'there is no form {form!r}: give 153, 183 or 184 behind the colon.')
  config = authors_2012.get_config()
  model = config.model
  model.num_columns = 4
  model.partners = PARTNERS
  model.neurons = (1024, 1024)
  if form == '153':
    model.kernels = (32, 128, 192, 192, 128)
    model.partner_layers = ('conv3', 'fc6', 'fc7')
  else:
    model.kernels = (48, 128, 192, 192, 128, 128 if form == '183' else 64)
    model.stddevs = (0.01, 0.01, 0.03, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01)
    model.biases = (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0)
    model.partner_layers = (
        ('conv3', 'conv6', 'fc6', 'fc7') if form == '183'
        else ('conv3', 'conv6'))
  model.crossings = ('fc6', 'fc7', 'fc8') if form == '184' else ('fc8',)

  config.augment.jitter_until = 0
  optimizer = config.optimizer
  optimizer.batch_size = 256
  optimizer.learning_rate = 0.02
  optimizer.schedule = 'dexp'
  optimizer.target_factor = 250.0
  optimizer.schedule_levels = 4
  optimizer.drops = ()
  optimizer.bias_drops = ((26, 0.1),)  # after half of the run
  optimizer.layer_drops = ()
  config.run.epochs = 50.0
  return config
