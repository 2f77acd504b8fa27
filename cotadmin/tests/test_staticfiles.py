"""One stylesheet from its parts, and modules with hashed names."""

import re
from pathlib import Path

from django.contrib.staticfiles import finders
from django.core.management import call_command

from cotadmin.staticfiles import StylesheetFinder

SOURCES = Path(finders.find("logs/css/main.css") or "").parent


def served() -> str:
    return Path(finders.find("logs/cotadmin.css") or "").read_text()


def test_the_stylesheet_has_every_part_once_in_the_stated_order():
    parts = re.findall(r'^@import "\./(.+)";$', (SOURCES / "main.css").read_text(), re.MULTILINE)
    assert sorted([*parts, "main.css"]) == sorted(file.name for file in SOURCES.iterdir())
    text = served()
    joined = "".join((SOURCES / part).read_text() for part in parts)
    assert text.endswith(re.sub(r"/\*.*?\*/", "", joined, flags=re.DOTALL))
    assert "/*" in joined
    assert "/*" not in text
    assert "@import" not in text
    assert text.index("@layer tokens, base, layout, components, utilities;") < text.index("@layer tokens {")


def test_a_changed_part_is_served_at_once(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    finder = StylesheetFinder()
    path = Path(str(finder.find("logs/cotadmin.css")))
    assert path.is_relative_to(tmp_path)
    path.write_text("old")
    assert [name for name, _storage in finder.list(None)] == ["logs/cotadmin.css"]
    assert path.read_text() == served()
    assert finder.find("logs/css/main.css") == []


def test_collected_modules_import_each_other_by_hashed_names(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {"staticfiles": {"BACKEND": "cotadmin.staticfiles.ModuleStorage"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    [module] = [file for file in (tmp_path / "logs/js").glob("lists.*.js") if file.name != "lists.js"]
    [imported] = re.findall(r'from "\./(dialogs\.\w+\.js)"', module.read_text())
    assert (tmp_path / "logs/js" / imported).exists()
    [stylesheet] = (tmp_path / "logs").glob("cotadmin.*.css")
    assert stylesheet.read_text() == served()
