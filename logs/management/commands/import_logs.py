from ..import_command import ImportCommand


class Command(ImportCommand):
    help = (
        "Imports Cotalker webhook logs (COTWebhookLog): a JSON array, single objects, NDJSON or MongoDB extended JSON, "
        "gzipped or not. Running it again changes nothing. Nothing imported is sent unless an operator asks."
    )
    importer_method = "import_logs"
