"""Reads [{"id", "text"}] as JSON, and prints {id: null or why pySigma does not take the rule}: parsing alone, conditions included."""

import json
import sys

from sigma.collection import SigmaCollection


def fault(text):
    try:
        rules = SigmaCollection.from_yaml(text)
        for rule in rules:
            if not rule.detection.parsed_condition:
                return "no condition"
            for condition in rule.detection.parsed_condition:
                condition.parsed
            for detection in rule.detection.detections.values():
                detection.postprocess(rule.detection)
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]


print(json.dumps({rule["id"]: fault(rule["text"]) for rule in json.load(sys.stdin)}))
