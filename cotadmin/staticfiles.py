"""Static files without a build step: hashed names also in the imports of JavaScript."""

from __future__ import annotations

from django.apps import apps
from django.contrib.staticfiles.finders import AppDirectoriesFinder
from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleStorage(CompressedManifestStaticFilesStorage):
    """Also puts hashed names into `import … from "./….js";`."""

    support_js_module_import_aggregation = True


class UsedAppsFinder(AppDirectoriesFinder):
    """Without the files of django_htmx: we use none, and one of them imports a file that it doesn't have."""

    def __init__(self) -> None:
        super().__init__([app.name for app in apps.get_app_configs() if app.name != "django_htmx"])
