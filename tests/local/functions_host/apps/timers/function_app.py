"""Timers that tell in the log when they fire."""

import asyncio
import logging

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def _status(timer: func.TimerRequest) -> dict[str, str]:
    status: dict[str, str] = timer.schedule_status  # type: ignore[attr-defined]  # the interface lacks it
    return status


@app.timer_trigger(arg_name="timer", schedule="%EACH_SECOND%")
async def slow(timer: func.TimerRequest) -> None:
    logging.info("slow begins %s %s", timer.past_due, _status(timer))
    await asyncio.sleep(1.5)
    logging.info("slow ends")


@app.timer_trigger(arg_name="timer", schedule="* * * * * *")
async def failing(timer: func.TimerRequest) -> None:
    raise ValueError("no")


@app.timer_trigger(arg_name="timer", schedule="0 0 1 1 *", run_on_startup=True)
def at_startup(timer: func.TimerRequest) -> None:
    logging.info("at startup %s", timer.past_due)


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
async def yearly(timer: func.TimerRequest) -> None:
    logging.info("yearly %s %s", timer.past_due, _status(timer)["Next"])
