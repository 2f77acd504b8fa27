from ..import_command import ImportCommand


class Command(ImportCommand):
    help = (
        "Imports Cotalker webhook logs (COTWebhookLog): a JSON array, single objects, NDJSON or "
        "MongoDB extended JSON, gzipped or not. Running it again changes nothing. Imported logs "
        "are sent only if an operator redelivers them."
    )
    importer_method = "import_logs"
