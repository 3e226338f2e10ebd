from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from assay.errors import DataError, SettingError
from assay.sources.checks import check_classes
from assay.sources.decode import decode_image
from assay.sources.images import read_images, read_unlabelled_images, recognise_images
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source


def read(data: Any, **options: Any) -> Records:
    return read_images(open_source(data), DataOptions(**options))


def why(data: Any) -> str:
    found = recognise_images(open_source(data))
    assert found is not None
    return found.why


def kinds(records: Records) -> dict[str, tuple[int, str]]:
    return {problem.kind: (problem.count, problem.action) for problem in records.problems}


def column(records: Records, name: str) -> list[Any]:
    return list(records.index()[name].to_pylist())


def decodes(records: Records) -> None:
    assert records.load is not None
    for location in column(records, "location"):
        assert decode_image(records.load(location)).ndim == 3


def test_folder_zip_and_tar_give_the_same(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for file in sorted(folder.rglob("*.jpg")):
            archive.write(file, f"wrapped/{file.relative_to(folder)}")
    with tarfile.open(tmp_path / "photos.tar.gz", "w:gz") as tar:
        tar.add(folder, ".")
    records = [read(folder), read(tmp_path / "photos.zip"), read(tmp_path / "photos.tar.gz")]
    for found in records:
        assert column(found, "target") == ["cat"] * 4 + ["dog"] * 4
        assert column(found, "digest") == column(records[0], "digest")
        decodes(found)
    assert records[0].fingerprint == records[2].fingerprint
    assert column(records[0], "id")[0] == "cat/0.jpg"
    assert records[0].facts["classes"] == 2
    assert why(folder) == "2 folders of images, one per class"


def test_given_splits_are_honoured_unless_shares_are_asked_for(folder: Path, tmp_path: Path) -> None:
    for side in ("train", "valid", "test"):
        (tmp_path / "data" / side).mkdir(parents=True)
        for name in ("cat", "dog"):
            (tmp_path / "data" / side / name).mkdir()
            (tmp_path / "data" / side / name / "0.jpg").write_bytes((folder / name / "0.jpg").read_bytes())
    records = read(tmp_path / "data")
    assert records.facts["split"] == {"test": 2, "train": 2, "validation": 2}
    assert column(records, "target") == ["cat", "dog"] * 3
    assert "below train, validation, test" in why(tmp_path / "data")
    assert "split" not in read(tmp_path / "data", split="80/10/10").index().column_names


def test_stray_files_are_no_classes(folder: Path) -> None:
    (folder / "README.txt").write_text("hello")
    (folder / "cat" / "notes.txt").write_text("hello")
    (folder / "loose.jpg").write_bytes((folder / "cat" / "0.jpg").read_bytes())
    (folder / "cat" / "siamese").mkdir()
    (folder / "cat" / "siamese" / "9.jpg").write_bytes((folder / "cat" / "1.jpg").read_bytes())
    records = read(folder)
    assert kinds(records) == {"stray-file": (3, "skipped")}
    assert records.facts["class_counts"] == {"cat": 5, "dog": 4}


def test_bad_files_are_counted(folder: Path, encode: Any) -> None:
    whole = encode()
    (folder / "cat" / "empty.jpg").write_bytes(b"")
    (folder / "cat" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "cat" / "liar.png").write_bytes(encode(seed=77))
    (folder / "dog" / "word.jpg").write_bytes(b"no image")
    (folder / "dog" / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (folder / "dog" / "cmyk.jpg").write_bytes(encode(mode="CMYK"))
    bomb = io.BytesIO()
    Image.new("1", (12000, 12000)).save(bomb, "PNG")
    (folder / "dog" / "bomb.png").write_bytes(bomb.getvalue())
    records = read(folder)
    assert kinds(records) == {
        "empty-file": (1, "skipped"), "truncated-image": (1, "skipped"), "mislabelled-file": (1, "kept"),
        "unreadable-image": (1, "skipped"), "unsupported-format": (1, "skipped"), "too-large": (1, "skipped"),
        "converted-colour": (1, "repaired"),
    }  # fmt: skip
    places = {problem.kind: problem.examples[0].file for problem in records.problems}
    assert places["truncated-image"] == "cat/cut.jpg"
    assert records.facts["samples"] == 10
    decodes(records)


def test_nothing_usable(folder: Path, tmp_path: Path) -> None:
    for file in folder.rglob("*.jpg"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 8 images can be used \\(8 empty-file\\)"):
        read(folder)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="the folder is empty"):
        read(tmp_path / "none")
    (tmp_path / "none" / "x.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="1 images without class folders"):
        read(tmp_path / "none")
    with pytest.raises(DataError, match="no such file"):
        open_source(tmp_path / "nowhere")


def test_classes_are_checked(folder: Path) -> None:
    for number in range(2):
        (folder / "dog" / f"{number}.jpg").unlink()
    index = read(folder).index()
    with pytest.raises(DataError, match="class 'dog' has 2 photos; a three-way split needs at least 10") as error:
        check_classes(index, False, noun="photos")
    assert error.value.hint == "Add photos, or pass --split 80/20/0."
    check_classes(index, True)
    with pytest.raises(DataError, match="of one class, 'cat'"):
        check_classes(index.slice(0, 4), True)
    with pytest.raises(DataError, match="same target"):
        check_classes(pa.table({"target": [1.0, 1.0]}), True)
    with pytest.raises(DataError, match="same labels"):
        check_classes(pa.table({"target": [["a"], ["a"]]}), True)


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize("give", ["table", "folder", "zip"])
def test_table_of_paths(folder: Path, tmp_path: Path, give: str) -> None:
    file = table(folder, "file,label,patient\ncat/0.jpg,Cat,1\ndog/1.jpg,Dog,2\ngone.jpg,Dog,2\ncat/1.jpg,,3\n")
    data = file if give == "table" else folder
    if give == "zip":
        data = tmp_path / "all.zip"
        with zipfile.ZipFile(data, "w") as archive:
            for found in sorted(folder.rglob("*.*")):
                archive.write(found, f"inside/{found.relative_to(folder)}")
    assert "image paths in column 'file'" in why(data)
    records = read(data, target="label", group="patient")
    assert column(records, "target") == ["Cat", "Dog"]
    assert column(records, "group") == ["1", "2"]
    assert kinds(records) == {"missing-file": (1, "skipped"), "missing-target": (1, "skipped")}
    assert {problem.examples[0].row for problem in records.problems} == {4, 5}
    decodes(records)


def test_table_names_without_endings(folder: Path) -> None:
    for number, name in enumerate(("a0", "a1")):
        (folder / "cat" / f"{number}.jpg").rename(folder / "cat" / f"{name}.jpg")
    table(folder, "id,breed\na0,siamese\na1,persian\n")
    assert column(read(folder), "location") == ["cat/a0.jpg", "cat/a1.jpg"]


@pytest.mark.parametrize(("values", "kind", "first"), [
    (["red|big", "blue"], "labels", ["red", "big"]), (["1.5", "2"], "number", 1.5), (["1", "2"], "class", "1"),
    (["x", "y"], "class", "x"),
])  # fmt: skip
def test_table_target_kinds(folder: Path, values: list[str], kind: str, first: Any) -> None:
    text = "path,target\n" + "".join(f"cat/{row}.jpg,{value}\n" for row, value in enumerate(values))
    records = read(table(folder, text))
    assert records.facts["target"] == {"name": "target", "kind": kind}
    assert column(records, "target")[0] == first


def test_table_kind_can_be_asked_for(folder: Path) -> None:
    file = table(folder, "path,target\ncat/0.jpg,1\ncat/1.jpg,2\n")
    assert column(read(file, extra={"target_kind": "number"}), "target") == [1.0, 2.0]
    with pytest.raises(SettingError, match="'class', 'labels' or 'number'"):
        read(file, extra={"target_kind": "colour"})


def test_table_split_column_and_repeated_rows(folder: Path) -> None:
    file = table(folder, "path,label,split\ncat/0.jpg,a,train\ncat/1.jpg,b,dev\ncat/1.jpg,b,dev\ncat/0.jpg,b,test\n")
    records = read(file)
    assert column(records, "split") == ["train", "validation", "test"]
    assert kinds(records) == {"repeated-row": (1, "skipped"), "image-with-two-targets": (1, "kept")}
    assert column(records, "id") == ["cat/0.jpg", "cat/1.jpg", "labels.csv:5"]


def test_table_errors(folder: Path) -> None:
    file = table(folder, "path,colour,size\ncat/0.jpg,a,1\ncat/1.jpg,b,1\n")
    with pytest.raises(DataError, match="'path', 'colour', 'size'"):
        read(file)
    with pytest.raises(SettingError) as error:
        read(file, target="color")
    assert error.value.hint == "Did you mean 'colour'?"
    with pytest.raises(DataError, match="none of the 2 files"):
        read(table(folder, "path,label\nx.jpg,a\ny.jpg,b\n"))


def shard(path: Path, payloads: list[bytes], labels: list[int]) -> None:
    names = {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    images = pa.array([{"bytes": payload, "path": None} for payload in payloads],
                      pa.struct([("bytes", pa.binary()), ("path", pa.string())]))  # fmt: skip
    rows = pa.table({"image": images, "label": labels})
    metadata = {"huggingface": json.dumps({"info": {"features": names}})}
    pq.write_table(rows.replace_schema_metadata(metadata), path, row_group_size=2)


def test_hugging_face_shards(tmp_path: Path, encode: Any) -> None:
    payloads = [encode(seed=seed) for seed in range(6)]
    shard(tmp_path / "train-00000-of-00002.parquet", payloads[:3], [0, 1, 0])
    shard(tmp_path / "train-00001-of-00002.parquet", payloads[3:5], [1, -1])
    shard(tmp_path / "test-00000-of-00001.parquet", payloads[5:], [1])
    records = read(tmp_path)
    assert records.facts["class_counts"] == {"cat": 2, "dog": 3}
    assert records.facts["split"] == {"test": 1, "train": 4}
    assert kinds(records) == {"missing-target": (1, "skipped")}
    assert records.load is not None
    with ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(records.load, column(records, "location") * 8))
    assert loaded == [payloads[place] for place in (5, 0, 1, 2, 3)] * 8


def test_parquet_with_a_binary_column(tmp_path: Path, encode: Any) -> None:
    payloads = [encode(seed=seed) for seed in range(3)]
    pq.write_table(
        pa.table({"content": pa.array([*payloads, b""]), "label": ["a", "b", "a", "b"]}), tmp_path / "x.parquet"
    )
    records = read(tmp_path / "x.parquet")
    assert column(records, "target") == ["a", "b", "a"]
    assert kinds(records) == {"empty-file": (1, "skipped")}
    assert records.problems[0].examples[0].row == 4


@pytest.mark.parametrize(("keys", "sides"), [
    (("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"), True),
    (("x_train", "y_train", "x_valid", "y_valid", "x_test", "y_test"), True), (("images", "labels"), False),
    (("X", "y"), False),
])  # fmt: skip
def test_npz(tmp_path: Path, keys: tuple[str, ...], sides: bool) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (6, 8, 9, 3), dtype=np.uint8)
    arrays = {
        key: np.arange(6)[:, None] % 2 if key.lower().startswith("y") or "label" in key else images for key in keys
    }
    np.savez(tmp_path / "x.npz", **arrays)
    records = read(tmp_path / "x.npz")
    assert records.facts["classes"] == 2
    assert records.facts.get("split") == ({"test": 6, "train": 6, "validation": 6} if sides else None)
    assert records.load is not None
    np.testing.assert_array_equal(records.load(f"{keys[0]}:4"), images[4])


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, np.float64])
def test_array_types_and_channels_first(dtype: Any) -> None:
    images = np.random.default_rng(0).random((5, 3, 12, 10))
    images = (images * 60000).astype(dtype) if dtype == np.uint16 else images.astype(dtype)
    records = read((images, ["a", "b", "a", "b", "a"]))
    assert records.load is not None
    loaded = records.load("data:2")
    assert loaded.shape == (12, 10, 3)
    assert loaded.dtype == (np.uint16 if dtype == np.uint16 else np.uint8)


def test_npz_that_cannot_be_used(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", images=np.zeros((2, 4, 4)), labels=np.array([{}, {}], object))
    with pytest.raises(DataError, match=r"objects\.npz"):
        read(tmp_path / "objects.npz")
    np.savez(tmp_path / "short.npz", images=np.zeros((2, 4, 4)), labels=np.zeros(3))
    with pytest.raises(DataError, match="2 images, but 3 labels"):
        read(tmp_path / "short.npz")


@pytest.mark.parametrize("packed", [False, True])
def test_idx(tmp_path: Path, packed: bool) -> None:
    images = np.random.default_rng(0).integers(0, 255, (4, 6, 5), dtype=np.uint8)
    for side in ("train", "t10k"):
        for name, values in (("images-idx3", images), ("labels-idx1", np.array([0, 1, 2, 1], np.uint8))):
            content = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()
            ending = ".gz" if packed else ""
            (tmp_path / f"{side}-{name}-ubyte{ending}").write_bytes(gzip.compress(content) if packed else content)
    records = read(tmp_path)
    assert records.facts["split"] == {"test": 4, "train": 4}
    assert records.facts["classes"] == 3
    assert records.load is not None
    np.testing.assert_array_equal(records.load(column(records, "location")[2])[:, :, 0], images[2])
    file = next(tmp_path.glob("train-images*"))
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(DataError, match="damaged"):
        read(tmp_path)


def test_several_labels_and_numbers_in_memory() -> None:
    images = np.zeros((3, 4, 4), np.uint8)
    assert column(read((images, np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1]]))), "target")[0] == ["0", "2"]
    assert column(read((images, [["a"], ["a", "b"], []])), "target")[1] == ["a", "b"]
    assert column(read((images, [0.5, 1.5, 2.0])), "target") == [0.5, 1.5, 2.0]
    with pytest.raises(DataError, match="3 images, but 2 labels"):
        read((images, [1, 2]))


def test_unlabelled(folder: Path, tmp_path: Path) -> None:
    for data in (folder, folder / "cat" / "0.jpg", np.zeros((3, 8, 8), np.uint8), np.zeros((8, 8), np.uint8),
                 [np.zeros((8, 8, 3), np.uint8), folder / "cat" / "0.jpg", Image.new("P", (5, 5))]):  # fmt: skip
        records = read_unlabelled_images(open_source(data))
        assert "target" not in records.index().column_names
        decodes(records)
    (tmp_path / "no ending").write_bytes((folder / "cat" / "0.jpg").read_bytes())
    decodes(read_unlabelled_images(open_source(tmp_path / "no ending")))
    records = read_unlabelled_images(open_source([folder / "gone.jpg", folder / "cat" / "0.jpg"]))
    assert kinds(records) == {"missing-file": (1, "skipped")}
