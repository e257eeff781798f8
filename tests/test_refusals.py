"""What a person reads when something given cannot work: one sentence."""

import os
import shutil

import program
import pytest
import tiny

Q = '--config=configs/quickstart.py'
PUBLISHED = '--config=configs/published/torchvision.py'
SIZES = (PUBLISHED, '--task=describe')


def experiment_with(**fields):
  return tiny.flags({name.replace('__', '.'): value
                     for name, value in fields.items()})


# name: (arguments, what the sentence must contain). {new} is a workdir that is
# not there yet, {old} one with a trained run, {photos} and the others folders
# of pictures.
REFUSED = {
    'mistyped field': (
        [Q, '--config.optimizer.learning_rat=0.1'],
        ["'optimizer.learning_rat'", 'did you mean optimizer.learning_rate']),
    'abbreviated field': (
        [Q, '--config.optimizer.lr=0.1'],
        ["'optimizer.lr'", 'did you mean optimizer.layer_rates or'
         ' optimizer.learning_rate?']),
    'mistyped section': (
        [Q, '--config.optimiser.momentum=0.5'],
        ["'optimiser.momentum'", 'did you mean optimizer.momentum']),
    'no config': ([], ['--config=configs/quickstart.py', 'configs/paper.py']),
    'missing config': (
        ['--config=configs/quickstrat.py'],
        ['configs/quickstrat.py', 'did you mean configs/quickstart.py']),
    'wrong type': (
        [Q, '--config.optimizer.batch_size=abc'],
        ['config.optimizer.batch_size=abc', 'a value like 32']),
    'unknown flag': ([Q, '--wrokdir=x'], ['wrokdir', 'workdir']),
    'unknown task': (
        [Q, '--task=trian'], ['trian', 'train', 'evaluate', 'prepare']),
    'unknown task of a run': (
        ['--task=figure4', '--workdir={old}'],
        ['figure4', 'figure3', 'predict', 'retrieve']),
    'stray argument': (
        [Q, 'optimizer.learning_rate=1'],
        ["'optimizer.learning_rate=1'", '--config.SECTION.FIELD=VALUE']),
    'uneven batch': (
        experiment_with(mesh__data=2, optimizer__batch_size=9),
        ['config.optimizer.batch_size=9', 'config.mesh.data=2',
         'multiple of 2']),
    'uneven parts': (
        experiment_with(optimizer__batch_size=9, optimizer__accumulate=2),
        ['config.optimizer.batch_size=9', 'config.optimizer.accumulate=2',
         'multiple of 2']),
    'a cosine that does not end at 0': (
        experiment_with(optimizer__schedule='cosine',
                        optimizer__target_factor=10.0),
        ['schedule=cosine', 'target_factor=10.0', 'exp or linear']),
    'a warm-up without an end': (
        experiment_with(optimizer__warmup=50.0),
        ['config.optimizer.warmup=50.0', 'shorter warm-up']),
    'an unknown rule': (
        experiment_with(optimizer__rule='adam'),
        ["config.optimizer.rule='adam'", 'momentum, adamw, lars']),
    'weights by another name': (
        experiment_with(optimizer__class_weights='even'),
        ["config.optimizer.class_weights='even'", "one of '', balanced"]),
    'a sweep of no field': (
        [Q, '--task=compare', '--sweep=optimizer.lerning_rate=1,2'],
        ["no field 'optimizer.lerning_rate'", 'optimizer.learning_rate']),
    'a sweep of the seeds': (
        [Q, '--task=compare', '--sweep=seed=1,2'],
        ['--sweep=seed', '--seeds=0,1']),
    'a sweep outside of the range': (
        [Q, '--task=compare', '--sweep=optimizer.momentum=0.5,1.0'],
        ['with optimizer.momentum=1.0', 'config.optimizer.momentum=1.0',
         'below 1']),
    'too few devices': (
        experiment_with(mesh__data=2, mesh__column=2),
        ['config.mesh.data=2', 'config.mesh.column=2', '4 devices',
         'JAX_NUM_CPU_DEVICES=4']),
    'columns that do not divide': (
        experiment_with(mesh__column=3),
        ['config.mesh.column=3', '2 columns', 'divisor']),
    'no devices': (experiment_with(mesh__column=0), ['config.mesh.column=0']),
    'no data shards': (experiment_with(mesh__data=0), ['config.mesh.data=0']),
    'no records': (
        ['--config=configs/paper.py', '--config.data.path={new}'],
        ['{new}', '--task=prepare', 'launch.py']),
    'no folder': (
        experiment_with(data__name='folder', data__path='{new}'),
        ['{new}', '--config.data.path', 'train/CLASS']),
    'no CIFAR-10': (
        ['--config=configs/cifar10/net_19pct.py', '--config.data.path={new}'],
        ['{new}', 'cifar-10-batches-py', 'cifar-10-batches-bin',
         'train/CLASS', '--task=prepare']),
    'no path': (
        experiment_with(data__name='folder'), ["'folder'", 'data.path']),
    'unknown data': (
        experiment_with(data__name='imagenet'),
        ["'imagenet'", 'config.data.name', 'imagenet2012']),
    'empty class folder': (
        experiment_with(data__name='folder', data__path='{empty_class}'),
        ['train/dog', 'no pictures']),
    'two folders for a split': (
        experiment_with(data__name='folder', data__path='{ambiguous}'),
        ['{ambiguous}', "'train', 'training'", 'keep one']),
    'splits without training': (
        experiment_with(data__name='folder', data__path='{tested}'),
        ['{tested}', "'Testing'", 'no folder for training']),
    'nothing to validate': (
        experiment_with(data__name='folder', data__path='{single}',
                        optimizer__batch_size=2),
        ['no validation pictures', 'each class has two or more']),
    'labels that are not there': (
        experiment_with(data__name='folder', data__path='{flat}',
                        data__labels='{new}.csv'),
        ['{new}.csv cannot be read', '"a.jpg,cat"']),
    'unreadable pictures': (
        experiment_with(data__name='folder', data__path='{broken}'),
        ['none of 8 pictures can be read', 'val/cat/0.png', 'remove it']),
    'unknown check': (
        experiment_with(data__check='half'),
        ["config.data.check='half'", 'headers, full, none']),
    'more batch than examples': (
        experiment_with(optimizer__batch_size=80),
        ['config.optimizer.batch_size=80', '64 training examples']),
    'crop larger than images': (
        experiment_with(augment__crop=80),
        ['config.augment.crop=80', '72-pixel', 'config.data.image_size']),
    'crop too small': (
        experiment_with(augment__crop=7),
        ['7-pixel', 'conv1', 'config.augment.crop', '64']),
    'unknown jitter scale': (
        experiment_with(augment__jitter_scale='sigma'),
        ["config.augment.jitter_scale='sigma'", 'stddev, eigenvalue']),
    'unknown schedule': (
        experiment_with(optimizer__schedule='sine'),
        ["config.optimizer.schedule='sine'", 'jdexp']),
    'unknown model': (
        experiment_with(model__name='alexnot'),
        ["config.model.name='alexnot'", 'alexnet_2012']),
    'frozen layer that is none': (
        experiment_with(optimizer__frozen=('conv9',)),
        ['config.optimizer.frozen', "'conv9'", 'conv5']),
    'scheduled layer that is none': (
        experiment_with(optimizer__layer_drops=(('conv9', 2, 0.1),)),
        ['config.optimizer.layer_drops', "'conv9'", 'conv5']),
    'frozen layers as numbers': (
        experiment_with(optimizer__frozen=(1, 2)),
        ['config.optimizer.frozen=(1, 2)', "('conv1',)"]),
    'one drop, not a tuple of them': (
        experiment_with(optimizer__drops=(3, 0.1)),
        ['config.optimizer.drops=(3, 0.1)', '((25, 0.1),)']),
    'no columns': (
        experiment_with(model__num_columns=0),
        ['config.model.num_columns=0', '1 or more']),
    'less than no steps': (
        experiment_with(run__steps=-1), ['config.run.steps=-1', '0 or more']),
    'no step at all': (
        experiment_with(run__steps=0, run__epochs=0.1),
        ['config.run.epochs=0.1', 'give more epochs']),
    'workdir that is a file': (
        [*experiment_with(), '--workdir=README.md'],
        ['--workdir=README.md is a file']),
    'processes without a coordinator': (
        [*experiment_with(), '--num_processes=2', '--workdir={new}'],
        ['--num_processes', '--coordinator=HOST:PORT']),
    'process that is too many': (
        [*experiment_with(), '--coordinator=localhost:1234', '--process=2',
         '--num_processes=2', '--workdir={new}'],
        ['--process=2', '--num_processes=2', 'from 0 to 1']),
    'no processes': (
        [*experiment_with(), '--coordinator=localhost:1234',
         '--num_processes=0', '--workdir={new}'], ['--num_processes=0']),
    'coordinator without a port': (
        [*experiment_with(), '--coordinator=localhost', '--num_processes=2',
         '--workdir={new}'],
        ['--coordinator=localhost is no HOST:PORT', 'node1:1234']),
    'coordinator with a port that is no number': (
        [*experiment_with(), '--coordinator=localhost:http',
         '--num_processes=2', '--workdir={new}'],
        ['--coordinator=localhost:http is no HOST:PORT']),
    'no cluster': (
        [*experiment_with(), '--distributed', '--workdir={new}'],
        ['--distributed finds no', 'Slurm', '--coordinator']),
    'cluster and coordinator': (
        [*experiment_with(), '--distributed', '--coordinator=localhost:1234',
         '--workdir={new}'], ['--distributed asks', 'leave out']),
    'no time to start': (
        [*experiment_with(), '--start_timeout=0', '--workdir={new}'],
        ['--start_timeout=0', 'give a whole number of 1 or more']),
    'layer to leave out that is none': (
        experiment_with(model__without=('conv1',)),
        ["config.model.without names 'conv1'", 'conv2, conv3']),
    'seven convolutions': (
        experiment_with(model__kernels=(1, 2, 3, 4, 5, 6, 7)),
        ['config.model.kernels has 7 numbers', '5, or 6']),
    'sixth convolution without numbers': (
        experiment_with(model__kernels=(4, 4, 4, 4, 4, 4)),
        ['config.model.stddevs has 8 numbers', 'give 9']),
    'layer that learns faster and is none': (
        experiment_with(optimizer__layer_rates=(('fc9', 10.0),)),
        ['config.optimizer.layer_rates', "'fc9'", 'fc8']),
    'layer that decays and is none': (
        experiment_with(optimizer__layer_decays=(('fc9', 0.1),)),
        ['config.optimizer.layer_decays', "'fc9'", 'fc8']),
    'five patches': (
        experiment_with(run__views=5), ['config.run.views=5', '1, 9, 10']),
    'form that an ablation has not': (
        ['--config=configs/ablations.py:no_norm,large'],
        ["no form 'large'", 'authors_2012, paper, small']),
    'run that was never logged': (
        ['--config=configs/logged_run.py:144'],
        ["'144'", '145-2010', 'behind the colon']),
    'network to fine-tune that is none': (
        ['--config=configs/fine_tune.py:quickstrat'],
        ["'quickstrat'", 'quickstart']),
    'missing config to compare with': (
        [Q, '--task=compare', '--compare=configs/paqer.py'],
        ['configs/paqer.py', 'did you mean configs/paper.py']),
    'config to compare with that lacks a field': (
        ['--config=configs/ablations.py:no_norm,small', '--task=compare',
         '--config.model.within_map_size=3', '--compare=configs/paper.py'],
        ['--compare=configs/paper.py', 'within_map_size']),
    'seeds that are none': (
        [Q, '--task=compare', '--seeds=0,x'], ['--seeds=0,x', '--seeds=0,1']),
    'nothing to report': (
        ['--task=report', '--workdir={photos}'], ['{photos}']),
    'figure of no search': (
        [Q, '--task=figure1', '--workdir={new}'],
        ['--config=configs/cifar10/figure1.py']),
    'start that is not there': (
        [*experiment_with(), '--init_from={photos}/none', '--workdir={new}'],
        ['--init_from={photos}/none', '--task=export']),
    'start that holds no weights': (
        [*experiment_with(), '--init_from=README.md', '--workdir={new}'],
        ['README.md cannot be read as weights', '--task=export']),
    'weights of an ensemble of one': (
        [*experiment_with(), '--task=evaluate', '--weights=search',
         '--workdir={old}'], ['--weights=search', '--checkpoint']),
    'plain form of another network': (
        [*experiment_with(model__nonlinearity='tanh'), '--task=bench',
         '--plain'],
        ["config.model.nonlinearity='tanh'", "'relu'", '--plain']),
    'export of nothing': (
        ['--task=export', '--workdir={new}'], ['{new}', 'no checkpoint']),
    'export without a run': (
        ['--task=export'], ['--task=export looks into', '--workdir=RUN']),
    'evaluate without a run': (
        ['--task=evaluate'], ['--task=evaluate looks into', '--workdir=RUN']),
    'evaluate of nothing': (
        ['--task=evaluate', '--workdir={new}'], ['{new} holds no run']),
    'flag of another task': (
        [Q, '--task=describe', '--views=5'],
        ['--views is a flag of --task=predict, not of --task=describe']),
    'flag of no task': (
        [Q, '--task=describe', '--jsn'],
        ['--task=describe has no flag --jsn', 'did you mean --json?']),
    'field of a task without a config': (
        ['--task=export', '--workdir={old}', '--config.seed=1'],
        ['--config.seed cannot be set', '--task=export takes no config']),
    'export into a folder': (
        ['--task=export', '--workdir={old}', '--out={photos}'],
        ['--out={photos} is a folder', '{photos}/weights.npz']),
    'export into an unknown format': (
        ['--task=export', '--workdir={old}', '--format=keras'],
        ['--format=keras', 'npz, safetensors, stablehlo, onnx, torch']),
    'export into a file with an unknown ending': (
        ['--task=export', '--workdir={old}', '--out={new}.h5'],
        ['--out={new}.h5', '.npz or .safetensors or .stablehlo or .onnx']),
    'export into a file with the ending of another format': (
        ['--task=export', '--workdir={old}', '--format=onnx',
         '--out={new}.npz'], ['--out={new}.npz', 'another ending than .onnx']),
    'export with pre-processing nowhere': (
        ['--task=export', '--workdir={old}', '--preprocessing=none'],
        ['--preprocessing=none', 'inside or outside']),
    'export with crops that no test had': (
        ['--task=export', '--workdir={old}', '--crops=5'],
        ['--crops=5', '1, 9, 10']),
    'no logging': (
        experiment_with(run__log_every=0), ['config.run.log_every=0']),
    'another seed in the workdir': (
        [*experiment_with(seed=1), '--workdir={old}'],
        ['{old}', 'config.seed=0', '1', 'another --workdir']),
    'no checkpoint': (
        [*experiment_with(), '--task=evaluate', '--workdir={new}'],
        ['{new}', 'no checkpoint', '--task=train']),
    'checkpoint that is not there': (
        [*experiment_with(), '--task=evaluate', '--checkpoint=5',
         '--workdir={old}'],
        ['--checkpoint=5', '{old}', 'latest', 'best', '4, 6']),
    'other classes': (
        [*experiment_with(data__name='folder', data__path='{photos}'),
         '--task=evaluate', '--workdir={old}'],
        ['{old}', '12 classes', '2 (cat, dog', 'trained on']),
    'folder without the classes of the network': (
        ['--task=evaluate', '--workdir={old}', '--data={photos}/train'],
        ['{photos}/train', 'no folders named like the 12 classes',
         'red striped disc']),
    'split that the data lack': (
        ['--task=evaluate', '--workdir={old}', '--split=test'],
        ["there is no split 'test'", 'train and validation']),
    'split of no name': (
        ['--task=evaluate', '--workdir={old}', '--split=testing'],
        ['--split=testing', 'one of train, validation, test']),
    'other network': (
        [*experiment_with(model__neurons=(8, 8)), '--task=evaluate',
         '--workdir={old}'],
        ['{old}', 'config.model.neurons', '[16, 16]', '[8, 8]']),
    'preparing what needs none': (
        [*experiment_with(), '--task=prepare', '--workdir={new}'],
        ['config.data.name=procedural', 'needs no preparation']),
    'preparing into nowhere': (
        [*experiment_with(data__name='folder', data__path='{photos}'),
         '--task=prepare'],
        ['--workdir=FOLDER']),
    'figure 3 that is no picture': (
        ['--task=figure3', '--workdir={old}', '--out={new}.jpg'],
        ['--out={new}.jpg is no picture', '.png, .pdf, .svg']),
    'figure 3 of no run': (
        ['--task=figure3', '--workdir={new}'], ['{new}', 'no checkpoint']),
    'kernels of a file at several steps': (
        ['--task=figure3', '--kernels=a.npz', '--checkpoint=0',
         '--checkpoint=6'],
        ['--kernels, --layout, --order and --columns are for one network']),
    'a step of several runs': (
        ['--task=figure3', '{old}', '{photos}', '--checkpoint=6'],
        ['--checkpoint is for one run', 'RUN@STEP']),
    'steps of no run': (
        ['--task=figure3', '--checkpoint=0', '--checkpoint=6'],
        ['--task=figure3', '--workdir=RUN']),
    'kernels that are not there': (
        ['--task=figure3', '--kernels={photos}/none.npz'],
        ['--kernels={photos}/none.npz', 'there is no file', '.safetensors']),
    'kernels in another kind of file': (
        ['--task=figure3', '--kernels=README.md'],
        ['--kernels=README.md does not end in', 'save_file']),
    'looking without a run': (
        ['--task=figure3'], ['--task=figure3', '--workdir=RUN']),
    'prediction of nothing': (
        ['--task=predict', '--workdir={old}'],
        ['--task=predict needs pictures', '--images FILE']),
    'picture that is not there': (
        ['--task=predict', '--workdir={old}', '--images', '{new}'],
        ["there is no picture and no folder '{new}'", '--images files']),
    'folder without pictures': (
        ['--task=predict', '--workdir={old}', '--images',
         '{empty_class}/train/dog'],
        ['train/dog', 'holds no pictures', '--images another one']),
    'views that no test had': (
        ['--task=predict', '--workdir={old}', '--views=5', '--images',
         '{photos}'],
        ['--views=5', '1, 9, 10']),
    'figure of no known format': (
        ['--task=predict', '--workdir={old}', '--figure=x.bmp', '--images',
         '{photos}'],
        ['--figure=x.bmp', '.png, .pdf, .svg']),
    'words that are not there': (
        ['--task=predict', '--workdir={old}', '--words={new}', '--images',
         '{photos}'],
        ["'{new}' cannot be read", 'CLASS its, words']),
    'layout without kernels': (
        ['--task=figure3', '--workdir={old}', '--layout=OIHW'],
        ['--layout and --order describe a file', '--kernels=FILE']),
    'columns that the kernels have not': (
        ['--task=figure3', '--workdir={old}', '--columns=3'],
        ['--columns=3', 'has 2 columns already']),
    'import of nothing': (
        [PUBLISHED, '--task=import', '--workdir={new}'],
        ['--task=import needs weights', '--weights=FILE', '.caffemodel']),
    'import of weights that are not there': (
        [PUBLISHED, '--task=import', '--workdir={new}', '--weights={new}.npz'],
        ['{new}.npz does not exist', '.safetensors']),
    'import of a folder': (
        [PUBLISHED, '--task=import', '--workdir={new}', '--weights={photos}'],
        ['{photos} is a folder', '.safetensors']),
    'import of another kind of file': (
        [PUBLISHED, '--task=import', '--workdir={new}',
         '--weights=README.md'],
        ['README.md does not end in', 'save_file']),
    'import into a run': (
        [PUBLISHED, '--task=import', '--workdir={old}', '--weights=README.md'],
        ['--workdir={old} is not empty', 'give a new one']),
    'import without architecture': (
        ['--task=import', '--workdir={new}', '--weights=README.md'],
        ['--task=import needs an experiment']),
    'unknown way to resize': (
        experiment_with(data__resize='stretch'),
        ["config.data.resize='stretch'", 'crop, warp']),
    'mean that is no color': (
        experiment_with(augment__mean_pixel=(1.0, 2.0)),
        ['config.augment.mean_pixel=(1.0, 2.0)', 'three numbers']),
    'groups that do not divide': (
        [*SIZES, '--config.model.groups=(1,5,1,1,1)', '--workdir={new}'],
        ['config.model.groups=(1, 5, 1, 1, 1)', 'divisors']),
    'norm groups that do not divide': (
        [*SIZES, '--config.model.response_norm=True',
         '--config.model.norm_groups=5', '--workdir={new}'],
        ['config.model.norm_groups=5', 'such as 1']),
    'columns of a network of groups': (
        [*SIZES, '--config.model.num_columns=2', '--workdir={new}'],
        ['config.model.num_columns=2', 'config.model.groups']),
    'dropout before a convolution': (
        [*SIZES, "--config.model.dropout_before=('conv5',)",
         '--workdir={new}'],
        ["config.model.dropout_before names 'conv5'", 'fc6, fc7, fc8']),
    'colors that are divided by zero': (
        [*SIZES, '--config.model.pixel_stddevs=(1.0,0.0,1.0)',
         '--workdir={new}'],
        ['config.model.pixel_stddevs=(1.0, 0.0, 1.0)', 'above 0']),
    'projections of a full layer': (
        ['--task=projections', '--workdir={old}', '--layers=conv1,fc6'],
        ['--layers=conv1,fc6', 'fc6, whose units have no place',
         'conv1,conv2,conv3,conv4,conv5']),
    'projections of a layer that is none': (
        ['--task=projections', '--workdir={old}', '--layers=conv9'],
        ['conv9, which this network does not have',
         'conv1,conv2,conv3,conv4,conv5']),
    'map that is not there': (
        ['--task=projections', '--workdir={old}', '--maps=3,9'],
        ['--maps names 9', 'conv1 has 8 maps', '1 to 8']),
    'maps that are none': (
        ['--task=projections', '--workdir={old}', '--maps=x'],
        ['--maps=x', 'such as 3,17,40']),
    'more maps than a picture holds': (
        ['--task=projections', '--workdir={old}', '--maps=65'],
        ['--maps=65', '64 at most']),
    'projections into one picture': (
        ['--task=projections', '--workdir={old}', '--out=conv1.png'],
        ['--out=conv1.png is a picture', 'give a folder']),
    'data to look at that are not there': (
        ['--task=projections', '--workdir={old}', '--data={new}'],
        ['{new}', '--data=RECORDS']),
    'bench into a folder': (
        [*experiment_with(), '--task=bench', '--out={photos}'],
        ['--out={photos} is a folder', '{photos}/bench.json']),
    'bench below a file': (
        [*experiment_with(), '--task=bench', '--out=README.md/x.json'],
        ['--out=README.md/x.json', 'give another place']),
    'trace into a file': (
        [*experiment_with(), '--task=bench', '--trace=README.md'],
        ['--trace=README.md', 'give another place']),
    'features of nothing': (
        ['--task=features', '--workdir={new}'], ['{new}', 'no checkpoint']),
    'features into a file': (
        ['--task=features', '--workdir={old}', '--out=README.md'],
        ['--out=README.md is a file', 'give a folder']),
    'features among photographs': (
        ['--task=features', '--workdir={old}', '--out={photos}'],
        ['{photos}/train holds other files', 'another --out']),
    'retrieval without features': (
        ['--task=retrieve', '--workdir={old}'],
        ['no features in {old}/features/train', '--task=features']),
    'retrieval of nothing': (
        ['--task=retrieve', '--workdir={old}', '--queries=0'],
        ['--queries=0', '--images']),
    'no neighbors': (
        ['--task=retrieve', '--workdir={old}', '--neighbors=0'],
        ['--neighbors=0', '1 or more']),
    'neighbors in no picture': (
        ['--task=retrieve', '--workdir={old}', '--figure=a.jpeg'],
        ['--figure=a.jpeg', '.png, .pdf, .svg']),
    'unknown precision': (
        experiment_with(precision='float16'),
        ["config.precision='float16'", 'float32, tf32, bfloat16']),
    'codes with the config of a network': (
        [Q, '--task=codes', '--workdir={old}'], ['--config=configs/codes.py']),
    'codes without features': (
        ['--config=configs/codes.py', '--task=codes', '--workdir={new}'],
        ['{new}/features', '--task=features --workdir=RUN']),
    'codes that fill no words': (
        ['--config=configs/codes.py', '--task=codes', '--workdir={new}',
         '--config.code.bits=(33,)'], ['config.code.bits=(33,)', '(32, 64)']),
    'codes drawn into no picture': (
        ['--config=configs/codes.py', '--task=codes', '--workdir={new}',
         '--out=a.txt'], ['--out=a.txt', '.png']),
    'training with the config of codes': (
        ['--config=configs/codes.py', '--workdir={new}'], ['--task=codes']),
    'comparison of a config with itself': (
        [*experiment_with(), '--task=compare', f'--compare={Q[9:]}',
         '--workdir={new}'],
        ['configs/quickstart.py twice', 'each config once']),
    'momentum of one and a half': (
        experiment_with(optimizer__momentum=1.5),
        ['config.optimizer.momentum=1.5', 'a number of 0 or more, below 1']),
    'epochs without end': (
        experiment_with(run__epochs='inf'), ['config.run.epochs=inf']),
    'factor that is no number': (
        experiment_with(optimizer__drops='((1,nan),)'),
        ['config.optimizer.drops=((1,nan),)', '(11, 0.1)']),
    'section in place of a field': (
        [Q, '--config.model=3'],
        ['--config.model=3 sets a whole section', '--config.model.']),
    'element of a field': (
        [Q, '--config.model.kernels[0]=8'],
        ["no field 'model.kernels[0]'", 'did you mean model.kernels']),
    'network that no machine holds': (
        experiment_with(model__neurons=(1_000_000, 1_000_000)),
        ['config.model with 4,000,', 'parameters', 'GB']),
    'flag that is neither true nor false': (
        [Q, '--task=describe', '--json=maybe'],
        ['--json=maybe', 'True or False']),
    'split that is none': (
        ['--task=features', '--workdir={old}', '--split=dev'],
        ['--split=dev', 'one of train, validation']),
    'no process': (
        [Q, '--num_processes=0'], ['--num_processes=0', '1 or more']),
    'step that only looks like a number': (
        ['--task=evaluate', '--workdir={old}', '--checkpoint=²'], ['²']),
    'workdir in a bucket': (
        [Q, '--workdir=gs://bucket/run'],
        ['--workdir=gs://bucket/run', 'mount it', 'gcsfuse']),
    'config on the web': (
        ['--config=https://host/config.py'],
        ['--config=https://host/config.py', 'copy it']),
    'pictures in a bucket': (
        ['--task=predict', '--workdir={old}', '--images', '{photos}',
         'gs://bucket/a.jpg'], ['--images=gs://bucket/a.jpg']),
    'workdir without a name': ([Q, '--workdir='], ['--workdir= is empty']),
    'workdir below a file': (
        [Q, '--workdir=README.md/run'],
        ['--workdir=README.md/run', 'below the file', 'README.md:']),
    'workdir that a terminal would obey': (
        [Q, '--workdir=README.md/\x1b[2J\u202e'],
        [r'README.md/\x1b[2J\u202e is below']),
    'loss that is no number': (
        [*experiment_with(optimizer__learning_rate=1e8, run__save_every=1,
                          run__evaluate_every=6), '--workdir={new}'],
        ['the loss is nan', 'at step', 'newest checkpoint',
         'config.optimizer.learning_rate']),
}


@pytest.fixture(scope='module')
def answers(trained, compiled, tmp_path_factory):
  """{name: (exit code, output, errors, how {new} and others are called)}."""
  folder = tmp_path_factory.mktemp('refused')
  photos = tiny.write_photos(folder / 'photos')
  empty = tiny.write_photos(folder / 'empty_class')
  for name in os.listdir(folder / 'empty_class/train/dog'):
    (folder / 'empty_class/train/dog' / name).unlink()
  broken = tiny.write_photos(folder / 'broken')
  for path in (folder / 'broken/val').glob('*/*'):
    path.write_bytes(b'no picture at all')
  for place in ('ambiguous/train/a/1', 'ambiguous/training/a/1',
                'tested/Testing/a/1', 'tested/Testing/b/1', 'single/a/1',
                'single/b/1', 'flat/1', 'flat/2'):
    path = folder / f'{place}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / 'photos/val/cat/0.png', path)
  names = [{'new': str(folder / str(i)), 'old': trained[1], 'photos': photos,
            'empty_class': empty, 'broken': broken} | {
                name: str(folder / name)
                for name in ('ambiguous', 'tested', 'single', 'flat')}
           for i in range(len(REFUSED))]
  lines = []
  for (arguments, _), called in zip(REFUSED.values(), names, strict=True):
    line = [argument.format(**called) for argument in arguments]
    if not any('--workdir' in argument or '--task' in argument
               for argument in [*line, *(['--workdir'] if not line else [])]):
      line.append(f'--workdir={called["new"]}')  # should it be let through
    lines.append(line)
  results = program.launch_many(lines, compiled)
  return {name: (*result, called) for name, result, called in zip(
      REFUSED, results, names, strict=True)}


@pytest.mark.parametrize('name', REFUSED)
def test_what_cannot_work_is_refused_in_one_sentence(name, answers):
  code, out, err, called = answers[name]
  said = err.splitlines()[-1] if name == 'loss that is no number' else err
  assert said.startswith('launch.py: ') and said.count('launch.py: ') == 1, err
  assert 'Traceback' not in err
  assert said.rstrip('\n').count('\n') == 0
  for part in REFUSED[name][1]:
    assert part.format(**called) in said
  assert code == 2 and not out
