use std::fs;
use std::os::unix::fs::symlink;

use uuid::Uuid;

use super::*;

/// A workspace, and a destination that has an old report.
struct Scene {
    dir: tempfile::TempDir,
    written: Written,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let destination = dir.path().join("reports/2025Q2/RY.md");
        fs::create_dir_all(dir.path().join("work/gap")).unwrap();
        fs::create_dir_all(destination.parent().unwrap()).unwrap();
        fs::write(&destination, "old").unwrap();
        let workspaces = Arc::new(Directory::open(&dir.path().join("work")).unwrap());
        let (work_dir, name, job) = ("gap".into(), "out.md".into(), JobId::new(Uuid::nil()));
        Self { written: Written { workspaces, work_dir, name, job, destination }, dir }
    }

    fn output(&self) -> PathBuf {
        self.dir.path().join("work/gap/out.md")
    }

    fn stage(&self) -> Result<Staged, Unusable> {
        self.written.stage(&GiveUp::default())
    }

    fn staged(&self) -> PathBuf {
        staged_path(&self.written.destination, self.written.job)
    }

    /// Nothing is staged, for this reason, and the old report stands.
    fn refuses(&self, reason: &str) {
        assert_eq!(self.stage().unwrap_err().to_string(), reason);
        assert!(fs::symlink_metadata(self.staged()).is_err(), "{reason}");
        assert_eq!(fs::read_to_string(&self.written.destination).unwrap(), "old", "{reason}");
    }
}

#[test]
fn a_good_file_is_staged_beside_the_old_report() {
    let scene = Scene::new();
    fs::write(scene.output(), "new").unwrap();
    assert_eq!(scene.stage().unwrap().content.as_deref(), Some("new"));
    assert_eq!(fs::read_to_string(scene.staged()).unwrap(), "new");
    assert_eq!(fs::read_to_string(&scene.written.destination).unwrap(), "old");
    assert_eq!(content(&scene.staged()).as_deref(), Some("new"));
    assert_eq!(content(&scene.output()), None, "it is not in the workspace any more");
}

#[test]
fn what_is_no_report_leaves_the_old_one_alone() {
    let scene = Scene::new();
    scene.refuses("exit 0, but no file at {output}");
    fs::write(scene.output(), "").unwrap();
    scene.refuses("exit 0, but the file at {output} is empty");
    fs::remove_file(scene.output()).unwrap();
    symlink(&scene.written.destination, scene.output()).unwrap();
    scene.refuses("exit 0, but {output} is no regular file");
    fs::remove_file(scene.output()).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, scene.output(), rustix::fs::Mode::RWXU).unwrap();
    scene.refuses("exit 0, but {output} is no regular file");
    fs::remove_file(scene.output()).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(scene.output()).unwrap();
    scene.refuses("exit 0, but {output} is no regular file");
    drop(socket);
    fs::remove_dir_all(scene.dir.path().join("work/gap")).unwrap();
    scene.refuses("exit 0, but no file at {output}");
    symlink("../reports/2025Q2", scene.dir.path().join("work/gap")).unwrap();
    fs::write(scene.dir.path().join("reports/2025Q2/out.md"), "of another").unwrap();
    scene.refuses("exit 0, but its {work_dir} is no directory any more");
}

#[test]
fn a_file_with_another_name_is_copied() {
    let scene = Scene::new();
    let other = scene.dir.path().join("other name");
    fs::write(&other, "new").unwrap();
    fs::hard_link(&other, scene.output()).unwrap();
    assert_eq!(scene.stage().unwrap().content.as_deref(), Some("new"));
    fs::write(&other, "changed later").unwrap();
    assert_eq!(fs::read_to_string(scene.staged()).unwrap(), "new");
}

/// The steps of a publication, so that a test can do something between them.
fn staging<'a>(scene: &'a Scene, staged: &'a Path, give_up: &'a GiveUp) -> Staging<'a> {
    let written = &scene.written;
    let work_dir = written.workspaces.child(&written.work_dir).unwrap();
    let file = work_dir.file(&written.name).unwrap();
    let before = file.metadata().unwrap();
    let directory = Directory::open(written.destination.parent().unwrap()).unwrap();
    Staging { written, work_dir, file, before, directory, staged: staged.file_name().unwrap(), give_up }
}

#[test]
fn a_file_that_is_swapped_or_still_written_after_it_was_opened_is_not_taken() {
    let (scene, give_up) = (Scene::new(), GiveUp::default());
    let staged = scene.staged();
    let secret = scene.dir.path().join("secret");
    fs::write(&secret, "of another").unwrap();
    for swap in ["link", "file", "nothing"] {
        fs::write(scene.output(), "new").unwrap();
        let opened = staging(&scene, &staged, &give_up);
        fs::remove_file(scene.output()).unwrap();
        match swap {
            "link" => symlink(&secret, scene.output()).unwrap(),
            "file" => fs::write(scene.output(), "another").unwrap(),
            _ => {}
        }
        assert!(matches!(opened.carry_out(), Err(Unusable::NotThere(REPLACED))), "{swap}");
        let _ = fs::remove_file(scene.output());
        opened.directory.remove(opened.staged).unwrap();
    }
    for (name, far) in [("renamed", false), ("copied", true)] {
        fs::write(scene.output(), "new").unwrap();
        let opened = staging(&scene, &staged, &give_up);
        fs::write(scene.output(), "new and more").unwrap();
        let done = if far { opened.copy() } else { opened.carry_out() };
        assert!(matches!(done, Err(Unusable::NotThere(CHANGES))), "{name}");
        opened.directory.remove(opened.staged).unwrap();
    }
}

#[test]
fn what_was_left_under_the_staged_name_is_replaced_and_no_link_there_is_written_through() {
    let scene = Scene::new();
    fs::write(scene.output(), "new").unwrap();
    fs::hard_link(scene.output(), scene.dir.path().join("so that it is copied")).unwrap();
    let untouched = scene.dir.path().join("untouched");
    fs::write(&untouched, "untouched").unwrap();
    symlink(&untouched, scene.staged()).unwrap();
    scene.stage().unwrap();
    assert_eq!(fs::read_to_string(scene.staged()).unwrap(), "new");
    assert_eq!(fs::read_to_string(&untouched).unwrap(), "untouched");
}

#[test]
fn who_gives_up_leaves_nothing() {
    let scene = Scene::new();
    let give_up = GiveUp::default();
    give_up.ask();
    for linked in [false, true] {
        fs::write(scene.output(), "new").unwrap();
        if linked {
            fs::hard_link(scene.output(), scene.dir.path().join("so that it is copied")).unwrap();
        }
        assert!(matches!(scene.written.stage(&give_up), Err(Unusable::GivenUp)));
        assert!(fs::symlink_metadata(scene.staged()).is_err());
    }
}

#[test]
fn a_file_that_is_no_text_has_no_content() {
    let scene = Scene::new();
    fs::write(scene.output(), [0xff, 0xfe]).unwrap();
    assert_eq!(scene.stage().unwrap().content, None);
}
