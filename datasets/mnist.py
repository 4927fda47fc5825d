"""MNIST: 70,000 handwritten digits, 28 x 28 grey pixels each. LeCun, Bottou, Bengio & Haffner 1998."""

from pathlib import Path

from datasets import idx
from datasets.dataset import NAMES, Data, Dataset
from datasets.file import File

MNIST = Dataset(
    name="mnist",
    class_names=tuple("0123456789"),
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
    files=(
        File(
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        File(
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        File(
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        File(
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
)
CLASS_NAMES = MNIST.class_names
load_data = MNIST.load_data


def load_sample() -> Data:
    """The first 10,000 training and the first 2,000 test digits, which the checkout carries: for work offline."""
    folder = Path(__file__).parent / "sample"
    x_train, y_train, x_test, y_test = (idx.read(folder / f"{name}.gz") for name in NAMES)
    return (x_train, y_train), (x_test, y_test)
