//! What machines and displays are told of a run: one stream of events, fanned out to whoever subscribes.
//!
//! It knows nothing of what subscribers do with events, and waits for none of them.

pub mod events;
