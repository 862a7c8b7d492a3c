"""Which parts make a stack, where each listens, and what each is told."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from local import topology
from local.identity.issuer import AUDIENCE
from local.state import StateFolder
from local.supervisor import Part

LOCAL_SETTINGS = {
    "SHOP_CURRENCY": "GBP",
    "SWEEP_SCHEDULE": "*/2 * * * * *",
    "OUTBOX_GRACE_SECONDS": "3",
    "PUBLISH_PAUSE_SECONDS": "1",
    "RETRY_DELAY_SECONDS": "0.2",
    "RETRY_LONGEST_DELAY_SECONDS": "5",
    "ORDERS_FIRST_RESEND_SECONDS": "30",
    "ORDERS_LONGEST_RESEND_SECONDS": "60",
    "ORDERS_DISPATCH_RESEND_SECONDS": "120",
    "ORDERS_RESEND_RUN_SECONDS": "5",
    "ORDERS_PER_CUSTOMER_PER_MINUTE": "0",
    "PAYMENT_PROVIDER_TIMEOUT_SECONDS": "4",
    "OPERATIONS_RECONCILE_WINDOW_SECONDS": "60",
    "API_PAGE_CLIENT_ID": "orderflow",
    "CONSOLE_CLIENT_ID": "orderflow",
}
"""Settings of the application that differ from what it does in Azure, the same for every context."""

CORE_TOOLS_SETTINGS = {
    "FUNCTIONS_WORKER_RUNTIME": "python",
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "AzureFunctionsJobHost__telemetryMode": "ApplicationInsights",
}
"""What `func start` reads besides: Azurite for the host's own storage, and the host's default telemetry, which sends
nothing without a connection string, in place of host.json's OpenTelemetry."""


def shop_currency() -> str:
    """The currency that a stack sells in that this process starts."""
    return os.environ.get("SHOP_CURRENCY") or LOCAL_SETTINGS["SHOP_CURRENCY"]


def stack_of(
    folder: StateFolder, port: int, *, split: bool = False, amqp_port: int | None = None, traces: bool = False
) -> Sequence[Sequence[Part]]:
    """Parts in the groups in which they start: the stand-ins, then what uses them, answering at `port`."""
    contexts = topology.load().contexts
    hosts = [f"functions_host_{context}" for context in contexts] if split else []
    stand_ins = ["cosmos", "service_bus", "service_bus_control", "payment_provider", "identity", "traces"]
    ports = dict(folder.ports([*stand_ins, *hosts], but=port))
    ports |= {"service_bus": amqp_port or ports["service_bus"], "functions_host": port, "gateway": port}
    keys = folder.keys(contexts)

    def http(name: str) -> str:
        return f"http://127.0.0.1:{ports[name]}"

    def part(name: str, *arguments: str) -> Part:
        command = (f"local.{name}", "--state", str(folder.path), "--port", str(ports[name]), *arguments)
        return Part(name, command, f"{http(name)}/", f"{http(name)}/_health")

    # Where each context answers: its own host, or the one that has all.
    apis = {name: f"{http(f'functions_host_{name}' if split else 'functions_host')}/api" for name in contexts}
    service_bus = replace(
        part("service_bus", "--control-port", str(ports["service_bus_control"])),
        address=f"sb://127.0.0.1:{ports['service_bus']}",
        control=f"{http('service_bus_control')}/",
        health=f"{http('service_bus_control')}/_health",
    )

    def host(name: str, of: Sequence[str]) -> Part:
        command = ("local.functions_host", "--state", str(folder.path), "--port", str(ports[name]))
        told = settings(of, ports, keys, apis) | recording(name)
        return Part(name, command, f"{http(name)}/", f"{http(name)}/admin/host/status", environment=told)

    def recording(service: str) -> dict[str, str]:
        to = {"OTEL_EXPORTER_OTLP_ENDPOINT": http("traces"), "OTEL_SERVICE_NAME": service}
        return {**to, "PYTHON_ENABLE_OPENTELEMETRY": "true", "OTEL_BSP_SCHEDULE_DELAY": "500"} if traces else {}

    standing_in = [part("cosmos"), service_bus, part("payment_provider"), part("identity")]
    standing_in += [part("traces")] if traces else []
    if not split:
        return [standing_in, [host("functions_host", contexts)]]
    gateway = part("gateway", *(f"--host={http(name)}" for name in hosts))
    return [standing_in, [*(host(name, [context]) for name, context in zip(hosts, contexts, strict=True)), gateway]]


def settings(
    contexts: Sequence[str], ports: Mapping[str, int], keys: Mapping[str, Any], apis: Mapping[str, str]
) -> dict[str, str]:
    """What a host of these contexts finds in its environment: its own contexts' connections, no others'. `apis` is
    where each context answers, for the one that asks them.

    What this process finds in its own wins, but for the connections to the stores, and which contexts the host runs."""
    made = LOCAL_SETTINGS | {"IDENTITY_ISSUER": f"http://127.0.0.1:{ports['identity']}", "IDENTITY_AUDIENCE": AUDIENCE}
    if "operations" in contexts:
        made["OPERATIONS_ADDRESSES"] = ",".join(f"{name}={address}" for name, address in apis.items())
        made["OPERATIONS_CLIENT_SECRET"] = keys["operationsClient"]
    if "payments" in contexts:
        made["PAYMENT_PROVIDER_ADDRESS"] = f"http://127.0.0.1:{ports['payment_provider']}"
        made["PAYMENT_PROVIDER_KEY"] = keys["paymentProvider"]
    found = {name: os.environ.get(name) or value for name, value in made.items()}
    found |= {"COSMOS_DATABASE": "orderflow", "ORDERFLOW_SERVICES": ",".join(contexts)}
    for context in contexts:
        name = context.upper()
        found[f"COSMOS_{name}"] = (
            f"AccountEndpoint=http://127.0.0.1:{ports['cosmos']}/;AccountKey={keys['cosmos'][context]};"
        )
        found[f"SERVICEBUS_{name}"] = (
            f"Endpoint=sb://127.0.0.1:{ports['service_bus']};SharedAccessKeyName={context};"
            f"SharedAccessKey={keys['serviceBus'][context]};UseDevelopmentEmulator=true;"
        )
    return found
