"""fastai and torch: data loaders, learner, recipe. No Kedro in here."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "bundle": ["Bundle"],
        "chunk": ["Chunk"],
        "checkpoint": ["Checkpoint", "ModelSpec"],
        "exporting": ["make_bundle", "with_int8", "with_pickle"],
        "learner": ["learner_for_inference"],
        "attention": ["NoFeatureMaps", "class_activation_maps", "pictures_as_seen"],
        "data": ["pixel_sizes"],
        "pictures": ["thumbnail"],
        "pixels": ["Decoding", "Pixels"],
        "prediction": ["PROBABILITY", "predict", "predict_in_chunks", "predict_readable", "with_labels"],
        "predictor": ["Answers", "Predictor"],
        "pretrained": ["PretrainedWeights"],
        "distributed": ["train_together"],
        "recipe": ["LoopOptions", "NetworkOptions", "PhaseOptions", "Processes", "StageOptions", "TrainingOptions"],
        "epoch_state": ["EpochState"],
        "training": ["Phase", "find_learning_rate", "train_phase", "training_batch"],
    },
)
