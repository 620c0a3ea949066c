//! What a configuration needs of the host.

use std::os::unix::fs::PermissionsExt;

use super::*;

const NEEDS: &str = r#"
database: {url: "sqlite://x.db"}
availability: {sync: [{tag: t, files: "in/{bank_symbol}_{period}.txt"}]}
lock_file: file/lock
run: {max_jobs: 0}
etls:
  elsewhere: {report_type: A, requires: [t], command: [/no/tool, x], cwd: nowhere}
  missing: {report_type: B, requires: [t], command: [no-such-program], env_file: none.env}
  plain: {report_type: C, requires: [t], command: [./plain.sh], env_file: bad.env}
  found:
    report_type: D
    requires: [t]
    command: [tool, "{bank_symbol}"]
    env: {PATH: "none:bin"}
    reports: {by: orchestrator}
    output: "file/{period}/{bank_symbol}.md"
  of_job: {report_type: E, requires: [t], command: ["bin/{bank_symbol}"]}
sources:
  disclosures: {every: 1d, command: [no-such-collector], verify: {command: [bin/tool]}}
  service:
    every: 1d
    http: {ca_file: none.pem, trigger: {url: "https://h/t"}, status: {url: "https://h/s/{remote_id}"}}
"#;

fn host() -> tempfile::TempDir {
    let directory = directory(&[("etl-orch.yaml", NEEDS), ("monitored_institutions.yaml", BANKS), ("file", ""), ("plain.sh", "")]);
    std::fs::write(directory.path().join("bad.env"), b"A=1\nB=\xff\n").unwrap();
    let tool = directory.path().join("bin/tool");
    std::fs::create_dir(directory.path().join("bin")).unwrap();
    std::fs::write(&tool, "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

fn checked(directory: &Path) -> Result<Host, String> {
    let path = directory.join("bin").display().to_string();
    let checked = check(&directory.join("etl-orch.yaml"), &variables(&[("PATH", &path)]));
    checked.map(|(_, host)| host).map_err(|errors| errors.to_string().replace(directory.to_str().unwrap(), "~"))
}

#[test]
fn all_that_is_missing_is_told_at_once_with_the_mistakes() {
    insta::assert_snapshot!(checked(host().path()).unwrap_err(), @r"
    ~/etl-orch.yaml:4:12: lock_file: ~/file/lock cannot be written: Not a directory (os error 20); make it writable, or name another
    ~/etl-orch.yaml:5:17: run.max_jobs must be from 1 to 1000000000
    ~/etl-orch.yaml:7:56: etls.elsewhere.command: /no/tool does not exist; install it, or correct `command:`
    ~/etl-orch.yaml:7:75: etls.elsewhere.cwd: the directory ~/nowhere does not exist; make it, or correct `cwd:`
    ~/etl-orch.yaml:8:54: etls.missing.command: no-such-program is not found on its PATH; install it, set PATH in its `env:`, or give its full path in `command:`
    ~/etl-orch.yaml:8:82: ~/none.env: there is no such file; etls.missing.env_file names it
    ~/etl-orch.yaml:9:52: etls.plain.command: ~/./plain.sh is not executable; chmod +x it, or name its interpreter in `command:`
    ~/etl-orch.yaml:16:13: etls.found.output: no report can be put below ~/file: Not a directory (os error 20); make it writable, or correct the path
    ~/etl-orch.yaml:19:38: sources.disclosures.command: no-such-collector is not found on its PATH; install it, set PATH in its `env:`, or give its full path in `command:`
    ~/etl-orch.yaml:22:21: sources.service.http.ca_file: ~/none.pem cannot be read: No such file or directory (os error 2)
    ~/bad.env:2:3: not UTF-8; save the file as UTF-8
    ");
}

#[test]
fn the_file_of_each_program_is_known() {
    let directory = host();
    let good = NEEDS
        .replace("file/", "made/")
        .replace("max_jobs: 0", "max_jobs: 1")
        .replace("nowhere", ".")
        .replace("/no/tool", "tool")
        .replace("no-such-collector", "tool");
    let good = good
        .replace("no-such-program", "bin/tool")
        .replace("none.env", "good.env")
        .replace("./plain.sh", "tool")
        .replace("bad.env", "good.env")
        .replace("none.pem", "file");
    std::fs::write(directory.path().join("etl-orch.yaml"), good).unwrap();
    std::fs::write(directory.path().join("good.env"), "PATH=bin\n").unwrap();
    let host = checked(directory.path()).unwrap();
    assert!(
        host.warnings.iter().any(|warning| warning.ends_with("/in does not exist, so nothing is learnt from it")),
        "{:?}",
        host.warnings
    );
    let programs: Vec<(&str, &Path)> =
        host.programs.iter().map(|(key, path)| (key.as_str(), path.strip_prefix(directory.path()).unwrap_or(path))).collect();
    let tool = Path::new("bin/tool");
    assert_eq!(
        programs,
        [
            ("etls.elsewhere", tool),
            ("etls.found", tool),
            ("etls.missing", tool),
            ("etls.plain", tool),
            ("sources.disclosures", tool),
            ("sources.disclosures.verify", tool)
        ]
    );
    assert!(!directory.path().join("made").exists(), "nothing is made");
}
