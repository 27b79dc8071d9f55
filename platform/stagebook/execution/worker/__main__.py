"""The process of one attempt, where it is not forked."""

import sys

from stagebook.execution.worker.main import main

raise SystemExit(main(sys.argv[1]))
