from ..import_command import ImportCommand


class Command(ImportCommand):
    help = (
        "Imports Cotalker subscriptions (COTWebhook): a JSON array, single objects, NDJSON or "
        "MongoDB extended JSON, gzipped or not. Fields edited in cotadmin (URL, active, …) keep "
        "their values."
    )
    importer_method = "import_subscriptions"
