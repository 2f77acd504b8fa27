"""Questions in SQL that is written out, where Django takes longer to put one together than PostgreSQL to answer it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, Q

SqlFragment = tuple[str, list[Any]]  # SQL, and what goes into it
SQL_FALSE: SqlFragment = ("FALSE", [])


def compile_where(model: type[Model], condition: Q) -> SqlFragment:
    """A condition on columns of the model alone, for any table that has these columns: it does not name one."""
    query = model._default_manager.filter(condition).query
    try:
        text, values = query.get_compiler(DEFAULT_DB_ALIAS).compile(query.where)
    except FullResultSet:
        return "TRUE", []
    except EmptyResultSet:
        return SQL_FALSE
    return text.replace(f'"{model._meta.db_table}".', ""), list(values)


def sql_and(conditions: Iterable[SqlFragment]) -> SqlFragment:
    """All of them in one; there is one at least."""
    texts, values = zip(*conditions, strict=True)
    return " AND ".join(texts), [value for some in values for value in some]


def fetch_all(*questions: SqlFragment) -> list[list[tuple[Any, ...]]]:
    """The rows of each, all asked for at once. What gives no rows, such as SET, has no place among them."""
    texts, values = zip(*questions, strict=True)
    with connection.cursor() as cursor:
        cursor.execute("; ".join(texts), [value for some in values for value in some])
        found = [cursor.fetchall()] if cursor.description else []
        while cursor.nextset():
            found += [cursor.fetchall()] if cursor.description else []
    return found
