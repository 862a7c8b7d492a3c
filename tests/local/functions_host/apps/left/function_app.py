"""One of two apps behind a gateway."""

import asyncio
import json
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("left/{*rest}", methods=["GET", "POST", "HEAD"])
async def b_left(req: func.HttpRequest) -> func.HttpResponse:
    seen = {"url": req.url, "headers": dict(req.headers), "route": dict(req.route_params)}
    body = json.dumps({**seen, "body": req.get_body().decode()})
    response = func.HttpResponse(body, status_code=203, headers={"X-Own": "left", "Content-Encoding": "identity"})
    response.headers.add("Set-Cookie", "a=1")
    response.headers.add("Set-Cookie", "b=2")
    return response


@app.route("slow")
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("slow begins")
    await asyncio.sleep(60)
    return func.HttpResponse()
