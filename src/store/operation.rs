//! One operation of a port, from the connection that it gets to its line in the log.

/// Carries out one operation on a connection of its own. `answered` of the adapter bounds how long it is waited for. It is repeated with
/// fewer kinds of characters while the database has not all of them.
macro_rules! carried_out {
    ($store:ident, $doing:literal, $operation:path $(, $argument:expr)*) => {{
        let mut characters = $crate::store::shared::encoding::Characters::All;
        loop {
            let operation = async {
                let mut lease = $store.lease().await?;
                let done = $operation(&mut *lease $(, $argument)*).await;
                lease.settle($doing, done)
            };
            // Whatever waits for it moves it, which a large future makes expensive in stack.
            let answer = $store.answered(characters.only(Box::pin(operation))).await;
            match characters.after(&answer) {
                Some(fewer) => characters = fewer,
                None => break answer,
            }
        }
    }};
}

/// The same, logged.
macro_rules! operation {
    ($store:ident, $doing:literal, $operation:path $(, $argument:expr)*) => {
        $crate::store::shared::operation_log::logged($doing, async { $crate::store::operation::carried_out!($store, $doing, $operation $(, $argument)*) }).await
    };
}

/// The same for an operation that lists what is in our own tables: without them there is nothing. Rows that are malformed are named, and
/// left out.
macro_rules! listing {
    ($store:ident, $doing:literal, $operation:path $(, $argument:expr)*) => {
        if $store.state_tables.is_current() {
            let began = std::time::Instant::now();
            let listed = $crate::store::operation::carried_out!($store, $doing, $operation $(, $argument)*).map(|found| $store.malformed.left_alone(found));
            $crate::store::shared::operation_log::log($doing, began, listed.as_ref().map(|listed| Some(listed.len())));
            listed
        } else {
            Ok(Vec::new())
        }
    };
}

pub(super) use {carried_out, listing, operation};
