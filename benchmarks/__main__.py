"""`python -m benchmarks [--short] [name …]`: all of them, or those that are named."""

import argparse
import importlib

from benchmarks.measure import IN_FULL, SHORT

BENCHMARKS = {
    "accept": "durable accept beside a bare echo",
    "path": "CPU of a delivered localized e-mail beside an echo",
    "calls": "SMTP over kept connections beside one for each message, HTTP calls beside a bare client",
    "django": "delivered e-mails, CPU and memory beside Django + Celery + PostgreSQL",
    "latency": "accept while dispatch runs flat out, beside an echo at the same rate",
    "claims": "claims from a backlog of a million beside ten thousand",
    "workers": "delivered by two workers in two processes beside one",
    "memory": "resident memory over 200,000 messages",
    "mime": "MIME build beside the standard library",
    "policy": "one decision, and deliveries under rules beside none",
    "release": "a hundred thousand messages let go at one opening",
    "render": "localized render beside plain Jinja2 with Babel",
}


def main() -> None:
    """Run each benchmark's `main` in turn."""
    listing = "; ".join(f"{name}: {says}" for name, says in BENCHMARKS.items())
    parser = argparse.ArgumentParser(prog="benchmarks", description="Print ratios of interleaved rounds.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"{listing}; all when left out")
    parser.add_argument("--short", action="store_true", help="see that they run, in seconds; the figures say nothing")
    options = parser.parse_args()
    chosen = options.names or list(BENCHMARKS)
    for name in chosen:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}")
    for name in chosen:
        importlib.import_module(f"benchmarks.{name}").main(SHORT if options.short else IN_FULL)


if __name__ == "__main__":
    main()
