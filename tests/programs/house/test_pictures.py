"""The pictures of docs/ are what docs/draw makes, of the table that tests/bench/README.md has."""

import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from lab import SOURCE

ROOT = SOURCE.parents[1]
NAMES = ("how-it-works.svg", "cost.svg")
SVG = "{http://www.w3.org/2000/svg}"
pytestmark = pytest.mark.skipif(not (ROOT / "docs/draw").exists(), reason="only where the sources are")


def draw(script, folder):
    folder.mkdir()
    done = subprocess.run([script, folder], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), done
    assert sorted(path.name for path in folder.iterdir()) == sorted(NAMES)
    return {name: (folder / name).read_bytes() for name in NAMES}


def test_they_are_what_the_script_makes(tmp_path):
    made = draw(ROOT / "docs/draw", tmp_path / "out")
    stale = [name for name in NAMES if made[name] != (ROOT / "docs" / name).read_bytes()]
    assert not stale, f"{stale}: run docs/draw, and commit what it writes"


@pytest.mark.parametrize("name", NAMES)
def test_they_are_whole(name):
    """XML, of one width, for light and dark, with nothing from elsewhere, and nothing outside."""
    content = (ROOT / "docs" / name).read_text(encoding="utf-8")
    root = ET.fromstring(content)
    assert root.tag == SVG + "svg" and root.get("width") == "800" and root.find(SVG + "title").text
    assert root.get("viewBox") == f"0 0 800 {root.get('height')}"
    assert "prefers-color-scheme: dark" in root.find(SVG + "style").text
    assert not root.findall(f".//{SVG}script") and content.count("http") == 1
    for text in root.iter(SVG + "text"):
        assert 0 <= float(text.get("x")) < 800 and 0 < float(text.get("y")) < float(root.get("height"))


def test_the_plot_has_every_ratio_of_the_table(tmp_path):
    """Another figure in the table is another picture; the same picture comes from elsewhere."""
    for name in ("docs/draw", "tests/bench/README.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        shutil.copy(ROOT / name, tmp_path / name)
    same = draw(tmp_path / "docs/draw", tmp_path / "same")
    assert same["cost.svg"] == (ROOT / "docs/cost.svg").read_bytes()
    table = tmp_path / "tests/bench/README.md"
    rows = [line for line in table.read_text(encoding="utf-8").split("\n") if line.startswith("|") and " .. " in line]
    marks = ET.fromstring(same["cost.svg"])
    texts = [text.text for text in marks.iter(SVG + "text")]
    for row in rows:
        figure, tool, beside = (cell.strip() for cell in row.split("|")[1:4])
        assert texts.count(f"{tool} : {beside}") >= 1 and any(figure.endswith(text) for text in texts), row
    assert len(rows) > 40 and sum(" : " in text for text in texts) == len(rows) + 1
    table.write_text(table.read_text(encoding="utf-8").replace(rows[0], rows[0].replace("| 1.04 |", "| 1.40 |")))
    assert draw(tmp_path / "docs/draw", tmp_path / "other")["cost.svg"] != same["cost.svg"]


def test_the_pictures_can_be_found():
    readme, bench = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "tests/bench/README.md"))
    assert all(f"(docs/{name})" in readme for name in NAMES) and "(../../docs/cost.svg)" in bench
