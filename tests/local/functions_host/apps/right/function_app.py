"""The other of two apps behind a gateway."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("{anything}/special", methods=["GET"])
async def a_right(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("right")


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
async def yearly(timer: func.TimerRequest) -> None: ...
