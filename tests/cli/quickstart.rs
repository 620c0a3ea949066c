//! The quick start of the README: what is shipped, copied to a directory of its own, run with no options at all.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::clock::clock;
use crate::support::world::Done;

/// What a job of cron gets as PATH.
pub(crate) const POOR_PATH: &str = "/usr/bin:/bin";

/// A copy of `config/` and `examples/`.
pub(crate) struct QuickStart {
    root: TempDir,
    path: String,
}

impl QuickStart {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR"));
        for part in ["config", "examples"] {
            copy(&shipped.join(part), &root.path().join(part));
        }
        Self { root, path: POOR_PATH.to_owned() }
    }

    /// Puts a directory before PATH in which programs have these names.
    pub(crate) fn with_programs(mut self, programs: &[(&str, &Path)]) -> Self {
        let bin = self.at("bin");
        fs::create_dir(&bin).expect("a directory");
        for (name, program) in programs {
            symlink(program, bin.join(name)).expect("a link");
        }
        self.path = format!("{}:{POOR_PATH}", bin.display());
        self
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Runs the binary with an environment as poor as cron's.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        let mut command = self.command(env!("CARGO_BIN_EXE_etl-orch"));
        Done::of(&command.args(args).output().expect("the binary starts"))
    }

    /// A program in the directory, with that environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.root.path()).stdin(Stdio::null()).env_clear();
        command.env("PATH", &self.path).env("HOME", self.root.path());
        // No day ends during a test, which would make another window of disclosures due.
        command.envs(clock("@2026-11-20 10:00:00"));
        command
    }

    /// Lets the transcript arrive that is shipped for that.
    pub(crate) fn let_a_transcript_arrive(&self) {
        let name = "BNS_2025_Q2.txt";
        fs::copy(self.at("examples/quickstart/arriving").join(name), self.transcript(name)).expect("a copy");
    }

    fn transcript(&self, name: &str) -> PathBuf {
        self.at("examples/quickstart/transcripts").join(name)
    }

    /// The reports by `PERIOD/FILE`, with their text.
    pub(crate) fn reports(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (path, bytes) in files_below(&self.at("var/reports")) {
            let name = path.strip_prefix(self.at("var/reports")).expect("below").display().to_string();
            found.insert(name, String::from_utf8(bytes).expect("text"));
        }
        found
    }

    /// The tables of the database, which may still be empty.
    pub(crate) fn tables(&self) -> Vec<String> {
        self.sql("SELECT name FROM sqlite_master WHERE type = 'table'")
    }

    /// Rows of the database, columns joined by `|`.
    pub(crate) fn sql(&self, sql: &str) -> Vec<String> {
        let mut sqlite = Command::new("sqlite3");
        sqlite.args(["-readonly", "-cmd", ".timeout 10000"]).arg(self.at("var/etl-orch.db")).arg(sql);
        let output = sqlite.output().expect("sqlite3 is installed; scripts/test.sh does it");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in files_below(from) {
        let target = to.join(path.strip_prefix(from).expect("below"));
        fs::create_dir_all(target.parent().expect("a parent")).expect("directories");
        fs::write(target, bytes).expect("a file");
    }
}

fn files_below(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()));
        } else if path.exists() {
            let bytes = fs::read(&path).expect("a file");
            found.insert(path, bytes);
        }
    }
    found
}

fn program(name: &str) -> PathBuf {
    let places = ["/usr/bin", "/bin", "/usr/local/bin"].map(|place| Path::new(place).join(name));
    places.into_iter().find(|path| path.exists()).unwrap_or_else(|| panic!("{name} is needed by this test; scripts/test.sh installs it"))
}

const BANKS: [&str; 5] = ["BMO", "GS", "JPM", "RY", "TD"];

#[test]
fn with_no_options_every_report_is_made_and_then_nothing_is_left_to_do() {
    let quick_start = QuickStart::new();
    let first = quick_start.run(&[]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.stdout.contains("Total Jobs: 21\nSuccessful: 21 ✅\nFailed: 0 ❌\n"), "{}", first.stdout);

    let reports = quick_start.reports();
    let mut expected: Vec<String> = BANKS
        .iter()
        .flat_map(|bank| ["2025Q1", "2025Q2"].map(|period| format!("{period}/{bank}")))
        .flat_map(|stem| ["call_summary", "key_themes"].map(|etl| format!("{stem}_{etl}.md")))
        .collect();
    expected.sort();
    assert_eq!(reports.keys().cloned().collect::<Vec<_>>(), expected);
    let rows = quick_start.sql("SELECT fiscal_year || quarter || '/' || bank_symbol || ' ' || report_type FROM aegis_reports ORDER BY 1");
    assert_eq!(rows.len(), 20);
    assert!(rows.contains(&"2025Q2/RY Call Summary".to_owned()) && rows.contains(&"2025Q1/GS Key Themes".to_owned()), "{rows:?}");
    assert_eq!(quick_start.sql("SELECT state, count(*) FROM etl_jobs GROUP BY 1"), ["succeeded|21"]);
    assert_eq!(quick_start.sql("SELECT outcome, count(*) FROM etl_attempts GROUP BY 1"), ["succeeded|21"]);

    for args in [&[][..], &["--dry-run"]] {
        let again = quick_start.run(args);
        assert_eq!(again.code, 0, "{again:?}");
        assert!(again.stdout.contains("Existing Reports: 20 reports\n") && again.stdout.contains("NO GAPS"), "{}", again.stdout);
    }
    let first = quick_start.run(&["-q"]);
    assert!(first.code == 0 && first.stdout.contains("9 monitored banks without data"), "a missing bank is told once a day: {first:?}");
    let quiet = quick_start.run(&["-q"]);
    assert_eq!((quiet.code, quiet.stdout.as_str(), quiet.stderr.as_str()), (0, "", ""), "cron has nothing to mail");
    assert_eq!(quick_start.reports(), reports);
}

#[test]
fn the_reports_say_what_the_transcripts_say() {
    let quick_start = QuickStart::new();
    let done = quick_start.run(&["--bank-symbol", "RY", "--bank-symbol", "jpm-us", "--period", "2025Q2"]);
    assert_eq!(done.code, 0, "{done:?}");
    let reports = quick_start.reports();
    assert_eq!(reports.len(), 4, "{:?}", reports.keys());

    for (name, report) in &reports {
        assert!(report.contains("INVENTED"), "{name} says that its figures are invented");
        let headings: &[&str] = if name.ends_with("call_summary.md") {
            &["## Figures", "## Guidance", "## Management's points", "## Speakers"]
        } else {
            &["## Ranking", "## 1. ", "## Analysts"]
        };
        for heading in headings {
            assert!(report.contains(&format!("\n{heading}")), "{name} has no {heading}");
        }
    }
    let summary = &reports["2025Q2/RY_call_summary.md"];
    assert!(summary.starts_with("# Royal Bank of Canada, 2025 Q2: call summary\n"), "{summary}");
    for figure in [
        "| Net income | $4.4 billion | up 9% | down 8% | Corwin Ashdale, CEO |",
        "| CET1 ratio | 13.3% |  | up 20 bp | Thessaly Brandreth, CFO |",
        "| Provisions for credit losses | $1.3 billion (52 bp) |  | up 14 bp | Idris Penhallow, CRO |",
    ] {
        assert!(summary.contains(figure), "{summary}");
    }
    let themes = &reports["2025Q2/RY_key_themes.md"];
    assert!(themes.contains("6 analysts asked 8 questions about 7 themes."), "{themes}");
    assert!(themes.contains("| 1 | Capital markets and deal pipeline | 2 | 25% |"), "{themes}");
    assert!(reports["2025Q2/JPM_call_summary.md"].starts_with("# JPMorgan Chase & Co., 2025 Q2: call summary\n"));
}

#[test]
fn a_transcript_that_arrives_is_seen_by_a_dry_run_and_made_by_the_next_run() {
    let quick_start = QuickStart::new();
    assert_eq!(quick_start.run(&[]).code, 0);
    let made = quick_start.reports();
    quick_start.let_a_transcript_arrive();

    let before = files_below(&quick_start.at(""));
    let dry = quick_start.run(&["--dry-run", "--detailed-exit-code"]);
    assert_eq!(dry.code, 4, "{dry:?}");
    let gaps = "GAPS IDENTIFIED: 2 missing reports\n";
    assert!(dry.stdout.contains(gaps), "{}", dry.stdout);
    assert!(dry.stdout.contains("Bank of Nova Scotia (BNS):\n  • 2025 Q2: call_summary\n  • 2025 Q2: key_themes\n\n"), "{}", dry.stdout);
    assert!(before == files_below(&quick_start.at("")), "a dry run changes no byte");

    let run = quick_start.run(&[]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stdout.contains(gaps) && run.stdout.contains("Successful: 2 ✅"), "{}", run.stdout);
    let mut reports = quick_start.reports();
    let themes = reports.remove("2025Q2/BNS_key_themes.md").expect("the second of the new reports");
    let summary = reports.remove("2025Q2/BNS_call_summary.md").expect("the first of the new reports");
    assert_eq!(reports, made, "the others are as they were");
    assert!(summary.contains("| Net interest margin | 2.29% |  | up 6 bp |"), "{summary}");
    assert!(themes.starts_with("# Bank of Nova Scotia, 2025 Q2: key themes"), "{themes}");
}

#[test]
fn a_malformed_transcript_fails_once_and_harms_no_other() {
    let quick_start = QuickStart::new();
    let whole = quick_start.transcript("GS_2025_Q2.txt");
    let broken = fs::read_to_string(&whole).expect("a transcript").replace("QUESTION AND ANSWER\n", "");
    fs::write(&whole, broken).expect("a file");

    let done = quick_start.run(&[]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("Successful: 19 ✅\nFailed: 2 ❌\n"), "{}", done.stdout);
    let why = "❌ GS 2025 Q2 [call_summary]: exit code 65 - GS_2025_Q2.txt: not a transcript as expected: no section QUESTION AND ANSWER";
    let unwrapped = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped.contains(why), "{}", done.stdout);
    let attempts = "SELECT j.gap_key, a.n, a.outcome_number FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id \
                    WHERE a.outcome <> 'succeeded' ORDER BY 1";
    assert_eq!(quick_start.sql(attempts), ["GS-US/2025Q2/call_summary|1|65", "GS-US/2025Q2/key_themes|1|65"], "no retry helps");
    assert_eq!(quick_start.reports().len(), 18);
}

#[test]
fn dash_with_mawk_and_busybox_make_the_same_reports() {
    let (dash, mawk, busybox) = (program("dash"), program("mawk"), program("busybox"));
    let names = ["sh", "awk", "cat", "dirname", "mkdir", "mv", "rm", "tail"];
    let small = QuickStart::new().with_programs(&[("sh", &dash), ("awk", &mawk)]);
    let smallest = QuickStart::new().with_programs(&names.map(|name| (name, busybox.as_path())));
    for quick_start in [&small, &smallest] {
        let done = quick_start.run(&[]);
        assert_eq!(done.code, 0, "{done:?}");
    }
    assert_eq!(small.reports().len(), 20);
    assert_eq!(small.reports(), smallest.reports());
}
