"""The OpenAPI document: only our own interface, and the one error body on every operation."""

from __future__ import annotations

PREFIX = "/api/v1/"
ERROR = {
    "type": "object",
    "description": "Every refusal. `code` never changes; `error` is for people.",
    "required": ["error", "code", "details"],
    "properties": {
        "error": {"type": "string"},
        "code": {"type": "string"},
        "details": {
            "type": "object",
            "additionalProperties": True,
            "description": "`fields` holds the refusals of single fields.",
        },
    },
}


def only_ours(endpoints):
    """The wires of other systems have documents of their own."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(PREFIX)]


def with_errors(result, generator, request, public):
    """Every operation may answer with the error body."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    answer = {
        "description": "Refused.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = answer
    return result
