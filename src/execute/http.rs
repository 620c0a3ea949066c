//! Has a service do the work: triggers a job and follows it to its end.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::{Call, End, Ended, Said, Stop};

/// Runs calls. Connections and the limits of hosts are shared by all of them.
#[derive(Debug, Default)]
pub struct HttpExecutor {}

impl HttpExecutor {
    /// Runs a call to its end, as [`Executor::run`](super::Executor::run) says.
    pub async fn run(&self, call: Call, stop: watch::Receiver<Stop>, said: mpsc::Sender<Said>) -> Ended {
        let _ = (call, stop, said);
        Ended {
            end: End::SpawnFailed("there is no executor for services yet".to_owned()),
            duration: Duration::ZERO,
            tail: String::new(),
            pid: None,
            answer: None,
            open: None,
        }
    }
}
