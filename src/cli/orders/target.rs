//! What an order is on, as it is written on the command line.

use std::fmt;

use super::super::exit::Failure;
use super::super::names;
use super::args::{GapWords, SweepArgs};
use crate::plan::decide::order_effects::Sweep;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::institution::SelectError;
use crate::plan::model::period::Period;
use crate::plan::model::source::CatchUp;
use crate::plan::remember::past::JobQuery;
use crate::plan::text::nearest::nearest;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) enum OrderTarget {
    Gaps(Vec<GapKey>),
    /// The gap of the job whose id has this prefix.
    Job(JobPrefix),
    /// All gaps that the order would change, of one bank or of all.
    Sweep(Sweep),
}

/// The first characters of a job's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct JobPrefix {
    /// With hyphens where the database writes them.
    pub(in crate::cli) text: String,
    /// That no bank has this name, where the word might have named one.
    pub(super) no_bank: Option<String>,
}

impl JobPrefix {
    /// Fewer characters could mean anything.
    const SHORTEST: usize = 4;

    /// Reads the beginning of an id, with its hyphens or without.
    pub(super) fn parse(word: &str) -> Option<Self> {
        let digits: String = word.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
        let is_id = (Self::SHORTEST..=32).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        let mut text = String::new();
        for (n, digit) in digits.chars().enumerate() {
            if matches!(n, 8 | 12 | 16 | 20) {
                text.push('-');
            }
            text.push(digit);
        }
        is_id.then_some(Self { text, no_bank: None })
    }

    /// That there is no such job.
    pub(super) fn unknown(&self) -> String {
        let no_job = format!("no job has an id that begins with {}", self.text);
        self.no_bank.as_ref().map_or(no_job.clone(), |no_bank| format!("{no_bank} and {no_job}"))
    }
}

/// In words, for a sentence that begins with "no gap of".
impl fmt::Display for OrderTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gaps(gaps) if gaps.len() == 1 => write!(f, "{}", gaps[0]),
            Self::Gaps(_) => f.write_str("these"),
            Self::Job(job) => write!(f, "job {}", job.text),
            Self::Sweep(Sweep { bank: Some(bank), etls }) if etls.is_empty() => f.write_str(bank),
            Self::Sweep(Sweep { bank: Some(bank), etls }) => write!(f, "{bank} and {}", etls.join(", ")),
            Self::Sweep(Sweep { bank: None, etls }) if etls.is_empty() => f.write_str("any bank"),
            Self::Sweep(Sweep { bank: None, etls }) => f.write_str(&etls.join(", ")),
        }
    }
}

impl OrderTarget {
    /// The jobs of it.
    pub(in crate::cli) fn job_query(self) -> JobQuery {
        match self {
            // Those of its single windows too.
            Self::Gaps(gaps) if matches!(gaps.as_slice(), [GapKey::Source(_)]) => {
                JobQuery { filled_by: gaps.iter().map(|gap| gap.filled_by().to_owned()).collect(), ..JobQuery::default() }
            }
            Self::Gaps(gaps) => JobQuery { gaps, ..JobQuery::default() },
            Self::Job(prefix) => JobQuery { id: Some(prefix.text), ..JobQuery::default() },
            Self::Sweep(sweep) => JobQuery { banks: sweep.bank.into_iter().collect(), filled_by: sweep.etls, ..JobQuery::default() },
        }
    }
}

/// What `retry` or `unskip` is on.
pub(super) fn of_sweep(catalogue: &Catalogue, args: &SweepArgs) -> Result<OrderTarget, Failure> {
    if args.all && args.gaps.etl_type.is_empty() {
        return Ok(OrderTarget::Sweep(Sweep { bank: None, etls: Vec::new() }));
    }
    of_gaps(catalogue, &args.gaps)
}

/// What an order is on: these words, narrowed by `--etl-type`; that alone stands for its reports of all banks.
pub(in crate::cli) fn of_gaps(catalogue: &Catalogue, gaps: &GapWords) -> Result<OrderTarget, Failure> {
    let words = gaps.list();
    if gaps.etl_type.is_empty() {
        return of_words(catalogue, &words);
    }
    let etls: Vec<String> = gaps.etl_type.iter().map(|name| name.trim().to_owned()).collect();
    let unknown: Vec<String> = etls.iter().filter_map(|name| names::etl(catalogue, name).err()).collect();
    if !unknown.is_empty() {
        let problems: Vec<String> = unknown.iter().map(|problem| format!("--etl-type: {problem}")).collect();
        return Err(Failure::Usage(problems.join("\nerror: ")));
    }
    if words.is_empty() {
        return Ok(OrderTarget::Sweep(Sweep { bank: None, etls }));
    }
    match of_words(catalogue, &words)? {
        OrderTarget::Sweep(Sweep { bank, etls: none }) if none.is_empty() => Ok(OrderTarget::Sweep(Sweep { bank, etls })),
        OrderTarget::Sweep(_) | OrderTarget::Gaps(_) | OrderTarget::Job(_) => {
            Err(usage("--etl-type narrows an order on a bank or on all banks; of a period name the ETL after the quarter"))
        }
    }
}

/// What an order with these words is on: `BANK`, `BANK YEAR QUARTER`, `BANK YEAR QUARTER ETL`, the same with the period in one word, the key
/// of a gap, or the id of a job.
pub(in crate::cli) fn of_words(catalogue: &Catalogue, words: &[&str]) -> Result<OrderTarget, Failure> {
    match words {
        [] => Err(usage(
            "nothing is named; write BANK [YEAR QUARTER [ETL]], an ETL, a gap such as RY-CA/2025Q2/call_summary, a source, or the id of a job",
        )),
        [word, more, ..] if word.starts_with(SOURCE) => Err(usage(format!("{more:?} is unexpected; a source has neither period nor ETL"))),
        [key] if key.contains('/') => gap(catalogue, key),
        [word] => match (names::bank(catalogue, word), source(catalogue, word)?, JobPrefix::parse(word)) {
            (Ok(bank), _, _) => {
                let bank = Some(catalogue.institutions.get(bank).key.clone());
                Ok(OrderTarget::Sweep(Sweep { bank, etls: Vec::new() }))
            }
            (Err(SelectError::Unknown { .. }), Some(source), _) => Ok(OrderTarget::Gaps(vec![source])),
            (Err(SelectError::Unknown { .. }), None, _) if names::etl(catalogue, word).is_ok() => {
                Ok(OrderTarget::Sweep(Sweep { bank: None, etls: vec![(*word).to_owned()] }))
            }
            (Err(SelectError::Unknown { wanted, .. }), None, Some(prefix)) => {
                Ok(OrderTarget::Job(JobPrefix { no_bank: Some(format!("no bank is called {wanted:?}")), ..prefix }))
            }
            (Err(SelectError::Unknown { wanted, hint }), None, None) => {
                let nearest_of = |what: &str, names: Vec<&str>| match nearest(word, names).as_slice() {
                    [] => String::new(),
                    close => format!("; did you mean the {what} {}?", close.join(", ")),
                };
                let source = nearest_of("source", catalogue.sources.iter().map(|source| source.id.as_str()).collect());
                let etl = nearest_of("ETL", catalogue.etls.iter().map(|etl| etl.name.as_str()).collect());
                Err(usage(format!("unknown bank {wanted:?}{hint}{source}{etl}")))
            }
            (Err(error @ SelectError::Ambiguous { .. }), _, _) => Err(usage(error)),
        },
        [bank, etl] if names::etl(catalogue, etl).is_ok() => {
            names::bank(catalogue, bank).map_err(usage)?;
            Err(usage(format!("a period is missing; for all periods write {bank} --etl-type {etl}")))
        }
        [bank, rest @ ..] => {
            let (period, rest) = period(rest).map_err(|problem| with_bank(catalogue, bank, problem))?;
            match rest {
                [] => gaps(catalogue, bank, period, None),
                [etl] => gaps(catalogue, bank, period, Some(etl)),
                [_, more, ..] => Err(usage(format!("{more:?} is unexpected; an order is on one bank and period"))),
            }
        }
    }
}

/// What the key of a source begins with.
const SOURCE: &str = "source:";

/// The source of this name: `source:us_house`, or its id alone; or one of its windows, where they are independent:
/// `source:us_house@2026-01-16T00:00:00Z`. `None` where the word names something else.
fn source(catalogue: &Catalogue, word: &str) -> Result<Option<GapKey>, Failure> {
    if !word.starts_with(SOURCE) {
        return Ok(names::source(catalogue, word).is_ok().then(|| GapKey::source(word)));
    }
    let key: GapKey = word.parse().map_err(usage)?;
    let source = catalogue.source(names::source(catalogue, key.filled_by()).map_err(usage)?);
    if matches!(key, GapKey::Window { .. }) && source.catch_up != CatchUp::Independent {
        return Err(usage(format!("the windows of {} are not independent; name the source", source.id)));
    }
    Ok(Some(key))
}

fn usage(problem: impl fmt::Display) -> Failure {
    Failure::Usage(problem.to_string())
}

/// The period at the beginning of these words, in one of them or in two, and what follows.
fn period<'a, 'w>(words: &'a [&'w str]) -> Result<(Period, &'a [&'w str]), Failure> {
    if let Some((Ok(period), rest)) = words.split_first().map(|(word, rest)| (word.parse(), rest)) {
        return Ok((period, rest));
    }
    match words {
        [year, quarter, rest @ ..] => Ok((format!("{year} {quarter}").parse().map_err(usage)?, rest)),
        [year] if year.bytes().all(|b| b.is_ascii_digit()) => Err(usage(format!("which quarter of {year}? Write it like {year} Q2"))),
        [word] => Err(usage(format!("{word:?} is not a fiscal period; expected a period such as 2025Q2"))),
        [] => Err(usage("no period is named")),
    }
}

/// This problem, and before it that no bank has this name, if so.
fn with_bank(catalogue: &Catalogue, bank: &str, problem: Failure) -> Failure {
    match names::bank(catalogue, bank) {
        Ok(_) => problem,
        Err(unknown) => usage(format!("{unknown}\nerror: {}", problem.message())),
    }
}

/// `RY-CA/2025Q2/call_summary`, or `RY-CA/2025Q2` for all ETLs.
fn gap(catalogue: &Catalogue, key: &str) -> Result<OrderTarget, Failure> {
    match key.split('/').collect::<Vec<_>>().as_slice() {
        [bank, period, etls @ ..] if etls.len() <= 1 => {
            let period = period.parse().map_err(|problem| with_bank(catalogue, bank, usage(problem)))?;
            gaps(catalogue, bank, period, etls.first().copied())
        }
        _ => Err(usage(format!("{key:?} is not a gap; write it like RY-CA/2025Q2/call_summary"))),
    }
}

/// The gaps of a bank and a period, of one ETL or of all.
fn gaps(catalogue: &Catalogue, bank: &str, period: Period, etl: Option<&str>) -> Result<OrderTarget, Failure> {
    let (bank, etl) = match (names::bank(catalogue, bank), etl.map(|etl| names::etl(catalogue, etl)).transpose()) {
        (Ok(bank), Ok(etl)) => (catalogue.institutions.get(bank), etl),
        (Err(bank), Err(etl)) => return Err(usage(format!("{bank}\nerror: {etl}"))),
        (Err(bank), Ok(_)) => return Err(usage(bank)),
        (Ok(_), Err(etl)) => return Err(usage(etl)),
    };
    let etls = catalogue.etls.iter().enumerate().filter(|(index, _)| etl.is_none_or(|etl| etl == *index));
    Ok(OrderTarget::Gaps(etls.map(|(_, etl)| GapKey::report(bank, period, etl)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::institution::Institutions;
    use crate::plan::test_support::{bank, etl, source_called};

    fn read(words: &[&str]) -> Result<OrderTarget, String> {
        let institutions = Institutions::new(vec![bank("RY-CA", 1), bank("C-CA", 2), bank("C-US", 3), bank("DEAD-US", 4)]);
        let etls = vec![etl("call_summary", "A"), etl("key_themes", "B")];
        let mut sources = ["us_house", "dead", "beef"].map(source_called).to_vec();
        sources[2].catch_up = CatchUp::Independent;
        of_words(&Catalogue { institutions, etls, sources }, words).map_err(|failure| failure.to_string())
    }

    fn sweep(bank: &str) -> OrderTarget {
        OrderTarget::Sweep(Sweep { bank: Some(bank.to_owned()), etls: Vec::new() })
    }

    fn keys(keys: &[&str]) -> OrderTarget {
        OrderTarget::Gaps(keys.iter().map(|key| key.parse().unwrap()).collect())
    }

    #[test]
    fn a_gap_may_be_named_in_several_ways() {
        for words in [
            &["ry", "2025", "Q2", "call_summary"][..],
            &["RY-CA", "2025", "q2", "call_summary"],
            &["RY", "2025Q2", "call_summary"],
            &["RY", "2025-Q2", "call_summary"],
            &["RY-CA/2025Q2/call_summary"],
            &["ry/2025q2/call_summary"],
        ] {
            assert_eq!(read(words), Ok(keys(&["RY-CA/2025Q2/call_summary"])), "{words:?}");
        }
        let both = Ok(keys(&["RY-CA/2025Q2/call_summary", "RY-CA/2025Q2/key_themes"]));
        assert_eq!(read(&["RY", "2025", "Q2"]), both);
        assert_eq!(read(&["RY", "2025Q2"]), both);
        assert_eq!(read(&["RY-CA/2025Q2"]), both);
        assert_eq!(read(&["RY"]), Ok(sweep("RY-CA")));
    }

    #[test]
    fn a_source_is_named_by_its_key_or_by_its_id_unless_a_bank_has_that_name() {
        assert_eq!(read(&["us_house"]), Ok(keys(&["source:us_house"])));
        assert_eq!(read(&["source:us_house"]), Ok(keys(&["source:us_house"])));
        assert_eq!(
            read(&["source:beef@2026-01-16T00:00:00Z"]),
            Ok(keys(&["source:beef@2026-01-16T00:00:00Z"])),
            "its windows are independent"
        );
        assert_eq!(read(&["source:dead"]), Ok(keys(&["source:dead"])));
        assert_eq!(read(&["dead"]), Ok(sweep("DEAD-US")));
        assert_eq!(read(&["beef"]), Ok(keys(&["source:beef"])), "a source goes before a job");
    }

    #[test]
    fn an_etl_alone_means_its_reports_of_all_banks() {
        let etls = vec!["key_themes".to_owned()];
        assert_eq!(read(&["key_themes"]), Ok(OrderTarget::Sweep(Sweep { bank: None, etls })));
    }

    #[test]
    fn a_job_is_named_by_the_beginning_of_its_id() {
        let job = |word: &str| match read(&[word]) {
            Ok(OrderTarget::Job(job)) => job.text,
            other => panic!("{other:?}"),
        };
        assert_eq!(job("1A2b"), "1a2b");
        assert_eq!(job("1a2b3c4d-5e"), "1a2b3c4d-5e");
        assert_eq!(job("1a2b3c4d5e6f47a0b1c2d3e4f5061728"), "1a2b3c4d-5e6f-47a0-b1c2-d3e4f5061728");
        assert_eq!(job("1a2b3c4d-5e6f-47a0-b1c2-d3e4f5061728"), "1a2b3c4d-5e6f-47a0-b1c2-d3e4f5061728");
        assert!(matches!(read(&["dead"]), Ok(OrderTarget::Sweep(_))), "a bank goes before a job");
        assert_eq!(JobPrefix::parse("1a2"), None);
        assert_eq!(JobPrefix::parse("1a2g"), None);
    }

    #[test]
    fn words_that_name_nothing_are_refused_with_a_hint() {
        let errors: Vec<String> = [
            &[][..],
            &["source:us_hous"],
            &["source:us_house@2026-01-16T00:00:00Z"],
            &["source:us_house", "2025Q2"],
            &["us_hous"],
            &["RX"],
            &["c"],
            &["RY", "2025"],
            &["RY", "Q2"],
            &["RY", "2025", "Q5"],
            &["RY", "2025", "call_summary"],
            &["RY", "2025Q2", "call_sumary"],
            &["BMQ", "2025Q2", "call_sumary"],
            &["RY", "2025Q2", "call_summary", "key_themes"],
            &["RY/2025Q2/x/y"],
            &["RY/25/call_summary"],
            &["/etc/passwd"],
            &["Call", "Summary"],
            &["RY", "call_summary"],
        ]
        .iter()
        .map(|words| read(words).unwrap_err())
        .collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        error: nothing is named; write BANK [YEAR QUARTER [ETL]], an ETL, a gap such as RY-CA/2025Q2/call_summary, a source, or the id of a job
        error: unknown source "us_hous"; did you mean us_house? There are us_house, dead, beef
        error: the windows of us_house are not independent; name the source
        error: "2025Q2" is unexpected; a source has neither period nor ETL
        error: unknown bank "us_hous"; there are RY, C-CA, C-US, DEAD; did you mean the source us_house?
        error: unknown bank "RX"; did you mean RY? There are RY, C-CA, C-US, DEAD
        error: bank "c" is ambiguous; write one of C-CA, C-US
        error: which quarter of 2025? Write it like 2025 Q2
        error: "Q2" is not a fiscal period; expected a period such as 2025Q2
        error: quarter "Q5" is not one of Q1, Q2, Q3, Q4
        error: "2025 call_summary" is not a fiscal period; expected a period such as 2025Q2
        error: unknown ETL "call_sumary"; did you mean call_summary? There are call_summary, key_themes
        error: unknown bank "BMQ"; there are RY, C-CA, C-US, DEAD
        error: unknown ETL "call_sumary"; did you mean call_summary? There are call_summary, key_themes
        error: "key_themes" is unexpected; an order is on one bank and period
        error: "RY/2025Q2/x/y" is not a gap; write it like RY-CA/2025Q2/call_summary
        error: "25" is not a fiscal period; expected a period such as 2025Q2
        error: unknown bank ""; there are RY, C-CA, C-US, DEAD
        error: "etc" is not a fiscal period; expected a period such as 2025Q2
        error: unknown bank "Call"; there are RY, C-CA, C-US, DEAD
        error: "Summary" is not a fiscal period; expected a period such as 2025Q2
        error: a period is missing; for all periods write RY --etl-type call_summary
        "#);
    }
}
