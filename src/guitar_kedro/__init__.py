"""Image classification on folders of photos: a Kedro project around a fastai recipe."""

import os
import warnings

__version__ = "0.1.0"

# Warnings that ask nothing of a user of this project, each by its exact words.
for _message in (
    r"register_new_resolver\(\) is deprecated",  # Kedro calls it, in omegaconf 2.4
    r"One or more dataset names contain '\.'",  # train.<stage>.<phase>_checkpoint: evaluation names what training made
    r"`torch.jit.script` is deprecated",  # fastai calls it
    r"numpy.core is deprecated",  # fastai uses it
    r"The 'mode.chained_assignment' option is deprecated",  # fastai sets it
    r"Grad strides do not match bucket view strides",  # of torch, on GPUs: convolutions of one pixel in channels_last
    r"\d+ tasks have been successfully executed",  # joblib, when an error ends a run before their results are used
):
    warnings.filterwarnings("ignore", message=_message)

# huggingface_hub, from which timm's weights come, would tell its makers what it is used for
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # as MLflow would
# kedro-viz uses this class in a server process of its own, which does not import this package first.
os.environ.setdefault("PYTHONWARNINGS", "ignore:ORJSONResponse is deprecated")
