//! Runs work at a service: triggers a job there and follows the job to its end.
//!
//! This module knows requests and answers, and nothing about the work itself. The answer to a trigger is never a success; only a state
//! that the configuration lists under `succeeded` is. A trigger that may have started a job is never sent again in the same attempt.

mod call;
mod clients;
mod exchange;
mod following;
mod hosts;
mod interrupt;
mod journal;
mod json;
mod location;
mod neighbours;
mod rates;
mod request;
mod triggering;
mod unanswered;
mod waits;

use tokio::sync::mpsc;

use self::clients::Clients;
use self::hosts::Hosts;
use super::stop::StopSignal;
use super::task::{AttemptEvent, Call};
use crate::plan::model::said::Said;
use crate::plan::run::ended::{End, Ended};
use crate::plan::text::secrets::Secrets;

/// Runs calls. All calls share connections and the limits of hosts.
#[derive(Default)]
pub struct HttpExecutor {
    clients: Clients,
    hosts: Hosts,
    secrets: Secrets,
}

impl HttpExecutor {
    /// An executor that takes these secrets, and what a request carries in headers and query, out of everything that it logs and reports.
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets, ..Self::default() }
    }

    /// Runs a call to its end, as [`Executor::run`](crate::execute::Executor::run) says.
    pub async fn run(&self, call: Call, stop: StopSignal, said: mpsc::Sender<AttemptEvent>) -> Ended {
        if stop.is_raised() {
            return without_request(End::Stopped, call.remote_id);
        }
        let clients = match self.clients.of(&call.spec).await {
            Ok(clients) => clients,
            Err(why) => return without_request(End::SpawnFailed(why), call.remote_id),
        };
        match request::Requests(&call).check() {
            Ok(secrets) => call::run(&call, clients, &self.hosts, self.secrets.and(&secrets), stop, said).await,
            Err(why) => without_request(End::SpawnFailed(why), call.remote_id),
        }
    }
}

/// Without the clients: their `Debug` prints the addresses of proxies.
impl std::fmt::Debug for HttpExecutor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpExecutor").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

fn without_request(end: End, remote_id: Option<String>) -> Ended {
    Ended {
        end,
        duration: std::time::Duration::ZERO,
        tail: String::new(),
        pid: None,
        said: Said::default(),
        error: None,
        answer: None,
        service_job: remote_id.clone(),
        remote_id,
    }
}
