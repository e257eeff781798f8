"""The processes of a run that is measured."""

import os
import signal
import subprocess

import pytest

from benchmarks import processes


def test_no_process_is_left_when_one_fails(tmp_path, monkeypatch):
  program = tmp_path / 'python'
  program.write_text("""#!/bin/sh
case "$*" in *--process=0*) exit 3 ;; esac
exec sleep 30
""")
  os.chmod(program, 0o755)
  started = []

  class Recorded(subprocess.Popen):

    def __init__(self, *args, **kwargs):
      super().__init__(*args, **kwargs)
      started.append(self)

  monkeypatch.setattr(processes.sys, 'executable', str(program))
  monkeypatch.setattr(subprocess, 'Popen', Recorded)
  with pytest.raises(subprocess.CalledProcessError, match='exit status 3'):
    processes.run(processes.Start(2, 1), str(tmp_path / 'run'), 4)
  assert [process.poll() for process in started] == [3, -signal.SIGKILL]
