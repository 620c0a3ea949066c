//! What an operator's order did.

mod cancel;
mod enqueue;
mod gaps;
mod give_up;
mod jobs;
mod pause;

pub use cancel::CancelView;
pub use enqueue::EnqueueView;
pub use gaps::GapOrderView;
pub use give_up::{GiveUpView, given_up};
pub use jobs::job_list;
pub use pause::{PauseOrderView, paused};
