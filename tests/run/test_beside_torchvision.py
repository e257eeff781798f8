"""Logits beside those of torchvision's own modules, where it is installed."""

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax import config_files
from alexnet_jax.export import operations, torch_file
from alexnet_jax.network import placement
from alexnet_jax.run import (
  experiment,
  foreign,
  torchvision_forms,
  typed_config,
  weights,
)

torch = pytest.importorskip('torch')
torchvision = pytest.importorskip('torchvision')
CLASSES = 5
MEAN, STDDEV = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
RESNET = {'blocks': (1, 1, 1, 1), 'stride_in_3x3': True,
          'centered_pooling': True}
VGG = {'kernels': (2, 3, 4, 4, 512), 'convolutions': (1, 1, 2, 2, 1),
       'neurons': (8, 12), 'inverted_dropout': True}
GOOGLENET = {'norm': 'batch', 'norm_epsilon': 1e-3, 'large_kernel': 3,
             'last_pooling': 2, 'side_classifiers': False}


def resnet(block):
  return torchvision.models.ResNet(block, [1, 1, 1, 1], num_classes=CLASSES)


def vgg():
  layers = torchvision.models.vgg.make_layers(
      [2, 'M', 3, 'M', 4, 4, 'M', 4, 4, 'M', 512, 'M'])
  net = torchvision.models.VGG(layers, init_weights=False)
  nn = torch.nn
  net.classifier = nn.Sequential(
      nn.Linear(512 * 49, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 12),
      nn.ReLU(), nn.Dropout(), nn.Linear(12, CLASSES))
  return net


def googlenet():
  return torchvision.models.googlenet(
      num_classes=CLASSES, init_weights=False, aux_logits=False,
      transform_input=True)


# name: (torchvision's, our network, its fields, side, divisor of pixels or ()).
PROBLEMS = {
    'small blocks': (
        lambda: resnet(torchvision.models.resnet.BasicBlock), 'resnet', RESNET,
        64),
    'bottlenecks': (
        lambda: resnet(torchvision.models.resnet.Bottleneck), 'resnet',
        RESNET | {'bottlenecks': True}, 75),
    'vgg': (vgg, 'vgg', VGG, 224),
    'googlenet': (googlenet, 'googlenet', GOOGLENET, 64)}


def randomize(net):
  torch.manual_seed(0)
  torch.set_num_threads(1)
  for module in net.modules():
    if isinstance(module, torch.nn.BatchNorm2d):
      module.running_mean.normal_(0, 0.1)
      for array in (module.running_var, module.weight):
        torch.nn.init.uniform_(array, 0.5, 2)
    elif hasattr(module, 'weight'):
      torch.nn.init.kaiming_normal_(module.weight)
    if getattr(module, 'bias', None) is not None:
      torch.nn.init.normal_(module.bias, 0, 0.1)
  return net.eval()


def taken(net, model, folder):
  """The variables of a model with the arrays of a module of torchvision."""
  torch.save(net.state_dict(), folder / 'net.pth')
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  made = foreign.open_file(str(folder / 'net.pth'), model).into(
      weights.to_layers(model, shapes), 'rgb', True)
  assert not made.new
  return weights.from_layers(made.layers)


def difference(net, model, variables, mean, kind='float32'):
  """That of the logits of a random picture, and what torchvision reads."""
  side = model.patch
  image = np.random.default_rng(0).integers(0, 256, (side, side, 3))
  normalized = torch.tensor(
      ((image / 255 - MEAN) / STDDEV).transpose(2, 0, 1)[None],
      dtype=getattr(torch, kind))
  with torch.no_grad():
    theirs = net.to(getattr(torch, kind))(normalized).numpy()
  with jax.enable_x64(kind == 'float64'):
    variables = jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), variables)
    patch = jnp.asarray((image - np.array(mean))[None], kind)
    ours = np.asarray(jax.jit(model.apply)(variables, patch)[0])
  return np.abs(ours - theirs).max() / np.abs(theirs).max(), normalized, theirs


@pytest.mark.parametrize('name', PROBLEMS)
def test_logits_are_those_of_torchvision_and_its_module_takes_ours(
    name, tmp_path):
  make, network, fields, side = PROBLEMS[name]
  net = randomize(make())
  mean, stddevs = ((127.5,) * 3,) * 2 if network == 'googlenet' else (
      255 * MEAN, tuple(255 * STDDEV))
  model = nets.build(network, placement.make_mesh(1, 1, 1), CLASSES, side,
                     **fields, pixel_stddevs=stddevs)
  variables = taken(net, model, tmp_path)
  differs, normalized, theirs = difference(net, model, variables, mean)
  assert differs < 1e-5

  arrays = torch_file.state_dict(
      operations.operations(model, variables), np.zeros((side, side, 3)))
  del arrays['mean']
  again = randomize(make())
  again.load_state_dict({
      key: torch.tensor(array) for key, array in arrays.items()})
  with torch.no_grad():
    np.testing.assert_array_equal(again.eval()(normalized), theirs)


@pytest.mark.slow
@pytest.mark.parametrize('name, path', [
    *((f'resnet{depth}', f'resnet.py:{depth},torchvision')
      for depth in (18, 34, 50, 101, 152)),
    ('vgg16', 'vgg16.py:torchvision'), ('vgg19', 'vgg19.py:torchvision'),
    ('googlenet', 'googlenet.py:torchvision')])
def test_whole_networks_have_the_logits_of_torchvision(name, path, tmp_path):
  more = {} if name.startswith('resnet') else {'init_weights': False}
  if name == 'googlenet':
    more |= {'aux_logits': False, 'transform_input': True}
  net = randomize(getattr(torchvision.models, name)(**more))
  fields = {} if name != 'googlenet' else {'model.side_classifiers': False}
  config = config_files.load(f'configs/history/{path}', fields, 'config')
  model = experiment.build(typed_config.read(config), 1000, 1_281_167).model
  variables = taken(net, model, tmp_path)
  assert torchvision_forms.name(model) == name
  assert not torchvision_forms.differences(model)
  most = {'float32': 1e-5}
  if name.startswith('vgg'):  # norms are float32 in every precision
    most['float64'] = 1e-12
  for kind, bound in most.items():
    differs, *_ = difference(net, model, variables, config.augment.mean_pixel,
                             kind)
    print(f'{name} {kind}: {differs:.1e}')
    assert differs < bound
