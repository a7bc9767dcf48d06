"""docs/what-clients-may-send.md says what the guard does, field by field."""

from agent.server.request_fields import By
from agent.server.request_tables import TABLES
from tests.inventory.recorder import REPOSITORY
from tools.docs import what_clients_may_send


def test_the_page_is_current() -> None:
    file = REPOSITORY / "docs" / "what-clients-may-send.md"
    assert file.read_text("utf-8") == what_clients_may_send.document(), (
        "docs/what-clients-may-send.md is stale: run "
        "`python -m tools.docs.what_clients_may_send > docs/what-clients-may-send.md`."
    )


def test_every_field_has_its_line_below_its_endpoint() -> None:
    sections = what_clients_may_send.document().split("\n## ")
    for path, table in TABLES.items():
        (section,) = [section for section in sections if section.startswith(f"`POST {path}`\n")]
        for name, field in table.items():
            assert f"\n| `{name}` | {field.by.value} | " in section, (path, name)
            if field.by is By.NOBODY and not field.only:
                assert any(
                    line.endswith("| `null` |") for line in section.splitlines() if f"`{name}`" in line
                )
