"""The Function App: the functions of every context that this app runs, and nothing else.

`ORDERFLOW_SERVICES` names the contexts, separated by commas; all of them by default.
"""

import os
from importlib import import_module
from pkgutil import iter_modules

import azure.functions as func

import services
from shared.errors import SettingsError

_TELEMETRY = "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY", "PYTHON_ENABLE_OPENTELEMETRY"
_TRUE = {"1", "true", "t", "yes", "y"}  # the worker's

CONTEXTS = sorted(context.name for context in iter_modules(services.__path__))


def build() -> func.FunctionApp:
    """The app. Raises SettingsError, naming every fault of every context at once."""
    _record()
    built = func.FunctionApp()
    faults: list[str] = []
    for context in _enabled(faults):
        try:
            built.register_functions(import_module(f"services.{context}.bootstrap").blueprint())
        except SettingsError as error:
            faults += error.faults
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))
    return built


def _record() -> None:
    """Where a setting asks for spans, they are recorded; else not even what records them is imported."""
    by_azure, by_otlp = (os.environ.get(name, "").strip().lower() in _TRUE for name in _TELEMETRY)
    if by_azure or by_otlp:
        import_module("shared.adapters.recorder").start(by_otlp=not by_azure)


def _enabled(faults: list[str]) -> list[str]:
    text = os.environ.get("ORDERFLOW_SERVICES") or ",".join(CONTEXTS)
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in CONTEXTS]
    faults += [f"ORDERFLOW_SERVICES: {name} is not one of {', '.join(CONTEXTS)}" for name in unknown]
    return [name for name in CONTEXTS if name in names]


app = build()
