"""KMNIST: 70,000 cursive Japanese characters, ten hiragana, in MNIST's format. Clanuwat et al. 2018."""

from datasets.dataset import Dataset
from datasets.file import File

KMNIST = Dataset(
    name="kmnist",
    class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),  # no https there: the SHA-256 sums make it safe
    files=(
        File(18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        File(29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        File(3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        File(5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ),
)
CLASS_NAMES = KMNIST.class_names
load_data = KMNIST.load_data
