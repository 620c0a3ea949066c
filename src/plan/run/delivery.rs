//! What becomes of a message that a receiver did not take.

/// Whether a message that was not taken is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The receiver takes nothing now.
    Later,
    /// The receiver failed, perhaps because of this message: others are tried before it.
    AfterOthers,
    /// The receiver will never take this message.
    Never,
}

impl Retry {
    /// What follows from the status of an answer that is not 2xx; `None` where there was no answer. What a setting can mend, such as an
    /// address or a key, is no fault of the message.
    #[must_use]
    pub fn after(status: Option<u16>) -> Self {
        match status {
            // Below 400 it is a redirect, which is not followed.
            None | Some(..400 | 401 | 403 | 404 | 405 | 407 | 408 | 421 | 425 | 429 | 502..=504) => Self::Later,
            Some(400..=499) => Self::Never,
            Some(500..) => Self::AfterOthers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_messages_fault_is_never_sent_again() {
        for (statuses, retry) in [
            (&[400, 406, 409, 411, 413, 414, 415, 422, 431][..], Retry::Never),
            (&[301, 302, 307, 308, 401, 403, 404, 405, 407, 408, 425, 429, 502, 503, 504], Retry::Later),
            (&[500, 501, 505, 507, 599], Retry::AfterOthers),
        ] {
            for status in statuses {
                assert_eq!(Retry::after(Some(*status)), retry, "{status}");
            }
        }
        assert_eq!(Retry::after(None), Retry::Later);
    }
}
