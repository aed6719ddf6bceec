"""Two things that Markdown cannot say: links out of docs/pages, and the help of each command.

Where pages link to files of the repository outside docs/pages, the site gets copies of them. A link
such as `../../sim/ppa/relative.svg` works where the repository is browsed, and, as
`source/sim/ppa/relative.svg`, in the site. A linked Markdown page becomes a page of the site.
"""

import re
from pathlib import Path, PurePosixPath

from click.testing import CliRunner
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from scalewright.sim.cli import COMMANDS
from scalewright.sim.cli.commands import cli

_ROOT = Path(__file__).parents[1]
_PAGES = PurePosixPath("docs/pages")
_TYPES = _ROOT / "build/types/scalewright"
_REFERENCE = re.compile(r"<!-- reference: .* -->")
_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[)#])")


def on_startup(**_: object) -> None:
    """Link the packages' folders under their names, as `make lint` does: mkdocstrings reads them.

    It looks which folders there are before it asks any hook for the configuration.
    """
    _TYPES.mkdir(parents=True, exist_ok=True)
    for room in ("golden", "hw", "sim"):
        link = _TYPES / room
        if not link.is_symlink():
            link.symlink_to(f"../../../{room}")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what the pages link to, and what these files link to."""
    for page in list(files.documentation_pages()):
        _add_links(files, config, _PAGES / page.src_uri, page.content_string)
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point the links of a page into the site, and put the help of the commands in its place."""
    del config, files
    source = page.file.src_uri.removeprefix("source/")
    place = PurePosixPath(source) if source != page.file.src_uri else _PAGES / source

    def pointed(match: re.Match[str]) -> str:
        target = _target(place, match[1])
        return match[1] if target is None else _way(page.file.src_uri, f"source/{target}")

    return _REFERENCE.sub(lambda _: _help(), _LINK.sub(pointed, markdown))


def _help() -> str:
    """What `--help` prints of each command, under its name."""
    sections = []
    for command in COMMANDS:
        words = [command, "--help"]
        printed = CliRunner().invoke(cli, words, prog_name="scalewright", terminal_width=78)
        sections.append(f"### {command}\n\n```text\n{printed.output}```")
    return "\n\n".join(sections)


def _add_links(files: Files, config: MkDocsConfig, place: PurePosixPath, markdown: str) -> None:
    for link in _LINK.findall(markdown):
        target = _target(place, link)
        if target is None or files.get_file_from_path(f"source/{target}") is not None:
            continue
        added = File.generated(
            config,
            f"source/{target}",
            abs_src_path=str(_ROOT / target),
            inclusion=InclusionLevel.NOT_IN_NAV,
        )
        files.append(added)
        if target.suffix == ".md":
            _add_links(files, config, target, (_ROOT / target).read_text())


def _target(place: PurePosixPath, link: str) -> PurePosixPath | None:
    """The file that a link at a place means, from the root; None inside docs/pages."""
    parts: list[str] = []
    for part in (place.parent / link).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    target = PurePosixPath(*parts)
    return None if target.is_relative_to(_PAGES) else target


def _way(page: str, target: str) -> str:
    """From a page of the site to a file of it."""
    return "../" * (len(PurePosixPath(page).parts) - 1) + target
