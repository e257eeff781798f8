"""A headless Chromium that opens a file, over its DevTools pipe.

The pipe needs no package: messages are JSON with a zero byte after each.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
# The browser reads commands from 3 and answers on 4.
CONNECT = """
import os, sys
ends = [os.dup(int(end)) for end in sys.argv[1:3]]
for number, end in zip((3, 4), ends):
  os.dup2(end, number)
  os.set_inheritable(number, True)
os.execv(sys.argv[3], sys.argv[3:])
"""
# What is wider than the window or was not loaded; boxes that scroll may hold
# wide tables.
LAYOUT = """
JSON.stringify({
  window: window.innerWidth,
  page: document.documentElement.scrollWidth,
  wide: [...document.querySelectorAll('body *')].filter(
      one => !one.parentElement.closest('.scroll, pre')
          && one.getBoundingClientRect().right > window.innerWidth + 0.5)
      .map(one => one.outerHTML.slice(0, 80)),
  images: document.images.length,
  broken: [...document.images].filter(
      one => !one.complete || !one.naturalWidth).length,
  dead: [...document.querySelectorAll('a[href^="#"]')].filter(
      one => !document.getElementById(one.hash.slice(1))).length,
  height: document.documentElement.scrollHeight,
  ground: getComputedStyle(document.body).backgroundColor})
"""


def find():
  """The path of a browser, or None."""
  return os.environ.get('CHROMIUM') or next(
      filter(None, map(shutil.which, NAMES)), None)


class Browser:
  """One tab of a browser."""

  def __init__(self, process, write, read):
    self._process, self._write, self._read = process, write, read
    self._left, self._number, self._session = b'', 0, None
    self.complaints = []  # what the console and the network report
    target = self.send('Target.createTarget', url='about:blank')['targetId']
    self._session = self.send('Target.attachToTarget', targetId=target,
                              flatten=True)['sessionId']
    for domain in ('Page', 'Runtime', 'Log', 'Network'):
      self.send(f'{domain}.enable')

  def send(self, method, **parameters):
    """Sends a command and returns its result."""
    self._number += 1
    session = {'sessionId': self._session} if self._session else {}
    message = json.dumps({'id': self._number, 'method': method,
                          'params': parameters, **session}).encode() + b'\0'
    os.write(self._write, message)
    while True:
      answer = self._receive()
      if answer.get('id') == self._number:
        assert 'error' not in answer, answer
        return answer['result']

  def open(self, path, width, dark=False):
    """Opens a file in a window of a width; returns its layout."""
    self.send('Emulation.setDeviceMetricsOverride', width=width, height=900,
              deviceScaleFactor=1, mobile=width < 600)
    self.send('Emulation.setEmulatedMedia', features=[
        {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])
    self.send('Page.navigate', url=f'file://{os.path.abspath(path)}')
    end = time.monotonic() + 60
    while self.evaluate('document.readyState') != 'complete':
      assert time.monotonic() < end
      time.sleep(0.05)
    return self.layout()

  def layout(self):
    """The widths and heights of the page, what is too wide, what is broken."""
    return json.loads(self.evaluate(LAYOUT))

  def evaluate(self, script):
    """The value of a JavaScript expression in the page."""
    return self.send('Runtime.evaluate', expression=script)['result'].get(
        'value')

  def screenshot(self, path):
    """Writes a picture of the whole page."""
    data = self.send('Page.captureScreenshot', captureBeyondViewport=True)
    with open(path, 'wb') as file:
      file.write(base64.b64decode(data['data']))

  def pdf(self, path):
    """Prints the page."""
    with open(path, 'wb') as file:
      file.write(base64.b64decode(self.send(
          'Page.printToPDF', printBackground=True)['data']))

  def _receive(self):
    while b'\0' not in self._left:
      ready, _, _ = select.select([self._read], [], [], 60)
      assert ready, 'the browser does not answer'
      part = os.read(self._read, 2**20)
      assert part, 'the browser has ended'
      self._left += part
    message, _, self._left = self._left.partition(b'\0')
    event = json.loads(message)
    self._note(event.get('method', ''), event.get('params', {}))
    return event

  def _note(self, method, content):
    if method in ('Log.entryAdded', 'Runtime.consoleAPICalled',
                  'Runtime.exceptionThrown'):
      self.complaints.append(content)
    elif method == 'Network.requestWillBeSent':
      url = content['request']['url']
      if not url.startswith(('file:', 'data:', 'about:')):
        self.complaints.append(url)


@contextlib.contextmanager
def opened(profile):
  """Yields a Browser whose profile is in a folder."""
  their_read, our_write = os.pipe()
  our_read, their_write = os.pipe()

  process = subprocess.Popen(
      [sys.executable, '-c', CONNECT, str(their_read), str(their_write), find(),
       '--headless=new', '--no-sandbox', '--disable-gpu',
       '--disable-dev-shm-usage', '--no-first-run', '--hide-scrollbars',
       f'--user-data-dir={profile}', '--remote-debugging-pipe'],
      pass_fds=(their_read, their_write), stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL, start_new_session=True)
  os.close(their_read)
  os.close(their_write)
  try:
    yield Browser(process, our_write, our_read)
  finally:
    os.close(our_write)  # which ends the browser
    try:
      process.wait(20)
    except subprocess.TimeoutExpired:
      process.kill()
    os.close(our_read)
