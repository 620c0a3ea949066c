//! The keys that say how to start a program, as the file has them. Shapes and types only.
//!
//! The doc comments inside the macro are descriptions in the JSON Schema that `etl-orch config schema` prints.

use std::collections::BTreeMap;

use super::scalars::WrittenDuration;

/// Declares the shape of a mapping and adds the keys that belong to its `command`. This is a macro because `deny_unknown_fields` of
/// serde does not work together with `flatten`.
macro_rules! with_program_keys {
    ($(#[$doc:meta])* struct $name:ident { $($(#[$key_doc:meta])* $key:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$key_doc])* pub(super) $key: $type,)*
            /// Directory in which the program runs. Default: that of this file.
            pub(super) cwd: Option<String>,
            /// Variables for the program's environment, with `{placeholders}`.
            pub(super) env: Option<BTreeMap<String, String>>,
            /// A `.env` file whose variables are put into the program's environment.
            pub(super) env_file: Option<String>,
            /// The program is ended when it runs longer. Default: 1h.
            pub(super) timeout: Option<WrittenDuration>,
            /// Time between asking the program to end and killing it. Default: 10s.
            pub(super) grace: Option<WrittenDuration>,
        }

        impl $name {
            /// Takes out the keys that say how to start the program.
            pub(super) fn take_program(&mut self) -> $crate::config::written_program::ProgramKeys {
                $crate::config::written_program::ProgramKeys {
                    command: self.command.take(),
                    cwd: self.cwd.take(),
                    env: self.env.take(),
                    env_file: self.env_file.take(),
                    timeout: self.timeout.take(),
                    grace: self.grace.take(),
                }
            }
        }
    };
}

pub(super) use with_program_keys;

/// The keys that say how to start a program, taken out of the mapping that has them.
pub(super) struct ProgramKeys {
    pub(super) command: Option<Vec<String>>,
    pub(super) cwd: Option<String>,
    pub(super) env: Option<BTreeMap<String, String>>,
    pub(super) env_file: Option<String>,
    pub(super) timeout: Option<WrittenDuration>,
    pub(super) grace: Option<WrittenDuration>,
}

impl ProgramKeys {
    /// The names of the given keys, without `command`.
    pub(super) fn beside_command(&self) -> impl Iterator<Item = &'static str> {
        let Self { command: _, cwd, env, env_file, timeout, grace } = self;
        [
            ("cwd", cwd.is_some()),
            ("env", env.is_some()),
            ("env_file", env_file.is_some()),
            ("timeout", timeout.is_some()),
            ("grace", grace.is_some()),
        ]
        .into_iter()
        .filter_map(|(key, is_given)| is_given.then_some(key))
    }
}
