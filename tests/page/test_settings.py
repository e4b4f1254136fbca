"""The settings of the page."""

from pathlib import Path

import pytest
from chainfirst.ops import config, settings

MINIMAL = '[chain]\nchain_id = 31337\nendpoints = ["http://127.0.0.1:1"]\n'


def load(directory: Path, text: str = "") -> config.Page:
    file = directory / "config.toml"
    file.write_text(MINIMAL + text)
    return config.load(file, {}).page


def test_it_is_served_where_a_port_is_set(tmp_path: Path) -> None:
    assert load(tmp_path) == config.Page(port=None, certificates="/certificates/")
    text = (
        '[page]\nport = 8480\ncertificates = "/share/v1/"\nhosts = ["a.example"]\nready_behind_blocks = 0\n'
    )
    assert load(tmp_path, text) == config.Page(8480, ("a.example",), 0, "/share/v1/")


@pytest.mark.parametrize(
    "wrong", ["", "/", "certificates/", "/certificates", "/a//b/", "/{x}/", "/a b/", "//"]
)
def test_a_folder_that_is_none(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(settings.SettingsError, match=r"page\.certificates: found"):
        load(tmp_path, f'[page]\ncertificates = "{wrong}"\n')
