"""Package metadata; `pip install .` or, for the addons stack, `pip install '.[addons]'`."""

import pathlib
import re
import shutil

import setuptools
from setuptools.command import build_py

_ROOT = pathlib.Path(__file__).parent


def _version() -> str:
    text = (_ROOT / "spine_tf" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE).group(1)


class _BuildPy(build_py.build_py):
    """Starts with an empty folder, so that no module that was deleted gets into the wheel."""

    def run(self) -> None:
        if not self.editable_mode:
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()


# The lower bounds admit both stacks: a plain install takes the newest TensorFlow (with Keras 3, on
# Python 3.11 and newer), the extra `addons` pins TensorFlow 2.15.1, which pins Keras 2.15.
_REQUIREMENTS = [
    "absl-py>=2.1",
    "apache-beam>=2.60",
    "google-crc32c>=1.5",
    "jinja2>=3.1",
    "keras>=2.15",
    "keras-tuner>=1.4.8",
    "matplotlib>=3.8",
    "nibabel>=5.2",
    "numpy>=1.26",
    "pillow>=10.0",
    "pyarrow>=14.0",
    "pydicom>=3.0",
    "pyjpegls>=1.4",
    "python-gdcm>=3.0.24",
    "scikit-learn>=1.4",
    "scipy>=1.11,<2",  # surface-distance uses names that SciPy 2 will not have
    "SimpleITK>=2.3",
    "surface-distance==0.1",
    "tensorboard>=2.15",  # keras-tuner needs it, and TensorFlow no longer brings it
    "tensorflow>=2.15.1",
    "tqdm>=4.66",
]

_EXTRAS = {
    "addons": [  # Python 3.10 and 3.11 only
        "keras==2.15.0",
        "setuptools<81",  # TensorBoard 2.15 imports pkg_resources, which left with 81
        "tensorflow==2.15.1",
        "tensorflow-addons==0.23.0",
        "tensorflow-io==0.36.0",
    ],
    "cuda": ["tensorflow[and-cuda]>=2.15.1"],
    "seg": ["highdicom>=0.24"],  # DICOM segmentations as input of convert-annotations
    "report": ["highdicom>=0.24"],  # the structured report of grade
    "dicomweb": ["dicomweb-client>=0.60"],
    "docs": [  # the site and the notebook; in the lock of the current stack only
        "ipykernel>=6.29",
        "mkdocs-material>=9.6",
        "mkdocstrings-python>=1.16",
        "nbclient>=0.10",
    ],
    # What benchmarks/ compares with; in no lock: the library never imports them.
    "benchmarks": ["monai>=1.4", "torch>=2.4", "torchio>=0.20"],
    "serving": ["tensorflow-serving-api>=2.15"],  # warmup requests of an export; the client
    "types": ["mypy>=2.0"],  # in the lock of the current stack only
    "test": [
        "dicomweb-client>=0.60",
        "highdicom>=0.24",
        "hypothesis>=6.100",
        "playwright>=1.45",
        "pytest>=8.0",
        "pytest-xdist>=3.5",
        "ruff>=0.15",
        "scikit-image>=0.22",
        "tensorflow-serving-api>=2.15",
    ],
}

setuptools.setup(
    name="spine-tf",
    version=_version(),
    description="Self-supervised learning and grading of lumbar spine MRI, in TensorFlow",
    long_description=(_ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    packages=setuptools.find_packages(
        include=["spine_tf", "spine_tf.*", "data_prep", "data_prep.*", "export", "export.*"]
    ),
    package_data={"": ["templates/*", "*.json", "weights/**"]},
    python_requires=">=3.10",
    install_requires=_REQUIREMENTS,
    extras_require=_EXTRAS,
    entry_points={"console_scripts": ["spine-tf=spine_tf.cli:dispatch"]},
    cmdclass={"build_py": _BuildPy},
    # `build/` and `BUILD` are the same name on a disk that ignores case.
    options={"build": {"build_base": ".build"}},
    classifiers=[
        "Development Status :: 2 - Pre-Alpha",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
)
