"""Hand-written SQL queries, for cases where Django takes longer to build a query than PostgreSQL to run it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, Q

SqlFragment = tuple[str, list[Any]]  # SQL, and its parameters
SQL_FALSE: SqlFragment = ("FALSE", [])


def compile_where(model: type[Model], condition: Q) -> SqlFragment:
    """A condition on the model's own columns. It names no table, so it works for any table that has these columns."""
    query = model._default_manager.filter(condition).query
    try:
        text, values = query.get_compiler(DEFAULT_DB_ALIAS).compile(query.where)
    except FullResultSet:
        return "TRUE", []
    except EmptyResultSet:
        return SQL_FALSE
    return text.replace(f'"{model._meta.db_table}".', ""), list(values)


def sql_and(conditions: Iterable[SqlFragment]) -> SqlFragment:
    """Joins the conditions with AND; there must be at least one."""
    texts, values = zip(*conditions, strict=True)
    return " AND ".join(texts), [value for parameters in values for value in parameters]


def fetch_all(*queries: SqlFragment) -> list[list[tuple[Any, ...]]]:
    """The rows of each query, sent in one round trip. A statement without rows, such as SET, has no entry in the result."""
    texts, values = zip(*queries, strict=True)
    with connection.cursor() as cursor:
        cursor.execute("; ".join(texts), [value for parameters in values for value in parameters])
        results = [cursor.fetchall()] if cursor.description else []
        while cursor.nextset():
            results += [cursor.fetchall()] if cursor.description else []
    return results
