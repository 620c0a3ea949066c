//! What an installation changes: files, or a user's crontab.

use crate::plan::text::diff::changed_lines;

/// A text at a place before and after; `None` where there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// A path, or `crontab`.
    pub place: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Nothing,
    Create,
    Replace,
    Remove,
}

impl Change {
    #[must_use]
    pub fn effect(&self) -> Effect {
        match (&self.before, &self.after) {
            (before, after) if before == after => Effect::Nothing,
            (None, _) => Effect::Create,
            (Some(_), Some(_)) => Effect::Replace,
            (Some(_), None) => Effect::Remove,
        }
    }

    /// The lines that it adds, after `+`, and takes away, after `-`.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        changed_lines(self.before.as_deref().unwrap_or_default(), self.after.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_has_its_effect() {
        let effect = |before: Option<&str>, after: Option<&str>| {
            Change { place: String::new(), before: before.map(str::to_owned), after: after.map(str::to_owned) }.effect()
        };
        assert_eq!(effect(None, Some("a")), Effect::Create);
        assert_eq!(effect(Some("a"), Some("b")), Effect::Replace);
        assert_eq!(effect(Some("a"), None), Effect::Remove);
        assert_eq!((effect(None, None), effect(Some("a"), Some("a"))), (Effect::Nothing, Effect::Nothing));
    }
}
