"""Links, paths and names in README and docs/ are there."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, text_of, without_blocks

_LINK = re.compile(r"\]\(([^)\s]+)\)")
# `golden/mac.py`, `hw/`, or `golden/mac.py:MacResult` with a name in it.
_PATH = re.compile(
    r"`((?:golden|hw|sim|tests|docs|examples|\.ci)/[\w./-]*|[\w.-]+\.(?:toml|yaml))(?::([\w.]+))?`"
)


def is_there(path: str) -> bool:
    return (ROOT / path).exists()


def slug(heading: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def links(page: str) -> list[str]:
    found = _LINK.findall(text_of(page))
    return [link for link in found if not re.match(r"https?:|#", link)]


def names_of(path: Path) -> set[str]:
    """Classes, functions, methods, and variables of a module."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
            if isinstance(node, ast.ClassDef):
                inside = [n for n in node.body if isinstance(n, ast.FunctionDef)]
                names |= {f"{node.name}.{method.name}" for method in inside}
    return names


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for link in links(page):
        name, _, anchor = link.partition("#")
        target = (ROOT / page).parent / name
        assert target.exists(), f"{page}: {link}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_paths_and_names_are_there(page: str) -> None:
    for path, name in _PATH.findall(without_blocks(page)):
        assert is_there(path), f"{page}: {path}"
        if name:
            assert name in names_of(ROOT / path), f"{page}: {path}:{name}"


def test_names_are_looked_for_where_they_are_defined() -> None:
    names = names_of(ROOT / "golden/calibration.py")
    assert {"METHODS", "Clip", "Clip.choose", "clipping_threshold"} <= names
    assert "numpy" not in names
    assert _PATH.findall("`golden/mac.py:MacResult` and `golden/`") == [
        ("golden/mac.py", "MacResult"),
        ("golden/", ""),
    ]


def test_every_page_is_in_the_navigation_once() -> None:
    navigation = re.findall(r"^ +- (?:\w+: )?(\S+\.md)$", text_of("docs/mkdocs.yml"), re.MULTILINE)
    pages = [page.removeprefix("docs/pages/") for page in PAGES if page != "README.md"]
    assert sorted(navigation) == sorted(pages)


def test_the_readme_is_short() -> None:
    assert len(text_of("README.md").splitlines()) <= 200


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_no_folder_of_one_machine(page: str) -> None:
    assert not re.search(r"(?<![\w.])/(?:work|tmp|home|root|opt)/", text_of(page))
