"""What a user can get wrong: usage, settings, images, tables."""

import json
import shutil
from collections import Counter

import pytest

from programs import assay, complains, kinds

# Wrong usage and wrong settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words", [("train",), ("fly",), ("train", "x", "--seed", "many"), ("predict", "run"), ("train", "x", "--nonsense")]
)
def test_wrong_usage(command, words):
    result = command(*words)
    complains(result, "--help", code=2)
    assert result.out == "" and len(result.err.splitlines()) == 2


def test_wrong_usage_of_the_program_itself():
    result = assay("train", "--epochs", "few", "x")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--task", "image-clasification"), "'image-classification'"),
        (("--network", "convnett"), "'convnet'"),
        (("--set", "widht=3"), "'width'"),
        (("--set", "width"), "KEY=VALUE"),
        (("--set", "width=many"), "width=many"),
        (("--set", "width=-3"), "width"),
        (("--set", "batch_size=0"), "batch_size=0"),
        (("--set", "learning_rate=-1"), "learning_rate=-1"),
        (("--set", "optimizer=sdg"), "'sgd'"),
        (("--set", "activation=rulu"), "'relu'"),
        (("--budget", "soon"), "90s"),
        (("--budget", "5m", "--epochs", "3"), "one of the two"),
        (("--epochs", "0"), "--epochs"),
        (("--epochs", "nan"), "--epochs"),
        (("--evidence", "quik"), "'quick'"),
        (("--split", "80/30/10"), "80/10/10"),
        (("--device", "tpu"), "cpu"),
        (("--image-size", "3"), "--image-size"),
        (("--fit", "stretch"), "squash"),
        (("--target-kind", "klass"), "'class'"),
    ],
)
def test_wrong_settings(command, digits, tmp_path, words, told):
    complains(command("train", digits, "--out", tmp_path / "run", *words), told)


def test_a_setting_that_fails_early_leaves_no_folder(command, digits, tmp_path):
    command("train", digits, "--out", tmp_path / "run", "--task", "tabel")
    assert not (tmp_path / "run").exists()


def test_a_first_training_that_fails_early_leaves_no_folder_for_runs(command, digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    complains(command("train", digits, "--network", "convnett"), "'convnet'")
    assert list(tmp_path.iterdir()) == []


# Bad images -----------------------------------------------------------------------------------------------------------


def test_no_data(command, tmp_path):
    complains(command("inspect", tmp_path / "missing"), "no such file")
    complains(command("train", tmp_path), str(tmp_path), "no file")
    (tmp_path / "notes.txt").write_text("nothing")
    complains(command("train", tmp_path), "7 characters of text are too few")
    complains(command("train", tmp_path, "--task", "table"), "notes.txt")


def test_one_class_and_a_small_class(command, digits, tmp_path):
    shutil.copytree(digits / "3", tmp_path / "one" / "3")
    complains(command("train", tmp_path / "one"), "'3'")
    few = shutil.copytree(digits, tmp_path / "few")
    for path in sorted((few / "4").iterdir())[2:]:
        path.unlink()
    complains(command("train", few), "class '4' has 2", "--split")


@pytest.fixture
def photos(digits, tmp_path):
    """Two classes with fourteen good photos each."""
    for digit in "01":
        shutil.copytree(digits / digit, tmp_path / "photos" / digit)
    return tmp_path / "photos"


def test_damaged_photos_are_counted_and_stand_on_the_page(command, photos, tmp_path):
    good = sorted((photos / "0").iterdir())[0].read_bytes()
    (photos / "0" / "truncated.png").write_bytes(good[: len(good) // 2])
    (photos / "0" / "empty.png").write_bytes(b"")
    (photos / "0" / "words.png").write_text("this is no image")
    (photos / "1" / "README.md").write_text("stray")
    found = command("inspect", photos, "--json").json
    skipped = sum(count for count, action in kinds(found).values() if action == "skipped")
    assert skipped == 4
    assert found["counts"]["samples"] == 28
    run = tmp_path / "run"
    summary = command("train", photos, "--out", run, "--epochs", 1, "--network", "mlp", "--set", "width=8", "--json",
                      "--evidence", "none").json  # fmt: skip
    assert summary["samples"]["skipped"] == 4
    assert json.loads((run / "evidence.json").read_text())["problems"] == found["problems"]
    for _ in range(2):
        page = (run / "report.html").read_text(encoding="utf-8")
        assert "truncated.png" in page
        assert "empty.png" in page
        (run / "report.html").unlink()
        assert command("report", run).code == 0


def test_images_of_every_kind_are_read(command, photos, tmp_path):
    import numpy as np
    from PIL import Image

    square = np.linspace(0, 255, 12 * 10, dtype=np.uint8).reshape(12, 10)
    colour = Image.fromarray(np.stack([square, square.T.reshape(12, 10), square], axis=2))
    colour.convert("CMYK").save(photos / "0" / "cmyk.jpg")
    colour.convert("RGBA").save(photos / "0" / "rgba.png")
    colour.convert("P").save(photos / "0" / "palette.gif")
    Image.fromarray(square.astype(np.uint16) * 257).save(photos / "0" / "sixteen.png")
    colour.save(photos / "1" / "animated.gif", save_all=True, append_images=[colour.rotate(90), colour.rotate(180)])
    exif = Image.Exif()
    exif[0x0112] = 6
    colour.save(photos / "1" / "rotated.jpg", exif=exif)
    colour.save(photos / "1" / "mislabelled.png", format="JPEG")
    found = command("inspect", photos, "--json").json
    assert found["counts"]["samples"] == 35
    assert not [problem for problem in found["problems"] if problem["action"] == "skipped"]
    assert {"mislabelled-file", "rotated-by-exif"} <= set(kinds(found))
    result = command("train", photos, "--out", tmp_path / "run", "--epochs", 1, "--network", "mlp", "--set", "width=8",
                     "--evidence", "quick", "--json")  # fmt: skip
    assert result.code == 0, result.err
    answers = command("predict", tmp_path / "run", photos / "0" / "cmyk.jpg", photos / "1" / "animated.gif", "--json")
    assert len(answers.out.splitlines()) == 2


def test_a_decompression_bomb(command, photos):
    import struct
    import zlib

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    (photos / "0" / "bomb.png").write_bytes(bomb)
    found = command("inspect", photos, "--json").json
    assert Counter(action for _, action in kinds(found).values()) == {"skipped": 1}
    assert found["counts"]["samples"] == 28


def test_missing_paths_in_a_table_of_photos(command, photos):
    rows = [f"{path.relative_to(photos).as_posix()},{path.parent.name}" for path in sorted(photos.rglob("*.png"))]
    (photos / "labels.csv").write_text("\n".join(["path,label", *rows, "0/gone.png,0", "0/lost.png,0"]) + "\n")
    result = command("inspect", photos / "labels.csv", "--task", "image-classification", "--json")
    assert result.code == 0, result.err
    assert result.json["counts"]["samples"] == 28
    missing = [problem for problem in result.json["problems"] if problem["kind"] == "missing-file"]
    assert missing[0]["count"] == 2
    assert missing[0]["examples"][0]["row"] == 30


# Bad tables -----------------------------------------------------------------------------------------------------------


def test_a_table_with_everything_that_spreadsheets_do(command, tmp_path):
    lines = ["\ufeffsize;colour;note;same;grade"]
    for row in range(60):
        size = "n/a" if row == 7 else "large" if row == 9 else f"{row},5"
        grade = "" if row in (3, 4) else "AB"[row % 2]
        lines.append(f"{size};{'red' if row % 3 else 'blue'};{row % 4};1;{grade}")
    path = tmp_path / "grades.csv"
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")
    result = command("inspect", path, "--target", "grade", "--json")
    assert result.code == 0, result.err
    found = result.json
    assert found["counts"]["samples"] == 58
    problems = kinds(found)
    assert problems["missing-target"] == (2, "skipped")
    assert problems["constant-column"][0] == 1
    assert problems["not-a-number"] == (1, "repaired")
    columns = {column["name"]: column["type"] for column in found["counts"]["columns"]}
    assert columns["size"] == "number"


def test_targets_from_which_nothing_can_be_learnt(command, tmp_path):
    path = tmp_path / "rows.csv"
    rows = "".join(f"{row},{row * 7 % 11},{row % 3},same,\n" for row in range(60))
    path.write_text("id,a,b,constant,empty\n" + rows)
    complains(command("train", path, "--target", "constant"), "'constant'", "same value")
    complains(command("train", path, "--target", "id"), "'id'", "row id")
    complains(command("train", path, "--target", "empty"), "'empty'")
    complains(command("train", path, "--target", "bb"), "'b'")
    complains(command("train", path, "--target", "b", "--group", "aa"), "'a'")
    complains(command("train", path, "--target", "b", "--split", "sides"), "sides")
    path.write_text("")
    complains(command("train", path), "rows.csv")
    path.write_text("a,b\n")
    complains(command("train", path), "rows.csv")


def test_rows_with_other_columns_than_the_training(command, wine_run, tmp_path):
    run, _ = wine_run
    other = tmp_path / "other.csv"
    other.write_text("alcohool,hue\n1,2\n2,3\n")
    complains(command("predict", run, other), "other.csv", "is missing")
    other.write_text("")
    complains(command("predict", run, other), "other.csv")
