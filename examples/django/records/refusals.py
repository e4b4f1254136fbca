"""What the database refuses, as errors of a form: each rule has its own sentence there, and none here."""

from django import forms
from django.db import DatabaseError, models, transaction


def sentence(error: DatabaseError) -> str:
    """What the database said, and its advice."""
    diagnostics = getattr(error.__cause__, "diag", None)
    if diagnostics is None or diagnostics.message_primary is None:
        return str(error)
    said = [diagnostics.message_primary, diagnostics.message_hint]
    return " ".join(each if each.endswith((".", "!", "?")) else f"{each}." for each in said if each)


def column(error: DatabaseError) -> str | None:
    """Which column it is about: the database names it, or the constraint does, behind its table's name."""
    diagnostics = getattr(error.__cause__, "diag", None)
    if diagnostics is None:
        return None
    if diagnostics.column_name:
        return str(diagnostics.column_name)
    table, constraint = diagnostics.table_name or "", diagnostics.constraint_name or ""
    return constraint.removeprefix(f"{table}_") if table else None


def refusal(record: models.Model) -> DatabaseError | None:
    """What the database would say if the record were saved now: it is, and taken back."""
    # a copy: what the database sets in it is taken back too
    trial = type(record)(
        **{each.attname: getattr(record, each.attname) for each in record._meta.concrete_fields}
    )
    trial._state.adding = record._state.adding
    try:
        with transaction.atomic():
            trial.save()
            transaction.set_rollback(True)
    except DatabaseError as error:
        return error
    return None


class RecordForm(forms.ModelForm):
    """A form that is valid when the database takes what is in it."""

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        error = refusal(self.instance)
        if error is not None:
            self.add_error(self._field_of(error), sentence(error))

    def _field_of(self, error: DatabaseError) -> str | None:
        """The field whose column it is; None: it is shown above the form."""
        found = column(error)
        columns = {self.instance._meta.get_field(name).column: name for name in self.fields}
        fitting = [each for each in columns if found and f"{found}_".startswith(f"{each}_")]
        return columns[max(fitting, key=len)] if fitting else None
