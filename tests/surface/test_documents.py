"""The documents name files and headings that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("README*.md"), *ROOT.glob("*/README.md")])
SOURCES = ["/" + str(path.relative_to(ROOT)) for path in ROOT.glob("crates/**/*.rs")]
GENERATED = {"bench/results/latest.json"}


def anchors(text: str) -> set[str]:
    """The anchors that a renderer gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    plain = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", each).lower()) for each in headings]
    return {each.strip().replace(" ", "-") for each in plain}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_headings_that_a_document_names_exist(document):
    text = document.read_text()
    named = re.findall(r"`((?:crates|tests|scripts|bench|docs|fuzz)/[\w./-]+)`", text)
    missing = [path for path in named if path not in GENERATED and not (ROOT / path).exists()]
    sources = re.findall(r"`([\w/]+\.rs)`", text)
    missing += [path for path in sources if not any(each.endswith("/" + path) for each in SOURCES)]
    for target, anchor in re.findall(r"\]\(([^)#\s:]*)(?:#([^)\s]*))?\)", text):
        other = (document.parent / target).resolve() if target else document
        if not other.exists():
            missing.append(target)
        elif anchor and other.suffix == ".md" and anchor not in anchors(other.read_text()):
            missing.append(f"{target}#{anchor}")
    assert not missing, f"{document.name} names what does not exist: {missing}"
