//! The placeholders that templates can use. Each is declared once, with its name and its scope. Every scope has one function that gives
//! the values of its placeholders, such as `report_values` and `window_values`.

use std::collections::BTreeMap;

/// The values of placeholders, for one job or one file.
pub type Values = BTreeMap<Placeholder, String>;

/// What a placeholder describes. It has a value only where that thing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A bank and a fiscal period.
    BankPeriod,
    /// The ETL of a report.
    Etl,
    /// A source and a window of it.
    Window,
    /// A job, whichever attempt it is.
    Job,
    /// One attempt of a job.
    Attempt,
    /// The file of a report that etl-orch moves to its path.
    Output,
    /// A service's job, once the trigger has been answered.
    RemoteId,
}

impl Scope {
    /// Every scope.
    pub const ALL: &'static [Self] = &[Self::BankPeriod, Self::Etl, Self::Window, Self::Job, Self::Attempt, Self::Output, Self::RemoteId];
    /// Paths of `availability.sync`.
    pub const IN_SYNC_FILES: &'static [Self] = &[Self::BankPeriod];
    /// The path of a report. It does not depend on a job or a run: the report of a gap is always at the same path.
    pub const IN_REPORT_PATH: &'static [Self] = &[Self::BankPeriod, Self::Etl];
    /// The work of an ETL that writes the row of its report itself.
    pub const IN_REPORT_WORK: &'static [Self] = &[Self::BankPeriod, Self::Etl, Self::Job, Self::Attempt];
    /// The work of an ETL whose report etl-orch moves to its path.
    pub const IN_REPORT_WORK_WITH_OUTPUT: &'static [Self] = &[Self::BankPeriod, Self::Etl, Self::Output, Self::Job, Self::Attempt];
    /// The work of a source, and a program that verifies it.
    pub const IN_COLLECTION_WORK: &'static [Self] = &[Self::Window, Self::Job, Self::Attempt];
    /// A query that verifies a collection; it is the same for every attempt.
    pub const IN_VERIFY_SQL: &'static [Self] = &[Self::Window, Self::Job];
}

macro_rules! placeholders {
    ($($(#[$doc:meta])* $variant:ident = $name:literal in $scope:ident $(as $number:ident)?;)*) => {
        /// A value that a template can name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Placeholder { $($(#[$doc])* $variant),* }

        impl Placeholder {
            /// Every placeholder there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name between the braces.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What it belongs to.
            #[must_use]
            pub fn scope(self) -> Scope {
                match self { $(Self::$variant => Scope::$scope),* }
            }

            /// Whether it stands for a number.
            #[must_use]
            pub fn is_numeric(self) -> bool {
                match self { $(Self::$variant => !stringify!($($number)?).is_empty()),* }
            }
        }
    };
}

placeholders! {
    /// Short symbol, `RY`.
    BankSymbol = "bank_symbol" in BankPeriod;
    /// Full key, `RY-CA`.
    BankKey = "bank_key" in BankPeriod;
    /// The bank's number.
    BankId = "bank_id" in BankPeriod as number;
    /// The bank's name.
    BankName = "bank_name" in BankPeriod;
    /// `2025`.
    FiscalYear = "fiscal_year" in BankPeriod as number;
    /// `Q2`.
    Quarter = "quarter" in BankPeriod;
    /// `2025Q2`.
    Period = "period" in BankPeriod;
    /// Name of the ETL.
    Etl = "etl" in Etl;
    /// The ETL's report type.
    ReportType = "report_type" in Etl;
    /// Id of the source.
    Source = "source" in Window;
    /// First instant of the window, `2026-01-16T00:00:00Z`.
    WindowStart = "window_start" in Window;
    /// First instant after the window.
    WindowEnd = "window_end" in Window;
    /// Year of the window, `2026`.
    WindowYear = "window_year" in Window as number;
    /// Days from the begin of the window until now, at least the source's `lookback`.
    LookbackDays = "lookback_days" in Window as number;
    /// The id that a service gave to its job.
    RemoteId = "remote_id" in RemoteId;
    /// The file that the ETL writes its report to.
    Output = "output" in Output;
    JobId = "job_id" in Job;
    RunId = "run_id" in Job;
    /// Number of the attempt, from 1.
    Attempt = "attempt" in Attempt as number;
    /// A directory that belongs to the gap and is kept between attempts and runs.
    WorkDir = "work_dir" in Attempt;
}

impl Placeholder {
    /// Those of these scopes, in the order of declaration.
    pub fn within(scopes: &[Scope]) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|placeholder| scopes.contains(&placeholder.scope()))
    }

    /// The placeholder of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|placeholder| placeholder.name() == name)
    }
}
