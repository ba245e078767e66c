"""Programs that this machine may lack: only `run.py peers` collects what needs them."""

import os

collect_ignore_glob = [] if "HELIOGRAPH_PEERS" in os.environ else ["test_*.py"]
