#!/usr/bin/env python3
"""An example child: it tells etl-orch the stages of its work, and what they came to.

    report_stages.py OUTPUT

It prints messages in the shape of the Airbyte protocol, one JSON object per line, on standard output. Everything else that it
prints is a log line. Copy the class; it needs the standard library alone.
"""

import json
import sys
import time
from contextlib import contextmanager


class Teller:
    """Tells etl-orch what happens. Counts and metrics are what came since the last time, not sums."""

    def _say(self, kind, **body):
        print(json.dumps({"type": kind, **body}), flush=True)

    def _trace(self, kind, **body):
        self._say("TRACE", trace={"type": kind, "emitted_at": time.time() * 1000, **body})

    def _status(self, stage, status):
        self._trace("STREAM_STATUS", stream_status={"stream_descriptor": {"name": stage}, "status": status})

    @contextmanager
    def stage(self, name):
        """A stage. It is incomplete where its block raises."""
        self._status(name, "STARTED")
        try:
            yield
        except BaseException:
            self._status(name, "INCOMPLETE")
            raise
        self._status(name, "COMPLETE")

    def expect(self, stage, records):
        """How many records a stage may have in all."""
        self._trace("ESTIMATE", estimate={"type": "STREAM", "name": stage, "row_estimate": records})

    def count(self, stage, read=0, written=0, rejected=0, **counts):
        """More records of a stage, and more of what else it counts."""
        self._say(
            "STATE",
            state={
                "type": "STREAM",
                "stream": {"stream_descriptor": {"name": stage}},
                "sourceStats": {"recordCount": read},
                "destinationStats": {
                    "recordCount": written,
                    "rejectedRecordCount": rejected,
                    "additionalStats": {name.replace("_", " "): count for name, count in counts.items()},
                },
            },
        )

    def metric(self, name, value):
        """More of a metric of the job as a whole, such as what the LLM has cost."""
        self._trace("ANALYTICS", analytics={"type": name, "value": str(value)})

    def log(self, level, message):
        """DEBUG, INFO, WARN, ERROR or FATAL."""
        self._say("LOG", log={"level": level, "message": message})

    def error(self, failure_type, message):
        """config_error, transient_error or system_error: the attempt has failed, whatever its exit code."""
        self._trace("ERROR", error={"failure_type": failure_type, "message": message})


def main(output):
    tell = Teller()
    try:
        with tell.stage("Snowflake Query"):
            tell.count("Snowflake Query", read=245, written=245)
        with tell.stage("DNC Check"):
            tell.expect("DNC Check", 245)
            for batch in (100, 100, 45):
                tell.count("DNC Check", read=batch, written=batch - 5, rejected=5, phones_checked=batch * 3, in_DNC=5)
            tell.log("WARN", "15 records are on the list")
        with tell.stage("Results Upload"):
            tell.metric("tokens", 48113)
            tell.metric("llm_cost_usd", 1.92)
            with open(output, "w", encoding="utf-8") as report:
                report.write("230 records\n")
            tell.count("Results Upload", read=230, written=230)
    except OSError as problem:
        tell.error("config_error", str(problem))
        return 1
    print("done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
