"""The service and its page: a model behind HTTP. Kedro is known to ``command`` alone."""
