//! What was found of the database, in sentences.

use chrono::{DateTime, Utc};

use super::super::words::{Time, brief};
use super::data;
use super::finding::{Finding, fault};
use super::not_looked;
use crate::plan::decide::checkup::{
    Clocks, DatabaseFacts, DatabaseLook, Encoding, Fault, NotLooked, RunsOnRecord, Server, StateTables, Status, Subject, Transport,
    Verification,
};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::job::{RunState, RunningRun};
use crate::plan::remember::liveness::Liveness;

/// What can be looked at only in a database.
const IN_IT: [Subject; 12] = [
    Subject::Tls,
    Subject::Encoding,
    Subject::Clock,
    Subject::StateTables,
    Subject::Rights,
    Subject::Runs,
    Subject::Tables,
    Subject::Tags,
    Subject::ReportTypes,
    Subject::Banks,
    Subject::Symbols,
    Subject::Rows,
];

const SET_CLOCK: &str = "set this host's clock (by NTP)";

pub(super) fn findings(look: &DatabaseLook, now: DateTime<Utc>, catalogue: Option<&Catalogue>) -> Vec<Finding> {
    let needs_database = NotLooked::Needs(Subject::Database);
    let (first, why) = match look {
        DatabaseLook::Open(facts) => return of_facts(facts, now, catalogue),
        DatabaseLook::NotLooked(why) => (Finding::not_looked(Subject::Database, why), why),
        DatabaseLook::Unusable(fault) => (Finding::of_parts(Subject::Database, Status::Failed, vec![fault.clone()]), &needs_database),
        DatabaseLook::Absent { target } => {
            let mend = "`etl-orch init`, or the next run, makes it; where it should be there already, correct database.url";
            return vec![Finding::new(Subject::Database, Status::Warning, format!("{target} is not there yet")).mended_by(mend)];
        }
    };
    std::iter::once(first).chain(not_looked(&IN_IT, why)).collect()
}

fn of_facts(facts: &DatabaseFacts, now: DateTime<Utc>, catalogue: Option<&Catalogue>) -> Vec<Finding> {
    let mut findings = vec![
        Finding::of(Subject::Database, &facts.server, |server| server_found(server, &facts.target)),
        Finding::of(Subject::Encoding, &facts.server, |server| encoding(&server.encoding)),
        Finding::of(Subject::Clock, &facts.clocks, |clocks| clock(*clocks)),
        state_tables(&facts.state_tables),
        Finding::of(Subject::Rights, &facts.rights, |rights| Finding::of_faults(Subject::Rights, rights, "none is missing")),
        Finding::of(Subject::Runs, &facts.runs, |on_record| runs(on_record, now)),
    ];
    match &facts.server {
        Ok(server) => findings.extend(server.transport.map(tls)),
        Err(why) => findings.push(Finding::not_looked(Subject::Tls, why)),
    }
    findings.extend(data::findings(facts, catalogue));
    findings
}

fn server_found(server: &Server, target: &str) -> Finding {
    let found = format!("{target}: {} answers", server.product);
    if server.is_standby {
        return Finding::new(Subject::Database, Status::Failed, format!("{found}, but is a standby, which takes no changes"))
            .mended_by("name the address of the primary in database.url");
    }
    Finding::new(Subject::Database, Status::Ok, found)
}

fn tls(transport: Transport) -> Finding {
    let finding = |found: &str| Finding::new(Subject::Tls, transport.status(), found);
    let verify = "set PGSSLMODE=verify-full and, where its authority is your own, PGSSLROOTCERT (in the environment, or in .env)";
    match transport {
        Transport::Socket => finding("not needed: by a socket of this host"),
        Transport::Loopback => finding("not needed: within this host"),
        Transport::Plain => {
            finding("the connection is not encrypted: whoever is between can read the password and change answers").mended_by(verify)
        }
        Transport::Encrypted(Verification::Nothing) => {
            finding("encrypted, but nothing of the server is verified: another can pose as it").mended_by(verify)
        }
        Transport::Encrypted(Verification::Authority) => finding("encrypted; the certificate is verified, the name of the host is not"),
        Transport::Encrypted(Verification::AuthorityAndHost) => finding("encrypted; the certificate and the name of the host are verified"),
    }
}

fn encoding(encoding: &Encoding) -> Finding {
    let finding = |found: String| Finding::new(Subject::Encoding, encoding.status(), found);
    match encoding {
        Encoding::Unicode(name) => finding(name.clone()),
        Encoding::Limited(name) => finding(format!("{name}: characters that it lacks are replaced by ?"))
            .mended_by("only a new database can have another: CREATE DATABASE ... ENCODING 'UTF8'"),
        Encoding::Bytes(name) => finding(format!("{name}: the server does not check what texts hold"))
            .mended_by("only a new database can have another: CREATE DATABASE ... ENCODING 'UTF8'"),
    }
}

fn clock(clocks: Clocks) -> Finding {
    let span = |delta: chrono::TimeDelta| brief(delta.abs().to_std().unwrap_or_default());
    let mut parts: Vec<Fault> = Vec::new();
    if let Some(behind) = clocks.behind_record() {
        let found = format!("this host's clock says {}, {} before the latest run on record began", Time(clocks.ours), span(behind));
        parts.push(fault(found, SET_CLOCK));
    } else if clocks.is_unset() {
        parts.push(fault(format!("this host's clock says {}, which is long past", Time(clocks.ours)), SET_CLOCK));
    }
    match clocks.skew() {
        Some(skew) if (Clocks { last_record: None, ..clocks }).status() != Status::Ok => {
            let side = if skew > chrono::TimeDelta::zero() { "ahead of" } else { "behind" };
            let found = format!("the database's clock is {} {side} this host's", span(skew));
            parts.push(fault(found, "set both clocks by NTP: leases go by the database's, windows by this host's"));
        }
        Some(skew) if parts.is_empty() => parts.push(format!("{}, {} from the database's", Time(clocks.ours), span(skew)).into()),
        None if parts.is_empty() => parts.push(Time(clocks.ours).to_string().into()),
        Some(_) | None => {}
    }
    Finding::of_parts(Subject::Clock, clocks.status(), parts)
}

fn state_tables(tables: &StateTables) -> Finding {
    let finding = |found: String| Finding::new(Subject::StateTables, tables.status(), found);
    match tables {
        StateTables::Current(version) => finding(format!("version {version}, the one of this etl-orch")),
        StateTables::Absent { obstacle: None } => finding("not there yet; `etl-orch init`, or the next run, makes them".to_owned()),
        StateTables::Absent { obstacle: Some(obstacle) } => finding(format!("not there: {obstacle}")),
        StateTables::Older { found, known, obstacle: None } => finding(format!("version {found}, and this etl-orch needs {known}"))
            .mended_by("`etl-orch init`, or the next run, migrates them"),
        StateTables::Older { obstacle: Some(obstacle), .. } => finding(obstacle.clone()),
        StateTables::Newer { found, known } => finding(format!("version {found}, and this etl-orch knows versions up to {known}"))
            .mended_by("install the version that made them, or a later one"),
        StateTables::Refused(reason) => finding(reason.clone()),
    }
}

fn runs(on_record: &RunsOnRecord, now: DateTime<Utc>) -> Finding {
    let Some(last) = &on_record.last else { return Finding::new(Subject::Runs, Status::Ok, "none is on record yet") };
    let ago = (now - last.started_at).to_std().map(|ago| format!(", {} ago", brief(ago))).unwrap_or_default();
    let came_to = match last.state {
        RunState::Running => "has not ended",
        RunState::Succeeded => "succeeded",
        RunState::Failed => "failed",
        RunState::Cancelled => "was stopped",
        RunState::Lost => "died",
    };
    let latest = format!("the latest began {}{ago} on {} and {came_to}", Time(last.started_at), last.host);
    let running = on_record.running.iter().map(|(run, liveness)| running(run, *liveness));
    let parts = std::iter::once(Fault::from(latest)).chain(running.map(Fault::from)).collect();
    Finding::of_parts(Subject::Runs, on_record.status(), parts)
}

fn running(run: &RunningRun, liveness: Liveness) -> String {
    let what = match (liveness, run.expired) {
        (Liveness::Alive, _) => "is running",
        (Liveness::Dead, _) => "has ended without a word; the next run records it as lost",
        (Liveness::Unknown, false) => "runs elsewhere, or where this host cannot see it; its lease holds",
        (Liveness::Unknown, true) => "cannot be seen, and its lease has ended; the next run records it as lost",
    };
    format!("run {}: {} {what}", run.id.short(), run.owner)
}
