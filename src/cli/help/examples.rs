//! What to type, for each command: in the help and in the manual.

/// A line to type, and what it does.
pub(in crate::cli) struct Example {
    pub(in crate::cli) line: &'static str,
    pub(in crate::cli) says: &'static str,
}

const fn of(line: &'static str, says: &'static str) -> Example {
    Example { line, says }
}

/// Examples by the path of their command.
pub(in crate::cli) const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "",
        &[
            of("etl-orch --dry-run", "Show what is missing, and what a run would do about it."),
            of("etl-orch", "Make it."),
            of("etl-orch why RY 2025 Q2 call_summary", "Say why a report is not there."),
            of("etl-orch health", "Say whether anything is wrong, and what mends it."),
        ],
    ),
    (
        "run",
        &[
            of("etl-orch run --dry-run --forecast", "Show what would be done, and when each report should be there."),
            of("etl-orch run --bank-symbol RY,BMO --period 2025Q2", "Make what is missing of two banks and a period."),
            of("etl-orch run --bank-symbol RY --period 2025Q2 --force", "Make the reports of a bank and a period again."),
            of("etl-orch run --max-parallel 8 --max-jobs 20", "Do more at once, and stop after 20 jobs."),
            of("etl-orch run -q", "From cron: print only when there is news."),
            of("etl-orch run --format json | jq .results", "Read the results by a program."),
        ],
    ),
    (
        "run-one",
        &[
            of("etl-orch run-one RY 2025 Q2 call_summary", "Start one ETL, and watch it."),
            of("etl-orch run-one RY 2025 Q2 call_summary --anyway", "Also while it is quarantined or cools down."),
            of("etl-orch run-one RY 2025 Q2 call_summary --shell-env", "Print its environment and command, to try it in a shell."),
        ],
    ),
    (
        "why",
        &[
            of("etl-orch why", "Say of everything that is missing why it is."),
            of("etl-orch why RY 2025 Q2 call_summary", "Say it of one report, with what it goes by."),
            of("etl-orch why RY", "Say it of a bank."),
            of("etl-orch why RY --at 3d", "Say what was decided three days ago."),
        ],
    ),
    (
        "retry",
        &[
            of("etl-orch retry RY 2025 Q2 --reason \"transcript corrected\"", "Have the next run try a bank's period again."),
            of("etl-orch retry --etl-type key_themes --reason \"prompt fixed\"", "Everything of an ETL."),
            of("etl-orch retry --all --dry-run", "Show what would be tried again."),
        ],
    ),
    (
        "skip",
        &[
            of("etl-orch skip TD 2025 Q2 --reason \"no call was held\"", "Leave a bank's period alone."),
            of("etl-orch skip key_themes --until 3d --reason \"model is down\"", "Leave an ETL alone for three days."),
        ],
    ),
    (
        "unskip",
        &[
            of("etl-orch unskip TD 2025 Q2 --reason \"call was held\"", "Take it back."),
            of("etl-orch unskip --all --dry-run", "Show everything that is skipped."),
        ],
    ),
    (
        "cancel",
        &[
            of("etl-orch cancel RY --reason \"wrong model\"", "Stop the running job of a bank."),
            of("etl-orch cancel 1b0e5a7c --reason \"wrong model\"", "Stop a job by its id, or by the beginning of it."),
        ],
    ),
    (
        "jobs",
        &[
            of("etl-orch jobs --failed --since 1d", "List what failed since yesterday."),
            of("etl-orch jobs RY 2025 Q2", "List every job of a bank's period."),
            of("etl-orch jobs --running", "List what runs now."),
        ],
    ),
    (
        "runs",
        &[
            of("etl-orch runs --failed", "List the runs in which something failed."),
            of("etl-orch runs --per-day --since 7d", "Sum up the days of a week, with their costs."),
        ],
    ),
    (
        "logs",
        &[
            of("etl-orch logs RY 2025 Q2 call_summary", "Print what the last job of a report printed."),
            of("etl-orch logs -f RY", "Follow the job of a bank until it has ended."),
            of("etl-orch logs 1b0e5a7c --attempt 2", "Print the second attempt of a job."),
        ],
    ),
    (
        "trace",
        &[
            of("etl-orch trace RY 2025 Q2 call_summary", "Follow the last job of a report."),
            of("etl-orch trace 1b0e5a7c", "Follow a job or a run by its id."),
        ],
    ),
    (
        "coverage",
        &[
            of("etl-orch coverage", "Show every bank, period and report."),
            of("etl-orch coverage RY TD --from-year 2025", "Show two banks, from a year on."),
        ],
    ),
    ("report", &[of("etl-orch report --html status.html", "Write the page to a file.")]),
    (
        "sources",
        &[
            of("etl-orch sources", "Show how far each source is, and what is wrong."),
            of("etl-orch sources enqueue us_house --now", "Collect a source now."),
        ],
    ),
    (
        "sources enqueue",
        &[
            of("etl-orch sources enqueue us_house", "Have the next run collect the last window again."),
            of("etl-orch sources enqueue us_house --window 2026-01-16 --now", "Collect a day now."),
        ],
    ),
    (
        "sources give-up",
        &[of("etl-orch sources give-up us_house --window 2026-01-16 --reason \"lost\"", "Go on without a day that cannot be collected.")],
    ),
    ("sources pause", &[of("etl-orch sources pause us_house --reason \"site is moving\"", "Leave a source alone.")]),
    ("sources resume", &[of("etl-orch sources resume us_house --reason \"site is back\"", "Collect it again, and catch up.")]),
    (
        "health",
        &[
            of("etl-orch health", "Say whether anything is wrong."),
            of("etl-orch health --recover", "Make the run that is due, and judge again."),
            of("etl-orch health --max-age 7h us_house", "Ask whether a source is younger than seven hours."),
            of("etl-orch health --format json | jq -r .status", "Ask as a monitor does."),
        ],
    ),
    (
        "prune",
        &[of("etl-orch prune --dry-run", "Say what is old enough to go."), of("etl-orch prune", "Remove it now, and give the space back.")],
    ),
    ("tell", &[of("etl-orch tell test", "Try every channel.")]),
    ("tell test", &[of("etl-orch tell test", "Try every channel.")]),
    (
        "init",
        &[
            of("etl-orch init", "Create the tables; nothing is lost where they are there."),
            of("etl-orch init --print-sql --grant-to etl_orch", "Print the SQL for a DBA (PostgreSQL)."),
        ],
    ),
    (
        "install",
        &[
            of("etl-orch install systemd", "Start a run every 15 minutes by systemd."),
            of("etl-orch install cron --user --dry-run", "Show the line for your own crontab."),
        ],
    ),
    ("uninstall", &[of("etl-orch uninstall systemd", "Take the units away again.")]),
    ("doctor", &[of("etl-orch doctor", "Check everything that a run needs, before the first one or when none works.")]),
    (
        "config",
        &[
            of("etl-orch config init", "Begin a configuration from what the database holds."),
            of("etl-orch config check --connect", "Check it, and whether the database fits."),
        ],
    ),
    (
        "config check",
        &[
            of("etl-orch config check", "Check the configuration."),
            of("etl-orch config check --connect", "Check also whether the database knows its tags and types."),
        ],
    ),
    (
        "config init",
        &[
            of("etl-orch config init", "Write etl-orch.yaml from what the database holds."),
            of("etl-orch config init new.yaml --database-url sqlite://var/new.db", "Write another file, for another database."),
        ],
    ),
    ("config schema", &[of("etl-orch config schema > etl-orch.schema.json", "Write the schema to a file, for an editor.")]),
    (
        "completions",
        &[
            of("etl-orch completions bash > ~/.local/share/bash-completion/completions/etl-orch", "Install them for bash."),
            of("etl-orch completions zsh > ~/.zfunc/_etl-orch", "Install them for zsh, where fpath has ~/.zfunc."),
            of("etl-orch completions fish > ~/.config/fish/completions/etl-orch.fish", "Install them for fish."),
        ],
    ),
    (
        "man",
        &[
            of("etl-orch man | man -l -", "Read the page of etl-orch."),
            of("etl-orch man sources enqueue | man -l -", "Read the page of a command."),
            of("etl-orch man etl-orch.yaml | man -l -", "Read the page of the configuration, with every key."),
            of("etl-orch man --share ~/.local/share", "Install all pages and completions for yourself."),
        ],
    ),
    ("help", &[of("etl-orch help run", "Print the page of a command.")]),
];

/// The examples of a command.
pub(in crate::cli) fn examples(path: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(command, _)| *command == path).map_or(&[], |(_, examples)| *examples)
}
