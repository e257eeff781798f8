"""Pages in a real browser: nothing is wrong, too wide, missing or fetched."""

import browser
import pytest
import tiny
from PIL import Image

from alexnet_jax.pages import comparison_page, run_page
from alexnet_jax.results import runs
from alexnet_jax.run import training, typed_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.find() is None, reason=(
        'needs Chromium: apt-get install chromium, or its path in CHROMIUM'))]


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
  """The page of a run and that of a comparison."""
  folder = tmp_path_factory.mktemp('pages')
  path = 'configs/quickstart.py'
  trained = []
  for seed in (0, 1):
    workdir = str(folder / f'seed_{seed}')
    training.train(
        typed_config.read(tiny.config({'seed': seed})), workdir,
        command=' '.join(['python launch.py', *tiny.flags({'seed': seed})]
                         ).replace('(', '"(').replace(')', ')"'))
    trained.append((f'{path}:{seed}', [runs.read(workdir)]))
  run = run_page.make(workdir)
  cells = ['a config with a rather long name', *'123456789' * 3]
  comparison_page.make(str(folder), trained, cells, [cells] * 3)
  return run, str(folder / comparison_page.NAME)


@pytest.fixture(scope='module')
def tab(tmp_path_factory):
  """An open browser."""
  with browser.opened(tmp_path_factory.mktemp('profile')) as opened:
    yield opened


@pytest.mark.parametrize('width', [400, 1400])
def test_nothing_is_wider_than_the_window(pages, tab, width):
  for path in pages:
    layout = tab.open(path, width)
    assert layout['window'] == layout['page'] == width
    assert layout['wide'] == []
    # As well with everything unfolded.
    tab.evaluate('document.querySelectorAll("details")'
                 '.forEach(one => one.open = true)')
    unfolded = tab.layout()
    assert unfolded['page'] == width
    assert unfolded['wide'] == []
    assert unfolded['height'] > layout['height']


def test_all_pictures_are_loaded_and_all_links_lead_somewhere(pages, tab):
  layout = tab.open(pages[0], 1400)
  assert layout['images'] > 20
  assert layout['broken'] == layout['dead'] == 0


def test_it_is_light_or_dark_as_the_system_is(pages, tab, tmp_path):
  means = []
  for dark in (False, True):
    tab.open(pages[0], 1400, dark)
    tab.screenshot(tmp_path / 'page.png')
    with Image.open(tmp_path / 'page.png') as picture:
      assert picture.width == 1400
      assert picture.height > 2000
      means.append(picture.convert('L').resize((1, 1)).getpixel((0, 0)))
  assert means[0] > 200
  assert means[1] < 120


def test_the_browser_complains_about_nothing_and_fetches_nothing(pages, tab):
  for path in pages:
    tab.open(path, 1400)
  assert tab.complaints == []


def test_complaints_and_wide_parts_would_be_noticed(tab, tmp_path):
  bad = tmp_path / 'bad.html'
  bad.write_text(
      '<!DOCTYPE html><html><head><link rel="icon" href="data:,"></head><body>'
      '<img src="none.png"><a href="#nowhere">a</a>'
      '<div style="width: 3000px">wide</div>'
      '<script>console.error("wrong")</script></body></html>')
  layout = tab.open(bad, 1400)
  assert layout['wide']
  assert layout['broken'] == layout['dead'] == 1
  assert len(tab.complaints) >= 2
  tab.complaints.clear()
