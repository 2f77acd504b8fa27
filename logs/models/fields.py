"""Column types: ObjectIds that sort by bytes, and JSON that is stored exactly as written."""

from django.contrib.postgres.search import SearchVectorField
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from ..cotalker import objectid

is_objectid = RegexValidator(r"^[0-9a-f]{24}\Z", _("An ObjectId has 24 digits from 0 to 9 and a to f."))


class ObjectIdField(models.CharField):
    """24 lower-case hex digits. With collation "C", text order is time order, and comparing is fast."""

    def __init__(self, *args, **kwargs) -> None:
        kwargs |= {"max_length": objectid.OBJECTID_LENGTH, "db_collation": "C"}
        super().__init__(*args, **kwargs)

    def deconstruct(self):
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_length"], kwargs["db_collation"]
        return name, path, args, kwargs

    def get_prep_value(self, value):
        return value.lower() if isinstance(value, str) else super().get_prep_value(value)


class JSONTextField(models.TextField):
    """The exact text of a JSON document in a `json` column. `jsonb` would reorder keys and drop duplicates.

    It is read through ::text, because psycopg would parse it, and Django's JSONField misreads a `json` column.
    """

    def db_type(self, connection) -> str:
        return "json"

    def get_placeholder(self, value, compiler, connection) -> str:
        return "%s::json"

    def select_format(self, compiler, sql, params):
        return f"({sql})::text", params


@SearchVectorField.register_lookup
class MatchesLookup(models.Lookup):
    """`search__matches="'pump' & '118'"`: the words are passed to PostgreSQL's tsquery unchanged."""

    lookup_name = "matches"
    prepare_rhs = False

    def get_db_prep_lookup(self, value, connection):
        return "%s", [value]

    def as_sql(self, compiler, connection):
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return f"{left} @@ {right}::tsquery", (*left_params, *right_params)
