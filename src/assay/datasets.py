"""Well-known public data sets that `assay data get` fetches from their publishers.

Every file is pinned by its SHA-256, so that a result can be compared with one of somebody else. To add a data set, add
an entry to `DATASETS`: only one whose terms are known, whose address is the publisher's or a long-standing mirror, and
which `assay train` takes as it arrives.

    import assay
    from assay.datasets import get

    assay.train(get("fashion-mnist", "data/fashion-mnist"))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assay._download import RemoteFile, fetch_file
from assay._unpack import unpack
from assay.errors import DataError, SettingError, did_you_mean
from assay.progress import Progress

#: Marks a folder that was unpacked from an archive with this SHA-256.
_NOTE = ".assay-data-{sha256}"


@dataclass(frozen=True)
class PublicDataset:
    """A data set that anybody may fetch.

    Attributes:
        name: what the user types.
        title: what it holds, in a few words with its counts.
        task: the application that it belongs to.
        licence: the publisher's terms, or that there are none stated.
        homepage: where it is described.
        files: what is fetched.
        source: what `assay train` takes, inside the folder: a file, a folder, or "" for the folder itself.
        target: the column to predict, where `assay train` needs to be told.
    """

    name: str
    title: str
    task: str
    licence: str
    homepage: str
    files: tuple[RemoteFile, ...]
    source: str = ""
    target: str | None = None

    @property
    def bytes(self) -> int:
        """The size of the download."""
        return sum(file.bytes for file in self.files)


def get(name: str, folder: str | Path | None = None, *, progress: Progress | None = None) -> Path:
    """Fetch a public data set, or find that it is there already.

    A broken download is continued by calling this again. Nothing that is in the folder already is overwritten.

    Args:
        name: one of `DATASETS`.
        folder: where to put it; by default a folder of that name in the current one.
        progress: told how many bytes of each file are there.

    Returns:
        the path to give to `assay train`.

    Raises:
        SettingError: there is no data set of that name.
        DataError: a server that does not answer, wrong content, no space, no permission.
    """
    if name not in DATASETS:
        raise SettingError(f"there is no public data set {name!r} here.", did_you_mean(name, DATASETS))
    return fetch(DATASETS[name], Path(name) if folder is None else Path(folder), progress=progress)


def fetch(dataset: PublicDataset, folder: Path, *, progress: Progress | None = None) -> Path:
    """Fetch any data set that is described by a `PublicDataset`, see `get`."""
    listener = progress or Progress()
    for file in dataset.files:
        if file.unpack is None:
            fetch_file(file, folder, listener)
        else:
            _fetch_and_unpack(file, folder / file.unpack, listener)
    return folder / dataset.source


def _fetch_and_unpack(file: RemoteFile, target: Path, progress: Progress) -> None:
    note = _NOTE.format(sha256=file.sha256)
    if (target / note).exists():
        return
    if target.exists():
        raise DataError(
            "is there already, and was not put there by `assay data get`.",
            "Move it away, or name another folder, and run the command again.",
            file=str(target),
        )
    archive = fetch_file(file, target.parent, progress)
    progress.stage(f"unpacking {file.name}")
    unpack(archive, target, note)
    archive.unlink()


def _idx_files(mirrors: tuple[str, ...], files: Mapping[str, tuple[int, str]]) -> tuple[RemoteFile, ...]:
    """The four files of a data set in the layout of MNIST."""
    return tuple(
        RemoteFile(name, tuple(mirror + name for mirror in mirrors), sha256, size)
        for name, (size, sha256) in files.items()
    )


def _single(url: str, sha256: str, size: int, *, mirror: str = "", unpack: str | None = None) -> tuple[RemoteFile, ...]:
    """A data set in one file, named as in its address."""
    return (RemoteFile(url.rsplit("/", 1)[1], (url, mirror) if mirror else (url,), sha256, size, unpack),)


_FASHION_MNIST = PublicDataset(
    "fashion-mnist",
    "articles of clothing, 28x28 grey, 10 classes, 60,000 + 10,000",
    "image-classification",
    "MIT",
    "https://github.com/zalandoresearch/fashion-mnist",
    _idx_files(
        (
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        {
            "train-images-idx3-ubyte.gz": (
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            "train-labels-idx1-ubyte.gz": (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            "t10k-images-idx3-ubyte.gz": (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            "t10k-labels-idx1-ubyte.gz": (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        },
    ),
)

_MNIST = PublicDataset(
    "mnist",
    "handwritten digits, 28x28 grey, 10 classes, 60,000 + 10,000",
    "image-classification",
    "CC BY-SA 3.0",
    "https://yann.lecun.com/exdb/mnist/",
    _idx_files(
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        {
            "train-images-idx3-ubyte.gz": (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            "train-labels-idx1-ubyte.gz": (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            "t10k-images-idx3-ubyte.gz": (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            "t10k-labels-idx1-ubyte.gz": (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        },
    ),
)

_KMNIST = PublicDataset(
    "kmnist",
    "handwritten old Japanese characters, 28x28 grey, 10 classes, 60,000 + 10,000",
    "image-classification",
    "CC BY-SA 4.0",
    "http://codh.rois.ac.jp/kmnist/index.html.en",
    _idx_files(
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        {
            "train-images-idx3-ubyte.gz": (
                18165135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            ),
            "train-labels-idx1-ubyte.gz": (29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            "t10k-images-idx3-ubyte.gz": (3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            "t10k-labels-idx1-ubyte.gz": (5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        },
    ),
)

_CIFAR_10 = PublicDataset(
    "cifar-10",
    "small colour photos, 32x32, 10 classes, 50,000 + 10,000, folder per class",
    "image-classification",
    "none stated; cite Krizhevsky, Learning multiple layers of features from tiny images, 2009",
    "https://www.cs.toronto.edu/~kriz/cifar.html",
    _single(
        "https://s3.amazonaws.com/fast-ai-imageclas/cifar10.tgz",
        "637c5814e11aefcb6ee76d5f59c67ddc8de7f5b5077502a195b0833d1e3e4441",
        135107811,
        unpack="cifar10",
    ),
    source="cifar10",
)

_IMAGENETTE_160 = PublicDataset(
    "imagenette-160",
    "photos, 160 pixels on the short side, 10 classes of ImageNet, 9,469 + 3,925, folder per class",
    "image-classification",
    "Apache-2.0 for the selection; the photos under ImageNet's terms (research and teaching, not commercial)",
    "https://github.com/fastai/imagenette",
    _single(
        "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz",
        "88daccb09b6fce93f45e6c09ddeb269cce705549e6bff322092a2a5a11489863",
        98948031,
        unpack="imagenette2-160",
    ),
    source="imagenette2-160",
)

_FLOWERS = PublicDataset(
    "flowers",
    "photos of flowers, 5 classes, 3,670, folder per class",
    "image-classification",
    "CC BY 2.0; the photographers stand in LICENSE.txt",
    "https://www.tensorflow.org/datasets/catalog/tf_flowers",
    _single(
        "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
        "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
        228813984,
        mirror="http://download.tensorflow.org/example_images/flower_photos.tgz",
        unpack="flower_photos",
    ),
    source="flower_photos",
)

_PNEUMONIA_MNIST = PublicDataset(
    "pneumonia-mnist",
    "chest X-rays of children, 28x28 grey, normal or pneumonia, 4,708 + 524 + 624",
    "image-classification",
    "CC BY 4.0",
    "https://medmnist.com",
    _single(
        "https://zenodo.org/records/10519652/files/pneumoniamnist.npz",
        "e1792d3f03751cb101e99f19a63b3c1941436c988665f47853417b05be250cd8",
        4170669,
    ),
    source="pneumoniamnist.npz",
)

_WINE_QUALITY = PublicDataset(
    "wine-quality",
    "white wines: 11 chemical measurements, 4,898 rows, a mark from 0 to 10 to predict",
    "table",
    "CC BY 4.0",
    "https://archive.ics.uci.edu/dataset/186/wine+quality",
    _single(
        "https://archive.ics.uci.edu/ml/machine-learning-databases/wine-quality/winequality-white.csv",
        "76c3f809815c17c07212622f776311faeb31e87610d52c26d87d6e361b169836",
        264426,
    ),
    source="winequality-white.csv",
    target="quality",
)

_DIAMONDS = PublicDataset(
    "diamonds",
    "diamonds: 6 numbers and 3 ordered categories, 53,940 rows, a price to predict",
    "table",
    "MIT",
    "https://ggplot2.tidyverse.org/reference/diamonds.html",
    _single(
        "https://raw.githubusercontent.com/tidyverse/ggplot2/main/data-raw/diamonds.csv",
        "9574730b03aba241d899c4a97511c5061b19358fab89510774fb6c24168345c4",
        2772143,
        mirror="https://raw.githubusercontent.com/mwaskom/seaborn-data/master/diamonds.csv",
    ),
    source="diamonds.csv",
    target="price",
)

_PENGUINS = PublicDataset(
    "penguins",
    "penguins: measurements with gaps, island and sex, 344 rows, the species to predict",
    "table",
    "CC0 1.0",
    "https://allisonhorst.github.io/palmerpenguins/",
    _single(
        "https://storage.googleapis.com/download.tensorflow.org/data/palmer_penguins/penguins_size.csv",
        "aa728597b2228a2637e39c6f08e40a80971f4cdac7faf7bc21ff4481ee3e3ae9",
        13519,
    ),
    source="penguins_size.csv",
    target="species",
)

_WARWICK = "https://warwick.ac.uk/fac/cross_fac/tia/data/pannuke"
_PANNUKE = PublicDataset(
    "pannuke",
    "nuclei outlined in tissue of 19 kinds, 256x256 colour, 5 classes, 7,901 images, three given folds",
    "cell-detection",
    "CC BY-NC-SA 4.0",
    _WARWICK,
    tuple(
        RemoteFile(f"fold_{fold}.zip", (f"{_WARWICK}/fold_{fold}.zip",), sha256, size, f"fold_{fold}")
        for fold, size, sha256 in (
            (1, 700275281, "6e19ad380300e8ce9480f9ab6a14cc91fa4b6a511609b40e3d70bdf9c881ed0b"),
            (2, 658842552, "5bc540cc509f64b5f5a274d6e5a245527dbd3e6d3155d43555115c5d54709b07"),
            (3, 717969882, "c14d372981c42f611ebc80afad01702b89cad8c1b3089daa31931cf5a4b1a39d"),
        )
    ),
)

_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_MONUSAC = PublicDataset(
    "monusac",
    "nuclei outlined in lung, kidney, breast and prostate at 40x, 4 classes, 209 + 85 images of 71 patients",
    "cell-detection",
    "CC BY-NC-SA 4.0",
    "https://monusac-2020.grand-challenge.org/Data/",
    (
        RemoteFile(
            "MoNuSAC_images_and_annotations.zip",
            (f"{_DRIVE}1lxMZaAPSpEHLSxGA9KKMt_r-4S8dwLhq",),
            "5b7cbeb34817a8f880d3fddc28391e48d3329a91bf3adcbd131ea149a725cd92",
            545564883,
            "train",
        ),
        RemoteFile(
            "MoNuSAC_Testing_Data_and_Annotations.zip",
            (f"{_DRIVE}1G54vsOdxWY1hG7dzmkeK3r0xz9s-heyQ",),
            "bcbc38f6bf8b149230c90c29f3428cc7b2b76f8acd7766ce9fc908fc896c2674",
            202746703,
            "test",
        ),
    ),
)

#: All of them, by name.
DATASETS: Mapping[str, PublicDataset] = {
    dataset.name: dataset
    for dataset in (
        _FASHION_MNIST,
        _MNIST,
        _KMNIST,
        _CIFAR_10,
        _IMAGENETTE_160,
        _FLOWERS,
        _PNEUMONIA_MNIST,
        _WINE_QUALITY,
        _DIAMONDS,
        _PENGUINS,
        _PANNUKE,
        _MONUSAC,
    )
}
