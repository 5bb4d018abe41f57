"""The JSON Schemas of files, for editors and other tools."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from model.reading.schema import TenantSection
from model.reading.section import Words


class FileSchema(GenerateJsonSchema):
    """JSON Schema of a file: a key is left out or has a value, which is never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Describe the value only."""
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Describe the keys too: editors and other tools then report illegal names."""
        described: JsonSchemaValue = {"type": "object"}
        if "min_length" in schema:
            described["minProperties"] = schema["min_length"]
        if "max_length" in schema:
            described["maxProperties"] = schema["max_length"]
        if "keys_schema" in schema:
            described["propertyNames"] = self.generate_inner(schema["keys_schema"])
        if "values_schema" in schema:
            described["additionalProperties"] = self.generate_inner(schema["values_schema"])
        return described

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out defaults that a file cannot have as values."""
        described = super().default_schema(schema)
        if described.get("default") in (None, {}, [], ""):
            described.pop("default", None)
        return described


def json_schema(words: Words | None = None) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a tenant file, with the platform's words where they are given."""
    schema: dict[str, Any] = TenantSection.model_json_schema(by_alias=True, schema_generator=FileSchema)
    _declare(schema, words)
    schema["anyOf"] = [
        {"required": [key], "properties": {key: {"minProperties": 1}}} for key in ("environments", "repositories")
    ]
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "Usine tenant", **schema}


def _declare(node: object, words: Words | None) -> None:
    if isinstance(node, dict):
        node.pop("title", None) if not isinstance(node.get("title"), dict) else None
        kind = node.pop("x-usine-declared", None)
        if kind is not None and words is not None:
            node["enum"] = list(words.allowed[kind])
        for child in node.values():
            _declare(child, words)
    elif isinstance(node, list):
        for child in node:
            _declare(child, words)
