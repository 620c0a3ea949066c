//! What the processes of a run did to files, from the lines of strace.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The system calls that change files or write them to disk.
pub(super) const CALLS: &str = "trace=openat,creat,mkdir,mkdirat,write,pwrite64,pwritev,pwritev2,writev,copy_file_range,sendfile,ftruncate,truncate,\
    fallocate,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,fsync,fdatasync,sync_file_range,syncfs,sync";

/// One thing that was done, in the order in which the calls returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// A file was opened for writing.
    Open {
        path: PathBuf,
        is_created: bool,
        is_emptied: bool,
        appends: bool,
    },
    MakeDir(PathBuf),
    /// Bytes were written at an offset; without one, where the last write ended.
    Write {
        path: PathBuf,
        at: Option<u64>,
        bytes: Vec<u8>,
    },
    SetLength(PathBuf, u64),
    /// Room was reserved: the file is at least this long.
    Reserve(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    /// A file or directory was written to disk: what had been done before this act, by number, is there for good.
    Sync {
        path: PathBuf,
        before: usize,
    },
    /// A process of etl-orch wrote this to its stdout or stderr.
    Print(String),
}

/// Reads the output of `strace -f -y -xx`.
pub(super) fn read(text: &str) -> Vec<Act> {
    let mut acts = Vec::new();
    // The beginning of a call that was interrupted by another thread's, and how many acts there were.
    let mut begun: HashMap<&str, (&str, usize)> = HashMap::new();
    for line in text.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some(head) = call.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, (head, acts.len()));
        } else if call.starts_with("<... ") {
            let Some((head, before)) = begun.remove(thread) else { continue };
            let (_, tail) = call.split_once(" resumed>").expect("the rest of a call");
            acts.extend(act(&format!("{head}{tail}"), before));
        } else {
            let before = acts.len();
            acts.extend(act(call, before));
        }
    }
    acts
}

/// What a call did; `None` where it failed, or did nothing to a file or the terminal.
fn act(call: &str, before: usize) -> Option<Act> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let result: i64 = result.split(['<', ' ']).next()?.parse().ok().filter(|result| *result >= 0)?;
    let arguments: Vec<&str> = arguments.trim_end().trim_end_matches(')').split(", ").collect();
    // A temporary file of SQLite, which has no name any more, ends with its process.
    if arguments.first().is_some_and(|file| file.ends_with("(deleted)")) {
        return None;
    }
    let number = |index: usize| arguments.get(index).and_then(|text: &&str| text.parse::<u64>().ok()).expect("a number");
    match name {
        "openat" => {
            let flags = arguments[2];
            let has = |flag: &str| flags.split('|').any(|one| one == flag);
            (has("O_WRONLY") || has("O_RDWR")).then(|| Act::Open {
                path: at(arguments[0], arguments[1]),
                is_created: has("O_CREAT"),
                is_emptied: has("O_TRUNC"),
                appends: has("O_APPEND"),
            })
        }
        "mkdir" => Some(Act::MakeDir(text_path(arguments[0]))),
        "mkdirat" => Some(Act::MakeDir(at(arguments[0], arguments[1]))),
        "write" => {
            let mut bytes = bytes(arguments[1]);
            bytes.truncate(usize::try_from(result).expect("a length"));
            match descriptor(arguments[0]) {
                (1 | 2, path) if !path.is_absolute() => Some(Act::Print(String::from_utf8_lossy(&bytes).into_owned())),
                (_, path) if path.is_absolute() => Some(Act::Write { path, at: None, bytes }),
                (_, _) => None,
            }
        }
        "pwrite64" => {
            let mut bytes = bytes(arguments[1]);
            bytes.truncate(usize::try_from(result).expect("a length"));
            Some(Act::Write { path: descriptor(arguments[0]).1, at: Some(number(3)), bytes })
        }
        "ftruncate" => Some(Act::SetLength(descriptor(arguments[0]).1, number(1))),
        "fallocate" => Some(Act::Reserve(descriptor(arguments[0]).1, number(2) + number(3))),
        "rename" => Some(Act::Rename(text_path(arguments[0]), text_path(arguments[1]))),
        "renameat" | "renameat2" => Some(Act::Rename(at(arguments[0], arguments[1]), at(arguments[2], arguments[3]))),
        "unlink" | "rmdir" => Some(Act::Remove(text_path(arguments[0]))),
        "unlinkat" => Some(Act::Remove(at(arguments[0], arguments[1]))),
        "fsync" | "fdatasync" => Some(Act::Sync { path: descriptor(arguments[0]).1, before }),
        other => panic!("the model of the disk does not know {other}: {}", &call[..call.len().min(200)]),
    }
}

/// `3<\x2f...>`, a descriptor with its path.
fn descriptor(text: &str) -> (i64, PathBuf) {
    let (number, path) = text.split_once('<').unwrap_or((text, ""));
    (number.parse().unwrap_or(-1), PathBuf::from(String::from_utf8_lossy(&hex(path.trim_end_matches('>'))).into_owned()))
}

/// A path relative to a directory.
fn at(directory: &str, path: &str) -> PathBuf {
    descriptor(directory).1.join(text_path(path))
}

fn text_path(text: &str) -> PathBuf {
    Path::new(&*String::from_utf8_lossy(&bytes(text))).to_owned()
}

/// `"\x61\x62"` as bytes.
fn bytes(text: &str) -> Vec<u8> {
    assert!(text.ends_with('"'), "the data of a call is cut off: {}", &text[text.len().saturating_sub(40)..]);
    hex(text.trim_matches('"'))
}

fn hex(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap_or_else(|_| panic!("no byte: {byte:?}"))).collect()
}

#[test]
fn calls_of_several_threads_are_told_apart() {
    let text = "\
7 fsync(3<\\x2f\\x61> <unfinished ...>
8 pwrite64(3<\\x2f\\x61>, \"\\x62\\x63\", 2, 40) = 2
7 <... fsync resumed>) = 0
8 unlink(\"\\x2f\\x62\") = -1 ENOENT (No such file or directory)
8 pwrite64(4<\\x2f\\x64>(deleted), \"\\x62\", 1, 0) = 1
8 write(2<\\x70\\x69\\x70\\x65>, \"\\x68\\x69\", 2) = 2";
    let path = PathBuf::from("/a");
    let write = Act::Write { path: path.clone(), at: Some(40), bytes: b"bc".to_vec() };
    assert_eq!(read(text), [write, Act::Sync { path, before: 0 }, Act::Print("hi".to_owned())]);
}
