//! Reads the output of a child and passes it on: bytes to the log, lines to the tail and to the events.
//!
//! Lines of stdout and stderr are never mixed; the log has the bytes in order of arrival. Nothing here makes the child wait: when the
//! log cannot be written or nobody takes the events fast enough, output is lost there.

use std::io;
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe::Receiver;

use super::super::lines::Lines;
use super::super::record::{Record, Recorded};

/// Bytes of the first read; most children print little.
const FIRST_CHUNK: usize = 1024;
/// Bytes that a pipe holds by default, so that one read empties it.
const MAX_CHUNK: usize = 64 * 1024;

/// Our end of stdout or stderr of the child.
#[derive(Debug)]
pub(super) struct Stream {
    /// `None` once the stream has ended.
    pipe: Option<Receiver>,
    lines: Lines,
    /// Whether its lines may be messages for programs.
    speaks: bool,
}

impl Stream {
    /// `speaks`: whether its lines may be messages for programs.
    pub(super) fn new(pipe: OwnedFd, speaks: bool) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        Ok(Self { pipe: Some(Receiver::from_owned_fd_unchecked(pipe)?), lines: Lines::default(), speaks })
    }

    async fn readable(&self) {
        match &self.pipe {
            // An error comes up again in the read that follows.
            Some(pipe) => drop(pipe.readable().await),
            None => std::future::pending().await,
        }
    }

    fn read(&mut self, chunk: &mut Vec<u8>, record: &mut Record) {
        let Some(pipe) = &self.pipe else { return };
        match pipe.try_read(chunk) {
            Ok(0) => self.close(record),
            Ok(length) => {
                self.take(chunk.get(..length).unwrap_or_default(), record);
                if length == chunk.len() {
                    chunk.resize((length * 4).min(MAX_CHUNK), 0);
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                tracing::warn!(%error, "reading the output of an attempt failed, and the rest of it is lost: {error}");
                self.close(record);
            }
        }
    }

    /// Takes what is in the pipe at this moment, and closes it. It does not wait for a process that still holds the other end, as that
    /// may write for ever.
    fn read_rest(&mut self, chunk: &mut Vec<u8>, record: &mut Record) {
        let Some(pipe) = &self.pipe else { return };
        let present = rustix::io::ioctl_fionread(pipe).ok().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0);
        chunk.resize(present, 0);
        let length = if present == 0 { 0 } else { rustix::io::read(pipe, chunk.as_mut_slice()).unwrap_or(0) };
        self.take(chunk.get(..length).unwrap_or_default(), record);
        self.close(record);
    }

    fn take(&mut self, bytes: &[u8], record: &mut Record) {
        record.append(bytes);
        let speaks = self.speaks;
        self.lines.push(bytes, |line| if speaks { record.hear(line) } else { record.line(line) });
        if let Some(state) = self.lines.new_state() {
            record.progress_bar(&state);
        }
    }

    fn close(&mut self, record: &mut Record) {
        self.pipe = None;
        let speaks = self.speaks;
        self.lines.finish(|line| if speaks { record.hear(line) } else { record.line(line) });
    }
}

/// All output of one attempt.
#[derive(Debug)]
pub(super) struct Capture {
    out: Stream,
    err: Stream,
    chunk: Vec<u8>,
    record: Record,
}

impl Capture {
    pub(super) fn new(out: Stream, err: Stream, record: Record) -> Self {
        Self { out, err, chunk: vec![0; FIRST_CHUNK], record }
    }

    /// Whether a process may still print.
    pub(super) fn is_open(&self) -> bool {
        self.out.pipe.is_some() || self.err.pipe.is_some()
    }

    /// Waits for output and takes one chunk of it; waits for ever once both streams have ended. Loses nothing when dropped.
    pub(super) async fn read(&mut self) {
        let Self { out, err, chunk, record } = self;
        let err_is_readable = tokio::select! {
            () = out.readable() => false,
            () = err.readable() => true,
        };
        // stdout first: most programs print what they do, then what went wrong.
        out.read(chunk, record);
        if err_is_readable {
            err.read(chunk, record);
        }
        // Yields now and then, so that a child that prints without pause does not hold up the other attempts.
        tokio::task::consume_budget().await;
    }

    /// Takes the rest of the output of a child that ended well or not, and returns what is left of it all.
    pub(super) fn finish(mut self, well: bool) -> Recorded {
        self.out.read_rest(&mut self.chunk, &mut self.record);
        self.err.read_rest(&mut self.chunk, &mut self.record);
        self.record.finish(well)
    }
}
