"""The HTTP API of `spadework serve` on Ray Serve: many replicas at one address, on one machine or many.

    pip install 'spadework[ray]'
    python examples/ray_serve.py --replicas 2                      # here, until Ctrl-C
    serve run --app-dir examples ray_serve:build replicas=8        # on the cluster that Ray is connected to

Every replica has an engine, a queue and counters of its own. Keys come from SPADEWORK_API_KEYS, with commas
between; without any it answers only to names of this machine, wherever it runs.
"""

import argparse
import os
import signal

from fastapi import FastAPI
from ray import serve

from spadework.api.app import create_api
from spadework.api.gate import Limits
from spadework.api.shelf import Shelf


def build(args: dict[str, str]) -> serve.Application:
    """The application. `args`: `model`, a name, or a path on every machine; `replicas`; `cpus` of each."""
    model, cpus = args.get("model", "landscape"), int(args.get("cpus", "1"))
    keys = [key for key in os.environ.get("SPADEWORK_API_KEYS", "").split(",") if key]
    limits = Limits()

    def api() -> FastAPI:
        """In a replica."""
        import torch

        torch.set_num_threads(cpus)
        return create_api(Shelf({"landscape": model}), limits, keys)

    deployment = serve.deployment(
        serve.ingress(api)(),
        name="spadework",
        num_replicas=int(args.get("replicas", "1")),
        max_ongoing_requests=limits.waiting + limits.together,  # beyond that requests wait with Ray
        ray_actor_options={"num_cpus": cpus},
        graceful_shutdown_timeout_s=60,
    )
    return deployment.bind()


def main() -> None:
    """Serves on this machine until Ctrl-C or SIGTERM."""
    import ray

    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--model", default="landscape")
    asked.add_argument("--replicas", default="1")
    asked.add_argument("--port", type=int, default=7430)
    given = asked.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init("local", object_store_memory=200 * 2**20, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": given.port})
    model = os.path.abspath(given.model) if os.path.exists(given.model) else given.model
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell in the background ignores the first
        signal.signal(number, signal.default_int_handler)
    try:
        serve.run(build({"model": model, "replicas": given.replicas}), name="spadework", route_prefix="/")
        print(f"the API is at http://127.0.0.1:{given.port}/v1", flush=True)  # noqa: T201
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    main()
