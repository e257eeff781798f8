"""Numbers of sections 4 and 6 that no run of one config gives.

They are those of other groups, which have no command, those of averages of
networks, which --task=evaluate prints, and that of the iterations that dropout
costs, which --task=curves prints for a run with it and one without.
"""

from alexnet_jax.results.claims import Claim

FIVE = [f'runs/five/authors_2012/seed_{seed}' for seed in range(5)]
# Of logged_run.py; the notes of the program have these two.
PRE_TRAINED = ['runs/146-2012-2011', 'runs/146-2012-2009']


def _of_others(what, top1_error, top5_error, source):
  return Claim('', what, '6', '', top1_error, top5_error, source)


def _average(what, top1_error, top5_error, test_error, workdirs, before=''):
  """A row of Table 2; `before` are commands that train the networks."""
  # The labels of the test images of 2012 were never published.
  source = ('Table 2: ILSVRC-2012 validation, ten crops;'
            f' {test_error} on its test images')
  return Claim(
      '', what, '6', '', top1_error, top5_error, source,
      command=' '.join([f'{before}python launch.py --task=evaluate',
                        f'--workdir={workdirs[0]}',
                        *(f'--checkpoint={workdir}' for workdir in workdirs)]))


CLAIMS = (
    Claim('', 'dropout doubles the iterations to converge', '4.2', '', None,
          None, 'section 4.2: "roughly"', ratio=2,
          command='python launch.py --task=curves --reaches=2.5,1.5'
          ' --runs=WITHOUT --runs=WITH'),
    _of_others('six sparse-coding models, the winner of 2010', 47.1, 28.2,
               'Table 1: ILSVRC-2010 test'),
    _of_others('SIFT and Fisher vectors (Sanchez and Perronnin, 2011)', 45.7,
               25.7, 'Table 1: ILSVRC-2010 test'),
    _of_others('SIFT and Fisher vectors, the second entry of 2012', None, 26.2,
               'Table 2: ILSVRC-2012 test'),
    _of_others('the best before on Fall 2009 (Mensink and others, 2012)', 78.1,
               60.9, 'section 6: half of the images to test'),
    _average('five networks averaged', 38.1, 16.4, 16.4, FIVE,
             'python launch.py --task=compare --config=configs/authors_2012.py'
             ' --seeds=0,1,2,3,4 --workdir=runs/five; '),
    _average('these five and two that were pre-trained', 36.7, 15.4, 15.3,
             [*PRE_TRAINED, *FIVE]),
)
