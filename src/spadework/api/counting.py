"""What the API counts, as Prometheus reads it."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)


class Counts:
    """Counters of one API, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "spadework_requests", "Requests answered.", ["path", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "spadework_request_seconds",
            "From request to answer.",
            ["path"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._pictures = Counter(
            "spadework_pictures", "Pictures painted.", ["model"], registry=self._registry
        )
        self._together = Histogram(
            "spadework_painted_together",
            "Pictures in one batch.",
            buckets=(1, 2, 4, 8),
            registry=self._registry,
        )

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """A figure that is asked for whenever somebody looks."""
        Gauge(f"spadework_{name}", what, registry=self._registry).set_function(value)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """A request; `path` as the API names it, not as it came."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def painted(self, model: str, count: int) -> None:
        """`count` pictures in one go."""
        self._pictures.labels(model).inc(count)
        self._together.observe(count)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)
