//! The exit codes as users read them: in the help and in the manual.

/// A code, and what it means.
pub(super) type Row = (&'static str, &'static str);

const USAGE: Row =
    ("2", "usage or configuration error; nothing was started (an option, an unknown name, the configuration, tables that do not fit)");
const UNABLE: Row = ("1", "etl-orch could not do its work (the database does not answer or lacks rights, a file cannot be used)");
const SIGNAL: Row = ("128+n", "ended by signal n");

/// Of what makes a run.
const OF_RUN: &[Row] = &[
    ("0", "success, nothing to do, or a dry run; also: another run is active and one already waits"),
    (
        "1",
        "some jobs failed after their retries, or etl-orch could not do its work (the database does not answer or lacks rights, a file \
         cannot be used)",
    ),
    USAGE,
    ("3", "with --detailed-exit-code: some jobs failed"),
    ("4", "with --detailed-exit-code: a dry run found gaps, some of which may be made now"),
    (
        "5",
        "with --detailed-exit-code: there are gaps, and none may be made now (all are skipped, paused, quarantined, cooling down, waiting \
         or running elsewhere)",
    ),
    ("75", "the lock is held and --lock-wait ran out"),
    ("128+n", "ended by signal n after stopping its children"),
];

/// Of a run that is part of another command.
const OF_ONE: &[Row] = &[
    ("0", "success, or nothing to do"),
    ("1", "a job failed after its retries, or etl-orch could not do its work"),
    USAGE,
    ("128+n", "ended by signal n after stopping its children"),
];

const OF_HEALTH: &[Row] = &[
    ("0", "healthy"),
    ("1", "unhealthy"),
    ("2", "usage error"),
    ("3", "unknown: not everything could be looked at"),
    ("4", "error: it could not be judged"),
    SIGNAL,
];

const OF_DOCTOR: &[Row] =
    &[("0", "no check failed; there may be warnings"), ("1", "a check failed"), ("2", "the configuration cannot be used"), SIGNAL];

const OF_CHANNELS: &[Row] = &[("0", "every channel was reached"), ("1", "one of them was not"), USAGE, SIGNAL];

const OF_OTHERS: &[Row] = &[("0", "success"), UNABLE, USAGE, SIGNAL];

const OF_PRUNE: &[Row] =
    &[("0", "success, or nothing to remove"), UNABLE, USAGE, ("75", "the lock is held and --lock-wait ran out"), SIGNAL];

/// The codes of a command.
pub(in crate::cli) fn exit_status(path: &str) -> impl Iterator<Item = Row> {
    let rows = match path {
        "" | "run" => OF_RUN,
        "run-one" | "sources enqueue" => OF_ONE,
        "health" => OF_HEALTH,
        "doctor" => OF_DOCTOR,
        "prune" => OF_PRUNE,
        "tell" | "tell test" => OF_CHANNELS,
        _ => OF_OTHERS,
    };
    rows.iter().copied()
}
