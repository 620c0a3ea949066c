//! Shows a run as it happens: as log lines, and on a terminal by a live display with a line for each chain that is at work or waits, and a
//! bar for the whole.

mod board;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use chrono::Utc;

use self::board::Board;
use super::listener::Listener;
use super::logs;
use super::run_log::{ChildOutput, RunLog};
use super::screen::{self, Screen};
use super::terminal;
use crate::plan::run::event::{Event, EventKind, JobEvent};

/// The display is drawn again so often.
const TICK: Duration = Duration::from_millis(250);

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Whether there is a live display.
    pub is_live: bool,
    /// What is shown of what children print (`-v`).
    pub child_output: ChildOutput,
}

/// The displays of a run, each in a thread of its own.
#[derive(Debug)]
pub struct Displays(Vec<Listener>);

impl Displays {
    /// Starts them. `subscribe` makes a stream of the run's events for each; they end with their streams.
    pub fn start<E: Iterator<Item = Arc<Event>> + Send + 'static>(detail: Detail, mut subscribe: impl FnMut() -> E) -> Self {
        let mut listeners = Vec::new();
        if detail.is_live {
            let display = LiveDisplay::new();
            listeners.push(Listener::start(subscribe(), move |event| display.event(event)));
        }
        let mut log = RunLog::new(detail.child_output);
        listeners.push(Listener::start(subscribe(), move |event| log.event(event)));
        if listeners.iter().any(Result::is_err) {
            tracing::warn!("the host has no room for another thread, so that the run is not shown while it lasts; its summary is");
        }
        Self(listeners.into_iter().flatten().collect())
    }

    /// Waits until everything was shown and a live display is off the screen, for as long as that makes headway. The streams
    /// must have ended.
    pub fn finish(self) {
        self.0.into_iter().for_each(Listener::finish);
    }
}

/// Off the screen when dropped.
struct LiveDisplay {
    board: Arc<Mutex<Board>>,
    screen: Arc<Screen>,
}

impl LiveDisplay {
    /// A display on which nothing is seen yet. From now on log lines are written above it.
    fn new() -> Self {
        let (board, screen) = (Arc::<Mutex<Board>>::default(), Arc::<Screen>::default());
        logs::write_above(screen.clone());
        tick(Arc::downgrade(&board), screen.clone());
        Self { board, screen }
    }

    fn event(&self, event: &Event) {
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.event(event);
        // What a child says may be much; it is drawn now and then.
        if !matches!(
            &event.kind,
            EventKind::Job { event: JobEvent::Line(_) | JobEvent::ProgressBar(_) | JobEvent::LinesOmitted(_) | JobEvent::Stage(_), .. }
        ) {
            draw(&board, &self.screen);
        }
    }
}

impl Drop for LiveDisplay {
    fn drop(&mut self) {
        // The thread that draws does so only while it holds the board.
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        *board = Board::default();
        self.screen.draw(Vec::new());
    }
}

fn draw(board: &Board, screen: &Screen) {
    screen.draw(board.lines(Utc::now(), screen::size(), terminal::is_stderr_ascii()));
}

/// Draws the board now and then, in a thread that ends with the display. Where the host has no room for a thread, it is drawn when something
/// happens.
fn tick(board: Weak<Mutex<Board>>, screen: Arc<Screen>) {
    let _ = std::thread::Builder::new().spawn(move || {
        while let Some(board) = board.upgrade() {
            draw(&board.lock().unwrap_or_else(PoisonError::into_inner), &screen);
            drop(board);
            std::thread::sleep(TICK);
        }
    });
}
