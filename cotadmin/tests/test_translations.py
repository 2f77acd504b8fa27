"""The Spanish catalogue: complete, compiled, and with the placeholders of the English texts."""

from __future__ import annotations

import ast
import gettext
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

CATALOGUE = Path(settings.BASE_DIR) / "locale/es/LC_MESSAGES/django.po"
SOURCES = ("cotadmin", "logs", "templates", "manage.py")
PLACEHOLDER = re.compile(r"%\(\w+\)\w|%%")
KEYWORD = re.compile(r"(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) (\".*\")")


def entries(path: Path) -> list[dict[str, str]]:
    """The entries of a .po file without the header and obsolete ones: keywords with their texts, and "flags"."""
    parsed = []
    for block in re.split(r"\n{2,}", path.read_text(encoding="utf-8").strip())[1:]:
        entry, keyword = {"flags": ""}, ""
        for line in block.splitlines():
            if line.startswith("#,"):
                entry["flags"] += line
            elif match := KEYWORD.fullmatch(line):
                keyword = match[1]
                entry[keyword] = ast.literal_eval(match[2])
            elif line.startswith('"'):
                entry[keyword] += ast.literal_eval(line)
        if "msgid" in entry:
            parsed.append(entry)
    return parsed


def texts(entry: dict[str, str]) -> list[str]:
    """The translations of an entry, singular first."""
    return [text for keyword, text in entry.items() if keyword.startswith("msgstr")]


def source(entry: dict[str, str]) -> tuple[str, str, str]:
    return entry.get("msgctxt", ""), entry["msgid"], entry.get("msgid_plural", "")


def test_every_text_has_a_translation():
    missing = [entry["msgid"] for entry in entries(CATALOGUE) if not all(texts(entry)) or "fuzzy" in entry["flags"]]
    assert missing == []


def test_texts_with_a_number_have_singular_and_plural():
    wrong = [entry["msgid"] for entry in entries(CATALOGUE) if len(texts(entry)) != 1 + ("msgid_plural" in entry)]
    assert wrong == []


def test_translations_have_the_placeholders_of_their_texts():
    wrong = []
    for entry in entries(CATALOGUE):
        expected = PLACEHOLDER.findall(entry["msgid"] + entry.get("msgid_plural", ""))
        last = PLACEHOLDER.findall(texts(entry)[-1])
        if set(last) != set(PLACEHOLDER.findall(entry.get("msgid_plural", entry["msgid"]))) or any(
            not set(PLACEHOLDER.findall(text)) <= set(expected) for text in texts(entry)
        ):
            wrong.append(entry["msgid"])
    assert wrong == []


def test_the_compiled_catalogue_matches_its_source():
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    outdated = []
    for entry in entries(CATALOGUE):
        numbers = (1, 2)[: len(texts(entry))]
        translated = (
            [compiled.ngettext(entry["msgid"], entry["msgid_plural"], number) for number in numbers]
            if "msgid_plural" in entry
            else [compiled.pgettext(entry["msgctxt"], entry["msgid"])]
            if "msgctxt" in entry
            else [compiled.gettext(entry["msgid"])]
        )
        if translated != texts(entry):
            outdated.append(entry["msgid"])
    assert outdated == []


def test_translated_texts_are_in_functions_that_xgettext_knows():
    strange = re.compile(r"gettext(?:_lazy)? as (?!_$)\w+", re.MULTILINE)
    files = [path for name in ("cotadmin", "logs") for path in (Path(settings.BASE_DIR) / name).rglob("*.py")]
    assert [str(path) for path in files if strange.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.skipif(not shutil.which("xgettext"), reason="needs GNU gettext (Debian, Ubuntu: apt install gettext)")
def test_the_catalogue_contains_exactly_the_texts_of_the_sources(tmp_path):
    for name in SOURCES:
        path = Path(settings.BASE_DIR) / name
        if path.is_dir():
            shutil.copytree(path, tmp_path / name, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        else:
            shutil.copy(path, tmp_path)
    (tmp_path / "locale").mkdir()
    subprocess.run(
        [sys.executable, "manage.py", "makemessages", "--locale", "es", "--verbosity", "0"],
        cwd=tmp_path,
        env={**os.environ, "DATA_DIR": str(tmp_path / "var"), "DJANGO_SETTINGS_MODULE": "cotadmin.settings"},
        check=True,
    )
    fresh = {source(entry) for entry in entries(tmp_path / "locale/es/LC_MESSAGES/django.po")}
    stored = {source(entry) for entry in entries(CATALOGUE)}
    assert (sorted(fresh - stored), sorted(stored - fresh)) == ([], [])


def test_a_page_is_in_spanish_for_a_spanish_browser(client, db):
    page = client.get("/sign-in/", headers={"accept-language": "es-CL,es;q=0.9"}).content.decode()
    assert '<html lang="es"' in page
    assert "Iniciar sesión" in page
