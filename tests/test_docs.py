"""The examples of the documentation run as they are printed."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import program
import pytest
import tiny
import yaml
from PIL import Image

from alexnet_jax import config_files
from alexnet_jax.command_line import common_flags, config_flag
from alexnet_jax.results import (
  claims,
  figure1_ratios,
  report_table,
  runs,
  seeds_table,
)
from alexnet_jax.run import config_fields
from alexnet_jax.tasks import export, report

ROOT = pathlib.Path(__file__).parent.parent


def examples(page):
  """The Python blocks of a page."""
  text = (ROOT / page).read_text('utf-8')
  return re.findall(r'^```python\n(.*?)^```$', text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope='module')
def folder(trained, tmp_path_factory):
  """Where the examples run: a trained network, a config and photographs."""
  folder = tmp_path_factory.mktemp('examples')
  (folder / 'runs').mkdir()
  for name in ('quickstart', 'mine'):
    (folder / 'runs' / name).symlink_to(trained[1])
  (folder / 'configs').symlink_to(ROOT / 'configs')
  (folder / 'photos').mkdir()
  pixels = np.random.default_rng(0).integers(0, 256, (80, 90, 3))
  for name in ('photos/a.jpg', 'photos/b.png', 'a.jpg', 'b.jpg'):
    Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
  for name in ('stablehlo', 'onnx'):
    export.export(trained[1], out=str(folder / f'network.{name}'))
  return folder


def run(code, folder, compiled, path=''):
  environment = program.environment(compiled) | {'PYTHONPATH': path}
  done = subprocess.run([sys.executable, '-c', code], cwd=folder, text=True,
                        capture_output=True, env=environment)
  assert (done.returncode, done.stderr) == (0, '')
  return done.stdout


@pytest.mark.slow
def test_the_library_page_and_the_readme(folder, compiled):
  readme = (ROOT / 'README.md').read_text('utf-8').partition('## As a library')
  lines = re.findall(r'^    (.*)$', readme[2].partition('\n## ')[0],
                     re.MULTILINE)
  assert 3 < len(lines) <= 10
  code = '\n'.join([*examples('docs/library.md'), *lines])
  out = run(code, folder, compiled, str(ROOT))
  assert 'alexnet' in out and '%' in out


def test_jax_alone_runs_the_exported_program(folder, compiled):
  reader, in_onnxruntime = examples('docs/export.md')
  assert len(reader.strip().splitlines()) <= 15
  alone = '\nimport sys\nassert "alexnet_jax" not in sys.modules\n'
  out = run(reader + alone + in_onnxruntime, folder, compiled)
  assert len(out.splitlines()) == 2


def test_every_page_is_in_the_list_of_pages():
  listed = (ROOT / 'docs/README.md').read_text('utf-8')
  for page in os.listdir(ROOT / 'docs'):
    assert not page.endswith('.md') or page == 'README.md' or (
        f'[{page}]({page})' in listed), page


@pytest.fixture(scope='module')
def records(tmp_path_factory):
  """A folder with the records of all runs that are kept, in runs/."""
  folder = tmp_path_factory.mktemp('records')
  for archive in (ROOT / 'benchmarks/results').glob('*.tar.gz'):
    with tarfile.open(archive) as tar:
      tar.extractall(folder, filter='data')
  return folder


def test_reports_and_tables_are_what_the_records_of_runs_print(
    records, monkeypatch):
  monkeypatch.chdir(records)
  assert report.report('runs') == (ROOT / 'docs/report.md').read_text('utf-8')
  for page, form in (('overfitting', 'overfit'), ('converged', 'converged')):
    text = (ROOT / f'docs/{page}.md').read_text('utf-8')
    assert report.by_seed('runs', form) in text, page


def test_the_readme_has_the_differences_of_the_records(records):
  text = (ROOT / 'README.md').read_text('utf-8')
  printed = dict(re.findall(
      r'^\| .*\(`(\w+)`.* \| ([+-]\d.*) \|$', text, re.MULTILINE))
  finished = report.read_finished('runs', runs.workdirs(str(records)))
  rows = {}
  for row in report_table.claim_rows(claims.read(), finished):
    if (row.runs and row.runs[0].form in ('converged', 'overfit')
        and not row.runs[0].changed):  # the first of both
      rows.setdefault(row.claim.config.partition('/')[2], row)
  measured = {name: row.top1 for name, row in rows.items()}
  # What the paper says of weight decay is of the training error.
  baseline = {run.seed: run for run in reversed(finished)
              if (run.name, run.form) == ('ablations/baseline', 'overfit')}
  measured['no_weight_decay'] = runs.estimate([
      100 * (seeds_table.training_error(run)
             - seeds_table.training_error(baseline[run.seed]))
      for run in rows['no_weight_decay'].runs])
  assert len(printed) == 9
  ratio, = re.findall(r'\(Figure 1\) \| 6 \| (.*) \|$', text, re.MULTILINE)
  assert figure1_ratios.as_text(figure1_ratios.read(
      'cifar10/figure1', finished)) == f'{ratio} times'.replace('±', '+-')
  for name, difference in printed.items():
    mean, error = measured[name]
    assert difference == f'{mean:+.1f} ± {error:.1f}', name


def test_the_page_about_averages_has_the_numbers_of_its_commands():
  text = (ROOT / 'docs/ensembles.md').read_text('utf-8')
  tables = ' '.join(re.findall(r'^\|.*$', text, re.MULTILINE))
  results = json.loads((ROOT / 'benchmarks/results/ensembles_cpu.json')
                       .read_text('utf-8'))
  assert len(results) == text.count('  # ') == 7
  for result in results:
    measured = [result, *([result['against']] if 'against' in result else [])]
    for one in [*measured, *(
        network for group in measured for network in group['networks'])]:
      errors = [f'{100 * one[f"top{k}_error"]:.1f}' for k in (1, 5)]
      assert ' / '.join(errors) in tables
  compared = ('mean', 'mean', 'average', 'average', 'mean', 'average')
  gains = [results[0]['gain'], *(
      result['gain_over_against'][which]
      for result, which in zip(results[1:], compared, strict=True))]
  for gain in gains:
    for k in (1, 5):
      assert (f'{100 * gain[f"top{k}_error"]:+.1f} ±'
              f' {100 * gain[f"top{k}_standard_error"]:.1f}') in tables


def test_links_between_pages_lead_to_headings_and_files():
  for page in (ROOT / 'docs').glob('*.md'):
    text = page.read_text('utf-8')
    for target in re.findall(r'\]\(([^)\s]+)\)', text):
      if target.startswith('http'):
        continue
      path, _, heading = target.partition('#')
      file = (page.parent / path) if path else page
      assert file.exists(), f'{page.name}: {target}'
      if heading:
        titles = re.findall(r'^#+ (.*)$', file.read_text('utf-8'), re.MULTILINE)
        assert heading in {
            re.sub(r'[^\w -]', '', title.lower()).replace(' ', '-')
            for title in titles}, f'{page.name}: {target}'


def commands(page):
  """The commands of a page, each as a list of arguments of launch.py."""
  text = (ROOT / page).read_text('utf-8')
  blocks = re.findall(r'^    python launch\.py (.*?[^\\])$', text,
                      re.DOTALL | re.MULTILINE)
  return [shlex.split(block.replace('\\\n', ' ')) for block in blocks]


# What makes the runs of the page short, where its commands train.
SHORT = tiny.flags({'run.steps': 2, 'run.evaluate_every': 2, 'run.views': 1,
                    'optimizer.plateau': False})[1:]


@pytest.mark.slow
def test_the_page_about_ablations_runs_from_its_flags_to_its_report(
    compiled, tmp_path):
  shutil.copy(ROOT / 'launch.py', tmp_path)
  (tmp_path / 'alexnet_jax').symlink_to(ROOT / 'alexnet_jax')
  shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
  file, row = examples('docs/own_ablation.md')
  (tmp_path / 'configs/mine.py').write_text(file, 'utf-8')
  table = tmp_path / 'configs/ablations.py'
  before, head, after = table.read_text('utf-8').partition('ABLATIONS = {\n')
  table.write_text(before + head + row + after, 'utf-8')
  photos = tiny.write_photos(tmp_path / 'photos')
  for command in commands('docs/own_ablation.md'):
    prepares, reports = (f'--task={task}' in command
                         for task in ('prepare', 'report'))
    command = [part.replace('=PHOTOS', f'={photos}') for part in command]
    short = [] if reports or prepares else [
        flag for flag in SHORT if flag.split('=')[0] not in {
            part.split('=')[0] for part in command}]
    done = subprocess.run(
        [sys.executable, 'launch.py', *command, *short], cwd=tmp_path,
        text=True, capture_output=True, env=program.environment(compiled))
    assert done.returncode == 0, done.stderr
    if '--sweep' in ' '.join(command):
      head, *rows = done.stdout.splitlines()
      assert head.split()[:3] == [
          'config', 'optimizer.rule', 'optimizer.learning_rate']
      assert [line.split()[1:3] for line in rows[:4]] == [
          ['momentum', '0.001'], ['momentum', '0.01'], ['adamw', '0.001'],
          ['adamw', '0.01']]
  assert 'half of fc6 (small)' in (tmp_path / 'runs/report.md').read_text()
  assert (tmp_path / 'RECORDS/meta.json').exists()


@pytest.mark.parametrize('page', ['docs/own_ablation.md', 'docs/scaling.md'])
def test_a_page_names_fields_with_valid_values(page):
  checked = 0
  for command in commands(page):
    flags = dict(part[2:].split('=', 1) for part in command)
    if 'config' not in flags:
      continue
    config = config_files.load(str(ROOT / flags['config'].replace(
        'narrow_fc6', 'baseline').replace('mine.py', 'quickstart.py')))
    for part in command:
      field, _, value = part.removeprefix('--sweep=').removeprefix(
          '--config.').partition('=')
      if part.startswith(('--sweep=', '--config.')):
        sweep = part.startswith('--sweep=')
        for one in value.split(',') if sweep else [value]:
          changed = config.copy_and_resolve_references()
          changed.update_from_flattened_dict({field: config_flag.read_field(
              field, one, config, flags['config'])})
          config_fields.check(changed)
          checked += 1
  assert checked > 8


# --- Clusters -----------------------------------------------------------------


def scripts(kind):
  """The scripts of the page about clusters, in bash or yaml."""
  text = (ROOT / 'docs/clusters.md').read_text('utf-8')
  return re.findall(rf'^```{kind}\n(.*?)^```$', text, re.DOTALL | re.MULTILINE)


def test_the_job_script_is_valid_and_has_a_process_for_every_device():
  script, = scripts('bash')
  assert subprocess.run(['bash', '-n'], input=script, text=True).returncode == 0
  options = dict(re.findall(r'^#SBATCH --([\w-]+)=(\S+)$', script,
                            re.MULTILINE))
  assert options['ntasks-per-node'] == options['gpus-per-node']
  count = int(options['nodes']) * int(options['ntasks-per-node'])
  assert f'--config.mesh.data={count} ' in script


def test_the_job_of_pods_is_valid_and_has_a_pod_for_every_host():
  service, job = yaml.safe_load_all(scripts('yaml')[0])
  spec, pod = job['spec'], job['spec']['template']['spec']
  assert service['metadata']['name'] == pod['subdomain']
  assert service['spec']['selector'] == {'job-name': job['metadata']['name']}
  assert spec['completions'] == spec['parallelism']
  container, = pod['containers']
  x, y = pod['nodeSelector']['cloud.google.com/gke-tpu-topology'].split('x')
  assert int(x) * int(y) == (
      spec['parallelism'] * container['resources']['limits']['google.com/tpu'])
  assert f'--config.mesh.data={int(x) * int(y)} ' in container['command'][-1]
  assert [one['name'] for one in container['volumeMounts']] == [
      one['name'] for one in pod['volumes']]


def test_the_commands_for_clusters_have_flags_and_fields_that_exist():
  text = (ROOT / 'docs/clusters.md').read_text('utf-8')
  found = re.findall(r'python launch\.py ((?:--\S+\s+(?:\\\n\s*)?)+)',
                     text.replace("'", ' '))
  assert len(found) == 7
  for command in found:
    flags = dict(part[2:].partition('=')[::2] for part in command.split()
                 if part != '\\')
    config = config_files.load(str(ROOT / flags['config']))
    fields = {name.removeprefix('config.'): value
              for name, value in flags.items() if name.startswith('config.')}
    config.update_from_flattened_dict({
        name: config_flag.read_field(name, value, config, flags['config'])
        for name, value in fields.items()})
    config_fields.check(config)
    assert config.optimizer.batch_size % config.mesh.data == 0
    assert {name for name in flags if not name.startswith('config.')} <= set(
        common_flags.COMMON)
