"""The pipeline that compares networks."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.networks import nodes
from guitar_kedro.pipelines.networks.plan import NetworkPlan
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
    return Pipeline([*(node for network in networks for node in _network_nodes(network, first)), comparison])


def _network_nodes(network: NetworkPlan, first: StagePlan) -> list[Node]:
    namespace = f"networks.{network.namespace}"
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
    return [
        Node(
            func=nodes.feature_computer(network),
            inputs={**shared, "prepared_images": "prepared_images"},
            outputs=f"{namespace}.features",
            name="compute_features",
            namespace=namespace,
            tags="predictions",
        ),
        Node(
            func=nodes.network_measurer(network),
            inputs={**shared, "features": f"{namespace}.features"},
            outputs=[f"{namespace}.predictions", f"{namespace}.cost"],
            name="measure_network",
            namespace=namespace,
            tags=["trained_networks", "predictions"],
        ),
    ]
