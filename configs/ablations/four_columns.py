"""Four columns (3.2): the program's four-GPU net #129, without what is its own.

    python launch.py --config=configs/ablations/four_columns.py \
      --config.data.path=RECORDS
    JAX_NUM_CPU_DEVICES=4 python launch.py \
      --config=configs/ablations/four_columns.py:small \
      --config.data.path=RECORDS --config.mesh.column=4

Claim: none in the paper. The program's four-GPU nets were "overfitting" (#120)
or "hardly (if at all) better than 2-gpu net" (#130, wider in conv2).

The widths are #129's: conv3 and conv4 have twice as many kernels in all as with
two columns, conv1 a third more, the other layers as many. 62,423,528 parameters
against its 61,557,992: here conv3 reads all columns, there the other one of a
pair (884,736 more); and there conv2 has a second, blurred input (19,200 less).
Measured: not run.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'four columns',
    'section': '3.2',
    'against': 'ablations/baseline',
    'top1_error': None,
    'top5_error': None,
    'source': 'nowhere given; #129 was lost at epoch 22',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  model = config.model
  conv1, conv2, conv3, conv4, conv5 = model.kernels
  model.num_columns = 4
  model.kernels = (conv1 * 2 // 3, conv2 // 2, conv3, conv4, conv5 // 2)
  model.neurons = tuple(neurons // 2 for neurons in model.neurons)
  return config
