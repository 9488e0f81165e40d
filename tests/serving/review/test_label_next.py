"""What a person can do who has more pictures than labels: from a folder of them to the training part."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
from playwright.sync_api import Browser, expect
from small_project import kedro_in
from small_service import start_service

from guitar_kedro.datasets.decisions import DecisionsFile
from guitar_kedro.demo import draw_guitar


def run(project: Path, *arguments: str) -> str:
    done = kedro_in(project, "run", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pictures_without_labels_are_queued_accepted_by_key_and_join_the_training_part(
    used_project: Path, browser: Browser, tmp_path: Path
):
    new, data = tmp_path / "new", used_project / "data"
    new.mkdir()
    for number in range(5):
        draw_guitar("gibson_SG", 64, 1000 + number).save(new / f"{number}.png")
    (new / "broken.png").write_bytes(b"no picture")
    before = pd.read_csv(data / "05_model_input/demo/splits.csv")
    said = run(used_project, "--pipeline=label_next", f"--params=unlabelled={new}")
    assert "5 to choose from, 1 not_an_image" in said
    assert "What to label next: 5 pictures of 5" in said

    server = start_service(used_project, tmp_path, name="review")
    page = browser.new_context().new_page()
    page.goto(f"{server.url}#next")
    expect(page.locator("#title")).to_have_text("What to label next")
    expect(page.locator(".tile")).to_have_count(5)
    predicted = page.locator("#suggested").text_content()
    page.keyboard.press("k")
    expect(page.locator(".tile .badge").first).to_have_text(predicted or "")
    other = "Gibson ES" if page.locator("#suggested").text_content() == "Gibson Firebird" else "Gibson Firebird"
    page.keyboard.press("r")
    page.locator("#search").fill(other)
    page.keyboard.press("Enter")
    expect(page.locator(".tile .badge").nth(1)).to_have_text(other)
    page.keyboard.press("d")
    expect(page.locator("#progress")).to_have_text("3 of 5 looked at; 2 changed")
    expect(page.locator("#next")).to_have_text(re.compile("^2 decisions for the next run to follow"))

    said = run(used_project, "--pipelines=ingestion,splitting")
    assert "Accepted: 2 pictures without labels for the training part" in said
    kept, relabelled, _ = DecisionsFile(data / "01_raw/demo/curation.csv").rows().values()
    table = pd.read_csv(data / "03_primary/demo/image_table.csv", keep_default_na=False).set_index("file")
    assert table.loc[[kept.file, relabelled.file], "label"].tolist() == [
        kept.label,
        other.replace("Gibson ", "gibson_").replace("Firebird", "firebird"),
    ]
    assert table.at[kept.file, "source"].startswith(str(new))
    assert table.at[kept.file, "accepted_by"] == kept.by
    assert re.search(r"by model [0-9a-f]{12}: predicted ", table.at[kept.file, "accepted_why"])
    splits = pd.read_csv(data / "05_model_input/demo/splits.csv")
    accepted = splits["image_id"].isin(table.loc[[kept.file, relabelled.file], "image_id"])
    assert splits.loc[accepted, "split"].tolist() == ["train", "train"]
    assert splits[~accepted][["image_id", "split"]].reset_index(drop=True).equals(before[["image_id", "split"]])
    page.reload()  # what is an image now is asked about no more
    expect(page.locator(".tile")).to_have_count(3)
    page.context.close()
    server.end()
