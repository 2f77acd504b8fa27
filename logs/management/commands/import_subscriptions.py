from ..import_command import ImportCommand


class Command(ImportCommand):
    help = (
        "Imports Cotalker subscriptions (COTWebhook): a JSON array, single objects, NDJSON or MongoDB extended JSON, gzipped "
        "or not. What was edited in cotadmin (URL, active, …) stays as it is."
    )
    importer_method = "import_subscriptions"
