//! What a bug of etl-orch does: a panic costs the job at which it occurs, and no other.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use etl_orch::config;
use etl_orch::execute::stop::{StopSender, StopSignal};
use etl_orch::execute::{AttemptEvent, Ended, Executor, Executors, Task};
use etl_orch::plan::model::ids::RunId;
use etl_orch::plan::model::selection::Selection;
use etl_orch::plan::model::trace_context::TraceContext;
use etl_orch::plan::run::summary::RunSummary;
use etl_orch::plan::text::secrets::Secrets;
use etl_orch::run::{Invocation, prepare_state_dir};
use etl_orch::store::{self, Access};
use etl_orch::tell::events::Events;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::support::{Kind, World};

/// Has a bug for one bank.
struct Buggy {
    executors: Executors,
    /// What its panic says.
    says: String,
}

#[async_trait::async_trait]
impl Executor for Buggy {
    async fn run(&self, task: Task, stop: StopSignal, events: mpsc::Sender<AttemptEvent>) -> Ended {
        let Task::Command(program) = &task else { panic!("the ETL is a program") };
        assert!(!program.argv.contains(&"BMO".to_owned()), "{}", self.says);
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.executors.run(task, stop, events).await
    }
}

/// Has this test go on in a process of its own, as a run ends whatever its process has started. Returns what that printed, or `None` in that
/// process.
pub(crate) fn alone(test: &str) -> Option<String> {
    const MARK: &str = "ETL_ORCH_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return None;
    }
    let mut alone = Command::new(std::env::current_exe().expect("this test"));
    let output = alone.args(["--exact", test, "--nocapture"]).env(MARK, "1").output().expect("this test runs alone");
    let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    Some(said)
}

/// A run of all banks with a bug for BMO.
pub(crate) fn run_with_a_bug(world: &World, says: &str, secrets: Secrets) -> RunSummary {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(world, says, secrets))
}

#[test]
fn a_panic_in_an_attempt_costs_its_job_and_no_other() {
    if alone("bugs::a_panic_in_an_attempt_costs_its_job_and_no_other").is_some() {
        return;
    }
    let world = World::new(Kind::Sqlite);
    world.single_etl("echo report > \"$4\"\n", &[]);
    for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
        world.available(symbol, id, 2025, "Q2");
    }
    let results = run_with_a_bug(&world, "a bug, as this test wants it", Secrets::default()).results.expect("results");
    assert_eq!((results.counts().succeeded, results.counts().failed), (2, 1), "{results:?}");
    let failed = results.jobs.iter().find_map(|job| job.reason.as_deref()).expect("a reason");
    assert!(failed.contains("a bug that was reported"), "{failed}");

    world.run_to(0, &[]);
    assert_eq!(world.reports().len(), 3);
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running')"), "0");
}

async fn run(world: &World, says: &str, secrets: Secrets) -> RunSummary {
    let config = config::load(&world.path("etl-orch.yaml"), &BTreeMap::new()).expect("the configuration");
    let store = store::open(&config.database, Access::ReadWrite).await.expect("the database");
    prepare_state_dir(&config.state_dir).expect("directories");
    let id = RunId::new(Uuid::new_v4());
    let invocation = Invocation {
        id,
        trace: TraceContext::new(id, None),
        catalogue: config.catalogue.clone(),
        env_files: BTreeMap::new(),
        settings: config.run.clone(),
        selection: Selection::default(),
        fail_fast: false,
        sync: Vec::new(),
        state_dir: config.state_dir.clone(),
        user: "test".to_owned(),
        options: serde_json::json!({}),
        store: store.clone(),
        executor: Arc::new(Buggy { executors: Executors::new(secrets), says: says.to_owned() }),
        is_watched: false,
        events: Arc::new(Events::new(id)),
    };
    let stop = StopSender::default();
    let summary = invocation.run(&stop.signal(), tokio::time::Instant::now()).await.expect("the run goes on");
    drop(invocation);
    store.close().await;
    summary
}
