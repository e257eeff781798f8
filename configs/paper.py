"""The paper as printed: sections 3 to 5, on ILSVRC-2012.

Claim: 40.7 % top-1 and 18.2 % top-5 error on the 2012 validation images with
ten crops (section 6, Table 2), after about 90 cycles.

    python launch.py --config=configs/paper.py --config.data.path=RECORDS

`authors_2012.py` is the network that produced the paper's numbers.
"""

from ml_collections import ConfigDict

CLAIM = {
    'what': 'the network as printed',
    'section': '6',
    'against': '',
    'top1_error': 40.7,
    'top5_error': 18.2,
    'source': 'Table 2, 1 CNN: ILSVRC-2012 validation, ten crops',
}


def get_config() -> ConfigDict:
  config = ConfigDict()
  config.seed = 0
  config.precision = 'float32'  # of the arithmetic; or 'tf32', 'bfloat16'

  config.model = ConfigDict({
      'name': 'alexnet',
      'num_columns': 2,  # columns, one a GPU (3.2)
      'crossings': ('conv3', 'fc6', 'fc7', 'fc8'),  # read all columns (3.5)
      'partners': (),  # of each column, the columns that it reads ...
      'partner_layers': (),  # ... in these layers: four_gpus.py
      'kernels': (48, 128, 192, 192, 128),  # per column: conv1 to conv5 (3.5)
      'neurons': (2048, 2048),  # per column: fc6, fc7 (3.5)
      'stddevs': (0.01,) * 8,  # of initial weights, conv1 to fc8 (5)
      'biases': (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0),  # initial (5)
      'nonlinearity': 'relu',  # or tanh, abs_tanh, sigmoid, ... of Flax (3.1)
      'response_norm': True,  # after conv1 and conv2 (3.3)
      'norm': 'response',  # or 'batch' normalization in its place
      'norm_k': 2.0,  # k of 3.3
      'norm_n': 5,  # n of 3.3
      'norm_alpha': 1e-4,  # alpha of 3.3, not divided by n
      'norm_beta': 0.75,  # beta of 3.3
      'overlapping_pooling': True,  # 3 x 3 windows, not 2 x 2 (3.4)
      'dropout': True,  # on fc6 and fc7 (4.2)
      'without': (),  # layers left out (7)
      'bottleneck': 0,  # linear units per column between fc7 and fc8; 0: none
  })

  config.data = ConfigDict({
      # Or procedural, folder, imagenet2010, imagenet2012, cifar10, mnist or
      # digits.
      'name': 'records',
      'path': '~/data/imagenet2012_256',
      'check': 'headers',  # of picture files, before training; full, none
      'labels': '',  # a list FILE,CLASS if a folder lacks class folders
      'image_size': 256,  # side of the stored square, pixels (2)
      'resize': 'crop',  # the shorter side, then the center; or 'warp' both
      'store': 'jpeg',  # of --task=prepare; 'raw' pixels: larger and faster
      'validation_fraction': 0.1,  # of a folder without val/
      'train_examples': 0,  # 0: all
      'validation_examples': 0,  # 0: all
      'reshuffle': True,  # a new order each epoch; the paper is silent
  })

  config.augment = ConfigDict({  # 4.1
      'crop': 224,
      'scale': (),  # (256, 512): random sides, before the crop; (): none
      'random_crops': True,
      'flips': True,
      'share_crops': 1,  # images in a row that share one crop and flip
      'jitter': 0.1,  # standard deviation of the color jitter
      'jitter_scale': 'stddev',  # the printed form: 'eigenvalue'
      'jitter_rescale': False,
      'jitter_until': 0,  # first epoch without jitter; 0: none
      'pad': 0,  # pixels around each image in training; 0: none
      'mean_pixel': (),  # RGB, 0..255; (): the mean image of the data (2)
  })

  config.optimizer = ConfigDict({  # 5
      'batch_size': 128,
      'accumulate': 1,  # parts of a batch that are computed one by one
      'rule': 'momentum',  # the printed one; or 'adamw', 'lars' of Optax
      'momentum': 0.9,  # of adamw: b1
      'weight_decay': 0.0005,
      'learning_rate': 0.01,
      'plateau': True,  # divide the rate when the validation error stalls ...
      'plateau_factor': 10.0,
      'plateau_drops': 3,
      'plateau_patience': 5,  # ... for 5 validations; by hand in the paper
      'drops': (),  # (epoch, factor): at these epochs instead
      'schedule': 'constant',  # or linear, exp, dexp, jdexp, cosine
      'warmup': 0.0,  # epochs in which the rates rise linearly; 0: none
      'target_factor': 1.0,  # the initial rate over the final one
      'schedule_levels': 4,  # of dexp and jdexp
      'bias_rate': 1.0,  # "an equal learning rate for all layers"
      'bias_drops': (),  # (epoch, factor)
      'layer_drops': (),  # (layer, epoch, factor), in place of drops
      'layer_rates': (),  # (layer, factor)
      'layer_decays': (),  # (layer, weight decay)
      'frozen': (),  # layers
      'clip_norm': 0.0,  # largest norm of the whole gradient; 0: any
      'trust_coefficient': 0.001,  # of lars, for batches of 4,096 and more
      'class_weights': '',  # or 'balanced': rare classes count as much
  })

  config.run = ConfigDict({
      'epochs': 90.0,  # 5
      'steps': 0,  # 0: those of the epochs
      'evaluate_every': 0,  # steps; 0: once an epoch
      'save_every': 0,  # steps; 0: once an epoch
      'until_error': 0.0,  # training error at which to stop early; 0: never
      'log_every': 20,  # steps
      'views': 10,  # crops averaged in the final test (4.1): 10, 9 or 1
      'keep': 2,  # number of latest checkpoints on disk, beside the best
      'stall_steps': 5000,  # steps at a loss of ln(classes) before a warning
      'threads': 0,  # that decode images; 0: one per core, at most 16
      'workers': 0,  # processes that decode images; 0: threads only
      'hold_data': False,  # keep all training images on every device
      'patience': 0,  # validations without a new best until the end; 0: any
  })

  config.mesh = ConfigDict({
      'data': 1,  # devices that divide a batch
      'column': 1,  # devices that divide the columns
      'full_layers': 'data',  # or 'model': the first divide their neurons
      # Or 'triton': one kernel for ReLU, norm and pooling on NVIDIA GPUs, which
      # moves fewer bytes and has not yet run on one.
      'norm_and_pooling': 'xla',
  })
  return config
