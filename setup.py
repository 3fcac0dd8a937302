"""Build script: the wheel ships `alfamous_jax` and its packaged data file, nothing else."""

from setuptools import find_packages, setup

EXPERIMENTS = [
    "absl-py>=2.1",
    "matplotlib>=3.8",
    "ml-collections>=1.0",
    "orbax-checkpoint>=0.11",
    "pillow>=10",
    "rich>=13",
]
EXPORT = ["flatbuffers>=24"]  # which jax.export writes and reads

setup(
    name="alfamous-jax",
    version="0.1.0",
    description="Active learning for imbalanced data as pure JAX functions",
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["alfamous_jax", "alfamous_jax.*"]),
    package_data={"alfamous_jax.datasets": ["letter.npz"]},
    install_requires=[
        "chex>=0.1.90",
        "flax>=0.12",
        "jax>=0.10",
        "jaxlib>=0.10",
        "numpy>=1.26",
        "optax>=0.2.6",
        "scipy>=1.14",
    ],
    extras_require={
        "experiments": EXPERIMENTS,
        "ray": ["ray>=2.9"],
        "slurm": ["submitit>=1.5"],
        "export": EXPORT,
        "data": ["importlib_resources", "tensorflow-datasets>=4.9.9"],
        "test": [*EXPERIMENTS, *EXPORT, "hypothesis>=6", "pytest>=8", "pytest-xdist>=3.7", "scikit-learn>=1.5"],
    },
)
