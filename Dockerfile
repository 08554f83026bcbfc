# Training on GPUs, on the container that OpenRLHF recommends:
#
#   docker build -t openrlhf-unlearn .
#   docker run --gpus all -it --rm --shm-size 10g -v "$PWD:/work" -w /work openrlhf-unlearn
#
# Written from OpenRLHF's own instructions; it was never built, for no machine with Docker and a GPU was at hand.
FROM nvcr.io/nvidia/pytorch:26.03-py3

# The container pins its own builds, with which vLLM's pinned torch cannot be installed.
ENV PIP_CONSTRAINT="" PIP_NO_CACHE_DIR=1 PIP_BREAK_SYSTEM_PACKAGES=1
RUN python -m pip uninstall --yes xgboost transformer_engine flash_attn pynvml torchvision torchaudio

COPY . /opt/openrlhf-unlearn
RUN PYTHON=python bash /opt/openrlhf-unlearn/examples/install_gpu.sh
