//! One implementation of the port for both adapters: each has its operations as methods of its own, spread over
//! small files, and they are put together here. `answered` of the adapter bounds how long each is waited for.

/// Implements [`Store`](super::Store) for an adapter by its own methods of the same names.
macro_rules! implement_store {
    ($adapter:ty) => {
        #[async_trait::async_trait]
        impl $crate::store::Store for $adapter {
            async fn check_data_tables(&self, writes_reports: bool, writes_availability: bool) -> Result<()> {
                self.answered(<$adapter>::check_data_tables(self, writes_reports, writes_availability)).await
            }

            async fn scan(&self, request: &ScanRequest, sink: &mut (dyn FnMut(Scanned) + Send)) -> Result<()> {
                <$adapter>::scan(self, request, sink).await
            }

            async fn not_yet_available(&self, found: &[Available]) -> Result<Vec<Available>> {
                self.answered(<$adapter>::not_yet_available(self, found)).await
            }

            async fn add_availability(&self, found: &[Available]) -> Result<u64> {
                self.answered(<$adapter>::add_availability(self, found)).await
            }

            async fn report_fingerprint(&self, report: &ReportKey) -> Result<Option<String>> {
                self.answered(<$adapter>::report_fingerprint(self, report)).await
            }

            async fn begin_run(&self, run: &NewRun) -> Result<()> {
                self.answered(<$adapter>::begin_run(self, run)).await
            }

            async fn end_run(&self, run: RunId, state: RunState, counts: RunCounts, at: DateTime<Utc>) -> Result<()> {
                self.answered(<$adapter>::end_run(self, run, state, counts, at)).await
            }

            async fn renew(&self, run: RunId, span: std::time::Duration) -> Result<bool> {
                self.answered(<$adapter>::renew(self, run, span)).await
            }

            async fn running_runs(&self) -> Result<Vec<RunningRun>> {
                self.answered(<$adapter>::running_runs(self)).await
            }

            async fn running_jobs(&self) -> Result<Vec<RunningJob>> {
                self.answered(<$adapter>::running_jobs(self)).await
            }

            async fn enqueue(&self, run: RunId, jobs: &[NewJob], by: &str, at: DateTime<Utc>) -> Result<()> {
                self.answered(<$adapter>::enqueue(self, run, jobs, by, at)).await
            }

            async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed> {
                self.answered(<$adapter>::claim(self, request)).await
            }

            async fn begin_attempt(&self, claim: Claim, attempt: u32, pool: Option<&Pool>, log: &str, at: DateTime<Utc>) -> Result<Begun> {
                self.answered(<$adapter>::begin_attempt(self, claim, attempt, pool, log, at)).await
            }

            async fn attempt_spawned(&self, claim: Claim, attempt: u32, pid: u32) -> Result<bool> {
                self.answered(<$adapter>::attempt_spawned(self, claim, attempt, pid)).await
            }

            async fn end_attempt(&self, claim: Claim, end: &AttemptEnd) -> Result<bool> {
                self.answered(<$adapter>::end_attempt(self, claim, end)).await
            }

            async fn finish(&self, claim: Claim, end: &JobEnd) -> Result<Finished> {
                self.answered(<$adapter>::finish(self, claim, end)).await
            }

            async fn drop_queued(&self, job: JobId, reason: &str, at: DateTime<Utc>) -> Result<bool> {
                self.answered(<$adapter>::drop_queued(self, job, reason, at)).await
            }

            async fn attach(&self, claim: Claim, end: &AttemptEnd) -> Result<bool> {
                self.answered(<$adapter>::attach(self, claim, end)).await
            }

            async fn watch(&self, run: RunId) -> Result<Vec<Watched>> {
                self.answered(<$adapter>::watch(self, run)).await
            }

            async fn gap_states(&self) -> Result<Vec<GapState>> {
                self.answered(<$adapter>::gap_states(self)).await
            }

            async fn open_breakers(&self) -> Result<Vec<OpenBreaker>> {
                self.answered(<$adapter>::open_breakers(self)).await
            }

            async fn set_breaker(&self, etl: &str, breaker: Option<&OpenBreaker>, refunds: &[(GapKey, i64, FailureHistory)]) -> Result<()> {
                self.answered(<$adapter>::set_breaker(self, etl, breaker, refunds)).await
            }

            async fn sources(&self, of: &[(i64, Period)]) -> Result<Vec<((i64, Period), String)>> {
                self.answered(<$adapter>::sources(self, of)).await
            }

            async fn order(&self, order: &GapOrder, gaps: &[GapKey]) -> Result<u64> {
                self.answered(<$adapter>::order(self, order, gaps)).await
            }

            async fn order_cancel(&self, job: JobId, by: &str, reason: &str, at: DateTime<Utc>) -> Result<CancelAnswer> {
                self.answered(<$adapter>::order_cancel(self, job, by, reason, at)).await
            }

            async fn find_jobs(&self, prefix: &str, limit: u32) -> Result<Vec<FoundJob>> {
                self.answered(<$adapter>::find_jobs(self, prefix, limit)).await
            }

            async fn source_states(&self) -> Result<Vec<SourceState>> {
                self.answered(<$adapter>::source_states(self)).await
            }

            async fn queue(&self) -> Result<Vec<QueuedWindow>> {
                self.answered(<$adapter>::queue(self)).await
            }

            async fn enqueue_windows(&self, source: &str, windows: &[Window], at: DateTime<Utc>) -> Result<()> {
                self.answered(<$adapter>::enqueue_windows(self, source, windows, at)).await
            }

            async fn follow(&self, claim: Claim, attempt: u32, remote: Option<&str>) -> Result<bool> {
                self.answered(<$adapter>::follow(self, claim, attempt, remote)).await
            }

            async fn order_source(&self, order: &SourceOrder) -> Result<bool> {
                self.answered(<$adapter>::order_source(self, order)).await
            }

            async fn value_of(&self, query: &str) -> Result<Option<String>> {
                <$adapter>::value_of(self, query).await
            }

            async fn close(&self) {
                <$adapter>::close(self).await;
            }
        }
    };
}

pub(super) use implement_store;
