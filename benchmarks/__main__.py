"""`python -m benchmarks [name …]`: all of them, or those that are named."""

import argparse
import importlib
from pathlib import Path

_SUPPORT = {"__init__", "__main__", "load", "measure", "processes", "servers", "sink"}


def main() -> None:
    """Run each benchmark's `main()` in turn."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in _SUPPORT)
    parser = argparse.ArgumentParser(prog="benchmarks", description="Print ratios of interleaved rounds.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of: {', '.join(names)}; all when left out")
    chosen = parser.parse_args().names or names
    for name in chosen:
        if name not in names:
            parser.error(f"there is no benchmark {name!r}; there are: {', '.join(names)}")
    for name in chosen:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
