import matplotlib.figure

from .calibration import reliability_figure as reliability_figure
from .calibration import risk_coverage_figure as risk_coverage_figure
from .calibration import unknown_figure as unknown_figure
from .comparison import network_comparison_figure as network_comparison_figure
from .comparison import stage_comparison_figure as stage_comparison_figure
from .confusion import confusion_explorer as confusion_explorer
from .confusion import confusion_matrix_figure as confusion_matrix_figure
from .data import class_balance as class_balance
from .data import class_contact_sheet as class_contact_sheet
from .data import classes_on_sheet as classes_on_sheet
from .data import duplicates_sheet as duplicates_sheet
from .data import resolutions as resolutions
from .data import split_balance as split_balance
from .embedding import THUMBNAIL_SHARE as THUMBNAIL_SHARE
from .embedding import embedding_explorer as embedding_explorer
from .embedding import embedding_map as embedding_map
from .embedding import extent as extent
from .errors import suspects_sheet as suspects_sheet
from .errors import top_losses_sheet as top_losses_sheet
from .experiments import experiment_coordinates as experiment_coordinates
from .experiments import experiment_curves as experiment_curves
from .grad_cam import grad_cam_by_class as grad_cam_by_class
from .grad_cam import grad_cam_missing as grad_cam_missing
from .grad_cam import grad_cam_of_errors as grad_cam_of_errors
from .grad_cam import mapped_classes as mapped_classes
from .predicted import predictions_sheet as predictions_sheet
from .search import search_figure as search_figure
from .sheets import contact_sheet as contact_sheet
from .slices import slices_figure as slices_figure
from .stages import fixed_and_broken_sheet as fixed_and_broken_sheet
from .stages import stage_errors_figure as stage_errors_figure
from .training import history_plot as history_plot
from .training import learning_rate_curve as learning_rate_curve
from .training import training_batch as training_batch
from .training import training_sheet as training_sheet

Figure = matplotlib.figure.Figure
