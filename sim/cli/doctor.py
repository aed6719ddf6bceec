"""`scalewright doctor`: what is installed, what is missing, and the state of the cache."""

from pathlib import Path

import click

from scalewright.sim.cli import BAD_INPUT
from scalewright.sim.cli.parameters.options import json_option
from scalewright.sim.files.outputs import require_writable, write_json
from scalewright.sim.reports.health import Cache, Finding, empty, examine, findings
from scalewright.sim.reports.health import library_versions as versions
from scalewright.sim.simulators.place import build_folder


@click.command()
@click.option("--clean", is_flag=True, help="Empty the cache of simulators; recorded waves stay.")
@json_option
def doctor(clean: bool, json_file: Path | None) -> int:
    """Say what is installed, what is missing and what to install, and how the cache is.

    Exit status 2 if hardware cannot be simulated.

    \b
    Example:
      scalewright doctor
      scalewright doctor --clean
    """
    require_writable(json_file)
    folder = build_folder("sim")
    if clean:
        empty(folder)
        empty(build_folder("verilog"))
    found, cache, libraries = findings(), examine(folder), versions()
    click.echo(", ".join(f"{name} {number}" for name, number in libraries.items()))
    for each in found:
        click.echo(_line(each))
    click.echo(_summary(cache))
    missing = [each for each in found if each.version is None]
    broken = any(each.required for each in missing)
    for each in missing:
        click.echo(f"\nWarning: {each.advice}\n  It is needed for {each.purpose}")
    if cache.damaged:
        click.echo(
            f"\nWarning: {', '.join(cache.damaged)}: damaged, and built again when next used"
        )
    click.echo(f"\n{'Hardware cannot be simulated.' if broken else 'Ready to simulate.'}")
    results = {
        "versions": libraries,
        "tools": [vars(each) for each in found],
        "cache": cache.as_dict(),
        "ready": not broken,
    }
    write_json(json_file, results)
    return BAD_INPUT if broken else 0


def _line(finding: Finding) -> str:
    return f"{finding.name}: {finding.version or 'missing'} ({finding.purpose})"


def _summary(cache: Cache) -> str:
    state = f"{len(cache.damaged)} damaged" if cache.damaged else "all sound"
    held = f"{cache.builds} builds, {state}" if cache.builds else "empty"
    return f"cache: {cache.folder}, {cache.size / 1e6:.1f} MB, {held}"
