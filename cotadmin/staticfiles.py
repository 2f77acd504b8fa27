"""Static files without a build step: one stylesheet from its parts, and hashed names also in the imports of JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import uuid4

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder, BaseFinder
from django.core.checks import CheckMessage
from django.core.files.storage import FileSystemStorage, Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_IMPORT = re.compile(r'^@import "\./([\w-]+\.css)";\n', re.MULTILINE)


class ModuleStorage(CompressedManifestStaticFilesStorage):
    """Also puts hashed names into `import … from "./….js";`."""

    support_js_module_import_aggregation = True


class UsedAppsFinder(AppDirectoriesFinder):
    """Without the files of django_htmx: we use none, and one of them imports a file that it doesn't have."""

    def __init__(self) -> None:
        super().__init__([app.name for app in apps.get_app_configs() if app.name != "django_htmx"])


class StylesheetFinder(BaseFinder):
    """Serves each of settings.STYLESHEETS as one file: its source, with the parts in place of its @import lines, and no comments.

    The first view needs one request for all parts. Django's finders and storages serve files, so each stylesheet is written
    to DATA_DIR whenever its text has changed.
    """

    def __init__(self) -> None:
        self.sources = UsedAppsFinder()
        self.storage = FileSystemStorage(settings.DATA_DIR / "stylesheets")

    def check(self, **_options: object) -> list[CheckMessage]:
        return []

    def find(self, path: str, find_all: bool = False, **_options: object) -> str | list[str]:  # type: ignore[override]
        if path not in settings.STYLESHEETS:
            return []
        written = str(self._write(path))
        return [written] if find_all else written

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        for path in settings.STYLESHEETS:
            self._write(path)
            yield path, self.storage

    def _write(self, path: str) -> Path:
        source = Path(str(self.sources.find(settings.STYLESHEETS[path])))
        target = Path(self.storage.path(path))
        joined = _IMPORT.sub(lambda line: (source.parent / line[1]).read_text(), source.read_text())
        text = _COMMENT.sub("", joined)
        if not target.exists() or target.read_text() != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            new = target.with_name(f"{target.name}.{uuid4().hex}")
            new.write_text(text)
            new.replace(target)  # never half a file, whoever else writes it
        return target
