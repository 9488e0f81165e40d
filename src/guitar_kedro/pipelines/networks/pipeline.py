"""The pipeline that compares networks."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.networks import nodes
from guitar_kedro.pipelines.networks.plan import NetworkPlan
from guitar_kedro.pipelines.prefilled import prefilled
from guitar_kedro.pipelines.training.nodes import compute_features
from guitar_kedro.pipelines.training.plan import PRETRAINED, StagePlan


def create_pipeline(networks: list[NetworkPlan], first: StagePlan) -> Pipeline:
    """Create the pipeline from prepared pictures to a recommendation.

    Args:
        networks: To be compared.
        first: The first stage, whose size of pictures all of them get.
    """
    results = [f"networks.{network.namespace}.{result}" for network in networks for result in ("predictions", "cost")]
    comparison = Node(
        func=nodes.compare_networks,
        inputs=results,
        outputs=["network_comparison", "network_comparison_plot", "network_recommendation"],
        name="compare_networks",
        namespace="networks",
        tags="reports",
    )
    return Pipeline([*(_network_nodes(network, first) for network in networks), comparison])


def _network_nodes(network: NetworkPlan, first: StagePlan) -> Pipeline:
    shared = {
        "splits": "splits",
        "start": PRETRAINED,
        "image_size": f"params:stages.{first.name}.image_size",
        "batch_size": f"params:stages.{first.name}.batch_size",
        "resize_method": "params:training.resize_method",
        "precision": "params:training.precision",
        "seed": "params:seed",
        "device": "params:device",
    }
    what = {"stage_name": network.name, "architecture": network.architecture, "weights": network.weights}
    of_network = f"networks.{network.namespace}"
    return Pipeline(
        [
            Node(
                func=prefilled(compute_features, **what),
                inputs={**shared, "prepared_images": "prepared_images"},
                outputs=f"{of_network}.features",
                name="compute_features",
                tags="predictions",
            ),
            Node(
                func=prefilled(nodes.measure_network, **what),
                inputs={**shared, "features": f"{of_network}.features"},
                outputs=[f"{of_network}.predictions", f"{of_network}.cost"],
                name="measure_network",
                tags=["trained_networks", "predictions"],
            ),
        ],
        namespace=of_network,
        prefix_datasets_with_namespace=False,
    )
