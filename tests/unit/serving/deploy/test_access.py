"""Variables of an environment: the guard gets what a stack sets, and nothing for what it does not."""

from serving.deploy.access import access_environment


def test_a_stack_with_neither_key_nor_origins_sets_no_variable() -> None:
    assert access_environment(require_api_key=False, allowed_origins=()) == {}


def test_key_and_origins_are_variables_of_the_guard() -> None:
    origins = ("https://a.example.com", "https://b.example.com")
    assert access_environment(require_api_key=True, allowed_origins=origins) == {
        "TPUSERVE_API_KEY_FILE": "/run/tpuserve/api-key",
        "TPUSERVE_ALLOWED_ORIGINS": "https://a.example.com,https://b.example.com",
    }
