"""fastai and torch: data loaders, learner, recipe. No Kedro in here."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "checkpoint": ["Checkpoint", "ModelSpec"],
        "learner": ["learner_for_inference"],
        "attention": ["NoFeatureMaps", "class_activation_maps", "pictures_as_seen"],
        "data": ["pixel_sizes"],
        "pixels": ["Decoding", "Pixels"],
        "prediction": ["PROBABILITY", "predict"],
        "predictor": ["Answers", "Predictor"],
        "pretrained": ["PretrainedWeights"],
        "distributed": ["train_together"],
        "recipe": ["PhaseOptions", "Processes", "StageOptions", "TrainingOptions"],
        "resume": ["EpochState"],
        "training": ["Phase", "find_learning_rate", "train_phase"],
    },
)
