//! A world with sources that a stand-in for their service collects, and runs at any time.

use std::process::Command;

use serde_json::Value;

use crate::support::World;
use crate::support::clock::clock;
use crate::support::service::{KEY, Service};
use crate::support::world::{Done, Running};

/// Sources in a world without banks' data, and the service that collects them.
pub(crate) struct ServiceDesk<'a> {
    pub(crate) world: &'a World,
    pub(crate) service: Service,
}

impl<'a> ServiceDesk<'a> {
    /// One source, `us_house`, of which these are further keys; those of its `http:` are written `http.timeout: 1m`.
    pub(crate) fn new(world: &'a World, keys: &[&str]) -> Self {
        Self::with(world, &[("us_house", keys)])
    }

    /// These sources, each with further keys. What they say of `http.trigger` goes before the usual one.
    pub(crate) fn with(world: &'a World, sources: &[(&str, &[&str])]) -> Self {
        let desk = Self { world, service: Service::start() };
        desk.configure(sources);
        desk
    }

    /// One ETL, `call_summary`, whose reports the service makes, and data of RY for 2025 Q2. `keys` are further keys of its `http:`;
    /// what they say goes before the usual.
    pub(crate) fn of_reports(world: &'a World, settings: &str, keys: &[&str]) -> Self {
        let desk = Self { world, service: Service::start() };
        let url = desk.service.url();
        let mut lines = vec!["etls:".to_owned(), "  call_summary:".to_owned()];
        lines.extend(["report_type: Call Summary", "requires: [transcripts]", "http:"].map(|key| format!("    {key}")));
        let body = "{bank: \"{bank_key}\", bank_id: \"{bank_id}\", year: \"{fiscal_year}\", quarter: \"{quarter}\", limit: 3}";
        let usual = [
            "headers: {X-API-Key: \"${ETL_API_KEY}\"}".to_owned(),
            format!("trigger: {{url: \"{url}/etl/trigger\", json: {body}}}"),
            format!("status: {{url: \"{url}/etl/status/{{remote_id}}\", every: 10ms}}"),
            "rate: {requests: 1000, per: 1s}".to_owned(),
            "timeout: 2m".to_owned(),
        ];
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        lines.extend(usual.iter().filter(|line| !keys.iter().any(|key| name(key) == name(line))).map(|line| format!("      {line}")));
        lines.extend(keys.iter().map(|key| format!("      {}", key.replace("{url}", &url))));
        world.configure(settings, &(lines.join("\n") + "\n"));
        world.available("RY", 1, 2025, "Q2");
        desk
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, sources: &[(&str, &[&str])]) {
        self.configure_at(&self.service.url(), sources);
    }

    /// The same, where the service is somewhere else.
    pub(crate) fn configure_at(&self, url: &str, sources: &[(&str, &[&str])]) {
        let sections: Vec<String> = sources.iter().map(|(id, keys)| section(url, id, keys)).collect();
        self.world.configure("", &format!("sources:\n{}", sections.concat()));
    }

    /// The five sources of the example for production, word for word but for what takes time there.
    pub(crate) fn of_production(world: &'a World) -> Self {
        let desk = Self { world, service: Service::start() };
        let example = include_str!("../../config/production.example.yaml");
        let sources = &example[example.find("\nsources:\n").expect("it has sources")..];
        let mut text = sources.to_owned();
        for (word, quicker) in [("every: 10s", "every: 10ms"), ("{requests: 10, per: 60s}", "{requests: 10, per: 2s}")] {
            assert!(text.contains(word), "{word}");
            text = text.replace(word, quicker);
        }
        world.configure("run: {max_parallel: 5}\n", &text);
        desk
    }

    /// What failed rests from now on as long as this says, `cooldown: {initial: 10m}`.
    pub(crate) fn rests(&self, cooldown: &str) {
        let config = self.world.read("etl-orch.yaml").replacen("cooldown: {initial: 1ms, max: 1ms}", cooldown, 1);
        self.world.write("etl-orch.yaml", &config);
    }

    /// Runs the binary at this time of 2026, `01-16 00:20:00` in UTC, to its end, which must have this exit code.
    pub(crate) fn run_to(&self, code: i32, time: &str, args: &[&str]) -> Done {
        ends(self.command(time, args), code)
    }

    /// Starts the binary at this time.
    pub(crate) fn spawn(&self, time: &str, args: &[&str]) -> Running {
        Running::start(self.command(time, args))
    }

    /// The binary at this time, for further variables.
    pub(crate) fn command(&self, time: &str, args: &[&str]) -> Command {
        let mut command = self.command_now(args);
        command.envs(clock(&format!("@2026-{time}")));
        command
    }

    /// The binary by the clock of this host.
    pub(crate) fn command_now(&self, args: &[&str]) -> Command {
        let mut command = self.world.command(args);
        for variable in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(variable).env_remove(variable.to_uppercase());
        }
        command.env("ETL_API_KEY", KEY).env("ETL_URL", self.service.url());
        command
    }

    /// The bodies of all triggers that came.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.service.requests().into_iter().filter(|seen| seen.path == "/etl/trigger").map(|seen| seen.body).collect()
    }

    /// How all attempts ended, `source:us_house|1|succeeded`.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        self.world.attempts()
    }

    /// The services' ids of jobs whose end was not seen, of all windows that are queued; `none` where there is none.
    pub(crate) fn open(&self) -> Vec<String> {
        self.world.sql("SELECT coalesce(remote_id, 'none') FROM disclosure_queue WHERE state = 'queued' ORDER BY window_start")
    }

    /// How far a source was collected without a hole, `2026-01-16T00:00`; empty where it never was.
    pub(crate) fn frontier(&self, id: &str) -> String {
        let text = self.world.sql(&format!("SELECT frontier FROM sources WHERE source = '{id}'")).concat();
        text.replace(' ', "T").chars().take(16).collect()
    }
}

/// Runs a command to its end, which must have this exit code.
pub(crate) fn ends(mut command: Command, code: i32) -> Done {
    let done = Done::of(&command.output().expect("the binary starts"));
    assert_eq!(done.code, code, "{}\n{}", done.stdout, done.stderr);
    done
}

fn section(url: &str, id: &str, keys: &[&str]) -> String {
    let (http, own): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| key.starts_with("http."));
    let http: Vec<&str> = http.iter().filter_map(|key| key.strip_prefix("http.")).collect();
    let mut lines = vec![format!("  {id}:")];
    let mut add = |indent: &str, keys: &[&str], usual: &[String]| {
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_owned();
        let is_said = |line: &str| keys.iter().any(|key| name(key) == name(line));
        lines.extend(usual.iter().filter(|line| !is_said(line)).map(|line| format!("{indent}{line}")));
        lines.extend(keys.iter().map(|key| format!("{indent}{}", key.replace("{url}", url))));
    };
    add("    ", &own, &["every: 6h".to_owned()]);
    add("    ", &["http:"], &[]);
    add(
        "      ",
        &http,
        &[
            "headers: {X-API-Key: \"${ETL_API_KEY}\"}".to_owned(),
            format!("trigger: {{url: \"{url}/etl/trigger\", json: {{source: house, year: \"{{window_year}}\", limit: 100}}}}"),
            format!("status: {{url: \"{url}/etl/status/{{remote_id}}\", every: 10ms}}"),
            "rate: {requests: 1000, per: 1s}".to_owned(),
            // Nothing takes that long; a defect shall not take an hour.
            "timeout: 2m".to_owned(),
            "records: {pointer: /message, pattern: 'Completed: (\\d+) transactions'}".to_owned(),
        ],
    );
    lines.join("\n") + "\n"
}
