"""Modules with hashed names."""

import re

from django.core.management import call_command


def test_collected_modules_import_each_other_by_hashed_names(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {"staticfiles": {"BACKEND": "cotadmin.staticfiles.ModuleStorage"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    [module] = [file for file in (tmp_path / "logs/js").glob("lists.*.js") if file.name != "lists.js"]
    [imported] = re.findall(r'from "\./(dialogs\.\w+\.js)"', module.read_text())
    assert (tmp_path / "logs/js" / imported).exists()
