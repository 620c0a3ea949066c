use std::fs;

use uuid::Uuid;

use super::*;

struct Scene {
    dir: tempfile::TempDir,
    job: JobId,
}

impl Scene {
    /// A destination with an old report, and a staged one for it.
    fn new() -> Self {
        let scene = Self { dir: tempfile::tempdir().unwrap(), job: JobId::new(Uuid::new_v4()) };
        fs::write(scene.destination(), "old").unwrap();
        fs::write(scene.staged(), "new").unwrap();
        scene
    }

    fn destination(&self) -> PathBuf {
        self.dir.path().join("RY.md")
    }

    fn staged(&self) -> PathBuf {
        output::staged_path(&self.destination(), self.job)
    }

    fn unplaced(&self, state: JobState) -> Unplaced {
        let (run, destination) = (RunId::new(Uuid::new_v4()), self.destination());
        Unplaced { job: self.job, run, state, destination, host: "here".to_owned(), machine_id: None, is_superseded: false }
    }

    /// What is left: the report, and whether something is staged.
    fn left(&self) -> (String, bool) {
        (fs::read_to_string(self.destination()).unwrap(), self.staged().exists())
    }
}

#[test]
fn to_put_a_report_in_place_or_to_remove_it_twice_does_no_harm() {
    let scene = Scene::new();
    assert!(place(&scene.destination(), scene.job).unwrap());
    fs::write(scene.destination(), "newer").unwrap();
    assert!(!place(&scene.destination(), scene.job).unwrap());
    assert_eq!(scene.left(), ("newer".to_owned(), false));
    let scene = Scene::new();
    assert!(unstage(&scene.destination(), scene.job).unwrap());
    assert!(!unstage(&scene.destination(), scene.job).unwrap());
    assert_eq!(scene.left(), ("old".to_owned(), false));
    fs::remove_file(scene.destination()).unwrap();
    assert_eq!(place(&scene.destination(), scene.job).unwrap_err().kind(), io::ErrorKind::NotFound, "it is nowhere");
    assert!(!unstage(&scene.dir.path().join("no directory/RY.md"), scene.job).unwrap());
}

#[test]
fn what_is_left_of_a_job_follows_from_its_state() {
    for (state, is_superseded, left, is_done) in [
        (JobState::Succeeded, false, ("new", false), true),
        (JobState::Succeeded, true, ("old", false), true),
        (JobState::Lost, false, ("old", false), true),
        (JobState::Cancelled, false, ("old", false), true),
        (JobState::Running, false, ("old", true), false),
    ] {
        let scene = Scene::new();
        let done = finish_one(&Unplaced { is_superseded, ..scene.unplaced(state) }, true).unwrap();
        assert_eq!(done, is_done, "{state:?}");
        assert_eq!(scene.left(), (left.0.to_owned(), left.1), "{state:?}");
    }
}

#[test]
fn a_report_that_is_not_here_may_be_on_the_disk_of_another_host() {
    let scene = Scene::new();
    fs::remove_file(scene.destination()).unwrap();
    fs::remove_file(scene.staged()).unwrap();
    let job = scene.unplaced(JobState::Succeeded);
    assert!(!finish_one(&job, false).unwrap());
    let error = finish_one(&job, true).unwrap_err();
    assert!(job.trouble(&error).contains("RY.md is on record and cannot be put there from "), "{}", job.trouble(&error));
}
