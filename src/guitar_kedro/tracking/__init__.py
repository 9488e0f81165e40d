"""What a run makes, told to places where teams already look: MLflow and TensorBoard. No run fails by them."""

from guitar_kedro.tracking.options import TrackingOptions as TrackingOptions
from guitar_kedro.tracking.place import ModelResults as ModelResults
from guitar_kedro.tracking.place import ModelRun as ModelRun
from guitar_kedro.tracking.place import ResultFile as ResultFile
from guitar_kedro.tracking.tracker import Tracker as Tracker
