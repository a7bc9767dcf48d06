"""Rows of allowed tokens stay with the request that they belong to."""

from dataclasses import dataclass

import pytest

from agent.server.grammar_rows import in_sorted_order


class Rows(list[str]):
    """Rows that take a list of indexes, as numpy's arrays do."""

    def __getitem__(self, order: list[int]) -> "Rows":  # pyright: ignore[reportIncompatibleMethodOverride]
        return Rows(list(self)[index] for index in order)


@dataclass
class Output:
    """Fields of vLLM's GrammarOutput."""

    structured_output_request_ids: list[str]
    grammar_bitmask: Rows
    num_acceptable_drafts: list[int] | None = None


@pytest.mark.parametrize("drafts", [None, [3, 1, 2]])
def test_ids_rows_and_drafts_are_sorted_together(drafts: list[int] | None) -> None:
    output = in_sorted_order(Output(["c", "a", "b"], Rows(["of c", "of a", "of b"]), drafts))
    assert output.structured_output_request_ids == ["a", "b", "c"]
    assert output.grammar_bitmask == ["of a", "of b", "of c"]
    assert output.num_acceptable_drafts == (drafts and [1, 2, 3])


@pytest.mark.parametrize("output", [None, Output(["b", "a"], Rows(["b1", "b2", "a1", "a2"]))])
def test_nothing_and_rows_of_speculative_tokens_stay(output: Output | None) -> None:
    assert in_sorted_order(output) is output
