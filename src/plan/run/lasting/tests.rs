use super::*;

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-11-{time}:00Z").parse().unwrap()
}

/// When a run is, and how far runs are apart.
fn run_at(time: &str) -> (DateTime<Utc>, Duration) {
    (at(time), Duration::from_secs(15 * 60))
}

fn set(things: &[&str]) -> BTreeSet<String> {
    things.iter().map(|thing| (*thing).to_owned()).collect()
}

#[test]
fn what_lasts_is_said_when_it_is_new_and_once_a_day() {
    let mut said = Said::default();
    // What holds, whether the run speaks anyway, when; whether it says it, and whether anything is written.
    for (things, is_noteworthy, time, speaks, writes) in [
        (&[][..], false, "01T10:00", false, false),
        (&["a"], false, "01T10:15", true, true),
        (&["a"], false, "01T10:30", false, false),
        (&["a", "b"], false, "01T10:45", true, true),
        (&["b"], false, "01T11:00", false, true),
        (&["a", "b"], false, "01T11:15", true, true),
        (&["a", "b"], false, "02T11:07", false, false),
        (&["a", "b"], false, "02T11:20", true, true),
        (&["a", "b"], false, "03T11:10", true, true),
        (&["a", "b"], true, "03T12:00", true, true),
        (&["a", "b"], false, "04T11:15", false, false),
        (&["a", "b"], false, "04T12:00", true, true),
        // The clock of the host went back.
        (&["a", "b"], false, "02T12:00", true, true),
        (&[], false, "02T12:15", false, true),
        (&["a"], false, "02T12:30", true, true),
    ] {
        let say = said.next("all", set(things), is_noteworthy, run_at(time));
        assert_eq!((say.now, say.said.is_some()), (speaks, writes), "{time} {things:?}");
        said = say.said.unwrap_or(said);
    }
}

#[test]
fn runs_with_other_options_say_it_for_themselves() {
    let first = Said::default().next("all", set(&["a", "b"]), false, run_at("01T10:00")).said.unwrap();
    let second = first.next("--source x", set(&["b"]), false, run_at("01T10:01"));
    assert!(second.now);
    let both = second.said.unwrap();
    assert!(!both.next("all", set(&["a", "b"]), false, run_at("01T10:15")).now);
    assert!(!both.next("--source x", set(&["b"]), false, run_at("01T10:16")).now);
    let later = both.next("all", set(&["a"]), false, run_at("03T10:00")).said.unwrap();
    assert_eq!(later, Said::default().next("all", set(&["a"]), true, run_at("03T10:00")).said.unwrap(), "what is old is not kept");
}
