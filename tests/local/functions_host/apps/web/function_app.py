"""HTTP functions of every kind that the host's rules speak of."""

import asyncio
import json
import logging
import os
import threading

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def _seen(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "query": dict(req.params),
        "route": dict(req.route_params),
        "body": req.get_body().decode("latin-1"),
        "size": len(req.get_body()),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@app.route("echo/{*rest}", methods=["GET", "POST", "HEAD"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return _seen(req)


@app.route("items/{id:int}/{part?}", methods=["GET"])
async def items(req: func.HttpRequest) -> func.HttpResponse:
    return _seen(req)


@app.route()
async def any_method(req: func.HttpRequest) -> func.HttpResponse:
    return _seen(req)


@app.route("overlap/{anything}", methods=["GET"])
async def a_general(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("general")


@app.route("overlap/special", methods=["GET"])
async def b_special(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("special")


@app.route("overlap/special", methods=["PUT"])
async def c_put(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("put")


@app.route("raises")
async def raises(req: func.HttpRequest) -> func.HttpResponse:
    raise LookupError("the reason")


@app.route("cancelled")
async def cancelled(req: func.HttpRequest) -> func.HttpResponse:
    task = asyncio.create_task(asyncio.sleep(60))
    task.cancel()
    await task
    return func.HttpResponse("unreached")


@app.route("nothing")
async def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return None  # type: ignore[return-value]  # that it isn't one is the point


@app.route("text")
async def text(req: func.HttpRequest) -> str:
    return '{"status": 418}'


@app.route("answer/{status}")
async def answer(req: func.HttpRequest) -> func.HttpResponse:
    headers = {"X-Kept": "yes", "Content-Length": "99"}
    response = func.HttpResponse("body", status_code=int(req.route_params["status"]), headers=headers)
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2")
    return response


@app.route("context")
async def context(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    logging.getLogger("shop").info("placed %s", "ord_1", extra={"order": "ord_1"})
    told = [context.invocation_id, context.function_name, context.trace_context.trace_parent]
    return func.HttpResponse(json.dumps([*told, context.trace_context.trace_state, os.getcwd()]))


@app.route("thread")
def thread(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("from a thread")
    return func.HttpResponse(threading.current_thread().name)


@app.route("slow")
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("slow begins")
    await asyncio.sleep(1)
    return func.HttpResponse("at last")
