//! The least that jobs can cost: what none of them can do without, done as plainly as it can be.
//!
//! `floor jobs N AT_ONCE full|relaxed DIRECTORY FILE` makes N reports in the directory. Each is a copy of the file that `cp` makes, its output read through
//! pipes; its claim and its end are a transaction each. The copy is on disk before the end is recorded, and then put in its place.
//!
//! `floor syncs N DIRECTORY` appends to a file and waits for the disk, N times.

use std::env::args;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rusqlite::{Connection, TransactionBehavior, params};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: floor jobs N AT_ONCE full|relaxed DIRECTORY FILE, or floor syncs N DIRECTORY";

const TABLES: &str = "
CREATE TABLE jobs (id TEXT PRIMARY KEY, gap TEXT NOT NULL, state TEXT NOT NULL, fence INTEGER NOT NULL, started_at TEXT, ended_at TEXT) WITHOUT ROWID;
CREATE TABLE attempts (job TEXT NOT NULL, n INTEGER NOT NULL, outcome TEXT, log TEXT NOT NULL, PRIMARY KEY (job, n)) WITHOUT ROWID;
CREATE TABLE reports (id INTEGER PRIMARY KEY, gap TEXT NOT NULL UNIQUE, file TEXT NOT NULL, content TEXT NOT NULL, made_at TEXT NOT NULL);
";

fn main() -> Result<()> {
    let arguments: Vec<String> = args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["jobs", jobs, at_once, durability, directory, file] => {
            let floor = Floor::prepare(jobs.parse()?, durability, Path::new(directory), Path::new(file))?;
            floor.run(at_once.parse()?)
        }
        ["syncs", times, directory] => sync(times.parse()?, Path::new(directory)),
        _ => Err(USAGE.into()),
    }
}

fn sync(times: u32, directory: &Path) -> Result<()> {
    let mut file = File::create(directory.join("synced"))?;
    for _ in 0..times {
        file.write_all(b"a line of a log\n")?;
        file.sync_all()?;
    }
    Ok(())
}

struct Floor {
    jobs: u32,
    next: AtomicU32,
    /// One for all, as only one can write at a time.
    database: Mutex<Connection>,
    file: PathBuf,
    reports: PathBuf,
}

impl Floor {
    /// Makes the database, with its jobs queued.
    fn prepare(jobs: u32, durability: &str, directory: &Path, file: &Path) -> Result<Self> {
        let reports = directory.join("reports");
        fs::create_dir(&reports)?;
        let mut database = Connection::open(directory.join("floor.db"))?;
        database.pragma_update(None, "journal_mode", "WAL")?;
        let synchronous = match durability {
            "full" => "FULL",
            "relaxed" => "NORMAL",
            _ => return Err(USAGE.into()),
        };
        database.pragma_update(None, "synchronous", synchronous)?;
        database.execute_batch(TABLES)?;
        let queue = database.transaction()?;
        for job in 0..jobs {
            queue.execute("INSERT INTO jobs (id, gap, state, fence) VALUES (?1, ?2, 'queued', 0)", params![id(job), gap(job)])?;
        }
        queue.commit()?;
        Ok(Self { jobs, next: AtomicU32::new(0), database: Mutex::new(database), file: file.to_owned(), reports })
    }

    fn run(&self, at_once: u32) -> Result<()> {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(|| self.work())).collect();
            workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
        })
    }

    fn work(&self) -> Result<()> {
        loop {
            let job = self.next.fetch_add(1, Ordering::Relaxed);
            if job >= self.jobs {
                return Ok(());
            }
            self.claim(job)?;
            let content = self.make(job)?;
            self.end(job, &content)?;
            fs::rename(self.staged(job), self.place(job))?;
            File::open(&self.reports)?.sync_all()?;
        }
    }

    fn claim(&self, job: u32) -> Result<()> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        claim
            .prepare_cached(
                "UPDATE jobs SET state = 'running', fence = fence + 1, started_at = datetime() WHERE id = ?1 AND state = 'queued'",
            )?
            .execute(params![id(job)])?;
        claim
            .prepare_cached("INSERT INTO attempts (job, n, log) VALUES (?1, 1, ?2)")?
            .execute(params![id(job), format!("logs/{}.log", id(job))])?;
        Ok(claim.commit()?)
    }

    fn make(&self, job: u32) -> Result<String> {
        let staged = self.staged(job);
        let mut cp = Command::new("cp");
        cp.arg(&self.file).arg(&staged).stdin(Stdio::null()).process_group(0);
        let output = cp.output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        File::open(&staged)?.sync_all()?;
        Ok(fs::read_to_string(&staged)?)
    }

    fn end(&self, job: u32, content: &str) -> Result<()> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let end = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
        end.prepare_cached("UPDATE jobs SET state = 'succeeded', ended_at = datetime() WHERE id = ?1 AND state = 'running' AND fence = 1")?
            .execute(params![id(job)])?;
        end.prepare_cached("UPDATE attempts SET outcome = 'succeeded' WHERE job = ?1 AND n = 1")?.execute(params![id(job)])?;
        end.prepare_cached("INSERT INTO reports (gap, file, content, made_at) VALUES (?1, ?2, ?3, datetime())")?.execute(params![
            gap(job),
            self.place(job).to_string_lossy(),
            content
        ])?;
        Ok(end.commit()?)
    }

    fn staged(&self, job: u32) -> PathBuf {
        self.reports.join(format!(".{}.part", id(job)))
    }

    fn place(&self, job: u32) -> PathBuf {
        self.reports.join(format!("{job}.md"))
    }
}

/// In no order, as the ids of jobs.
fn id(job: u32) -> String {
    format!("{:08x}-0000-4000-8000-{job:012x}", job.wrapping_mul(2_654_435_761))
}

fn gap(job: u32) -> String {
    format!("B{:04}-CA/{}/copy", job / 40, job % 40)
}
