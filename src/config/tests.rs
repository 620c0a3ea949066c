//! Whole files: what a good one says, and what is said of a bad one.

mod bombs;
mod etls;
mod fuzz;
mod host;
mod mail;
mod services;
mod sources;
mod telemetry;

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;
use crate::plan::model::cooldown::Cooldown;
use crate::plan::model::etl::{Etl, ReportsBy};
use crate::plan::model::settings::{ChainBy, DatabaseTarget, Durability, PeriodOrder, RunSettings, Variables};
use crate::plan::model::work::CommandSpec;

pub(super) const BANKS: &str = "RY-CA: {id: 1, name: Royal Bank of Canada}\nBMO-CA: {id: 2, name: Bank of Montreal}\n";

fn program_of(etl: &Etl) -> &CommandSpec {
    etl.work.program().unwrap()
}

/// One of every mistake.
const MISTAKES: &str = r#"
database: {url: "mysql://u:s3cret@h/db", max_connections: 0}
state_dir: ""
instituions: banks.yaml
run:
  max_parallel: 0
  max_jobs: -1
  from_year: 24
  deadline: 0s
  order: newest
retry: {max_attempts: 0, multiplier: 0.5, jitter: 2, initial_delay: 10m, max_delay: 5m}
availability:
  table: data availability
  sync:
    - {tag: "", files: "transcripts/{bank_symbol}.txt"}
    - {files: "transcripts/{etl}_{period}.txt"}
    - {tag: x}
reports: {table: "a.b.c"}
etls:
  Call Summary:
    report_type: Call Summary
    requires: []
    command: []
  call_summary:
    report_type: Call Summary
    requires: [transcripts]
    needs: [key_themes, cal_sumary]
    command: [x, "{bank_symbl}", "{output}", "{"]
    timeout: 1 fortnight
    timeout: 5m
    exit_codes: {config: [2, 0], permanent: [2, 300]}
    output: x.md
  key_themes:
    requires: [" "]
    needs: [call_summary]
    env: {"A B": 1, ETL_ORCH_RUN_ID: x, OK: "{nonsense}"}
  orchestrated:
    report_type: "O\u0007"
    requires: [t]
    needs: [last, last]
    command: [x]
    cwd: ""
    env_file: "/srv/{bank_key}/.env"
    warn_after: 0s
    reports: {by: orchestrator}
    retry: {max_attempts: 1.5}
  last:
    report_type: L
    requires: [t]
    command: [x, 5, true]
    reports: {by: orchestrator, table: x}
    output: "reports/{bank_symbol}/{job_id}"
"#;

pub(super) fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

pub(super) fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

pub(super) fn load_in(directory: &Path, environment: &[(&str, &str)]) -> Result<Config, String> {
    load(&directory.join("etl-orch.yaml"), &variables(environment))
        .map_err(|errors| errors.to_string().replace(&format!("{}/", directory.display()), ""))
}

pub(super) fn load_text(text: &str) -> Result<Config, String> {
    let directory = directory(&[("etl-orch.yaml", text), ("monitored_institutions.yaml", BANKS)]);
    load_in(directory.path(), &[])
}

pub(super) fn errors(text: &str) -> String {
    load_text(text).unwrap_err()
}

/// A good file with these further lines.
pub(super) fn with(further: &str) -> String {
    format!("database: {{url: 'sqlite://x.db'}}\n{further}")
}

/// A good file with one ETL that has these further lines.
fn etl_with(further: &str) -> String {
    with(&format!("etls:\n  a:\n    report_type: A\n    requires: [t]\n    command: [x]\n{further}"))
}

pub(super) fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name)
}

#[test]
fn defaults_are_those_of_the_specification() {
    let directory = directory(&[("etl-orch.yaml", &etl_with("")), ("monitored_institutions.yaml", BANKS)]);
    let config = load_in(directory.path(), &[]).unwrap();
    let base = directory.path().canonicalize().unwrap();
    assert_eq!(config.path, base.join("etl-orch.yaml"));
    assert_eq!(config.dotenv, None);
    assert_eq!(config.institutions_file, base.join("monitored_institutions.yaml"));
    assert_eq!((config.state_dir, config.lock_file), (base.join("var"), base.join("var/etl-orch.lock")));
    assert_eq!(config.catalogue.institutions.len(), 2);
    assert_eq!(config.database.target.to_string(), format!("sqlite://{}/x.db", base.display()));
    assert_eq!((config.database.max_connections, config.database.durability), (10, Durability::Full));
    assert_eq!(config.database.availability.to_string(), "aegis_data_availability");
    assert_eq!(config.database.reports.to_string(), "aegis_reports");
    let run = RunSettings {
        max_parallel: 4,
        chain_by: ChainBy::Bank,
        order: PeriodOrder::NewestFirst,
        max_jobs: 500,
        from_year: None,
        deadline: None,
        lease: Duration::from_secs(600),
        cooldown: Cooldown::default(),
        breaker_banks: 5,
    };
    assert_eq!(config.run, run);
    let etl = &config.catalogue.etls[0];
    assert_eq!(program_of(etl).cwd, base);
    assert_eq!((program_of(etl).timeout, program_of(etl).grace), (Duration::from_secs(3600), Duration::from_secs(10)));
    assert_eq!((&etl.reports, etl.warn_after), (&ReportsBy::Etl, None));
    assert_eq!(etl.retry, crate::plan::model::retry::RetryPolicy::default());
    assert_eq!(etl.work.exit_codes(), crate::plan::model::outcome::ExitCodes::default());
}

#[test]
fn a_file_full_of_mistakes() {
    insta::assert_snapshot!(errors(MISTAKES), @r#"
    etl-orch.yaml:2:17: database.url must begin with sqlite:// or postgres://
    etl-orch.yaml:2:59: database.max_connections must be from 1 to 10000
    etl-orch.yaml:3:12: state_dir is empty
    etl-orch.yaml:4:1: unknown key "instituions"; did you mean institutions?
    etl-orch.yaml:6:17: run.max_parallel must be from 1 to 10000
    etl-orch.yaml:7:13: run.max_jobs must be from 1 to 1000000000
    etl-orch.yaml:8:14: run.from_year must be from 1900 to 2999
    etl-orch.yaml:9:13: run.deadline must be longer than 0s
    etl-orch.yaml:10:10: run.order: must be one of newest_first, oldest_first
    etl-orch.yaml:11:23: retry.max_attempts must be from 1 to 1000
    etl-orch.yaml:11:38: retry.multiplier must be from 1 to 1000
    etl-orch.yaml:11:51: retry.jitter must be from 0 to 1
    etl-orch.yaml:11:85: retry: max_delay is shorter than initial_delay; make max_delay longer
    etl-orch.yaml:13:10: "data availability" is no table; write table or schema.table, of letters, digits and underscores
    etl-orch.yaml:15:13: availability.sync.tag is empty
    etl-orch.yaml:15:24: the path must name the period; add {period}, or {fiscal_year} and {quarter}
    etl-orch.yaml:16:7: availability.sync has no tag here; name the tag that such files stand for
    etl-orch.yaml:16:15: placeholder {etl} has no value here; those that have are bank_symbol, bank_key, bank_id, bank_name, fiscal_year, quarter, period
    etl-orch.yaml:17:7: availability.sync has no files here; write a path like transcripts/{bank_symbol}_{fiscal_year}_{quarter}.txt
    etl-orch.yaml:18:18: "a.b.c" is no table; write table or schema.table, of letters, digits and underscores
    etl-orch.yaml:20:3: "Call Summary" cannot name an ETL; write small letters, digits, "_" and "-", the first a letter or digit
    etl-orch.yaml:20:3: Call Summary requires nothing; list the tags of database_names that it needs, requires: [transcripts]
    etl-orch.yaml:20:3: Call Summary has no command; write it as a list, [program, argument, ...]
    etl-orch.yaml:25:18: report type "Call Summary" is used by Call Summary at 21:18 already; each ETL needs a type of its own
    etl-orch.yaml:27:25: call_summary needs "cal_sumary", which is no ETL here; did you mean call_summary, Call Summary? There are Call Summary, call_summary, key_themes, orchestrated, last
    etl-orch.yaml:28:18: unknown placeholder {bank_symbl}; did you mean bank_symbol, bank_key, bank_name?
    etl-orch.yaml:28:34: placeholder {output} has a value only where reports.by is orchestrator
    etl-orch.yaml:28:46: unbalanced '{'; write {{ or }} for a brace itself
    etl-orch.yaml:29:14: etls.call_summary.timeout: not a duration; write it like 15m or 1h 30m
    etl-orch.yaml:30:5: duplicate key "timeout", first given at 29:5; keep one of the two
    etl-orch.yaml:31:27: exit code 2 is in permanent and in config; keep one
    etl-orch.yaml:31:30: an exit code in a class must be from 1 to 255; 0 is success
    etl-orch.yaml:31:49: an exit code in a class must be from 1 to 255; 0 is success
    etl-orch.yaml:32:5: output has an effect only where reports.by is orchestrator; set that, or remove it
    etl-orch.yaml:33:3: key_themes has no report_type; name the type of its reports in the reports table
    etl-orch.yaml:33:3: key_themes has neither command nor http; write what makes the report
    etl-orch.yaml:34:16: etls.key_themes.requires is empty
    etl-orch.yaml:35:13: needs form a cycle: call_summary -> key_themes -> call_summary; none of these could ever run
    etl-orch.yaml:36:11: "A B" cannot name a variable
    etl-orch.yaml:36:21: ETL_ORCH_RUN_ID is set by etl-orch itself; choose a name without ETL_ORCH_
    etl-orch.yaml:36:45: unknown placeholder {nonsense}
    etl-orch.yaml:37:3: orchestrated has no output, which reports.by: orchestrator needs; write one like reports/{period}/{bank_symbol}_{etl}.md
    etl-orch.yaml:38:18: etls.orchestrated.report_type holds a control character; remove it
    etl-orch.yaml:40:13: orchestrated needs last, which is declared later; ETLs run in the order of declaration, so move last before orchestrated
    etl-orch.yaml:40:19: last stands twice in needs of orchestrated; keep one
    etl-orch.yaml:42:10: etls.orchestrated.cwd is empty
    etl-orch.yaml:43:15: etls.orchestrated.env_file is one path for all jobs; {bank_key} is not filled in here
    etl-orch.yaml:44:17: etls.orchestrated.warn_after must be longer than 0s
    etl-orch.yaml:46:27: etls.orchestrated.retry.max_attempts: expected a whole number, found a number with a fraction
    etl-orch.yaml:51:33: unknown key "table" in etls.last.reports; valid keys here are by
    etl-orch.yaml:52:13: placeholder {job_id} has no value here; those that have are bank_symbol, bank_key, bank_id, bank_name, fiscal_year, quarter, period, etl, report_type
    "#);
}

#[test]
fn mistakes_of_all_files_at_once() {
    let directory = directory(&[
        ("etl-orch.yaml", &format!("{}nonsense: 1\n", etl_with(""))),
        ("monitored_institutions.yaml", "RY-CA: {id: 1}\n"),
        (".env", "GOOD=1\nSECRET: s3cret and more\n"),
    ]);
    insta::assert_snapshot!(load_in(directory.path(), &[]).unwrap_err(), @r#"
    etl-orch.yaml:7:1: unknown key "nonsense"; valid keys here are database, state_dir, lock_file, institutions, run, retry, cooldown, breaker, pools, lease, availability, reports, report, log, tell, health, retention, etls, sources
    monitored_institutions.yaml:1:1: "RY-CA" has no name; give it one
    .env:2:1: this line is ignored, as it is not NAME=value; behind a closed quote only a # comment may stand
    "#);
}

#[test]
fn files_that_cannot_be_read() {
    let directory = directory(&[("etl-orch.yaml", &etl_with("")), ("bad.yaml", "")]);
    insta::assert_snapshot!(load_in(directory.path(), &[]).unwrap_err(), @r#"etl-orch.yaml:1:1: institutions: "monitored_institutions.yaml" cannot be read: No such file or directory (os error 2)"#);
    let missing = load(&directory.path().join("none.yaml"), &Variables::new()).unwrap_err().to_string();
    assert!(missing.ends_with("none.yaml: cannot be read: No such file or directory (os error 2)"), "{missing}");
    std::fs::write(directory.path().join("bad.yaml"), b"a: 1\nb: \xff\n").unwrap();
    let bad = load(&directory.path().join("bad.yaml"), &Variables::new()).unwrap_err().to_string();
    assert!(bad.ends_with("bad.yaml:2:4: not UTF-8; save the file as UTF-8"), "{bad}");
    insta::assert_snapshot!(errors(""), @r"etl-orch.yaml: the file is empty; it needs etls or sources");
    insta::assert_snapshot!(errors("etls: [\n"), @r"etl-orch.yaml:2:1: not valid YAML: while parsing a node, did not find expected node content");
    insta::assert_snapshot!(errors("etls: {}\n"), @r"
    etl-orch.yaml:1:1: no database: set database.url to sqlite://PATH or postgres://..., or set the variables POSTGRES_HOST, POSTGRES_DATABASE, POSTGRES_USER and POSTGRES_PASSWORD
    etl-orch.yaml:1:1: nothing is configured; add an ETL under etls, or a source under sources
    ");
}

#[test]
fn the_environment_goes_before_dotenv_and_nothing_secret_is_shown() {
    let text = "
database: {url: '${DATABASE_URL}'}
run:
  max_jobs: ${N}
  from_year: ${YEAR:-2024}
etls:
  a:
    report_type: A
    requires: [t]
    command: [x, '--key=${KEY}']
    env: {API_KEY: '${KEY}'}
";
    let directory = directory(&[
        ("etl-orch.yaml", text),
        ("monitored_institutions.yaml", BANKS),
        (".env", "N=7\nKEY='s3cret{etl}'\nDATABASE_URL=postgres://from:dotenv@h/db\n"),
    ]);
    let environment = [("DATABASE_URL", "postgres://me:s3cret@h/db?password=s3cret")];
    let config = load_in(directory.path(), &environment).unwrap();
    assert_eq!((config.run.max_jobs, config.run.from_year), (7, Some(2024)));
    assert_eq!(config.dotenv, Some(directory.path().canonicalize().unwrap().join(".env")));
    let DatabaseTarget::Postgres { url, shown } = &config.database.target else { panic!("a server") };
    assert_eq!(url.expose_secret(), environment[0].1);
    assert_eq!(shown, "postgres://h/db");
    assert_eq!(program_of(&config.catalogue.etls[0]).env[0].1.render(|_| "?".to_owned()), "s3cret{etl}");
    assert_eq!(program_of(&config.catalogue.etls[0]).argv[1].render(|_| "?".to_owned()), "--key=s3cret{etl}");
    assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
}

#[test]
fn a_value_from_a_variable_is_in_no_message() {
    let text = "
database: {url: '${S}'}
state_dir: ${S}
institutions: ${S}
run:
  max_jobs: ${S}
  order: ${S}
  deadline: ${S}
  max_parallel: ${S}
availability: {table: '${S}', sync: [{tag: t, files: '${S}'}]}
etls:
  a: {report_type: '${S}', requires: ['${S}'], command: ['${S}', '{${S}}', '${UNSET}']}
  b: {report_type: '${S}', requires: [t], needs: ['${S}'], command: [x], timeout: '${S}', exit_codes: {config: ['${S}']}}
  c: ${S}
";
    let directory = directory(&[("etl-orch.yaml", text)]);
    insta::assert_snapshot!(load_in(directory.path(), &[("S", "s3cret'/{x")]).unwrap_err(), @r"
    etl-orch.yaml:2:17: database.url must begin with sqlite:// or postgres:// (from ${S})
    etl-orch.yaml:4:15: institutions: (from ${S}) cannot be read: No such file or directory (os error 2)
    etl-orch.yaml:6:13: run.max_jobs: expected a whole number, found text (from ${S})
    etl-orch.yaml:7:10: run.order: must be one of newest_first, oldest_first
    etl-orch.yaml:8:13: run.deadline: not a duration; write it like 15m or 1h 30m
    etl-orch.yaml:9:17: run.max_parallel: expected a whole number or auto
    etl-orch.yaml:10:23: (from ${S}) is no table; write table or schema.table, of letters, digits and underscores
    etl-orch.yaml:10:54: the path must name the bank; add {bank_symbol} or {bank_key}
    etl-orch.yaml:10:54: the path must name the period; add {period}, or {fiscal_year} and {quarter}
    etl-orch.yaml:12:66: unbalanced '{'; write {{ or }} for a brace itself
    etl-orch.yaml:12:66: unbalanced '}'; write {{ or }} for a brace itself
    etl-orch.yaml:12:76: variable UNSET is not set; set it in the environment or in .env beside the configuration, or write ${UNSET:-default}
    etl-orch.yaml:13:20: report type (from ${S}) is used by a at 12:20 already; each ETL needs a type of its own
    etl-orch.yaml:13:51: b needs (from ${S}), which is no ETL here
    etl-orch.yaml:13:83: etls.b.timeout: not a duration; write it like 15m or 1h 30m
    etl-orch.yaml:13:113: etls.b.exit_codes.config: expected a whole number, found text (from ${S})
    etl-orch.yaml:14:6: etls.c: expected a mapping, found text (from ${S})
    ");
}

#[test]
fn cooldown_breaker_and_version_column_are_as_written() {
    let text = etl_with(
        "cooldown: {initial: 1ms, max: 2d, quarantine_after: 3}\nbreaker: {banks: 2}\navailability: {version_column: last_updated}\n",
    );
    let config = load_text(&text).unwrap();
    let cooldown = Cooldown { initial: Duration::from_millis(1), max: Duration::from_secs(2 * 86_400), quarantine_after: 3 };
    assert_eq!((config.run.cooldown, config.run.breaker_banks), (cooldown, 2));
    assert_eq!(config.database.version_column.unwrap().as_str(), "last_updated");
    let partly = load_text(&etl_with("cooldown: {max: 1h}\n")).unwrap().run.cooldown;
    assert_eq!(partly, Cooldown { max: Duration::from_secs(3600), ..Cooldown::default() });

    let bad = [
        "cooldown: {initial: 0s, max: 0s, quarantine_after: 0}\n",
        "cooldown: {initial: 2h, max: 1h}\n",
        "cooldown: {initial: 13h}\n",
        "cooldown: {max: 1m, after: 3}\n",
        "breaker: {banks: 1}\n",
        "availability: {version_column: last updated}\n",
    ];
    let said: Vec<String> = bad.iter().map(|bad| errors(&etl_with(bad))).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    etl-orch.yaml:7:21: cooldown.initial must be at least 1ms
    etl-orch.yaml:7:52: cooldown.quarantine_after must be from 1 to 1000
    etl-orch.yaml:7:30: cooldown: max is shorter than initial; make max longer
    etl-orch.yaml:7:21: cooldown: max is shorter than initial; make max longer
    etl-orch.yaml:7:17: cooldown: max is shorter than initial; make max longer
    etl-orch.yaml:7:21: unknown key "after" in cooldown; valid keys here are initial, max, quarantine_after
    etl-orch.yaml:7:18: breaker.banks must be from 2 to 1000
    etl-orch.yaml:7:32: "last updated" is no column; write its name, of letters, digits and underscores
    "#);
}

#[test]
fn without_a_database_both_ways_are_named() {
    insta::assert_snapshot!(errors("etls: {a: {report_type: A, requires: [t], command: [x]}}\n"), @r"etl-orch.yaml:1:1: no database: set database.url to sqlite://PATH or postgres://..., or set the variables POSTGRES_HOST, POSTGRES_DATABASE, POSTGRES_USER and POSTGRES_PASSWORD");
}

#[test]
fn the_quick_start_loads() {
    let config = load(&shipped("etl-orch.yaml"), &Variables::new()).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap();
    assert_eq!(config.state_dir, root.join("var"));
    assert_eq!(config.database.target.to_string(), format!("sqlite://{}/var/etl-orch.db", root.display()));
    assert_eq!(config.catalogue.institutions.len(), 14);
    assert_eq!(config.catalogue.etls.iter().map(|etl| etl.name.as_str()).collect::<Vec<_>>(), ["call_summary", "key_themes"]);
    let ReportsBy::Orchestrator { output } = &config.catalogue.etls[0].reports else { panic!("by orchestrator") };
    assert_eq!(output.to_string(), format!("{}/var/reports/{{period}}/{{bank_symbol}}_{{etl}}.md", root.display()));
    assert!(config.sync[0].files.to_string().starts_with(&format!("{}/examples/quickstart/transcripts/", root.display())));
}

#[test]
fn the_production_example_loads() {
    let environment = [
        ("POSTGRES_HOST", "db"),
        ("POSTGRES_DATABASE", "finance"),
        ("POSTGRES_USER", "aegis"),
        ("POSTGRES_PASSWORD", "s3cret"),
        ("ETL_API_KEY", "s3cret"),
    ];
    let config = load(&shipped("production.example.yaml"), &variables(&environment)).unwrap();
    assert_eq!(config.database.target.to_string(), "postgres://db:5432/finance");
    assert_eq!(config.lock_file, Path::new("/tmp/aegis_etl_orchestrator.lock"));
    assert_eq!(config.state_dir, Path::new("/var/lib/etl-orch"));
    assert!(config.catalogue.etls.iter().all(|etl| etl.work.exit_codes().config.contains(&2)));
    assert!(!format!("{config:?}").contains("s3cret"));
}
