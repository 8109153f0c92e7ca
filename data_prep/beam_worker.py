"""The process that Beam starts for a worker: Beam's own, which says nothing that is no error.

A Ctrl-C of a terminal reaches workers, too; the process that started them says so.
"""

import logging
import os
import signal
import sys

from spine_tf import cli, quiet


def main() -> None:
    """Works until the process that started it ends or says that all is done."""
    signal.signal(signal.SIGINT, lambda number, frame: os._exit(cli.EXIT_INTERRUPTED))
    quiet.quiet_libraries()
    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
