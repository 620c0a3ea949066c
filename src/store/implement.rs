//! The ports, implemented for an adapter by functions on one of its connections. This is the one place that says, for each
//! operation, what an error says was being done.

/// Implements the ports for an adapter. Operations that both databases share are taken from `store::shared`, the others from the
/// adapter's own modules of these names.
macro_rules! implement_ports {
    ($adapter:ty) => {
        use chrono::{DateTime, Utc};

        use $crate::plan::decide::checkup::{Server, StateTables};
        use $crate::plan::decide::found_data::{FoundBank, FoundTables};
        use $crate::plan::decide::mismatch::{NameCount, ReportSpelling};
        use $crate::plan::decide::retention::{Compacted, KeptSince, RecordKind};
        use $crate::plan::model::candidate::AvailabilityRow;
        use $crate::plan::model::etl::Pool;
        use $crate::plan::model::gap::GapKey;
        use $crate::plan::model::ids::{JobId, RunId};
        use $crate::plan::model::job::{AttemptEnd, Claim, NewRun, ReportKey, RunCounts, RunState, RunningRun};
        use $crate::plan::model::orders::{CancelAnswer, Forced, FoundJob, GapOrder, PendingOrder, SourceOrder};
        use $crate::plan::model::period::Period;
        use $crate::plan::model::said::Said;
        use $crate::plan::model::window::Window;
        use $crate::plan::remember::alert::{Alert, Notified, Subject};
        use $crate::plan::remember::arrivals::{Arrival, ArrivalQuery, NewlySeen, SeenData};
        use $crate::plan::remember::breaker::OpenBreaker;
        use $crate::plan::remember::claim::{Begun, ClaimRequest, Claimed};
        use $crate::plan::remember::durations::PastSuccess;
        use $crate::plan::remember::failure_history::{FailureHistory, GapState};
        use $crate::plan::remember::past::{
            DayMetric, DayOfWork, JobQuery, PastDecision, PastJob, PastLog, PastOrder, PastRun, PastStage, RunQuery, TimeSpan,
        };
        use $crate::plan::remember::recorded_job::{NewJob, RunningJob, Unplaced, Watched};
        use $crate::plan::remember::source_state::{QueuedWindow, SourceState};
        use $crate::plan::remember::stored_decision::{DecisionChanges, StoredDecision};
        use $crate::plan::run::job_end::{Finished, JobEnd};
        use $crate::store::operation::{listing, operation};
        use $crate::store::shared::operation_log::logged;
        use $crate::store::{Available, MissingRights, ScanRequest, Scanned, TableFault, TableUse, shared};

        #[async_trait::async_trait]
        impl $crate::store::Data for $adapter {
            async fn server(&self) -> Result<Server> {
                logged("asking the database about itself", self.answered(<$adapter>::server(self))).await
            }

            async fn table_faults(&self, writes_reports: bool, writes_availability: bool) -> Result<Vec<TableFault>> {
                logged("looking at the columns", self.answered(<$adapter>::table_faults(self, writes_reports, writes_availability))).await
            }

            async fn missing_rights(&self, of: TableUse) -> Result<MissingRights> {
                logged("looking at the rights of the database user", self.answered(<$adapter>::missing_rights(self, of))).await
            }

            async fn scan(&self, request: &ScanRequest, sink: &mut (dyn FnMut(Scanned) + Send)) -> Result<()> {
                // It takes as long as it takes.
                let (began, mut rows) = (std::time::Instant::now(), 0_usize);
                let mut counted = |scanned| {
                    rows += 1;
                    sink(scanned);
                };
                let scanned = self.patience.limit(None, Box::pin(<$adapter>::scan(self, request, &mut counted))).await;
                shared::operation_log::log("scanning the data for reports that are missing", began, scanned.as_ref().map(|()| Some(rows)));
                scanned
            }

            async fn not_yet_available(&self, found: &[Available]) -> Result<Vec<Available>> {
                operation!(self, "comparing files with the availability table", availability::missing, &self.availability, found)
            }

            async fn add_availability(&self, found: &[Available]) -> Result<u64> {
                operation!(self, "adding to the availability table", availability::add, &self.availability, found)
            }

            async fn availability_versions(&self, of: &[(i64, Period)]) -> Result<Vec<((i64, Period), String)>> {
                let column = self.version_column.as_ref();
                operation!(self, "looking at the versions of what is available", availability::versions, &self.availability, column, of)
            }

            async fn report_fingerprint(&self, report: &ReportKey) -> Result<Option<String>> {
                let columns = self.answered(self.report_columns()).await?;
                operation!(self, "looking at a report", reports::fingerprint, &self.reports, columns, report)
            }

            async fn report_types(&self, unless: &[Vec<String>]) -> Result<Vec<NameCount>> {
                operation!(self, "looking at the types of reports", shared::reports::types, &self.reports, unless)
            }

            async fn reports_beside(&self, report: &ReportKey) -> Result<Vec<ReportSpelling>> {
                operation!(self, "looking at the reports of a bank and a year", shared::reports::beside, &self.reports, report)
            }

            async fn availability_rows(&self, symbols: &[&str], bank_id: i64) -> Result<Vec<AvailabilityRow>> {
                let (table, version) = (&self.availability, self.version_column.as_ref());
                operation!(self, "looking at the data of a bank", shared::availability::rows, table, version, symbols, bank_id)
            }

            async fn availability_symbols(&self) -> Result<Vec<NameCount>> {
                operation!(self, "looking at the symbols in the data", shared::availability::symbols, &self.availability)
            }

            async fn availability_tags(&self, unless: &[String]) -> Result<Vec<NameCount>> {
                operation!(self, "looking at the tags of the availability table", shared::availability::tags, &self.availability, unless)
            }

            async fn data_tables_like(&self) -> Result<FoundTables> {
                self.answered(<$adapter>::data_tables_like(self)).await
            }

            async fn banks(&self) -> Result<Vec<FoundBank>> {
                operation!(self, "looking at the banks in the data", shared::availability::banks, &self.availability)
            }

            async fn value_of(&self, query: &str) -> Result<Option<String>> {
                logged("asking a query of the configuration", self.answered(<$adapter>::value_of(self, query))).await
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Ledger for $adapter {
            async fn begin_run(&self, run: &NewRun) -> Result<()> {
                operation!(self, "recording the start of the run", shared::runs::begin, run)
            }

            async fn end_run(&self, run: RunId, state: RunState, counts: Option<RunCounts>, at: DateTime<Utc>) -> Result<()> {
                operation!(self, "recording the end of the run", shared::runs::end, run, state, counts, at)
            }

            async fn renew(&self, run: RunId, span: std::time::Duration) -> Result<bool> {
                operation!(self, "renewing the run's lease", shared::runs::renew, run, span)
            }

            async fn running_runs(&self) -> Result<Vec<RunningRun>> {
                listing!(self, "listing the running runs", shared::runs::running)
            }

            async fn running_jobs(&self) -> Result<Vec<RunningJob>> {
                listing!(self, "listing the running jobs", shared::jobs::running)
            }

            async fn watch(&self, run: RunId) -> Result<Vec<Watched>> {
                listing!(self, "looking at the run's jobs", shared::jobs::watch, run)
            }

            async fn enqueue(&self, run: RunId, jobs: &[NewJob], at: DateTime<Utc>) -> Result<()> {
                operation!(self, "recording the planned jobs", shared::jobs::enqueue, run, jobs, at)
            }

            async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed> {
                operation!(self, "claiming a job", claims::claim, &self.reports, request)
            }

            async fn drop_queued(&self, job: JobId, reason: &str, at: DateTime<Utc>) -> Result<bool> {
                operation!(self, "recording that a job will not start", shared::jobs::drop_queued, job, reason, at)
            }

            async fn drop_all(&self, jobs: &[JobId], reason: &str, at: DateTime<Utc>) -> Result<()> {
                operation!(self, "recording that jobs will not start", shared::jobs::drop_all, jobs, reason, at)
            }

            async fn begin_attempt(&self, claim: Claim, attempt: u32, pool: Option<&Pool>, log: &str, at: DateTime<Utc>) -> Result<Begun> {
                operation!(self, "recording the start of an attempt", claims::begin_attempt, claim, attempt, pool, log, at)
            }

            async fn attempt_spawned(&self, claim: Claim, attempt: u32, pid: u32) -> Result<bool> {
                operation!(self, "recording the process of an attempt", shared::attempts::spawned, claim, attempt, pid)
            }

            async fn follow(&self, claim: Claim, attempt: u32, remote_id: Option<&str>) -> Result<bool> {
                operation!(self, "recording the id that a service gave to a job", shared::attempts::follow, claim, attempt, remote_id)
            }

            async fn report_in_progress(&self, claim: Claim) -> Result<Option<String>> {
                operation!(self, "looking for a service's job that is to be followed", shared::attempts::report_in_progress, claim)
            }

            async fn triggered_at(&self, claim: Claim, remote_id: &str) -> Result<Option<DateTime<Utc>>> {
                operation!(self, "looking when a service's job was triggered", shared::attempts::triggered_at, claim, remote_id)
            }

            async fn record_said(&self, claim: Claim, attempt: u32, said: &Said) -> Result<bool> {
                operation!(self, "recording what an attempt says", shared::said::record, claim, attempt, said)
            }

            async fn end_attempt(&self, claim: Claim, end: &AttemptEnd) -> Result<bool> {
                operation!(self, "recording the end of an attempt", endings::end_attempt, claim, end)
            }

            async fn finish(&self, claim: Claim, end: &JobEnd) -> Result<Finished> {
                let is_about_report = shared::endings::is_about_report(end);
                let columns = if is_about_report { self.answered(self.report_columns()).await? } else { &[] };
                operation!(self, "recording the end of a job", endings::finish, &self.reports, columns, claim, end)
            }

            async fn unplaced(&self, of: Option<&GapKey>) -> Result<Vec<Unplaced>> {
                listing!(self, "looking for reports that are not at their places", shared::placing::unplaced, of)
            }

            async fn placed(&self, jobs: &[JobId]) -> Result<()> {
                operation!(self, "recording that reports are at their places", shared::placing::placed, jobs)
            }

            async fn attach(&self, claim: Claim, end: &AttemptEnd) -> Result<bool> {
                operation!(self, "recording how a lost attempt ended", shared::attempts::attach, claim, end)
            }

            async fn gap_states(&self) -> Result<Vec<GapState>> {
                listing!(self, "looking at the past of gaps", shared::gaps::states)
            }

            async fn decisions(&self) -> Result<Vec<(GapKey, StoredDecision)>> {
                listing!(self, "looking at decisions on gaps", shared::decisions::in_force)
            }

            async fn record_decisions(&self, run: RunId, changes: &DecisionChanges, at: DateTime<Utc>) -> Result<()> {
                operation!(self, "recording decisions on gaps", shared::decisions::record, run, changes, at)
            }

            async fn seen_data(&self) -> Result<Vec<SeenData>> {
                listing!(self, "looking at what was seen of the data", shared::arrivals::seen)
            }

            async fn record_seen(&self, newly_seen: &[NewlySeen]) -> Result<()> {
                operation!(self, "recording which data has arrived", shared::arrivals::record, newly_seen)
            }

            async fn open_breakers(&self) -> Result<Vec<OpenBreaker>> {
                listing!(self, "looking at the open breakers", shared::breakers::open)
            }

            async fn set_breaker(&self, etl: &str, breaker: Option<&OpenBreaker>, refunds: &[(GapKey, i64, FailureHistory)]) -> Result<()> {
                operation!(self, "recording a breaker", shared::breakers::set, etl, breaker, refunds)
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Orders for $adapter {
            async fn order(&self, order: &GapOrder, gaps: &[GapKey]) -> Result<u64> {
                operation!(self, "recording an order", shared::orders::give, order, gaps)
            }

            async fn order_force(&self, order: &[Forced], by: &str, at: DateTime<Utc>) -> Result<()> {
                operation!(self, "recording what --force asks for", shared::orders::force, order, by, at)
            }

            async fn force_orders(&self) -> Result<Vec<(GapKey, DateTime<Utc>)>> {
                listing!(self, "listing what --force asked for", shared::orders::forces)
            }

            async fn followed(&self, gaps: &[GapKey]) -> Result<Vec<GapKey>> {
                operation!(self, "looking for services' jobs that are followed", shared::orders::followed, gaps)
            }

            async fn order_cancel(&self, job: JobId, by: &str, reason: &str, at: DateTime<Utc>) -> Result<CancelAnswer> {
                operation!(self, "recording that a job is to be cancelled", shared::orders::cancel, job, by, reason, at)
            }

            async fn order_source(&self, order: &SourceOrder) -> Result<bool> {
                operation!(self, "recording an order on a source", shared::source_orders::give_order, order)
            }

            async fn pending_orders(&self, gaps: &[GapKey]) -> Result<Vec<PendingOrder>> {
                listing!(self, "looking at orders", shared::pending_orders::find, gaps)
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Sources for $adapter {
            async fn source_states(&self) -> Result<Vec<SourceState>> {
                listing!(self, "looking at the records of sources", shared::sources::states)
            }

            async fn queue(&self) -> Result<Vec<QueuedWindow>> {
                listing!(self, "looking at the queue of the sources", shared::sources::queue)
            }

            async fn begin_source(&self, source: &str, begin: DateTime<Utc>) -> Result<()> {
                operation!(self, "recording where a source begins", shared::sources::begin, source, Some(begin))
            }

            async fn enqueue_windows(&self, source: &str, windows: &[Window], at: DateTime<Utc>) -> Result<()> {
                operation!(self, "recording the windows of a source", shared::sources::enqueue_windows, source, windows, at)
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Notifications for $adapter {
            async fn notified(&self) -> Result<Vec<Notified>> {
                listing!(self, "looking what people were told", shared::notifications::notified)
            }

            async fn record_notified(&self, channel: &str, subjects: &[(&Subject, Option<&Alert>)], at: DateTime<Utc>) -> Result<()> {
                operation!(self, "recording what people were told", shared::notifications::record, channel, subjects, at)
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Retention for $adapter {
            async fn remove(&self, kind: RecordKind, kept_since: KeptSince, most: u32) -> Result<u64> {
                operation!(self, "removing old records", shared::retention::remove, kind, kept_since, most)
            }

            async fn count_removable(&self, kind: RecordKind, kept_since: KeptSince) -> Result<u64> {
                if !self.state_tables.is_current() {
                    return Ok(0);
                }
                operation!(self, "counting old records", shared::retention::count, kind, kept_since)
            }

            async fn of_open_gaps(&self, jobs: &[JobId]) -> Result<Vec<JobId>> {
                listing!(self, "looking for jobs of open gaps", shared::retention::of_open_gaps, jobs)
            }

            async fn compact(&self) -> Result<Option<Compacted>> {
                <$adapter>::compact(self).await
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::History for $adapter {
            async fn find_jobs(&self, prefix: &str, limit: u32) -> Result<Vec<FoundJob>> {
                listing!(self, "looking for a job", shared::history::find_jobs, prefix, limit)
            }

            async fn arrivals(&self, query: ArrivalQuery<'_>) -> Result<Vec<Arrival>> {
                listing!(self, "looking when data arrived", shared::arrivals::find, query)
            }

            async fn jobs(&self, query: &JobQuery) -> Result<Vec<PastJob>> {
                listing!(self, "listing jobs", shared::history::jobs, query)
            }

            async fn runs(&self, query: &RunQuery) -> Result<Vec<PastRun>> {
                listing!(self, "listing runs", shared::history::runs, query)
            }

            async fn stages(&self, jobs: &[JobId]) -> Result<Vec<PastStage>> {
                listing!(self, "looking at stages", shared::said::stages, jobs)
            }

            async fn job_logs(&self, job: JobId) -> Result<Vec<PastLog>> {
                listing!(self, "looking at what a job logged", shared::said::job_logs, job)
            }

            async fn not_stored(&self, jobs: &[JobId]) -> Result<Vec<(JobId, PastLog)>> {
                listing!(self, "looking at what is not stored", shared::said::not_stored, jobs)
            }

            async fn metrics_per_day(&self, started: TimeSpan) -> Result<Vec<DayMetric>> {
                listing!(self, "summing metrics", shared::said::metrics_per_day, started)
            }

            async fn successes(&self, of: &[String]) -> Result<Vec<PastSuccess>> {
                listing!(self, "looking how long jobs took", shared::successes::latest, of)
            }

            async fn missing_since(&self, gaps: &[GapKey]) -> Result<Vec<(GapKey, DateTime<Utc>)>> {
                listing!(self, "looking since when reports are missing", shared::missing::since, gaps)
            }

            async fn decisions_at(&self, gaps: &[GapKey], at: DateTime<Utc>) -> Result<Vec<PastDecision>> {
                listing!(self, "looking at earlier decisions", shared::decisions::at, gaps, at)
            }

            async fn orders_on(&self, gaps: &[GapKey], until: DateTime<Utc>) -> Result<Vec<PastOrder>> {
                listing!(self, "looking at earlier orders", shared::pending_orders::given, gaps, until)
            }

            async fn work_per_day(&self, started: TimeSpan) -> Result<Vec<DayOfWork>> {
                listing!(self, "listing what was made", shared::work::per_day, started)
            }

            async fn tail(&self, job: JobId, attempt: u32) -> Result<Option<String>> {
                operation!(self, "looking at the last lines of an attempt", shared::history::tail, job, attempt)
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Store for $adapter {
            fn state_tables(&self) -> &StateTables {
                &self.state_tables
            }

            fn hurry(&self) {
                self.patience.hurry();
            }

            async fn close(&self) {
                <$adapter>::close(self).await;
            }
        }
    };
}

pub(super) use implement_ports;
