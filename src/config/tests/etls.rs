//! ETLs in whole files.

use super::*;
use crate::plan::model::patterns::{EndClass, stage_in};
use crate::plan::model::work::Work;
use crate::plan::text::placeholder::Placeholder;

#[test]
fn needs_are_known_declared_before_and_without_a_cycle() {
    let etls = |needs: &[(&str, &str)]| {
        let lines: Vec<String> = needs
            .iter()
            .map(|(name, needs)| format!("  {name}: {{report_type: {name}, requires: [t], needs: [{needs}], command: [x]}}"))
            .collect();
        load_text(&with(&format!("etls:\n{}\n", lines.join("\n"))))
    };
    let config = etls(&[("a", ""), ("b", "a"), ("c", "b, a")]).unwrap();
    assert_eq!(config.catalogue.etls.iter().map(|etl| etl.needs.clone()).collect::<Vec<_>>(), [vec![], vec![0], vec![1, 0]]);
    insta::assert_snapshot!(etls(&[("a", "b"), ("b", "")]).unwrap_err(), @r"etl-orch.yaml:3:46: a needs b, which is declared later; ETLs run in the order of declaration, so move b before a");
    insta::assert_snapshot!(etls(&[("a", "c, z"), ("b", "a"), ("c", "b"), ("d", "d"), ("e", "f"), ("f", "")]).unwrap_err(), @r#"
    etl-orch.yaml:3:49: a needs "z", which is no ETL here; there are a, b, c, d, e, f
    etl-orch.yaml:4:46: needs form a cycle: a -> c -> b -> a; none of these could ever run
    etl-orch.yaml:6:46: needs form a cycle: d -> d; none of these could ever run
    etl-orch.yaml:7:46: e needs f, which is declared later; ETLs run in the order of declaration, so move f before e
    "#);
}

#[test]
fn a_broken_etl_is_known_to_those_that_need_it() {
    let text = with("etls:\n  a: 5\n  b: {report_type: B, requires: [t], needs: [a], command: [x]}\n");
    insta::assert_snapshot!(errors(&text), @r"etl-orch.yaml:3:6: etls.a: expected a mapping, found a number");
}

#[test]
fn a_report_type_may_be_a_list_of_which_no_other_etl_has_any() {
    let etls = |types: &[&str]| {
        let lines =
            types.iter().zip(["a", "b"]).map(|(types, name)| format!("  {name}: {{report_type: {types}, requires: [t], command: [x]}}\n"));
        load_text(&with(&format!("etls:\n{}", lines.collect::<String>())))
    };
    let config = etls(&["[Call Summary, call_summary]", "B"]).unwrap();
    assert_eq!(config.catalogue.etls[0].report_types(), ["Call Summary", "call_summary"]);
    assert_eq!(config.catalogue.etls[1].report_types(), ["B"]);
    assert!(config.catalogue.etls[0].places.report_type.ends_with("etl-orch.yaml:3:7"));
    let wrong = [&["[A, B, A]", "[C, B]"][..], &["[]", "[' ', 5]"], &["5", "{x: y}"], &["A", "A"]];
    let said: Vec<String> = wrong.iter().map(|types| etls(types).unwrap_err()).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    etl-orch.yaml:3:27: report type "A" stands twice; keep one
    etl-orch.yaml:4:24: report type "B" is used by a at 3:24 already; each ETL needs a type of its own
    etl-orch.yaml:3:7: a has no report_type in the list; name the type of its reports in the reports table
    etl-orch.yaml:4:21: etls.b.report_type is empty
    etl-orch.yaml:4:26: etls.b.report_type: expected text, found a number; quote it
    etl-orch.yaml:3:20: etls.a.report_type: expected text or a list of texts, found a number; quote it
    etl-orch.yaml:4:7: etls.b.report_type: expected text or a list of texts, found a mapping
    etl-orch.yaml:4:20: report type "A" is used by a at 3:20 already; each ETL needs a type of its own
    "#);
}

#[test]
fn how_long_reports_may_be_missing_is_said_for_all_and_for_some() {
    let config = |health: &str, gaps: &str| {
        let text = format!("health: {health}\netls:\n  a: {{report_type: A, requires: [t], command: [x], gaps: {gaps}}}\n");
        load_text(&with(&text))
    };
    let hours = |health: &str, gaps: &str| {
        let age = config(health, gaps).unwrap().catalogue.etls[0].gap_age;
        [age.warn_after, age.error_after].map(|limit| limit.as_secs() / 3600)
    };
    assert_eq!(hours("{}", "{}"), [6, 24]);
    assert_eq!(hours("{gaps: {error_after: 2h}}", "{}"), [2, 2], "a default does not contradict what is written");
    assert_eq!(hours("{gaps: {warn_after: 2d}}", "{}"), [48, 48]);
    assert_eq!(hours("{gaps: {warn_after: 1h, error_after: 2h}}", "{error_after: 3h}"), [1, 3]);
    assert_eq!(config("{tick: 5m}", "{}").unwrap().health.tick, std::time::Duration::from_secs(300));
    insta::assert_snapshot!(config("{tick: 0s}", "{warn_after: 2h, error_after: 1h}").unwrap_err(), @r"
    etl-orch.yaml:2:16: health.tick must be longer than 0s
    etl-orch.yaml:4:71: warn_after, which is 2h, must not be longer than error_after, which is 1h
    ");
}

#[test]
fn what_is_over_is_kept_for_a_time_or_for_ever() {
    let config = |retention: &str| load_text(&etl_with("").replace("etls:", &format!("retention: {retention}\netls:")));
    let kept = |retention: &str| {
        let kept = config(retention).unwrap().retention;
        [kept.history, kept.idle_runs, kept.logs].map(|keep| keep.to_string())
    };
    assert_eq!(kept("{}"), ["400d", "90d", "30d"]);
    assert_eq!(kept("{history: 20d}"), ["20d", "20d", "20d"], "a default does not contradict what is written");
    assert_eq!(kept("{history: forever, logs: 2000d}"), ["forever", "90d", "2000d"]);
    let bad = [
        "{logs: 3h}",
        "{history: 0s}",
        "{logs: 500d}",
        "{idle_runs: forever}",
        "{history: soon}",
        "{logs: 1y}",
        "{runs: 5d}",
        "{logs: 30}",
    ];
    let said: Vec<String> = bad.iter().map(|bad| config(bad).unwrap_err()).collect();
    insta::assert_snapshot!(said.join("\n"));
    let long = "    gaps: {error_after: 30d}\n";
    insta::assert_snapshot!(errors(&etl_with(long).replace("etls:", "retention: {history: 10d}\netls:")), @"etl-orch.yaml:2:22: retention.history, which is 10d, must not be shorter than gaps.error_after, which is 30d: health could not see that a report is missing for so long");
}

#[test]
fn two_gaps_never_share_an_output() {
    let output = |output: &str| load_text(&etl_with(&format!("    reports: {{by: orchestrator}}\n    output: \"{output}\"\n")));
    for good in ["{period}/{bank_symbol}", "{bank_id}-{fiscal_year}-{quarter}", "{bank_name}/{period}"] {
        output(good).unwrap();
    }
    let bad = ["{bank_key}.md", "{bank_key}/{quarter}", "{bank_key}/{fiscal_year}", "{period}.md", "{bank_key}/{period}/"];
    let said: Vec<String> = bad.iter().map(|bad| output(bad).unwrap_err()).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    etl-orch.yaml:8:13: the same path for RY-CA 2024 Q1 [a] and for RY-CA 2024 Q2 [a]; add {period}
    etl-orch.yaml:8:13: the same path for RY-CA 2024 Q1 [a] and for RY-CA 2025 Q1 [a]; add {period}
    etl-orch.yaml:8:13: the same path for RY-CA 2024 Q1 [a] and for RY-CA 2024 Q2 [a]; add {period}
    etl-orch.yaml:8:13: the same path for RY-CA 2024 Q1 [a] and for BMO-CA 2024 Q1 [a]; add {bank_key}
    etl-orch.yaml:8:13: ends with "/"; it must name a file
    "#);
    let two = with(
        "reports: {by: orchestrator}\netls:\n  a: {report_type: A, requires: [t], command: [x], output: \"{period}/{bank_key}\"}\n  \
         b: {report_type: B, requires: [t], command: [x], output: \"./{period}//{bank_key}\"}\n",
    );
    insta::assert_snapshot!(errors(&two), @r"etl-orch.yaml:5:60: the same path for RY-CA 2024 Q1 [a] and for RY-CA 2024 Q1 [b]; add {etl}");
}

#[test]
fn no_value_leads_out_of_its_place() {
    let said = |name: &str, output: &str| {
        let text = etl_with(&format!("    reports: {{by: orchestrator}}\n    output: \"{output}/{{bank_key}}/{{period}}\"\n"));
        let banks = format!("A-CA: {{id: 1, name: \"{name}\"}}\n");
        load_in(directory(&[("etl-orch.yaml", &text), ("monitored_institutions.yaml", &banks)]).path(), &[]).map(|_| ())
    };
    assert_eq!(said("..", "x-{bank_name}"), Ok(()));
    insta::assert_snapshot!(said("..", "{bank_name}").unwrap_err(), @r#"etl-orch.yaml:8:13: a value of A-CA is "." or "..", which would lead out of this path; use {bank_key} or {etl}"#);
    insta::assert_snapshot!(said("A/S", "x-{bank_name}").unwrap_err(), @r#"etl-orch.yaml:8:13: {bank_name} of A-CA holds a "/", which would lead out of this path; use {bank_key} or {etl}"#);
}

#[test]
fn patterns_say_what_exits_mean_and_which_stages_there_are() {
    let keys = "    outcomes: [{match: '^⚠️', is: not_ready}, {exit: 3, is: config}]\n    \
                progress: [{match: 'Filtered to (\\d+)', stage: Pre-filtering, records: 1}]\n";
    let config = load_text(&etl_with(keys)).unwrap();
    let work = &config.catalogue.etls[0].work;
    let patterns = work.exit_codes().patterns;
    assert_eq!((patterns[0].exit, patterns[0].is), (None, EndClass::NotReady));
    assert_eq!((patterns[1].exit, patterns[1].is, patterns[1].pattern.is_none()), (Some(3), EndClass::Config, true));
    assert_eq!(stage_in(&work.program().unwrap().progress, "Filtered to 20 rows"), Some(("Pre-filtering", Some(20))));
    let said = |keys: &str| errors(&etl_with(keys)).replace("etl-orch.yaml:", "");
    let mistakes = [
        "    outcomes: [{match: 'a(', is: transient}, {is: config}, {match: x}, {exit: 0, is: permanent}, {exit: 1, is: busy}]\n",
        "    outcomes: [{match: '(\\w{100}){100}', is: transient}]\n",
        "    progress: [{match: 'Filtered (\\d+)', stage: x, records: 2}, {match: x}, {stage: ' ', match: '['}, {records: 1}]\n",
        "    outcomes: [{regex: x}]\n",
        "    progress: {match: x}\n",
    ];
    insta::assert_snapshot!(mistakes.map(said).join("\n"), @r#"
    7:24: etls.a.outcomes.match is no regular expression: unclosed group
    7:46: this has neither exit nor match; write one like {match: 'rate limit', is: transient}
    7:60: this does not say what the exit means; add is: permanent, config, not_ready or transient
    7:79: exit must be from 1 to 255; after 0 the report is looked for
    7:112: etls.a.outcomes.is: must be one of permanent, config, not_ready, transient
    7:24: etls.a.outcomes.match is no regular expression: Compiled regex exceeds size limit of 262144 bytes.
    7:61: records is the number of a group of match, which has 1; put ( ) around the number there
    7:65: this has no stage; write it like {match: 'Filtered to (\d+)', stage: Pre-filtering, records: 1}
    7:85: etls.a.progress.stage is empty
    7:97: etls.a.progress.match is no regular expression: unclosed character class
    7:103: this has no match; write it like {match: 'Filtered to (\d+)', stage: Pre-filtering, records: 1}
    7:103: this has no stage; write it like {match: 'Filtered to (\d+)', stage: Pre-filtering, records: 1}
    7:16: this has neither exit nor match; write one like {match: 'rate limit', is: transient}
    7:16: this does not say what the exit means; add is: permanent, config, not_ready or transient
    7:17: unknown key "regex" in etls.a.outcomes; valid keys here are exit, match, is
    7:5: etls.a.progress: expected a list, found a mapping
    "#);
}

#[test]
fn exit_codes_replace_their_class_and_leave_the_others() {
    let config = load_text(&etl_with("    exit_codes: {config: [2, 65], transient: []}\n")).unwrap();
    let codes = config.catalogue.etls[0].work.exit_codes();
    assert_eq!(codes.config, [2, 65].into());
    assert_eq!(codes.permanent, [].into());
    assert_eq!(codes.not_ready, [66].into());
    assert_eq!(codes.transient, [].into());
}

#[test]
fn an_etl_overrides_retry_in_part() {
    let config = load_text(&etl_with("    retry: {max_attempts: 1}\nretry: {max_attempts: 5, jitter: 0.5}\n")).unwrap();
    let retry = &config.catalogue.etls[0].retry;
    assert_eq!((retry.max_attempts, retry.initial_delay), (1, Duration::from_secs(5)));
    assert!((retry.jitter - 0.5).abs() < f64::EPSILON);
}

#[test]
fn an_etl_uses_a_pool_that_there_is() {
    let config = load_text(&etl_with("    pool: llm\npools: {llm: 2, unused: 1}\n")).unwrap();
    assert_eq!(config.catalogue.etls[0].pool, Some(crate::plan::model::etl::Pool { name: "llm".to_owned(), limit: 2 }));
    assert_eq!(load_text(&etl_with("pools: {}\n")).unwrap().catalogue.etls[0].pool, None);

    let bad = [
        "    pool: lmm\npools: {llm: 2, gpu: 1}\n",
        "    pool: llm\n",
        "    pool: llm\npools: {llm: two}\n",
        "    pool: LLM\npools: {LLM: 0, 'a/b': 10001, c: 1.5}\n",
        "    pool: [llm]\npools: [llm]\n",
    ];
    let said: Vec<String> = bad.iter().map(|bad| errors(&etl_with(bad))).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    etl-orch.yaml:7:11: etls.a.pool is "lmm", which is no pool here; did you mean llm? There are gpu, llm
    etl-orch.yaml:7:11: etls.a.pool is "llm", which is no pool here; there are none, add it under pools
    etl-orch.yaml:8:14: pools.llm: expected a whole number, found text
    etl-orch.yaml:8:9: "LLM" cannot name a pool; write small letters, digits, "_" and "-", the first a letter or digit
    etl-orch.yaml:8:14: pools.LLM must be from 1 to 10000
    etl-orch.yaml:8:17: "a/b" cannot name a pool; write small letters, digits, "_" and "-", the first a letter or digit
    etl-orch.yaml:8:24: pools.a/b must be from 1 to 10000
    etl-orch.yaml:8:34: pools.c: expected a whole number, found a number with a fraction
    etl-orch.yaml:7:5: etls.a.pool: expected text, found a list
    etl-orch.yaml:8:1: pools: expected a mapping, found a list
    "#);
}

#[test]
fn a_version_is_kept_as_it_is_written() {
    let version = |written: &str| {
        load_text(&etl_with(&format!("    version: {written}\n"))).map(|config| config.catalogue.etls[0].version.clone().unwrap())
    };
    for (written, version_of_it) in [("1.10", "1.10"), ("\"1.4\"", "1.4"), ("7", "7"), ("2026-01-05 b", "2026-01-05 b"), ("1e3", "1e3")] {
        assert_eq!(version(written).unwrap(), version_of_it);
    }
    let said: Vec<String> = ["' '", "[1, 4]", "true", "\"a\\nb\""].iter().map(|bad| version(bad).unwrap_err()).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    etl-orch.yaml:7:14: etls.a.version is empty
    etl-orch.yaml:7:5: etls.a.version: expected text or a number, found a list
    etl-orch.yaml:7:14: etls.a.version: expected text or a number, found true or false
    etl-orch.yaml:7:14: etls.a.version holds a control character; remove it
    "#);
}

const SERVICE: &str =
    "trigger: {url: 'http://h/{period}', json: {bank: '{bank_id}', name: '{bank_name}'}}, status: {url: 'http://h/{remote_id}'}";

/// A file with one ETL that has these keys beside those that it cannot be without.
fn etl_of(keys: &str) -> String {
    with(&format!("etls:\n  a: {{report_type: A, requires: [x], {keys}}}\n"))
}

#[test]
fn a_service_makes_reports_by_the_same_keys_as_it_collects() {
    let config = load_text(&etl_of(&format!("http: {{{SERVICE}, timeout: 5m}}"))).unwrap();
    let etl = &config.catalogue.etls[0];
    let Work::Http(http) = &etl.work else { panic!("a service") };
    assert_eq!(etl.reports, ReportsBy::Etl);
    assert_eq!((etl.work.timeout(), etl.work.has_remote_id(), etl.work.program()), (Duration::from_secs(300), true, None));
    assert_eq!((http.job_id.as_str(), http.every), ("/job_id", Duration::from_secs(10)));
    assert!(etl.work.uses(Placeholder::BankId) && etl.work.uses(Placeholder::Period) && !etl.work.uses(Placeholder::Quarter));
}

#[test]
fn what_an_etl_with_a_service_cannot_have_is_said() {
    let said = |keys: &str| errors(&etl_of(keys)).replace("etl-orch.yaml:", "");
    let service = format!("http: {{{SERVICE}}}");
    let mistakes = [
        "version: '1'".to_owned(),
        format!("command: [x], grace: 1s, timeout: 1m, exit_codes: {{config: [2]}}, {service}"),
        format!("{service}, reports: {{by: orchestrator}}, output: 'r/{{period}}/{{bank_key}}.md'"),
        format!("{service}, output: 'r/{{period}}/{{bank_key}}.md'"),
        format!("http: {{{SERVICE}, records: {{pointer: /n}}}}"),
        "http: {trigger: {url: 'http://h/{window_year}'}, status: {url: 'http://h/{remote_id}'}}".to_owned(),
        "http: {trigger: {url: 'http://h/{remote_id}'}, status: {url: 'http://h/'}}".to_owned(),
        "http: {trigger: {url: 'http://h/{output}'}}".to_owned(),
        "command: [x, '{remote_id}']".to_owned(),
    ];
    insta::assert_snapshot!(mistakes.map(|keys| said(&keys)).join("\n"), @r#"
    3:3: a has neither command nor http; write what makes the report
    3:38: a has command and http; keep one of the two
    3:52: grace has an effect only beside command; remove it
    3:63: timeout has an effect only beside command; write it in http
    3:76: exit_codes has an effect only beside command; remove it
    3:38: a has http: its service writes the report's row; set reports: {by: etl} here, and no output
    3:170: output has an effect only where reports.by is orchestrator; set that, or remove it
    3:169: records has an effect only for sources; remove it
    3:60: placeholder {window_year} has no value here; those that have are bank_symbol, bank_key, bank_id, bank_name, fiscal_year, quarter, period, etl, report_type, job_id, run_id, attempt, work_dir
    3:60: placeholder {remote_id} has a value only in status, cancel and the verify of a source, once the trigger has been answered
    3:99: the url of status must name the job; add {remote_id}
    3:38: http of a has no status; write the request that asks for the job's state
    3:60: placeholder {output} has no value in http: a service stores its report itself, and etl-orch prepares no file
    3:51: placeholder {remote_id} has a value only in status, cancel and the verify of a source, once the trigger has been answered
    "#);
}

#[test]
fn a_key_that_is_misspelled_is_not_missing_as_well() {
    let text = with("etls:\n  a: {report_type: A, requirez: [t], comand: [x]}\n");
    insta::assert_snapshot!(errors(&text), @r#"
    etl-orch.yaml:3:23: unknown key "requirez" in etls.a; did you mean requires?
    etl-orch.yaml:3:38: unknown key "comand" in etls.a; did you mean command?
    "#);
}
