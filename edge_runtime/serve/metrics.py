"""What the service counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from edge_runtime.serve.work import Work

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


class Metrics:
    """Numbers of one service, in a registry of its own."""

    def __init__(self, work: Work) -> None:
        """Begin at nothing."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "edge_iemonet_requests", "Requests answered.", ["path", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "edge_iemonet_request_seconds",
            "Seconds from the head of a request to its answer.",
            ["path"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.refused = Counter(
            "edge_iemonet_refusals", "Requests that were refused, by the code of their error.", ["code"],
            registry=self.registry,
        )  # fmt: skip
        self.audio_s = Counter("edge_iemonet_audio_seconds", "Seconds of sound classified.", registry=self.registry)
        self.latency = Histogram(
            "edge_iemonet_stream_latency_seconds",
            "Seconds from the end of speech in a stream to its answer.",
            buckets=SECONDS,
            registry=self.registry,
        )
        Gauge("edge_iemonet_streams", "Open WebSockets.", registry=self.registry).set_function(lambda: work.streams)
        Gauge("edge_iemonet_running", "Requests that run.", registry=self.registry).set_function(lambda: work.running)
        Gauge("edge_iemonet_waiting", "Requests that wait.", registry=self.registry).set_function(lambda: work.waiting)

    def render(self) -> bytes:
        """Return them as Prometheus reads them."""
        return generate_latest(self.registry)
