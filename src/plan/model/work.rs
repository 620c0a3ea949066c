//! How a job does its work: by a program, or by a service. Jobs of ETLs and of sources use the same types.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::plan::model::outcome::ExitCodes;
use crate::plan::model::patterns::StagePattern;
use crate::plan::model::settings::{EnvFiles, Variables};
use crate::plan::text::body::Body;
use crate::plan::text::placeholder::Placeholder;
use crate::plan::text::records::RecordsRule;
use crate::plan::text::template::Template;

/// Variables of this prefix are etl-orch's own in a program's environment.
pub const OWN_PREFIX: &str = "ETL_ORCH_";

/// Whether a variable says something of an attempt to its program. One that was inherited would say it of another attempt.
#[must_use]
pub fn is_of_attempt(variable: &str) -> bool {
    // This one says where the configuration is, to an etl-orch that a program calls.
    variable.starts_with(OWN_PREFIX) && variable != "ETL_ORCH_CONFIG"
}

/// What makes a report, or collects a source.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are few, and they stay where they are")]
pub enum Work {
    /// A program.
    Command {
        /// How to start it.
        command: CommandSpec,
        /// What its exit codes mean.
        exit_codes: ExitCodes,
    },
    /// A service.
    Http(Box<HttpSpec>),
}

impl Work {
    /// How long one attempt may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        match self {
            Self::Command { command, .. } => command.timeout,
            Self::Http(http) => http.timeout,
        }
    }

    /// How long an attempt may take to end once it is asked to.
    #[must_use]
    pub fn grace(&self) -> Duration {
        match self {
            Self::Command { command, .. } => command.grace,
            // One request is finished, and another one cancels the job.
            Self::Http(_) => CLOSING_TIME * 2,
        }
    }

    /// What exit codes mean. A service has none; the default is used for the outcomes without a code.
    #[must_use]
    pub fn exit_codes(&self) -> ExitCodes {
        match self {
            Self::Command { exit_codes, .. } => exit_codes.clone(),
            Self::Http(_) => ExitCodes::default(),
        }
    }

    /// The program, unless a service does the work. Its `env_file` and its grace are found here.
    #[must_use]
    pub fn program(&self) -> Option<&CommandSpec> {
        match self {
            Self::Command { command, .. } => Some(command),
            Self::Http(_) => None,
        }
    }

    /// Whether an attempt has an id at a service, by which a later attempt, or a later run, can follow it to its end.
    #[must_use]
    pub fn has_remote_id(&self) -> bool {
        match self {
            Self::Command { .. } => false,
            Self::Http(_) => true,
        }
    }

    /// Whether this placeholder is anywhere in it.
    #[must_use]
    pub fn uses(&self, wanted: Placeholder) -> bool {
        match self {
            Self::Command { command, .. } => command.uses(wanted),
            Self::Http(http) => http.requests().any(|request| request.uses(wanted)),
        }
    }

    /// The last message for people: the message in a service's last answer, or the last line that a program printed.
    #[must_use]
    pub fn last_message(&self, answer: Option<&serde_json::Value>, tail: &str) -> Option<String> {
        match self {
            Self::Command { .. } => tail.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned),
            Self::Http(http) => http.message_in(answer?),
        }
    }
}

/// A program, its arguments and surroundings. No shell is ever involved.
#[derive(Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// Program and arguments; never empty.
    pub argv: Vec<Template>,
    /// Directory in which it runs; absolute.
    pub cwd: PathBuf,
    /// Added to the inherited environment, after `env_file`.
    pub env: Vec<(String, Template)>,
    /// A `.env` file whose variables are added to the environment; absolute.
    pub env_file: Option<PathBuf>,
    /// It is ended when it runs longer.
    pub timeout: Duration,
    /// Time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// Which stages its lines name.
    pub progress: Vec<StagePattern>,
}

impl CommandSpec {
    /// Whether this placeholder is in its arguments or variables.
    #[must_use]
    pub fn uses(&self, wanted: Placeholder) -> bool {
        let templates = self.argv.iter().chain(self.env.iter().map(|(_, value)| value));
        templates.flat_map(Template::placeholders).any(|found| found == wanted)
    }

    /// The variables of its `env_file`; `None` where it names none.
    #[must_use]
    pub fn variables<'a>(&self, env_files: &'a EnvFiles) -> Option<&'a Variables> {
        self.env_file.as_ref().and_then(|path| env_files.get(path))
    }
}

/// Without the values of arguments and variables: configuration may have put secrets into them.
impl fmt::Debug for CommandSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSpec")
            .field("arguments", &self.argv.len().saturating_sub(1))
            .field("cwd", &self.cwd)
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("env_file", &self.env_file)
            .field("timeout", &self.timeout)
            .field("grace", &self.grace)
            .field("progress", &self.progress)
            .finish()
    }
}

/// A service that does its work in the background: a trigger answers with the id of a job, whose state is then asked for.
#[derive(Clone, PartialEq)]
pub struct HttpSpec {
    /// Starts the job.
    pub trigger: RequestSpec,
    /// Where the trigger's answer has the job's id: a JSON pointer.
    pub job_id: String,
    /// Asks for its state. Where [`Self::follows_location`] holds, its url has only the host.
    pub status: RequestSpec,
    /// Whether the state is asked for at the `Location` of the trigger's answer, on the same host; the path there is the job's id.
    pub follows_location: bool,
    /// Time between two of those.
    pub every: Duration,
    /// Where the answer has the state: a JSON pointer.
    pub state: String,
    /// States that mean success.
    pub succeeded: Vec<String>,
    /// States that mean failure.
    pub failed: Vec<String>,
    /// What the last answer must have besides a state that means success.
    pub success_if: Option<SuccessIf>,
    /// Where the answer has a sentence for people: a JSON pointer.
    pub message: Option<String>,
    /// Where the answer says how much is done: a JSON pointer.
    pub progress: Option<String>,
    /// Where it says of how much: a JSON pointer.
    pub total: Option<String>,
    /// Stops the job.
    pub cancel: Option<RequestSpec>,
    /// Limit of one request, connecting included.
    pub request_timeout: Duration,
    /// Limit of the whole.
    pub timeout: Duration,
    /// How many requests the service takes, if that is known. It holds for a host: where several are configured for one host, the
    /// strictest counts.
    pub rate: Option<Rate>,
    /// Certificates that are trusted besides those of the system; PEM, absolute.
    pub ca_file: Option<PathBuf>,
}

/// How long a call that is stopped may take to finish a request.
pub const CLOSING_TIME: Duration = Duration::from_secs(5);

/// A number in the answer that means that there was a success. Some services report one over work that came to nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct SuccessIf {
    /// Where the number is.
    pub number: RecordsRule,
    /// The least that it must be.
    pub min: i64,
}

impl SuccessIf {
    /// Why this answer is no success; `None` where it is one.
    #[must_use]
    pub fn unmet(&self, answer: &serde_json::Value) -> Option<String> {
        let place = self.number.pointer.as_deref().unwrap_or("its answer");
        match self.number.in_answer(answer) {
            Some(number) if number >= self.min => None,
            Some(number) => Some(format!("the number at {place} is {number}, and success_if wants at least {}", self.min)),
            None => Some(format!("there is no number at {place}, and success_if wants at least {}", self.min)),
        }
    }
}

/// At most `requests` in any span of the length `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At least 1.
    pub requests: u32,
    /// Not zero.
    pub per: Duration,
}

/// A request, as configuration writes it.
#[derive(Clone, PartialEq)]
pub struct RequestSpec {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: HttpMethod,
    /// `http://` or `https://`. What fills its placeholders is percent-encoded.
    pub url: Template,
    /// Their names are valid; values may be secrets.
    pub headers: Vec<(String, Template)>,
    pub json: Option<Body>,
}

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMethod {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl RequestSpec {
    /// Whether this placeholder is in it.
    #[must_use]
    pub fn uses(&self, wanted: Placeholder) -> bool {
        let headers = self.headers.iter().flat_map(|(_, value)| value.placeholders());
        let json = self.json.iter().flat_map(Body::placeholders);
        self.url.placeholders().chain(headers).chain(json).any(|found| found == wanted)
    }
}

impl HttpSpec {
    /// Every kind of request that is made.
    pub fn requests(&self) -> impl Iterator<Item = &RequestSpec> {
        [&self.trigger, &self.status].into_iter().chain(self.cancel.as_ref())
    }

    /// The sentence for people in an answer, cut where it gets long.
    #[must_use]
    pub fn message_in(&self, answer: &serde_json::Value) -> Option<String> {
        let text = match answer.pointer(self.message.as_deref()?)? {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => return None,
            other => other.to_string(),
        };
        Some(text.chars().take(MOST_MESSAGE).collect())
    }
}

/// Characters of a message that are kept.
const MOST_MESSAGE: usize = 1000;

/// Without its requests: configuration may have put secrets into their addresses, headers and bodies.
impl fmt::Debug for HttpSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpSpec")
            .field("every", &self.every)
            .field("timeout", &self.timeout)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RequestSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSpec").field("method", &self.method).finish_non_exhaustive()
    }
}
