r"""The network of Caffe's `bvlc_alexnet`, for its published weights.

Claim: 42.9 % top-1 and 19.8 % top-5 error on the 2012 validation images with
one crop (Caffe's model card: 57.1 / 80.2 % correct). Not run here.

    python launch.py --config=configs/published/caffe_alexnet.py \
        --task=import --weights=bvlc_alexnet.caffemodel \
        --mean=imagenet_mean.binaryproto --words=synset_words.txt --workdir=RUN
    python launch.py --task=evaluate --workdir=RUN --config.data.path=RECORDS

Two groups of maps replace the two GPUs, but the norms cross from one to the
other. Patches have 227 pixels and no padding. Pictures are resized to a square
whatever their shape; the file reads blue, green and red, which the import turns
around.
"""

from ml_collections import ConfigDict

from configs.published import torchvision


def get_config() -> ConfigDict:
  config = torchvision.get_config()
  config.model.update({
      'kernels': (96, 256, 384, 384, 256),
      'groups': (1, 2, 1, 2, 2),
      'stddevs': (0.01, 0.01, 0.01, 0.01, 0.01, 0.005, 0.005, 0.01),
      'biases': (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0),
      'conv1_padding': 0,
      'response_norm': True,  # after the nonlinearity, before the pooling
      'pooling_rounds_up': True,
      'dropout_before': ('fc7', 'fc8'),
      'pixel_stddevs': (),  # pixels keep the scale 0..255
  })
  config.data.resize = 'warp'
  config.augment.update({
      'crop': 227,
      # The mean of Caffe's mean image; --mean gives the whole image.
      'mean_pixel': (122.679, 116.669, 104.007)})
  return config
