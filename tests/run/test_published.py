"""Published weights give the logits of the programs that they come from."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import published_files as other
import pytest
from safetensors.numpy import save_file

from alexnet_jax import config_files
from alexnet_jax.array_files import layer_names, reading
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, step
from alexnet_jax.network.shapes import layer_shapes
from alexnet_jax.run import experiment, published, typed_config, weights

GROUPS = {'torchvision': (1,) * 5, 'caffe_alexnet': (1, 2, 1, 2, 2),
          'caffenet': (1, 2, 1, 2, 2)}
NAMES = tuple(GROUPS)
MEAN = np.array([104.007, 116.669, 122.679])  # BGR
WIDE = {'paper': {'model.kernels': (2, 3, 4, 3, 4), 'model.neurons': (5, 6)}}


def config_of(name, fields=None):
  path = 'paper.py' if name == 'paper' else f'published/{name}.py'
  return config_files.load(
      f'configs/{path}', WIDE.get(name, other.NARROW) | (fields or {}),
      'config')


def built_of(name, fields=None):
  return experiment.build(
      typed_config.read(config_of(name, fields)), other.CLASSES, 1_281_167)


def arrays_of(name, side=6):
  return other.random_arrays(GROUPS.get(name, (1, 2, 1, 2, 2)), side)


def saved(folder, arrays, form):
  """The path of a file of weights in one of the forms."""
  path = f'{folder}/weights.'
  match form:
    case 'safetensors':
      save_file(other.state_dict(arrays), path + form)
    case 'npz':
      np.savez(path + form, **other.state_dict(arrays))
    case 'parallel':
      form = 'npz'
      np.savez(path + form, **{f'module.{name}': leaf for name, leaf
                               in other.state_dict(arrays).items()})
    case 'caffe 0' | 'caffe 1' | 'caffe 2':
      version, form = int(form[-1]), 'caffemodel'
      with open(path + form, 'wb') as file:
        file.write(other.caffemodel(arrays, version))
    case 'tensorflow':
      form = 'npy'
      np.save(path + form, other.tensorflow(arrays))
    case 'lists':
      form = 'npy'
      np.save(path + form, {name: list(leaves.values()) for name, leaves
                            in other.tensorflow(arrays).items()})
    case 'caffe dictionary':
      form = 'npy'
      np.save(path + form, {name: list(leaves) for name, leaves
                            in arrays.items()})
    case '2012':
      form = 'npy'
      np.save(path + form, {'model_state': {
          'layers': [{'name': 'data', 'type': 'data'},
                     *other.of_2012(arrays).values()]}})
  return path + form


def imported(path, model, params):
  found = layer_names.recognize(path, reading.read(path))
  wants = published.needed_kernels(model)
  common = published.in_common_form(path, found, wants)
  made = published.replace_layers(
      weights.to_layers(model, params), common, wants, found.order)
  return weights.from_layers(made.layers), made


def params_of(name, folder, form, fields=None, side=6):
  """(arrays of the file, experiment, parameters that have them)."""
  built, arrays = built_of(name, fields), arrays_of(name, side)
  zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype),
                       jax.eval_shape(built.model.init, jax.random.key(0)))
  return arrays, built, imported(
      saved(folder, arrays, form), built.model, zeros)[0]


def picture(side, seed=1):
  return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def reference(name, arrays, patch):
  if name == 'torchvision':
    return other.torchvision(arrays, patch.astype(np.float64))
  return other.caffe(arrays, patch.astype(np.float64), MEAN[:, None, None],
                     name == 'caffenet')


FORM = {'torchvision': 'safetensors', 'caffe_alexnet': 'caffe 2',
        'caffenet': 'caffe 1'}


@pytest.mark.parametrize('name', NAMES)
def test_logits_are_those_of_the_program_in_float64(name, tmp_path):
  arrays, built, params = params_of(name, tmp_path, FORM[name])
  patch = picture(built.model.patch)
  mean = np.array(built.settings.augmentation.mean_pixel)
  with jax.enable_x64(True):
    wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
    logits, _ = jax.jit(built.model.apply)(
        wide, jnp.asarray(patch - mean)[None])
    assert logits.dtype == np.float64
    logits = np.asarray(logits[0])
  expected = reference(name, arrays, patch)
  assert np.abs(expected).max() > 0.1
  np.testing.assert_allclose(logits, expected, rtol=0,
                             atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize('name', NAMES)
def test_probabilities_of_a_whole_picture_are_those_of_the_program(
    name, tmp_path):
  arrays, built, params = params_of(name, tmp_path, FORM[name])
  image = picture(256, 2)
  mean = np.array(built.settings.augmentation.mean_pixel, np.float32)
  stats = augment.PixelStats(np.broadcast_to(mean, (256, 256, 3)),
                             np.eye(3, dtype=np.float32), np.zeros(3, 'f'))
  crops = augment.test_crops(256, built.model.patch, 1)
  ours = jax.jit(lambda params, images: step.mean_over_crops(
      built.model, crops, params, stats, images))(params, image[None])[0]
  logits = reference(
      name, arrays, augment.central_crop(image, built.model.patch))
  expected = np.exp(logits - logits.max())
  np.testing.assert_allclose(ours, expected / expected.sum(), rtol=1e-5)


@pytest.mark.parametrize('name, outputs', [
    ('torchvision', (3, 3, 6)), ('caffe_alexnet', (4, 4, 6))])
def test_a_partial_window_counts_in_caffe_only(name, outputs, tmp_path):
  side = {'torchvision': 1, 'caffe_alexnet': 2}[name]
  crop = {'torchvision': 72, 'caffe_alexnet': 75}[name]
  arrays, built, params = params_of(
      name, tmp_path, FORM[name], {'augment.crop': crop}, side)
  maps = dict(zip(published.needed_kernels(built.model), [
      at.outputs for at in layer_shapes(
          built.model.layers, 1, crop)], strict=False))
  assert maps['conv2'] == outputs
  patch = picture(crop)
  mean = np.array(built.settings.augmentation.mean_pixel)
  logits, _ = jax.jit(built.model.apply)(
      params, (patch - mean).astype('f')[None])
  np.testing.assert_allclose(logits[0], reference(name, arrays, patch),
                             rtol=1e-4, atol=1e-6)


def test_torchvision_agrees_with_pytorch(tmp_path):
  torch = pytest.importorskip('torch')
  torch.set_num_threads(1)
  nn, (a, b, c, d, e), (f, g) = torch.nn, other.KERNELS, other.NEURONS
  pool = lambda: nn.MaxPool2d(3, 2)
  net = nn.Module()
  net.features = nn.Sequential(
      nn.Conv2d(3, a, 11, 4, 2), nn.ReLU(), pool(), nn.Conv2d(a, b, 5, 1, 2),
      nn.ReLU(), pool(), nn.Conv2d(b, c, 3, 1, 1), nn.ReLU(),
      nn.Conv2d(c, d, 3, 1, 1), nn.ReLU(), nn.Conv2d(d, e, 3, 1, 1), nn.ReLU(),
      pool())
  net.classifier = nn.Sequential(
      nn.Dropout(), nn.Linear(36 * e, f), nn.ReLU(), nn.Dropout(),
      nn.Linear(f, g), nn.ReLU(), nn.Linear(g, other.CLASSES))
  net.eval()
  path, image = str(tmp_path / 'net.pth'), picture(224)
  torch.save({'epoch': 3, 'state_dict': net.state_dict()}, path)
  built = built_of('torchvision')
  params, _ = imported(path, built.model, jax.eval_shape(
      built.model.init, jax.random.key(0)))
  mean, std = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])

  def theirs(kind):
    x = torch.tensor(((image / 255 - mean) / std).transpose(2, 0, 1)[None])
    with torch.no_grad():
      double = net.to(kind)
      maps = double.features(x.to(kind))
      return double.classifier(maps.flatten(1)).numpy()

  def ours(kind):
    wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, kind), params)
    return jax.jit(built.model.apply)(
        wide, jnp.asarray(image - 255 * mean, kind)[None])[0]

  np.testing.assert_allclose(ours(jnp.float32), theirs(torch.float32),
                             rtol=1e-5, atol=1e-6)
  with jax.enable_x64(True):
    np.testing.assert_allclose(ours(jnp.float64), theirs(torch.float64),
                               rtol=1e-12, atol=1e-13)


# --- Forms --------------------------------------------------------------------


@pytest.mark.parametrize('name, one, others', [
    ('torchvision', 'npz', ('safetensors', 'parallel')),
    ('caffe_alexnet', 'caffe 2', ('caffe 0', 'caffe 1', 'tensorflow', 'lists',
                                  'caffe dictionary'))])
def test_every_form_of_the_same_weights_gives_the_same_parameters(
    name, one, others, tmp_path):
  first = params_of(name, tmp_path, one)[2]
  for form in others:
    again = params_of(name, tmp_path, form)[2]
    jax.tree.map(np.testing.assert_array_equal, again, first)


def test_the_matrices_of_2012_fit_the_columns_of_the_paper(tmp_path):
  arrays, built, params = params_of('paper', tmp_path, '2012')
  assert params['columns']['conv3']['kernel'].shape == (2, 3, 3, 6, 4)
  patch = np.random.default_rng(1).normal(0, 50, (224, 224, 3))
  logits, features = jax.jit(built.model.apply)(
      params, patch.astype('f')[None])
  expected = other.forward(
      arrays, patch.transpose(2, 0, 1), stride_padding=(0, 3),
      groups=(1, 2, 1, 2, 2), ceil=True, norm=(2, 5, 1e-4, 2), halve=True)
  for ours, theirs in zip((logits, features), expected, strict=True):
    np.testing.assert_allclose(ours[0], theirs, rtol=1e-4, atol=1e-5)


def test_caffe_s_weights_fit_the_columns_of_the_paper_too(tmp_path):
  one = params_of('paper', tmp_path, '2012')[2]
  same = params_of('paper', tmp_path, 'caffe 2')[2]
  turned = same['columns']['conv1']['kernel'][:, :, :, ::-1]  # they were BGR
  np.testing.assert_array_equal(turned, one['columns']['conv1']['kernel'])
  same['columns']['conv1'] = one['columns']['conv1']
  jax.tree.map(np.testing.assert_array_equal, same, one)


def test_norms_stay_within_groups_if_the_config_says_so(tmp_path):
  arrays, built, params = params_of(
      'caffe_alexnet', tmp_path, 'caffe 2',
      {'model.norm_groups': 2, 'model.norm_alpha': 1.0})
  patch = np.random.default_rng(1).normal(0, 50, (227, 227, 3))
  logits, _ = jax.jit(built.model.apply)(params, patch.astype('f')[None])
  expected = other.forward(
      arrays, patch[..., ::-1].transpose(2, 0, 1), stride_padding=(0, 0),
      groups=(1, 2, 1, 2, 2), ceil=True, norm=(1, 5, 1.0, 2))[0]
  np.testing.assert_allclose(logits[0], expected, rtol=1e-4, atol=1e-6)


# --- Parts --------------------------------------------------------------------


def test_what_a_file_lacks_stays_as_it_was(tmp_path):
  built, arrays = built_of('torchvision'), arrays_of('torchvision')
  named = {name: leaf for name, leaf in other.state_dict(arrays).items()
           if name.startswith('features') and name != 'features.3.bias'}
  named['features.0.weight'][:2] = 0  # pruned kernels
  np.savez(tmp_path / 'part.npz', **named)
  fresh = jax.tree.map(lambda leaf: np.full(leaf.shape, 5, leaf.dtype),
                       jax.eval_shape(built.model.init, jax.random.key(0)))
  params, made = imported(str(tmp_path / 'part.npz'), built.model, fresh)
  assert published.summary(made, 'X') == (
      'Took conv1 to conv5 from X; no bias for conv2; fc6 to fc8 are new.')
  kernel = params['columns']['conv1']['kernel']
  assert (kernel[..., :2] == 0).all() and (kernel[..., 2:] != 0).any()
  assert (params['columns']['conv2']['bias'] == 5).all()
  assert (params['columns']['fc6']['kernel'] == 5).all()
  assert (params['fc8']['kernel'] == 5).all()


def test_layers_between_others_may_be_missing(tmp_path):
  built, arrays = built_of('torchvision'), arrays_of('torchvision')
  np.savez(tmp_path / 'part.npz', **{
      name: leaf for name, leaf in other.state_dict(arrays).items()
      if not name.startswith(('features.3', 'classifier.4'))})
  fresh = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype),
                       jax.eval_shape(built.model.init, jax.random.key(0)))
  made = imported(str(tmp_path / 'part.npz'), built.model, fresh)[1]
  assert published.summary(made, 'X') == (
      'Took conv1, conv3 to fc6, fc8 from X; conv2, fc7 are new.')


def refusal(path, name='torchvision'):
  built = built_of(name)
  with pytest.raises(InputError) as refused:
    imported(str(path), built.model, {})
  sentence = str(refused.value)
  assert '\n' not in sentence and str(path) in sentence
  return sentence


def changed(tmp_path, change):
  named = other.state_dict(arrays_of('torchvision'))
  change(named)
  np.savez(tmp_path / 'net.npz', **named)
  return refusal(tmp_path / 'net.npz')


def test_another_network_is_refused_with_both_shapes(tmp_path):
  said = refusal(saved(tmp_path, arrays_of('caffe_alexnet'), 'npz'))
  assert 'conv1 [4, 3, 11, 11] + [4] | [4, 3, 11, 11] + [4]' in said
  assert 'conv2 [6, 2, 5, 5] + [6] | [6, 4, 5, 5] + [6]' in said
  assert 'give the --config of that network' in said


def test_transposed_weights_are_refused_with_both_shapes(tmp_path):
  def turn(name):
    return lambda named: named.update({name: named[name].T.copy()})

  assert 'fc6 [288, 10] + [10] | [10, 288] + [10]' in changed(
      tmp_path, turn('classifier.1.weight'))
  assert 'conv1 [11, 11, 3, 4] + [4]' in changed(
      tmp_path, turn('features.0.weight'))


def test_a_cut_bias_is_refused(tmp_path):
  assert 'conv2 [6, 4, 5, 5] + [5] | [6, 4, 5, 5] + [6]' in changed(
      tmp_path, lambda named: named.update(
          {'features.3.bias': named['features.3.bias'][1:]}))


def test_layers_that_alexnet_lacks_are_refused(tmp_path):
  said = changed(tmp_path, lambda named: named.update(
      {'features.1.running_mean': np.zeros(4)}))
  assert 'has features.1.running_mean [4] beside the layers' in said
  np.savez(tmp_path / 'vgg.npz', **{
      'conv1_1.weight': np.zeros((64, 3, 3, 3)), 'fc.bias': np.zeros(3)})
  assert ('none of the layers of AlexNet, only conv1_1.weight [64, 3, 3, 3],'
          ' fc.bias [3]') in refusal(tmp_path / 'vgg.npz')


def test_numbers_that_are_not_finite_are_refused(tmp_path):
  said = changed(tmp_path, lambda named: named['features.0.bias'].fill(np.nan))
  assert 'features.0.bias [4] of' in said and 'finite' in said
  for wrong in (np.array(['a'] * 4), np.ones(4, complex), np.zeros(4, 'V3')):
    assert 'not all finite numbers' in changed(
        tmp_path, lambda named, wrong=wrong: named.update(
            {'features.0.bias': wrong}))


def test_names_that_would_fill_the_screen_are_shortened(tmp_path):
  said = changed(tmp_path, lambda named: named.update(
      {'evil\n\x1b[2J' + 'x' * 500: np.zeros(4)}))
  assert 'evil??[2Jx' in said and len(said) < 400


def test_biases_alone_are_refused(tmp_path):
  np.savez(tmp_path / 'net.npz', **{'features.0.bias': np.zeros(4, 'f')})
  assert 'conv1 [4] | [4, 3, 11, 11] + [4]; conv2 missing' in refusal(
      tmp_path / 'net.npz')


def test_a_file_of_this_program_is_sent_to_init_from(tmp_path):
  np.savez(tmp_path / 'ours.npz', **{
      'conv1/kernel': np.zeros((2, 11, 11, 3, 4)),
      'pixels/mean': np.zeros((8, 8, 3))})
  assert '--init_from=' in refusal(tmp_path / 'ours.npz')


def test_a_classifier_of_another_name_is_left_out(tmp_path):
  arrays = arrays_of('caffe_alexnet')
  arrays['fc8_flickr'] = arrays.pop('fc8')
  path = saved(tmp_path, arrays, 'caffe 2')
  found = layer_names.recognize(path, reading.read(path))
  assert found.unused == ('fc8_flickr',) and 'fc8' not in found.arrays


def test_the_configs_state_the_published_sizes():
  counts = {}
  for name in NAMES:
    config = config_files.load(f'configs/published/{name}.py')
    built = experiment.build(typed_config.read(config), 1000, 1_281_167)
    counts[name] = sum(leaf.size for leaf in jax.tree.leaves(
        jax.eval_shape(built.model.init, jax.random.key(0))))
    json.dumps(config.to_dict())
  assert counts == {'torchvision': 61_100_840, 'caffe_alexnet': 60_965_224,
                    'caffenet': 60_965_224}
