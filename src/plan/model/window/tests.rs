use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// `START/END`
fn window(text: &str) -> Window {
    let (start, end) = text.split_once('/').unwrap();
    Window::new(at(start), at(end)).unwrap()
}

fn hours(hours: u64) -> Cadence {
    Cadence { every: Duration::from_secs(hours * 3600), zone: None }
}

fn days(days: u64, zone: Tz) -> Cadence {
    Cadence { every: Duration::from_secs(days * 24 * 3600), zone: Some(zone) }
}

#[test]
fn an_interval_has_a_length() {
    let (one, two) = (at("2026-01-16T00:00:00Z"), at("2026-01-16T06:00:00Z"));
    assert_eq!(Window::new(one, two).unwrap().to_string(), "2026-01-16 00:00–06:00Z");
    for text in ["2026-01-16 00:00–06:00Z", "2026-01-16 18:00–24:00Z", "2026-01-16 05:00–2026-01-17 05:00Z", "2026-01-16 00:00–00:00:01Z"]
    {
        assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        assert_eq!(text.replace('–', "-").parse::<Window>().unwrap().to_string(), text);
    }
    for text in ["", "2026-01-16", "2026-01-16 06:00–00:00Z", "2026-01-16 06:00–06:00Z", "2026-01-16 00:00–06:00", "é–éZ"] {
        assert!(text.parse::<Window>().is_err(), "{text}");
    }
    assert_eq!((Window::new(one, one), Window::new(two, one)), (None, None));
}

#[test]
fn windows_are_multiples_of_their_length() {
    for (every, now, start, next) in [
        (6, "2026-01-16T05:59:59Z", "2026-01-16T00:00:00Z", "2026-01-16T06:00:00Z"),
        (6, "2026-01-16T06:00:00Z", "2026-01-16T06:00:00Z", "2026-01-16T12:00:00Z"),
        (24, "2026-01-16T06:00:00Z", "2026-01-16T00:00:00Z", "2026-01-17T00:00:00Z"),
        // 1970-01-01 was a Thursday.
        (7 * 24, "2026-01-16T06:00:00Z", "2026-01-15T00:00:00Z", "2026-01-22T00:00:00Z"),
        (6, "1969-12-31T23:00:00Z", "1969-12-31T18:00:00Z", "1970-01-01T00:00:00Z"),
    ] {
        let cadence = hours(every);
        assert_eq!((cadence.starting_at_or_before(at(now)), cadence.next_after(at(now))), (at(start), at(next)), "{every} {now}");
    }
}

#[test]
fn the_last_ended_window_ends_now_at_the_latest() {
    assert_eq!(hours(6).last_ended(at("2026-01-16T11:59:59Z")), Some(window("2026-01-16T00:00:00Z/2026-01-16T06:00:00Z")));
    assert_eq!(hours(6).last_ended(at("2026-01-16T12:00:00Z")), Some(window("2026-01-16T06:00:00Z/2026-01-16T12:00:00Z")));
}

#[test]
fn a_day_of_a_zone_has_as_many_hours_as_it_has() {
    use chrono_tz::{America::Havana, America::New_York, America::Sao_Paulo, America::St_Johns, Asia::Beirut, Pacific::Apia};
    for (zone, noon, day, length) in [
        (New_York, "2026-01-16T17:00:00Z", "2026-01-16T05:00:00Z/2026-01-17T05:00:00Z", 24 * 60),
        (New_York, "2026-03-08T17:00:00Z", "2026-03-08T05:00:00Z/2026-03-09T04:00:00Z", 23 * 60),
        (New_York, "2026-11-01T17:00:00Z", "2026-11-01T04:00:00Z/2026-11-02T05:00:00Z", 25 * 60),
        // There was no midnight: 23:59 was followed by 01:00.
        (Sao_Paulo, "2018-11-04T15:00:00Z", "2018-11-04T03:00:00Z/2018-11-05T02:00:00Z", 23 * 60),
        (Sao_Paulo, "2018-02-17T15:00:00Z", "2018-02-17T02:00:00Z/2018-02-18T03:00:00Z", 25 * 60),
        (Beirut, "2024-03-31T12:00:00Z", "2024-03-30T22:00:00Z/2024-03-31T21:00:00Z", 23 * 60),
        // There were two midnights.
        (Havana, "2024-11-03T17:00:00Z", "2024-11-03T04:00:00Z/2024-11-04T05:00:00Z", 25 * 60),
        // At one minute past midnight it was the day before again.
        (St_Johns, "2010-11-07T12:00:00Z", "2010-11-07T02:30:00Z/2010-11-08T03:30:00Z", 25 * 60),
        (St_Johns, "2010-11-07T03:00:00Z", "2010-11-07T02:30:00Z/2010-11-08T03:30:00Z", 25 * 60),
        // There was no 2011-12-30.
        (Apia, "2011-12-30T05:00:00Z", "2011-12-29T10:00:00Z/2011-12-30T10:00:00Z", 24 * 60),
        (Apia, "2011-12-30T15:00:00Z", "2011-12-30T10:00:00Z/2011-12-31T10:00:00Z", 24 * 60),
    ] {
        let cadence = days(1, zone);
        let found = Window::new(cadence.starting_at_or_before(at(noon)), cadence.next_after(at(noon))).unwrap();
        assert_eq!(found, window(day), "{zone} {noon}");
        assert_eq!((found.end - found.start).num_minutes(), length, "{zone} {noon}");
    }
}

#[test]
fn days_are_counted_by_date() {
    let cadence = days(7, chrono_tz::America::New_York);
    let span = window("2026-02-26T05:00:00Z/2026-03-19T04:00:00Z");
    let starts: Vec<String> = cadence.windows_between(span).map(|window| window.to_string()).collect();
    assert_eq!(starts, ["2026-02-26 05:00–2026-03-05 05:00Z", "2026-03-05 05:00–2026-03-12 04:00Z", "2026-03-12 04:00–2026-03-19 04:00Z",]);
}

#[test]
fn windows_between_are_cut_off_and_overlapping_ones_are_whole() {
    let span = window("2026-01-16T05:00:00Z/2026-01-16T12:30:00Z");
    let between: Vec<Window> = hours(6).windows_between(span).collect();
    let cut = ["2026-01-16T05:00:00Z/2026-01-16T06:00:00Z", "2026-01-16T06:00:00Z/2026-01-16T12:00:00Z"];
    assert_eq!(between, [window(cut[0]), window(cut[1]), window("2026-01-16T12:00:00Z/2026-01-16T12:30:00Z")]);
    let overlapping: Vec<Window> = hours(6).overlapping(span).collect();
    let whole = ["2026-01-16T00:00:00Z/2026-01-16T06:00:00Z", "2026-01-16T12:00:00Z/2026-01-16T18:00:00Z"];
    assert_eq!(overlapping, [window(whole[0]), window(cut[1]), window(whole[1])]);
    assert_eq!(hours(6).overlapping(window(cut[1])).collect::<Vec<_>>(), [window(cut[1])], "its neighbours only touch it");
}

#[test]
fn a_span_is_cut_at_the_new_years_of_its_zone() {
    let span = window("2025-12-20T00:00:00Z/2027-01-02T00:00:00Z");
    let years: Vec<Window> = hours(24).years_between(span).collect();
    assert_eq!(
        years,
        [
            window("2025-12-20T00:00:00Z/2026-01-01T00:00:00Z"),
            window("2026-01-01T00:00:00Z/2027-01-01T00:00:00Z"),
            window("2027-01-01T00:00:00Z/2027-01-02T00:00:00Z"),
        ]
    );
    let years: Vec<Window> = days(1, chrono_tz::America::New_York).years_between(span).collect();
    assert_eq!(years[0].end, at("2026-01-01T05:00:00Z"));
}

#[test]
fn the_ends_of_time_are_no_trouble() {
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    let long = Cadence { every: Duration::MAX, zone: None };
    for cadence in [hours(6), days(1, chrono_tz::Pacific::Apia), days(7, chrono_tz::Pacific::Niue), long] {
        for at in [first, last] {
            let _ = cadence.starting_at_or_before(at);
            let _ = cadence.next_after(at);
            let _ = cadence.last_ended(at);
            let _ = cadence.year_of(at);
        }
        let all = Window::new(first, last).unwrap();
        assert!(cadence.count_between(all) > 0);
        assert!(cadence.windows_between(all).take(10).count() > 0);
        assert!(cadence.overlapping(all).take(10).count() > 0);
        let end = Window::new(last - TimeDelta::days(20), last).unwrap();
        assert_eq!(cadence.windows_between(end).last().unwrap().end, last);
        assert!(cadence.overlapping(end).count() > 0);
        assert_eq!(cadence.years_between(end).last().unwrap().end, last);
    }
}

fn any_cadence() -> impl Strategy<Value = Cadence> {
    let zones = [chrono_tz::America::New_York, chrono_tz::America::Sao_Paulo, chrono_tz::America::St_Johns, chrono_tz::Pacific::Apia];
    let of_days = (1_u64..10, proptest::sample::select(zones.to_vec())).prop_map(|(every, zone)| days(every, zone));
    prop_oneof![(1_u64..400_000).prop_map(|every| Cadence { every: Duration::from_secs(every), zone: None }), of_days]
}

proptest! {
    /// The windows between two instants cover all that is between, once; and every inner end is aligned.
    #[test]
    fn windows_cover_a_span_without_hole_or_overlap(cadence in any_cadence(), start in 1_200_000_000_i64..1_400_000_000, length in 1_i64..3_000_000) {
        let instant = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let span = Window::new(instant(start), instant(start + length)).unwrap();
        let windows: Vec<Window> = cadence.windows_between(span).take(20_000).collect();
        prop_assume!(windows.len() < 20_000);
        prop_assert_eq!((windows[0].start, windows[windows.len() - 1].end), (span.start, span.end));
        for pair in windows.windows(2) {
            prop_assert_eq!(pair[0].end, pair[1].start);
            prop_assert_eq!(cadence.starting_at_or_before(pair[1].start), pair[1].start);
        }
        for window in &windows {
            prop_assert_eq!(cadence.starting_at_or_before(window.start), cadence.starting_at_or_before(window.end - TimeDelta::seconds(1)));
        }
        let counted = cadence.count_between(span);
        let left_out = u64::from(cadence.zone == Some(chrono_tz::Pacific::Apia));
        prop_assert!((windows.len() as u64..=windows.len() as u64 + left_out).contains(&counted));
    }
}
