"""The plugin `forecast`: one activity, which says what demand to expect."""

import json
import statistics
from typing import Optional

from tenterhook import answering, decode, encode, failure
from wit_world import exports
from wit_world.exports.activities import Task
from wit_world.exports.metadata import MessageType, Plugin, WantedGrants
from wit_world.imports import activity_context, logging
from wit_world.imports.values import Payload

PERIODS_MAX = 1000

_COUNTS = {"type": "array", "items": {"type": "integer", "minimum": 0}}

INPUT_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["history", "periods"],
    "properties": {
        "history": {**_COUNTS, "minItems": 2},
        "periods": {"type": "integer", "minimum": 1, "maximum": PERIODS_MAX},
    },
}

RESULT_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["forecast", "slope"],
    "properties": {"forecast": _COUNTS, "slope": {"type": "number"}},
}


class Metadata(exports.Metadata):
    def describe(self) -> Plugin:
        return Plugin(
            name="forecast",
            version="0.1.0",
            description="Says what demand to expect",
            workflows=[],
            activities=[
                MessageType(
                    name="ForecastDemand",
                    description="Goes on with the line through what was sold",
                    input_schema=json.dumps(INPUT_SCHEMA),
                    result_schema=json.dumps(RESULT_SCHEMA),
                )
            ],
            wants=WantedGrants(http=[], keyvalue=False, config=[]),
        )


class Activities(exports.Activities):
    def execute(self, task: Task) -> Optional[Payload]:
        if task.activity_type != "ForecastDemand":
            raise failure("NotFound", f"forecast has no activity {task.activity_type}")
        return answering(lambda: forecast_demand(decode(task.input)))


def forecast_demand(value: object) -> dict[str, object]:
    history, periods = checked(value)
    activity_context.heartbeat([encode(len(history))])
    slope, intercept = statistics.linear_regression(range(len(history)), history)
    coming = range(len(history), len(history) + periods)
    logging.log(logging.Level.INFO, "forecast", f"{len(history)} periods, slope {slope}")
    # Nobody buys less than nothing.
    return {"forecast": [max(0, round(intercept + slope * at)) for at in coming], "slope": slope}


def checked(value: object) -> tuple[list[int], int]:
    """Whoever calls may send anything: what is used is looked at."""
    if not isinstance(value, dict):
        raise failure("ValidationError", "a forecast is asked for with history and periods")
    history, periods = value.get("history"), value.get("periods")
    # In Python, True is a number too.
    if not isinstance(history, list) or not all(type(count) is int for count in history):
        raise failure("ValidationError", "history is a list of whole numbers")
    if len(history) < 2:
        raise failure("ValidationError", f"a line needs two periods of history, here are {len(history)}")
    if type(periods) is not int or not 1 <= periods <= PERIODS_MAX:
        raise failure("ValidationError", f"periods is a whole number from 1 to {PERIODS_MAX}")
    return history, periods
