r"""The network of Caffe's `bvlc_reference_caffenet`, for its published weights.

Claim: 42.6 % top-1 and 19.6 % top-5 error on the 2012 validation images with
one crop (Caffe's model card: 57.4 / 80.4 % correct). Not run here.

    python launch.py --config=configs/published/caffenet.py \
        --task=import --weights=bvlc_reference_caffenet.caffemodel \
        --mean=imagenet_mean.binaryproto --words=synset_words.txt --workdir=RUN
    python launch.py --task=evaluate --workdir=RUN --config.data.path=RECORDS

It differs from `caffe_alexnet.py` in the norms, which follow the pooling, and
in the first biases.
"""

from ml_collections import ConfigDict

from configs.published import caffe_alexnet


def get_config() -> ConfigDict:
  config = caffe_alexnet.get_config()
  config.model.norm_after_pooling = True
  config.model.biases = (0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)
  return config
