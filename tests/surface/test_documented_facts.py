"""What the documents state of the code holds: versions, tables, settings, permissions, jobs, commands, targets."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib

import pytest

from services_kit.loam import binary
from surface.test_documents import DOCUMENTS, ROOT

RUST = {path: path.read_text() for path in ROOT.glob("crates/**/*.rs") if "/target/" not in str(path)}
SOURCE = "\n".join(RUST.values())
SCRIPTS = "\n".join(path.read_text() for folder in ("scripts", "tests", "bench") for path in ROOT.glob(f"{folder}/**/*.py"))
API, OPERATIONS = ((ROOT / "docs" / name).read_text() for name in ("API.md", "OPERATIONS.md"))
TRANSLATED = [ROOT / "docs/OPERATIONS.zh-CN.md", ROOT / "docs/API.zh-CN.md"]
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]


def section(text: str, heading: str) -> str:
    """A section of a document, to the next heading of its level or a higher one."""
    level = len(heading) - len(heading.lstrip("#"))
    return re.split(rf"^#{{1,{level}}} ", text.split(heading + "\n", 1)[1], maxsplit=1, flags=re.M)[0]


def constant(path: str, name: str) -> str:
    """The text of a constant in a source file."""
    return re.search(rf"{name}\b[^=]*=\s*(.*?)\];", (ROOT / path).read_text(), re.S)[1]


def commands() -> list[tuple[str, str]]:
    """Every command of Loam that a document shows, with its document."""
    found = []
    for document in DOCUMENTS:
        shown = re.findall(r"(?:^|[|(`\s])((?:target/(?:quick|release)/)?loam (?!=)[a-z][^\n`|#)$]*)", document.read_text())
        found += [(document.name, re.sub("^target/(quick|release)/", "", each).strip()) for each in shown]
    return found


def test_the_versions_that_a_reader_needs_are_those_that_are_checked():
    rust = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"]
    setup = (ROOT / "scripts/setup.py").read_text()
    minimum = {
        name: ".".join(re.search(rf"MIN_{name.upper()} = \((\d+), (\d+)\)", setup).groups()) for name in ("rust", "python")
    }
    assert minimum["rust"] == rust
    for document in READMES:
        text = document.read_text()
        assert set(re.findall(r"Rust (\d\.\d+)", text)) == {rust}
        assert set(re.findall(r"Python (3\.\d+)", text)) == {minimum["python"]}


@pytest.mark.parametrize("text", [OPERATIONS, TRANSLATED[0].read_text()], ids=["english", "chinese"])
def test_the_partitioned_tables_are_those_of_the_code(text):
    tables = set(re.findall(r'"(\w+)"', constant("crates/db/src/partitions.rs", "PARTITIONED")))
    (paragraph,) = [each for each in text.split("\n\n") if "`call_trees`" in each and "`record_functions`" in each]
    assert set(re.findall(r"`(\w+)`", paragraph)) == tables


def test_every_permission_is_described():
    known = set(re.findall(r'"(\w+:\w+)"', constant("crates/identity/src/permissions.rs", "PERMISSIONS")))
    table = "\n".join(re.findall(r"^\|.*", section(API, "### Permissions and roles"), re.M))
    assert set(re.findall(r"`(\w+:\w+)`", table)) == known
    anywhere = {
        name
        for document in DOCUMENTS
        for name in re.findall(r"`(\w+:(?:read|write|all|create|call|send|open))`", document.read_text())
    }
    assert anywhere <= known


def test_the_kinds_of_provider_are_those_of_the_code():
    kinds = set(re.findall(r'kind!\("(\w+)"', SOURCE))
    table = (ROOT / "docs/FORMATS.md").read_text().split("\n| kind |", 1)[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.M)) == kinds
    numbers = {"six": 6, "六": 6, "seven": 7, "七": 7}
    for document in READMES:
        (number,) = re.findall(r"(\w+) kinds of provider|(.)种供应商类型", document.read_text())
        assert numbers["".join(number)] == len(kinds)


def test_the_settings_are_those_that_loam_reads(tmp_path):
    """An unknown key is refused with the list of the known ones, at every level."""
    documented = {"": section(OPERATIONS, "### Top level")}
    documented |= {
        name: section(OPERATIONS, f"### {heading}") for heading, name in re.findall(r"^### (`\[(\w+)\]`.*)$", OPERATIONS, re.M)
    }
    wrong = {}
    for name, text in documented.items():
        file = tmp_path / "loam.toml"
        file.write_text((f"[{name}]\n" if name else "") + "no_such_key = 1\n")
        said = subprocess.run(
            [binary(), "db", "status", "--config-file", file], capture_output=True, text=True, check=False
        ).stderr
        known = set(re.findall(r"`(\w+)`", said.split("expected", 1)[1])) - {*documented}
        shown = {key for cell in re.findall(r"^\| (`.*?) \|", text, re.M) for key in re.findall(r"`(\w+)`", cell)}
        if known != shown:
            wrong[name] = known ^ shown
    assert not wrong


def test_the_live_settings_and_their_defaults_are_those_of_the_code(loam):
    loam.start()
    keys = {row["config_key"]: row["default_value"] for row in loam.cli_json("config", "list")}
    items = re.findall(r"^- \*\*`(\w+\.\w+)`\*\*: (.*?)(?=^\S|\n\n)", section(OPERATIONS, "## Live configuration"), re.S | re.M)
    assert {key for key, _ in items} == set(keys)
    wrong = []
    for key, text in items:
        wrong += [f"{key} has {field}" for field in keys[key] if f"`{field}`" not in text and "…" not in text]
        # A default that is a word, a number or null; nested ones are described.
        for field, default in re.findall(r"`(\w+)`\s+`?(null|true|false|[\d.]*\d|[a-z_]+)`?[,.]", text):
            value = keys[key].get(field, "absent")
            if json.dumps(value).strip('"').removesuffix(".0") != default.removesuffix(".0"):
                wrong.append(f"{key}.{field}: {default}, not {value}")
    assert not wrong


def test_what_the_designs_ask_for_is_where_the_page_says():
    tables = re.findall(r"^\| asks for .*?\n\n", (ROOT / "docs/DESIGN-DECISIONS.md").read_text(), re.S | re.M)
    named = {word for table in tables for row in table.split(" |\n") for word in re.findall(r"`([a-z_]+)`", row.split(" | ")[-1])}
    known = SOURCE + (ROOT / "docs/DATA-DICTIONARY.md").read_text()
    assert len(tables) == 5
    assert not [word for word in sorted(named) if not re.search(rf"\b{word}\b", known)]


def test_the_lines_that_a_new_entity_needs_are_in_the_files_that_the_page_names():
    rows = re.findall(
        r"^\| `([\w/.]+)` \| (.*) \|$", section((ROOT / "docs/ADDING-AN-ENTITY.md").read_text(), "## 4. The single lines"), re.M
    )
    lines = [(file, line) for file, cell in rows for line in re.findall(r"`([^`]+)`", cell)]
    assert len(lines) >= 5
    for file, line in lines:
        assert re.search(re.escape(line.removesuffix("()")).replace("…", ".*?"), (ROOT / file).read_text(), re.S), (
            f"{file} lacks {line}"
        )


def test_the_jobs_are_those_of_the_code():
    kinds = set(
        re.findall(
            r'const \w+: &(?:\'static )?str = "((?!new\.|exception\.|journal\.|alert\.|channel\.)[a-z_]+\.[a-z_]+)"', SOURCE
        )
    )
    described = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", section(OPERATIONS, "## Background work")))
    assert kinds <= described
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", section(OPERATIONS, "## Background work"), re.M)) <= kinds


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_metrics_and_variables_that_a_document_names_exist(document):
    text = document.read_text()
    metrics = set(re.findall(r"`(loam_(?:\w+_)?(?:total|bytes|seconds|max))\b", text))
    variables = set(re.findall(r"`?\b(LOAM_[A-Z]+(?:_[A-Z]+)*)\b(?!__)", text))
    code = SOURCE + SCRIPTS + (ROOT / "Makefile").read_text() + "".join(re.findall(r"export LOAM_\w+=", text))
    settings = {f"LOAM_{name}" for name in ("GATEWAY", "OUTGOING", "DATABASE", "SMTP", "SERVER", "IDENTITY", "JOURNAL", "JOBS")}
    missing = [name for name in sorted(metrics | variables - settings) if name not in code]
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_and_targets_that_a_document_names_exist(document):
    text = document.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    missing = {f"make {name}" for name in re.findall(r"(?:`|^ {4})make ([a-z-]+)", text, re.M)} - {
        f"make {name}" for name in targets
    }
    paths = [re.sub(r"\{\w+\}", "[^/]+", path) for path in json.loads((ROOT / "docs/openapi.json").read_text())["paths"]]
    for named in re.findall(r"(?:GET|POST|PUT|PATCH|DELETE)\s+(/(?:api|v1|anthropic|otlp)/[\w/.{}-]+)", text):
        if not any(re.fullmatch(path, named) for path in paths):
            missing.add(named)
    assert not missing


def test_commands_that_a_document_shows_exist():
    checked: dict[str, str] = {}
    wrong = []
    for document, command in commands():
        words = command.split()[1:]
        path = [word for word in words[:2] if re.fullmatch(r"[a-z][a-z-]*", word)]
        for name in {" ".join(path), path[0]}:
            if name not in checked:
                done = subprocess.run([binary(), *name.split(), "--help"], capture_output=True, text=True, check=False)
                checked[name] = done.stdout if done.returncode == 0 else ""
        known = checked[" ".join(path)] or checked[path[0]]
        options = [option for option in re.findall(r"(?<!\S)(--[a-z][a-z-]+)", command) if option not in known]
        if not known or options:
            wrong.append(f"{document}: {command}: {options}")
    assert not wrong
    assert len(checked) > 30
