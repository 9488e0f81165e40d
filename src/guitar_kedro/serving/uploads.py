"""The pictures in the body of a request, taken apart in memory."""

from __future__ import annotations

import io
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import create_form_parser

from guitar_kedro.serving.intake import Refusal

if TYPE_CHECKING:
    from python_multipart.multipart import Field, File

_MAX_FIELDS = 16  # and files that were left empty
_MAX_NAME = 200
_NOT_READABLE = "The form in the body (multipart/form-data) is damaged; send it as a browser or curl -F does."


@dataclass(frozen=True)
class Upload:
    """A file as it was sent.

    Attributes:
        name: What its sender calls it; empty where it has no name.
        content: Its bytes.
    """

    name: str
    content: bytes


@dataclass
class Form:
    """What a body holds.

    Attributes:
        uploads: Its files, in their order.
        fields: Its other fields: text by name.
    """

    uploads: list[Upload] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)


def read_form(content_type: str, body: bytearray, max_pictures: int) -> Form:
    """Take a body apart: a form with files, or one file as it is.

    Args:
        content_type: The header. All but ``multipart/form-data`` is one file, whatever it claims to be.
        body: The bytes.
        max_pictures: How many files there may be.

    Raises:
        Refusal: If the form is damaged, or has too many parts.
    """
    if not content_type.lower().startswith("multipart/form-data"):
        return Form([Upload("", bytes(body))])
    form, parts = Form(), itertools.count(1)

    def count() -> None:
        if next(parts) > max_pictures + _MAX_FIELDS:
            raise Refusal(422, "damaged_form", _NOT_READABLE)

    def take_file(file: File) -> None:
        count()
        name, content = _text(file.file_name), cast(io.BytesIO, file.file_object).getvalue()
        if name or content:  # a browser sends an empty file for a field that was left empty
            form.uploads.append(Upload(name[-_MAX_NAME:], content))
        if len(form.uploads) > max_pictures:
            raise Refusal(422, "too_many_pictures", f"A request may have {max_pictures} pictures at most; send fewer.")

    def take_field(part: Field) -> None:
        count()
        form.fields[_text(part.field_name)] = _text(part.value)

    try:
        in_memory = {"MAX_MEMORY_FILE_SIZE": len(body) + 1, "UPLOAD_ERROR_ON_BAD_CTE": True}
        parser = create_form_parser({"Content-Type": content_type.encode("latin-1")}, take_field, take_file, in_memory)
        parser.write(bytes(body))
        parser.finalize()
    except FormParserError:
        raise Refusal(422, "damaged_form", _NOT_READABLE) from None
    return form


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
