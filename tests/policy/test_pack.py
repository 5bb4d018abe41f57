"""How the pack reads what the library hands to policies."""

from __future__ import annotations

from pulumi.runtime.proto import analyzer_pb2

from policy.pack import Once


def test_a_resource_is_read_once_for_all_policies_and_never_taken_for_another() -> None:
    read: list[dict[str, object]] = []

    def function(properties: object) -> dict[str, object]:
        read.append(dict(properties))  # type: ignore[call-overload]  # a Struct
        return read[-1]

    once = Once(function)
    for number in range(50):
        request = analyzer_pb2.AnalyzeRequest()
        request.properties["number"] = number
        request.provider.properties["of"] = number
        request = analyzer_pb2.AnalyzeRequest.FromString(request.SerializeToString())
        for _policy in range(3):
            assert once(request.properties) == {"number": number}
            assert once(request.provider.properties) == {"of": number}
    assert len(read) == 100
