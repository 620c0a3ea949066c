//! Looks at an installation, and changes nothing. What cannot be looked at holds up nothing else, and each look takes a bounded time.

mod database;
mod host;
mod schedule;

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

pub use self::database::{DatabaseInput, look_at_database};
pub use self::host::{HostInput, HostPaths, look_at_host, look_at_time_zone, own_processes};
pub use self::schedule::look_at_schedule;

use crate::plan::decide::checkup::{Looked, NotLooked};

/// How long the host's files may take, and how long the database.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a look at files comes to, which may hang where they are another host's. The runtime has a thread for it.
pub async fn look_at_files<T: Send + 'static>(look: impl FnOnce() -> T + Send + 'static) -> Looked<T> {
    within(Instant::now() + PATIENCE, tokio::task::spawn_blocking(look)).await
}

/// The result of a look, which is given up at the deadline.
async fn within<T, E: Display>(deadline: Instant, look: impl Future<Output = Result<T, E>>) -> Looked<T> {
    match timeout_at(deadline, look).await {
        Ok(found) => found.map_err(|error| NotLooked::Because(error.to_string())),
        Err(_) => Err(NotLooked::Because(format!("there was no answer within {} s", PATIENCE.as_secs()))),
    }
}
