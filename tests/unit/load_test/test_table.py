"""The table of a load test, as text."""

from load_test.table import table
from tests.unit.load_test.cells import result

BASELINE = {"release": "00000000", "ladder": [result(2, time_to_first_token_ms={"p50": 180.0, "p95": 200.0})]}

TABLE = """\
at once  prompt  answer  requests  failed  first token p50  p95  between p50  p95  tokens/s  preempted  compiled     baseline
         tokens  tokens                                 ms   ms           ms   ms    output                       first token
      1     128      16         8       0              100  150          5.2  7.0     1,234          0         0            -
      2     128      16         8       1              200  300          5.2  7.0     1,234         12         3          180
Above 1 at once (max_num_seqs), the time to first token is mostly waiting.
In cells with compiled programs, requests waited for the compiler: run it again."""  # noqa: E501


def test_the_table_has_a_line_for_each_cell_and_says_what_to_distrust() -> None:
    results = [result(1), result(2, failures=1, preemptions=12, compiled=3)]
    assert table(results, BASELINE, max_num_seqs=1) == TABLE


def test_a_server_that_reports_less_leaves_dashes() -> None:
    cell = result(1, time_to_first_token_ms=None, time_between_tokens_ms=None, compiled=None)
    text = table([cell], None, max_num_seqs=8)
    assert text.splitlines()[2].split() == [
        *("1", "128", "16", "8", "0", "-", "-", "-", "-", "1,234", "0", "-", "-")
    ]
    assert text.endswith("This server has no sidecar that counts compiled programs.")
