"""The models are those that inspectdb would write: no column is missing, and each is of its kind."""

import ast
import io

from django.apps import apps
from django.core.management import call_command
from django.db import connection, models
from django.test import TestCase

GUESSED = {  # inspectdb knows no numeric without limits, and no arrays
    ("activity", "token_id"),
    ("nft_share_certificates", "voting_weight"),
    ("chain_status", "syncing"),
}
NOT_MODELLED = {("platform", each) for each in ("audit", "requests", "row_intents", "kyc_files_to_delete")}


def inspected(schema: str) -> dict[str, dict[str, tuple[str, dict[str, object]]]]:
    """By table and column: the class of its field, and the arguments that are plain values."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('search_path', %s, true)", [schema])
    written = io.StringIO()
    call_command("inspectdb", include_views=True, stdout=written)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('search_path', 'django', true)")
    found = {}
    for made in (node for node in ast.parse(written.getvalue()).body if isinstance(node, ast.ClassDef)):
        columns = {}
        for each in (node for node in made.body if isinstance(node, ast.Assign)):
            assert isinstance(each.value, ast.Call)
            assert isinstance(each.value.func, ast.Attribute)
            plain = (name for name in each.value.keywords if isinstance(name.value, ast.Constant))
            given = {name.arg: name.value.value for name in plain}
            columns[given.get("db_column", each.targets[0].id)] = (each.value.func.attr, given)
        meta = next(node for node in made.body if isinstance(node, ast.ClassDef))
        table = next(node.value.value for node in meta.body if node.targets[0].id == "db_table")
        found[table] = columns
    return found


class AsInspected(TestCase):
    def test_records(self) -> None:
        self._compare("platform", "records")

    def test_views(self) -> None:
        self._compare("api", "api")

    def _compare(self, schema: str, app: str) -> None:
        ours = {model._meta.db_table: model for model in apps.get_app_config(app).get_models()}
        theirs = inspected(schema)
        wanted = {f'"{schema}"."{table}"' for table in theirs if (schema, table) not in NOT_MODELLED}
        self.assertEqual(set(ours), wanted)
        for table, columns in theirs.items():
            if (schema, table) in NOT_MODELLED:
                continue
            fields = {field.column: field for field in ours[f'"{schema}"."{table}"']._meta.concrete_fields}
            self.assertEqual(set(fields), set(columns), table)
            for column, (kind, given) in columns.items():
                if (table, column) in GUESSED:
                    continue
                with self.subTest(f"{schema}.{table}.{column}"):
                    self._same(fields[column], kind, given, of_view=schema == "api")

    def _same(self, field: models.Field, kind: str, given: dict[str, object], of_view: bool) -> None:
        if of_view and isinstance(field, models.ForeignKey):  # a view has no constraints to be seen
            field = field.target_field
        elif not of_view:  # there each column may be null, for all that PostgreSQL knows
            self.assertEqual(field.null, given.get("null", False))
        self.assertEqual(type(field).__name__, kind)
        for limit in ("max_digits", "decimal_places"):
            self.assertEqual(getattr(field, limit, None), given.get(limit))
