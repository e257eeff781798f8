"""A reliability diagram: the accuracy of answers against their confidence."""

import numpy as np
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from alexnet_jax.analysis.confusion import Calibration, wilson
from alexnet_jax.figures import style


def draw(bins: Calibration, out: str) -> None:
  """Draws the accuracy and the number of images of each bin.

  Args:
    bins: the answers by their confidence.
    out: the file.
  """
  used = bins.images > 0
  images, right = bins.images[used], bins.right[used]
  accuracy = right / images
  low, high = wilson(right, images)
  width = 1 / len(used)
  middle = (bins.edges[:-1] + bins.edges[1:]) / 2
  with style.figure(out, 5.0, 5.2, dpi=style.SCREEN) as figure:
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot((0, 1), (0, 1), color=style.GRAY, lw=0.8, ls=':',
               label='perfectly calibrated')
    above.errorbar(
        bins.probability[used], accuracy, color=style.BLUE, lw=1.2, marker='o',
        ms=4, elinewidth=0.8, capsize=2, clip_on=False,
        label='this network, 95 % interval',
        yerr=np.maximum((accuracy - low, high - accuracy), 0))
    above.set(xlim=(0, 1), ylim=(0, 1), ylabel='accuracy')
    above.set_title(f'Expected calibration error {bins.error:.1%} in'
                    f' {len(used)} bins', loc='left')
    above.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    above.legend(loc='upper left')
    below.bar(middle, bins.images, width * 0.9, color=style.BLUE)
    below.set(xlabel='confidence: probability of the predicted class',
              ylabel='images')
    below.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    below.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    below.yaxis.set_major_formatter(FuncFormatter(
        lambda value, _: f'{value:,.0f}'))
