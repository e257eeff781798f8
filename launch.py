"""python launch.py --config=configs/quickstart.py [--task=...] [--workdir=...]

Every field of a config can be set on the command line after --config:
--config.optimizer.learning_rate=0.005. What looks into a trained network needs
no config, only its workdir: --task=predict --workdir=RUN --images a.jpg b.jpg
"""

import os
import shlex
import sys

from alexnet_jax import machine

if __name__ == '__main__':
  machine.use_huge_pages()
machine.set_flags()  # before JAX starts
machine.keep_compiled()

from absl import app, flags, logging  # noqa: E402
from ml_collections import config_flags  # noqa: E402

from alexnet_jax import command_line  # noqa: E402
from alexnet_jax.errors import InputError  # noqa: E402

TASKS = ('train', 'evaluate', 'compare', 'report', 'figure1', 'describe',
         'prepare', 'export', 'bench', 'predict', 'figure3', 'features',
         'retrieve', 'codes', 'projections')

# Without a default: overrides are parsed when app.run parses, where a mistyped
# field can be answered in one sentence.
_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'The experiment: a file in configs/.', lock_config=True)
_TASK = flags.DEFINE_enum('task', 'train', TASKS, 'What to do.')
_WORKDIR = flags.DEFINE_string(
    'workdir', '', 'Where the run lives; runs/NAME_OF_CONFIG if not given.')
_INIT_FROM = flags.DEFINE_string(
    'init_from', '', 'train: start from the parameters of a workdir or .npz.')
_CHECKPOINT = flags.DEFINE_multi_string(
    'checkpoint', ['latest'], 'latest, best or a step of the workdir; evaluate:'
    ' also WORKDIR or WORKDIR@best; repeat it for an ensemble.')
_WEIGHTS = flags.DEFINE_string(
    'weights', '', 'evaluate: of the ensemble, 0.5,0.5 or search.')
_PREDICTIONS = flags.DEFINE_string(
    'predictions', '', 'evaluate: a folder that keeps the softmax outputs.')
_COMPARE = flags.DEFINE_multi_string(
    'compare', [], 'compare: a config to set beside --config; repeat it.')
_SEEDS = flags.DEFINE_string('seeds', '0', 'compare: such as 0,1,2.')
_OUT = flags.DEFINE_string(
    'out', '', 'The file, features and projections: the folder, to write.')
_JSON = flags.DEFINE_bool('json', False, 'describe, predict: print JSON.')
_IMAGES = flags.DEFINE_multi_string(
    'images', [], 'predict, retrieve: pictures and folders of them; more may'
    ' follow.')
_FIGURE = flags.DEFINE_string(
    'figure', '', 'predict, retrieve: draw Figure 4 into this file.')
_VIEWS = flags.DEFINE_integer(
    'views', 10, 'predict: patches averaged, 10, 9 or 1.')
_WORDS = flags.DEFINE_string(
    'words', '', 'A file with a line "CLASS its, words" for each class.')
_KERNELS = flags.DEFINE_string(
    'kernels', '', 'figure3: an .npz, .npy or .safetensors file instead of a'
    ' run; an array in it behind a colon.')
_PER_KERNEL = flags.DEFINE_bool(
    'per_kernel', False, 'figure3: stretch the contrast of each kernel alone.')
_DATA = flags.DEFINE_string(
    'data', '', "features, retrieve, projections: records or a folder in place"
    " of the run's own data.")
_SPLIT = flags.DEFINE_enum(
    'split', '', ('', 'train', 'validation'), 'features: only one of the two.')
_FEATURES = flags.DEFINE_string(
    'features', '', 'retrieve, codes: what --task=features wrote;'
    ' WORKDIR/features if not given.')
_QUERIES = flags.DEFINE_integer(
    'queries', 5, 'retrieve: how many validation images to ask for, if no'
    ' --images are given.')
_NEIGHBOURS = flags.DEFINE_integer(
    'neighbours', 6, 'retrieve: how many to find for each.')
_LAYERS = flags.DEFINE_string(
    'layers', '', 'projections: such as conv2,conv5; all convolutions if not'
    ' given.')
_MAPS = flags.DEFINE_string(
    'maps', '8', 'projections: how many maps of a layer, or which, counted from'
    ' 1: 3,17,40 or 17, for one alone.')
_PLAIN = flags.DEFINE_bool(
    'plain', False, 'bench: against the network in its plain form as well.')
_TRACE = flags.DEFINE_string(
    'trace', '', 'bench: a folder for a profile of two steps.')
_COORDINATOR = flags.DEFINE_string(
    'coordinator', '', 'host:port of the first of several processes.')
_NUM_PROCESSES = flags.DEFINE_integer('num_processes', 1, 'How many there are.')
_PROCESS = flags.DEFINE_integer('process', 0, 'Which one this is.')


def main(argv: list[str]) -> None:
  """Starts the processes and picks the task."""
  images = [*_IMAGES.value, *argv[1:]]
  logging.set_verbosity(logging.ERROR)  # Orbax tells every move otherwise
  if not _COORDINATOR.value and (_NUM_PROCESSES.value > 1 or _PROCESS.value):
    command_line.refuse(
        '--num_processes and --process need --coordinator=HOST:PORT, where the'
        ' first of the processes can be reached: add it, or leave them out.')
  if _COORDINATOR.value:
    import jax
    jax.distributed.initialize(
        _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS.value)
  config = _CONFIG.value
  command = 'python launch.py ' + shlex.join(sys.argv[1:])
  workdir = _WORKDIR.value or os.path.join(
      'runs', command_line.config_name(sys.argv))
  if os.path.exists(workdir) and not os.path.isdir(workdir):
    command_line.refuse(f'--workdir={workdir} is a file: give a folder, or a'
                        ' name that is still free.')
  if config is not None and 'model' not in config and _TASK.value != 'codes':
    command_line.refuse(
        f'--config={command_line.config_argument(sys.argv)} describes no'
        ' network: add --task=codes, or give another config.')
  try:
    match _TASK.value:
      case 'train':
        from alexnet_jax.tasks import train
        train.train(config, workdir, init_from=_INIT_FROM.value,
                    command=command)
      case 'evaluate' if command_line.is_one_of_the_workdir(
          _CHECKPOINT.value) and not _WEIGHTS.value + _PREDICTIONS.value:
        from alexnet_jax.tasks import evaluate
        evaluate.evaluate(config, workdir, *_CHECKPOINT.value)
      case 'evaluate':
        from alexnet_jax.results import ensemble
        ensemble.evaluate(config, workdir, _CHECKPOINT.value, _WEIGHTS.value,
                          _PREDICTIONS.value)
      case 'compare':
        from alexnet_jax.tasks import compare
        configs = command_line.load_configs(
            _COMPARE.value, command_line.overrides())
        path = command_line.config_argument(sys.argv)
        compare.compare(
            config, workdir, [(path, config), *configs],
            compare.parse_seeds(_SEEDS.value), command_line.overrides())
      case 'report':
        from alexnet_jax.tasks import report
        report.report(_WORKDIR.value or 'runs', _OUT.value)
      case 'figure1':
        from alexnet_jax.tasks import figure1
        figure1.figure1(config, workdir, _OUT.value, command)
      case 'export':
        from alexnet_jax.tasks import export as export_task
        export_task.export(workdir, _CHECKPOINT.value[0], _OUT.value)
      case 'describe':
        from alexnet_jax.tasks import describe as describe_task
        describe_task.describe(config, _JSON.value)
      case 'prepare':
        from alexnet_jax.tasks import prepare as prepare_task
        prepare_task.prepare(config, _WORKDIR.value)
      case 'bench':
        from alexnet_jax.tasks import bench
        bench.bench(config, _PLAIN.value, _OUT.value, _TRACE.value)
      case 'predict':
        from alexnet_jax.tasks import predict
        predict.predict(workdir, _CHECKPOINT.value[0], images, _VIEWS.value,
                        _WORDS.value, _FIGURE.value, _JSON.value)
      case 'figure3':
        from alexnet_jax.tasks import figure3
        figure3.figure3(workdir, _CHECKPOINT.value[0], _KERNELS.value,
                        _OUT.value, _PER_KERNEL.value)
      case 'features':
        from alexnet_jax.analysis import features
        features.features(workdir, _CHECKPOINT.value[0], _DATA.value,
                          _SPLIT.value, _OUT.value)
      case 'retrieve':
        from alexnet_jax.tasks import retrieve
        retrieve.retrieve(workdir, images, _QUERIES.value, _NEIGHBOURS.value,
                          _FEATURES.value, _DATA.value, _WORDS.value,
                          _FIGURE.value)
      case 'codes':
        from alexnet_jax.tasks import codes
        codes.codes(config, workdir, _FEATURES.value, _OUT.value, command)
      case 'projections':
        from alexnet_jax.tasks import projections
        projections.projections(workdir, _CHECKPOINT.value[0], _DATA.value,
                                _LAYERS.value, _MAPS.value, _OUT.value)
  except InputError as error:
    command_line.refuse(str(error))


if __name__ == '__main__':
  app.run(main, flags_parser=command_line.parse)
