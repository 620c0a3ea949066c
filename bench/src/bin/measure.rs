//! `measure FILE PROGRAM ARGUMENT...` runs a program, and appends a line to the file: how many seconds it took, how many of the processors' it and
//! its children took, and the most memory that one of them had, in KiB. A program that fails is no measurement.

use std::env::args_os;
use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Command;
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = args_os().skip(1);
    let (Some(file), Some(program)) = (arguments.next(), arguments.next()) else {
        return Err("usage: measure FILE PROGRAM ARGUMENT...".into());
    };
    let began = Instant::now();
    let status = Command::new(&program).args(arguments).status()?;
    let wall = began.elapsed().as_secs_f64();
    if !status.success() {
        return Err(format!("{}: {status}", program.display()).into());
    }
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cpu = std::time::Duration::from_micros(u64::try_from((used.user_time() + used.system_time()).num_microseconds())?).as_secs_f64();
    writeln!(OpenOptions::new().append(true).create(true).open(file)?, "{wall:.6}\t{cpu:.6}\t{}", used.max_rss())?;
    Ok(())
}
