//! Identifiers of runs and jobs.
//!
//! They are random UUIDs (v4), made where randomness is allowed and carried here as opaque values.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that was made elsewhere.
            #[must_use]
            pub fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// Reads an id as the database holds it.
            ///
            /// # Errors
            /// When the text is not a UUID.
            pub fn parse(text: &str) -> Result<Self, uuid::Error> {
                Uuid::parse_str(text).map(Self)
            }

            /// Its 128 bits.
            #[must_use]
            pub fn number(&self) -> u128 {
                self.0.as_u128()
            }

            /// The first 8 characters, which is how people see it.
            #[must_use]
            pub fn short(&self) -> String {
                let mut text = self.0.simple().to_string();
                text.truncate(8);
                text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }
    };
}

id!(
    /// One invocation of `etl-orch run`.
    RunId
);
id!(
    /// One gap being filled in one run.
    JobId
);
