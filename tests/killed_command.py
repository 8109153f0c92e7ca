"""A command that is killed, at a moment or where it renames or removes a file."""

import subprocess
import sys
import time

# Kills its own process: when, of which file, the module, then the command's arguments.
_KILLED = """
import os, runpy, signal, sys
when, name, module = sys.argv[1:4]
del sys.argv[1:4]
def killing(call, at):
    def wrapped(*paths, **options):
        if not os.path.basename(paths[-1]).startswith(name):
            return call(*paths, **options)
        if at == "after":
            call(*paths, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    return wrapped
if when == "unlink":
    os.unlink = killing(os.unlink, "before")
else:
    os.replace = killing(os.replace, when)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


class Command:
    """A module with its arguments, and the lock that is there while it writes."""

    def __init__(self, module, lock, arguments):
        self._module, self._lock, self._arguments = module, lock, arguments

    def _start(self, *how):
        return subprocess.Popen(
            [sys.executable, *(how or ("-m", self._module)), *self._arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _start_writing(self):
        process = self._start()
        while process.poll() is None and not self._lock.exists():
            time.sleep(0.01)
        return process

    def run(self):
        """Runs it to its end; returns how many seconds it wrote."""
        process = self._start_writing()
        begun = time.monotonic()
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        return time.monotonic() - begun

    def kill(self, seconds):
        """Starts it and kills it so long after it has begun to write."""
        process = self._start_writing()
        time.sleep(seconds)
        process.kill()
        process.communicate()

    def kill_at(self, when, name, may_end=False):
        """Starts it, to be killed `before` or `after` a file is renamed, or when it is `unlink`ed.

        With `may_end` it may also end without coming to that.
        """
        process = self._start("-c", _KILLED, when, name, self._module)
        _, errors = process.communicate()
        assert process.returncode in ((-9, 0) if may_end else (-9,)), (when, name, errors)
