"""Mistakes in a command's options."""

from collections.abc import Callable

import pytest

from load_test import __main__ as load_test
from operate import __main__ as operate

MISTAKES = (
    (
        load_test.main,
        ["--stack", "local", "--steps", "3"],
        "make load-test: unrecognized arguments: --steps 3; the command's form is `make load-test [-h] "
        "--stack STACK [--ladder LADDER]`.\n",
    ),
    (
        operate.main,
        ["logs"],
        "python -m operate logs: the following arguments are required: --stack; the command's form is "
        "`python -m operate logs [-h] --stack STACK [--component COMPONENT]`.\n",
    ),
)


@pytest.mark.parametrize(("main", "words", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence(
    main: Callable[[list[str]], int], words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err == sentence
