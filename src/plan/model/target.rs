//! What a job fills.

use crate::plan::model::collection::Collection;
use crate::plan::model::gap::Gap;

/// What a job fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Report {
        gap: Gap,
        /// The bank's symbol as the data spells it.
        data_symbol: String,
    },
    /// Windows of a source.
    Collection(Collection),
}
