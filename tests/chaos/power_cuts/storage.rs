//! A model of a disk: what may be left of directories and files when the power is cut.
//!
//! A file keeps what was written before its last `fsync` began; of later writes each sector may be there or not. A name is in its directory
//! for good once that was synced; of later changes some may be there. That is less than most file systems keep.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::trace::Act;
use crate::seed::Random;

/// Sectors are written whole or not at all.
const SECTOR: usize = 512;

type NodeId = usize;

/// What is kept of all that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsynced {
    Lost,
    Kept,
    /// Some sectors and names.
    Torn,
}

#[derive(Debug, Clone)]
enum Edit {
    Write(u64, Vec<u8>),
    Length(u64),
    AtLeast(u64),
}

#[derive(Debug, Clone)]
enum Node {
    File { edits: Vec<(usize, Edit)>, synced: usize, length: u64, position: u64, appends: bool, mode: u32 },
    Dir { mode: u32 },
}

/// A change of names. That of a rename is one, in both directories.
#[derive(Debug, Clone)]
struct Naming {
    at: usize,
    put: Option<(NodeId, OsString, NodeId)>,
    taken: Option<(NodeId, OsString)>,
}

/// The disk with all that was done to it so far.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    root: PathBuf,
    nodes: Vec<Node>,
    namings: Vec<Naming>,
    /// By directory, the number of the first act that its last sync does not cover.
    synced_names: BTreeMap<NodeId, usize>,
    /// The names as processes see them.
    names: BTreeMap<(NodeId, OsString), NodeId>,
    /// Files and directories that are outside of the machine, whose power is not cut.
    outside: Vec<PathBuf>,
    acts: usize,
}

impl Storage {
    /// A directory as it is, all of it synced. `outside` are names in it.
    pub(super) fn of(root: &Path, outside: &[&str]) -> Self {
        let mut storage = Self {
            root: root.to_owned(),
            nodes: vec![Node::Dir { mode: 0o700 }],
            namings: Vec::new(),
            synced_names: BTreeMap::new(),
            names: BTreeMap::new(),
            outside: outside.iter().map(|name| root.join(name)).collect(),
            acts: 0,
        };
        storage.load(root, 0);
        storage.synced_names = (0..storage.nodes.len()).map(|node| (node, 1)).collect();
        storage.acts = 1;
        storage
    }

    fn load(&mut self, path: &Path, directory: NodeId) {
        for entry in fs::read_dir(path).expect("a directory").map(|entry| entry.expect("an entry")) {
            let mode = entry.metadata().expect("an entry").permissions().mode() & 0o7777;
            let is_dir = entry.path().is_dir();
            let node = if is_dir {
                Node::Dir { mode }
            } else {
                let bytes = fs::read(entry.path()).expect("a file");
                let length = bytes.len() as u64;
                Node::File { edits: vec![(0, Edit::Write(0, bytes))], synced: 1, length, position: 0, appends: false, mode }
            };
            let id = self.add(node);
            self.put(directory, entry.file_name(), id);
            if is_dir {
                self.load(&entry.path(), id);
            }
        }
    }

    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn put(&mut self, directory: NodeId, name: OsString, node: NodeId) {
        self.names.insert((directory, name.clone()), node);
        self.namings.push(Naming { at: self.acts, put: Some((directory, name, node)), taken: None });
    }

    fn find(&self, path: &Path) -> Option<NodeId> {
        let below = path.strip_prefix(&self.root).ok()?;
        below.iter().try_fold(0, |directory, name| self.names.get(&(directory, name.to_owned())).copied())
    }

    /// The directory of a path, and its name there.
    fn place(&self, path: &Path) -> Option<(NodeId, OsString)> {
        Some((self.find(path.parent()?)?, path.file_name()?.to_owned()))
    }

    /// Does what was done. What is not below the root is passed over.
    pub(super) fn apply(&mut self, act: &Act) {
        match act {
            Act::Open { path, is_created, is_emptied, appends } => self.open(path, *is_created, *is_emptied, *appends),
            Act::MakeDir(path) => {
                if let Some((directory, name)) = self.place(path) {
                    let node = self.add(Node::Dir { mode: 0o700 });
                    self.put(directory, name, node);
                }
            }
            Act::Write { path, at, bytes } => self.write(path, *at, bytes),
            Act::SetLength(path, length) => self.edit(path, Edit::Length(*length)),
            Act::Reserve(path, length) => self.edit(path, Edit::AtLeast(*length)),
            Act::Rename(from, to) => {
                if let (Some(node), Some(source), Some(target)) = (self.find(from), self.place(from), self.place(to)) {
                    self.names.remove(&source);
                    self.names.insert(target.clone(), node);
                    self.namings.push(Naming { at: self.acts, put: Some((target.0, target.1, node)), taken: Some(source) });
                }
            }
            Act::Remove(path) => {
                if let Some(source) = self.place(path) {
                    self.names.remove(&source);
                    self.namings.push(Naming { at: self.acts, put: None, taken: Some(source) });
                }
            }
            Act::Sync { path, before } => self.sync(path, before + 1),
            Act::Print(_) => {}
        }
        self.acts += 1;
    }

    fn open(&mut self, path: &Path, is_created: bool, is_emptied: bool, does_append: bool) {
        let found = self.find(path).or_else(|| {
            let (directory, name) = self.place(path).filter(|_| is_created)?;
            let node = self.add(Node::File { edits: Vec::new(), synced: 0, length: 0, position: 0, appends: false, mode: 0o600 });
            self.put(directory, name, node);
            Some(node)
        });
        if let Some(Node::File { position, appends, .. }) = found.map(|node| &mut self.nodes[node]) {
            (*position, *appends) = (0, does_append);
        }
        if is_emptied {
            self.edit(path, Edit::Length(0));
        }
    }

    fn write(&mut self, path: &Path, at: Option<u64>, bytes: &[u8]) {
        let Some(Node::File { position, length, appends, .. }) = self.find(path).map(|node| &mut self.nodes[node]) else { return };
        let start = at.unwrap_or(if *appends { *length } else { *position });
        if at.is_none() {
            *position = start + bytes.len() as u64;
        }
        self.edit(path, Edit::Write(start, bytes.to_vec()));
    }

    fn edit(&mut self, path: &Path, edit: Edit) {
        let act = self.acts;
        let Some(Node::File { edits, length, .. }) = self.find(path).map(|node| &mut self.nodes[node]) else { return };
        *length = match &edit {
            Edit::Write(at, bytes) => (*length).max(at + bytes.len() as u64),
            Edit::Length(new) => *new,
            Edit::AtLeast(least) => (*length).max(*least),
        };
        edits.push((act, edit));
    }

    fn sync(&mut self, path: &Path, acts: usize) {
        let Some(node) = self.find(path) else { return };
        match &mut self.nodes[node] {
            Node::File { synced, .. } => *synced = acts,
            Node::Dir { .. } => drop(self.synced_names.insert(node, acts)),
        }
    }

    /// Writes what a power cut now may leave to the directory, in place of what is there.
    pub(super) fn cut(&self, unsynced: Unsynced, random: &mut Random) {
        for entry in fs::read_dir(&self.root).expect("a directory").map(|entry| entry.expect("an entry")) {
            let removed = if entry.path().is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
            removed.expect("to be removed");
        }
        let mut names = BTreeMap::new();
        for naming in &self.namings {
            let directories: BTreeSet<NodeId> =
                naming.put.iter().map(|(directory, ..)| *directory).chain(naming.taken.iter().map(|(directory, _)| *directory)).collect();
            let is_synced = directories.iter().any(|directory| self.synced_names.get(directory).is_some_and(|acts| naming.at < *acts));
            if is_synced || self.is_outside_naming(naming) || keeps(unsynced, random) {
                if let Some(taken) = &naming.taken {
                    names.remove(taken);
                }
                if let Some((directory, name, node)) = &naming.put {
                    names.insert((*directory, name.clone()), *node);
                }
            }
        }
        self.store(&names, 0, &self.root, unsynced, random);
    }

    /// Whether it is of a name in a directory that is outside.
    fn is_outside_naming(&self, naming: &Naming) -> bool {
        let outside: Vec<NodeId> = self.outside.iter().filter_map(|path| self.find(path)).collect();
        naming.put.iter().any(|(directory, _, node)| outside.contains(directory) || outside.contains(node))
            || naming.taken.iter().any(|(directory, _)| outside.contains(directory))
    }

    fn store(&self, names: &BTreeMap<(NodeId, OsString), NodeId>, directory: NodeId, path: &Path, unsynced: Unsynced, random: &mut Random) {
        for ((_, name), node) in names.range((directory, OsString::new())..(directory + 1, OsString::new())) {
            let path = path.join(name);
            match &self.nodes[*node] {
                Node::Dir { mode } => {
                    fs::DirBuilder::new().mode(*mode).create(&path).expect("a directory");
                    self.store(names, *node, &path, unsynced, random);
                }
                Node::File { edits, synced, mode, .. } => {
                    let kept = if self.outside.iter().any(|outside| path.starts_with(outside)) { Unsynced::Kept } else { unsynced };
                    let bytes = left_of(edits, *synced, kept, random);
                    let file = fs::OpenOptions::new().write(true).create_new(true).mode(*mode).open(&path);
                    std::io::Write::write_all(&mut file.expect("a file"), &bytes).expect("room");
                }
            }
        }
    }
}

fn keeps(unsynced: Unsynced, random: &mut Random) -> bool {
    match unsynced {
        Unsynced::Lost => false,
        Unsynced::Kept => true,
        Unsynced::Torn => random.once_in(2),
    }
}

/// What is left of a file whose acts before `synced` are on disk.
fn left_of(edits: &[(usize, Edit)], synced: usize, unsynced: Unsynced, random: &mut Random) -> Vec<u8> {
    let mut content: Vec<u8> = Vec::new();
    for (act, edit) in edits {
        let is_synced = *act < synced;
        match edit {
            Edit::Write(at, bytes) => {
                let at = usize::try_from(*at).expect("a position");
                let mut done = 0;
                while done < bytes.len() {
                    let length = (SECTOR - (at + done) % SECTOR).min(bytes.len() - done);
                    if is_synced || keeps(unsynced, random) {
                        let (start, end) = (at + done, at + done + length);
                        content.resize(content.len().max(end), 0);
                        content[start..end].copy_from_slice(&bytes[done..done + length]);
                    }
                    done += length;
                }
            }
            Edit::Length(length) if is_synced || keeps(unsynced, random) => content.resize(usize::try_from(*length).expect("a length"), 0),
            Edit::AtLeast(length) if is_synced || keeps(unsynced, random) => {
                content.resize(content.len().max(usize::try_from(*length).expect("a length")), 0);
            }
            Edit::Length(_) | Edit::AtLeast(_) => {}
        }
    }
    content
}
