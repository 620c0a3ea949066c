//! What must be true of sources after each run, and once a scene has converged.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::scene::Scene;
use crate::sources::{BY_SERVICE, EACH, SOURCES, behind, frontiers, hour_of, id_of};
use crate::support::service::Job;

/// Start and end, in hours.
type Hours = (i64, i64);

/// A job of a source as the database has it, or a collector as it wrote about itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Collecting {
    source: &'static str,
    hours: Hours,
    fence: u64,
    job: String,
}

/// Checks what is true whenever no run is active: no frontier went back, everything before it is collected, and no hour is in the
/// queue twice.
pub(crate) fn advance(scene: &mut Scene) {
    let found = frontiers(scene);
    let queue = queue(scene);
    for (id, _) in SOURCES {
        let mut reached = 0;
        for ((start, end), state) in queue.get(id).into_iter().flatten() {
            assert!(*start >= reached, "{id}: the window {start}..{end} is in the queue beside another that overlaps it: {queue:?}");
            let is_before = found.get(id).is_some_and(|frontier| start < frontier);
            assert!(!is_before || *start == reached, "{id}: a hole before the frontier, {reached}..{start}: {found:?}, {queue:?}");
            assert!(!is_before || state == "collected", "{id}: the frontier is beyond {start}..{end}, which is {state}: {found:?}");
            reached = *end;
        }
        let frontier = found.get(id).copied().unwrap_or(0);
        assert!(frontier <= reached, "{id}: the frontier is {frontier}, beyond all windows: {queue:?}");
    }
    let sources = scene.sources.as_mut().expect("a scene with sources");
    for (id, before) in &sources.seen {
        let now = found.get(id);
        assert!(now.is_some_and(|now| now >= before), "{id}: the frontier went back from {before} to {now:?}");
    }
    sources.seen = found;
}

/// Checks what is true once everything due is collected.
pub(crate) fn hold(scene: &mut Scene) {
    if scene.sources.is_none() {
        return;
    }
    advance(scene);
    assert_eq!(behind(scene), 0, "sources are behind");
    let open = scene
        .sql("SELECT source, window_start, state, remote_id FROM disclosure_queue WHERE state <> 'collected' OR remote_id IS NOT NULL");
    assert_eq!(open, [""; 0], "windows are left open");
    let successes = successes(scene);
    programs_agree(scene, &successes);
    the_service_agrees(scene, &successes);
}

/// Every collector began at the frontier, so none repeated a recorded success or left a hole; and the collector of every success reached
/// its end.
fn programs_agree(scene: &Scene, successes: &[Collecting]) {
    let mut ended = HashSet::new();
    for line in scene.world().read("collected").lines() {
        let (event, noted) = noted(line).unwrap_or_else(|| panic!("no collector writes {line:?}"));
        if event == "end" {
            ended.insert(noted);
            continue;
        }
        assert_eq!(noted.hours.0, reached(successes, noted.source, noted.fence), "began elsewhere than at the frontier: {noted:?}");
        assert!(noted.source != EACH || noted.hours.1 - noted.hours.0 == 3, "its windows are collected one by one: {noted:?}");
    }
    for success in successes.iter().filter(|success| success.source != BY_SERVICE) {
        assert!(ended.contains(success), "recorded as collected, but it never reached its end: {success:?}");
    }
}

/// The service was asked once for each window, except where a run was cut off in the request; and every job whose id is on record was
/// followed to its end.
fn the_service_agrees(scene: &Scene, successes: &[Collecting]) {
    let sources = scene.sources.as_ref().expect("a scene with sources");
    let jobs = sources.service.known();
    let on_record: HashSet<String> = scene.sql("SELECT remote_id FROM etl_attempts WHERE remote_id IS NOT NULL").into_iter().collect();
    let fences: HashMap<String, u64> = scene
        .sql("SELECT id, fence FROM etl_jobs WHERE fence IS NOT NULL")
        .iter()
        .filter_map(|row| row.split_once('|'))
        .map(|(job, fence)| (job.to_owned(), fence.parse().expect("a fence")))
        .collect();
    // Losses in a row quarantine a source, and `retry` has its service's job forgotten.
    let is_forgotten = !scene.sql(&format!("SELECT 1 FROM overrides WHERE kind = 'retry' AND gap_key = 'source:{BY_SERVICE}'")).is_empty();
    let mut again = 0;
    for (at, (id, job)) in jobs.iter().enumerate() {
        assert!(!on_record.contains(id) || job.is_complete(), "a job on record was not followed to its end: {id}, {job:?}");
        let (start, end) = hours_asked(job);
        let owner = job.asked["job"].as_str().and_then(|owner| fences.get(owner));
        let fence = owner.unwrap_or_else(|| panic!("triggered by a job that is not on record: {job:?}"));
        assert_eq!(start, reached(successes, BY_SERVICE, *fence), "triggered elsewhere than at the frontier: {job:?}");
        let before: Vec<_> = jobs[..at].iter().filter(|(_, before)| overlap(hours_asked(before), (start, end))).collect();
        let known = before.iter().find(|(id, _)| on_record.contains(id));
        assert!(known.is_none() || is_forgotten, "triggered again instead of following {known:?}: {id}, {job:?}");
        again += u64::from(!before.is_empty());
    }
    assert!(again <= scene.tally.cuts, "{again} further triggers, and {} runs that were cut off: {jobs:?}", scene.tally.cuts);
    for success in successes.iter().filter(|success| success.source == BY_SERVICE) {
        let done = jobs.iter().any(|(_, job)| job.is_complete() && hours_asked(job) == success.hours);
        assert!(done, "recorded as collected, but no job of the service was complete: {success:?}");
    }
}

/// The frontier of a source when this fence was given out.
fn reached(successes: &[Collecting], source: &str, fence: u64) -> i64 {
    let before = successes.iter().filter(|success| success.source == source && success.fence < fence);
    before.map(|success| success.hours.1).max().unwrap_or(0)
}

fn overlap(one: Hours, other: Hours) -> bool {
    one.0 < other.1 && other.0 < one.1
}

fn hours_asked(job: &Job) -> Hours {
    let hour = |name: &str| hour_of(job.asked[name].as_str().unwrap_or_default());
    (hour("start"), hour("end"))
}

/// The jobs of sources that succeeded.
fn successes(scene: &Scene) -> Vec<Collecting> {
    let rows = scene.sql("SELECT 'job', substr(gap_key, 8), window_start, window_end, fence, id FROM etl_jobs WHERE window_start IS NOT NULL AND state = 'succeeded'");
    let jobs = rows.iter().map(|row| columns(&row.split('|').collect::<Vec<_>>()));
    jobs.map(|job| job.unwrap_or_else(|| panic!("no job of a source: {rows:?}")).1).collect()
}

fn noted(line: &str) -> Option<(&str, Collecting)> {
    columns(&line.split(' ').collect::<Vec<_>>())
}

fn columns<'a>(columns: &[&'a str]) -> Option<(&'a str, Collecting)> {
    let [what, source, start, end, fence, job] = columns.try_into().ok()?;
    let hours = (hour_of(start), hour_of(end));
    Some((what, Collecting { source: id_of(source), hours, fence: fence.parse().ok()?, job: job.to_owned() }))
}

/// The windows in the queue of each source with their states, in order.
fn queue(scene: &Scene) -> BTreeMap<&'static str, Vec<(Hours, String)>> {
    let mut queue: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in scene.sql("SELECT source, window_start, window_end, state FROM disclosure_queue ORDER BY 1, 2, 3") {
        let [source, start, end, state] = row.split('|').collect::<Vec<_>>().try_into().expect("columns");
        queue.entry(id_of(source)).or_default().push(((hour_of(start), hour_of(end)), state.to_owned()));
    }
    queue
}
