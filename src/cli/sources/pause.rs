//! `etl-orch sources pause` and `resume`.

use chrono::Utc;
use serde_json::json;

use super::super::args::{Format, Global};
use super::super::exit::{Exit, Failure};
use super::super::names;
use super::super::user::user;
use super::args::SourceArgs;
use super::load;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::RunningJob;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::model::settings::Variables;
use crate::plan::remember::source_state::Pause;
use crate::show;
use crate::show::escape::escaped;
use crate::store::{self, Access, Store};

/// `etl-orch sources pause`.
pub(super) async fn pause(global: &Global, args: &SourceArgs, environment: &Variables) -> Result<Exit, Failure> {
    command(global, args, SourceOrderKind::Pause, environment).await
}

/// `etl-orch sources resume`.
pub(super) async fn resume(global: &Global, args: &SourceArgs, environment: &Variables) -> Result<Exit, Failure> {
    command(global, args, SourceOrderKind::Resume, environment).await
}

async fn command(global: &Global, args: &SourceArgs, kind: SourceOrderKind, environment: &Variables) -> Result<Exit, Failure> {
    let config = load(global, environment)?;
    names::source(&config, &args.id).map_err(Failure::Usage)?;
    let order = SourceOrder { source: args.id.clone(), kind, by: user(environment), reason: args.order.reason.clone(), at: Utc::now() };
    let store = store::open(&config.database, Access::ReadWrite).await?;
    let given = give(&*store, &order).await;
    store.close().await;
    let given = given?;
    let page = match global.format {
        Format::Text => as_text(&order, &given),
        Format::Json => format!("{:#}\n", as_json(&order, &given)),
    };
    show::out(&page)?;
    Ok(Exit::Success)
}

/// What became of an order.
#[derive(Debug, Default)]
struct Given {
    changed: bool,
    /// What stands now.
    pause: Option<Pause>,
    /// Its job that runs at the moment.
    running: Option<String>,
}

async fn give(store: &dyn Store, order: &SourceOrder) -> Result<Given, Failure> {
    let changed = store.order_source(order).await?;
    let pause = pause_of(store, &order.source).await?;
    let key = GapKey::source(&order.source);
    let is_it = |job: &RunningJob| job.gap == key;
    let running = store.running_jobs().await?.into_iter().find(is_it).map(|job| job.claim.job.short());
    Ok(Given { changed, pause, running })
}

/// Who has paused a source, if anybody has.
pub(super) async fn pause_of(store: &dyn Store, source: &str) -> store::Result<Option<Pause>> {
    Ok(store.source_states().await?.into_iter().find(|state| state.source == source).and_then(|state| state.paused))
}

/// `by ann since 2026-…: why`.
pub(super) fn of(pause: &Pause) -> String {
    format!("by {} since {}: {}", escaped(&pause.by), super::time(pause.since), escaped(&pause.reason))
}

fn as_text(order: &SourceOrder, given: &Given) -> String {
    let id = &order.source;
    let is_pause = order.kind == SourceOrderKind::Pause;
    match (is_pause, given.changed) {
        (true, true) => {
            let job = given.running.as_ref();
            let job =
                job.map(|job| format!(" (its job {job} is running and goes on; `etl-orch cancel {job}` stops it)")).unwrap_or_default();
            format!("pause: {id} is left alone until `etl-orch sources resume {id}`{job}\n")
        }
        (true, false) => {
            let pause = given.pause.as_ref().map(|pause| format!(", {}", of(pause))).unwrap_or_default();
            format!("pause: {id} is paused already{pause}\n")
        }
        (false, true) => format!("resume: {id} is not paused any more; the next run collects what it missed\n"),
        (false, false) => format!("resume: {id} is not paused; there was nothing to change\n"),
    }
}

fn as_json(order: &SourceOrder, given: &Given) -> serde_json::Value {
    json!({
        "schema_version": 1,
        "kind": order.kind.name(),
        "source": order.source,
        "by": order.by,
        "reason": order.reason,
        "at": super::time(order.at),
        "changed": given.changed,
        "paused": given.pause.as_ref().map(|pause| json!({
            "by": escaped(&pause.by),
            "since": super::time(pause.since),
            "reason": escaped(&pause.reason),
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_so_already_is_said_with_who_and_why() {
        let at = "2026-01-16T10:00:00Z".parse().unwrap();
        let order = |kind| SourceOrder { source: "us_house".to_owned(), kind, by: "ann".to_owned(), reason: "why".to_owned(), at };
        let pause = Some(Pause { since: at, by: "bob".to_owned(), reason: "moved \u{1b}[2Jhouse".to_owned() });
        let said = [
            as_text(&order(SourceOrderKind::Pause), &Given { changed: true, pause: pause.clone(), running: None }),
            as_text(&order(SourceOrderKind::Pause), &Given { changed: true, pause: pause.clone(), running: Some("1a2b3c4d".to_owned()) }),
            as_text(&order(SourceOrderKind::Pause), &Given { changed: false, pause, running: None }),
            as_text(&order(SourceOrderKind::Resume), &Given { changed: true, ..Given::default() }),
            as_text(&order(SourceOrderKind::Resume), &Given::default()),
        ];
        insta::assert_snapshot!(said.concat(), @r"
        pause: us_house is left alone until `etl-orch sources resume us_house`
        pause: us_house is left alone until `etl-orch sources resume us_house` (its job 1a2b3c4d is running and goes on; `etl-orch cancel 1a2b3c4d` stops it)
        pause: us_house is paused already, by bob since 2026-01-16T10:00:00Z: moved \u{1b}[2Jhouse
        resume: us_house is not paused any more; the next run collects what it missed
        resume: us_house is not paused; there was nothing to change
        ");
    }
}
