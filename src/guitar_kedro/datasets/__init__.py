"""How each artifact lies on disk, is versioned, and is shown in kedro-viz."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "bundles": ["BundleDataset"],
        "checkpoints": ["CheckpointDataset", "LearnerDataset"],
        "curation": ["CurationDataset", "ModelBeforeCurationDataset", "PredictionsBeforeCurationDataset"],
        "epoch_states": ["EpochStatesDataset"],
        "images": [
            "DrawnImagesDataset",
            "DrawnOthersDataset",
            "EarlierImagesDataset",
            "GivenImagesDataset",
            "ImagesToPredictDataset",
            "OtherPhotosDataset",
            "PhotosDataset",
            "PreparedImagesDataset",
        ],
        "pixels": ["PixelsDataset"],
        "predictions": ["PredictionsDataset"],
        "pretrained": ["PretrainedWeightsDataset"],
        "processes": ["ProcessesDataset"],
        "reports": [
            "DocumentDataset",
            "ExplorerDataset",
            "FigureDataset",
            "MetricsDataset",
            "OptionalMetricsDataset",
            "OptionalPageDataset",
            "PageDataset",
        ],
        "sealed": ["SealedLabels", "SealedLabelsDataset"],
        "tables": ["LogDataset", "OptionalTableDataset", "SpreadsheetDataset", "TableDataset"],
    },
)
