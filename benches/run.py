"""Measures bgpy beside its peers: ``python benches/run.py [--quick] [--only NAME] [--pin WHERE]``.

A full run writes docs/benchmarks.md and its charts; other runs only print.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from pathlib import Path

import machine
import report
from measures import MEASURES
from result import Result, Scale, Table
from workspace import ROOT, Placement, apart

PLACES = {"one": Placement.ONE, "two": Placement.TWO, "free": Placement.FREE}


def main() -> int:
    """Measure, print, and write the page."""
    options = arguments()
    scale = Scale(options.quick, PLACES.get(options.pin))
    # Before anything runs, because they hold the load of the machine.
    facts = machine.facts()
    print(report.machine_table(facts).text(), flush=True)
    results = []
    for name in options.only or MEASURES:
        start = time.monotonic()
        result = measured(name, scale)
        results.append(result)
        for table in result.tables:
            print(f"\n{table.text()}")
        print(f"  ({name}: {time.monotonic() - start:.0f} s)", flush=True)
    print(f"\n{report.goals_table(results).text()}")
    if options.write or not (options.quick or options.only):
        write(results, facts, scale, options.docs)
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rounds, about four minutes")
    parser.add_argument(
        "--only", action="append", choices=MEASURES, metavar="NAME", help=", ".join(MEASURES)
    )
    parser.add_argument(
        "--pin", choices=PLACES, help="run all callers and servers there, in all measurements"
    )
    parser.add_argument("--write", action="store_true", help="write the page after any run")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="directory of the page")
    return parser.parse_args()


def measured(name: str, scale: Scale) -> Result:
    """Run one measure in a process of its own, apart from what others have imported."""
    try:
        return apart(run_measure, name, scale)
    except Exception as error:
        table = Table(name, ["measure", "outcome"])
        table.fail(name, error)
        return Result([table])


def run_measure(name: str, scale: Scale) -> Result:
    """Run one measure."""
    return importlib.import_module(f"measures.{name}").run(scale)


def write(
    results: list[Result], facts: list[tuple[str, str]], scale: Scale, directory: Path
) -> None:
    """Write the page and its charts."""
    import chart

    directory.mkdir(exist_ok=True)
    page = report.page(results, facts, quick=scale.quick, pin=scale.pin)
    (directory / "benchmarks.md").write_text(page)
    for result in results:
        if result.medians_us:
            chart.draw(result.medians_us, directory / "benchmarks.svg")
        if result.sizes_us:
            chart.draw_sizes(result.sizes_us, directory / "benchmarks-sizes.svg")


if __name__ == "__main__":
    sys.exit(main())
