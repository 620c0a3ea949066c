//! From the path of a file to a checked [`Config`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::Check;
use super::configuration::Config;
use super::document::Document;
use super::error::{ConfigErrors, Findings};
use super::etls::{self, Defaults, etls};
use super::host::{Host, Look};
use super::outputs::{PathTemplate, check_path_templates};
use super::paths::{directory_of, meant_for_a_shell, resolve};
use super::pools::pools;
use super::sources::{self, sources};
use super::written::{self, Written};
use super::{database, decode, dotenv, expand, health, institutions, ownership, retention, run, secrets, tell, tree};
use crate::os::access::FileAccess;
use crate::os::input::{self, InputError};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::institution::Institutions;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::settings::{Database, DatabaseTarget, Durability, SyncRule, Variables};
use crate::plan::text::placeholder::{Placeholder, Scope};
use crate::plan::text::secrets::Secrets;

/// State is kept in this directory beside the configuration, unless the file says otherwise.
const STATE_DIR: &str = "var";
/// The lock in the state directory, unless the file says otherwise.
const LOCK_FILE: &str = "etl-orch.lock";
/// The institutions beside the configuration, unless the file says otherwise.
pub(super) const INSTITUTIONS: &str = "monitored_institutions.yaml";

/// Reads and checks the configuration at `path`, the institutions that it names, and the `.env` beside it.
///
/// A variable of `environment` replaces one of the same name in `.env`.
///
/// # Errors
/// Every mistake in these files.
pub fn load(path: &Path, environment: &Variables) -> Result<Config, ConfigErrors> {
    read_all(path, environment, None)
}

/// Does what [`load`] does, and looks at what the configuration needs of this host: programs, directories, files of variables.
///
/// # Errors
/// Every mistake in these files, and everything that is missing, at once.
pub fn check(path: &Path, environment: &Variables) -> Result<(Config, Host), ConfigErrors> {
    let mut look = Look::new(environment);
    let read = read_all(path, environment, Some(&mut look));
    let (host, of_env_files) = look.into_parts();
    let of_env_files = Findings::into_result(of_env_files);
    match (read, of_env_files) {
        (Ok(config), Ok(())) => Ok((config, host)),
        (Err(errors), Err(more)) => Err(errors.and(more)),
        (Err(errors), Ok(())) | (Ok(_), Err(errors)) => Err(errors),
    }
}

/// What came of reading the files, and apart from that what this host lacks.
#[derive(Debug)]
pub struct Examined {
    /// The configuration, or the mistakes in the files themselves.
    pub config: Result<Config, ConfigErrors>,
    pub host: Host,
}

/// Does what [`check`] does, and tells mistakes in the files from what the host lacks.
pub fn examine(path: &Path, environment: &Variables) -> Examined {
    let mut look = Look::new(environment);
    let read = read_all(path, environment, Some(&mut look));
    let (host, _) = look.into_parts();
    // The mistakes have the host's among them: without a look at that only those of the files are left.
    Examined { config: read.or_else(|_| load(path, environment)), host }
}

fn read_all(path: &Path, environment: &Variables, look: Option<&mut Look<'_>>) -> Result<Config, ConfigErrors> {
    let mut of_config = Findings::of(path);
    let mut of_dotenv = Findings::of(&path.with_file_name(".env"));
    let Some((base, text, access)) = open(path, &mut of_config) else {
        Findings::into_result([of_config])?;
        unreachable!("a file that cannot be read is a finding");
    };
    let dotenv = base.join(".env");
    let read_dotenv = dotenv::read(&dotenv, environment, &mut of_dotenv);
    let mut warnings = ownership::warnings(&base.join(path.file_name().unwrap_or_default()), access, false);
    warnings.extend(read_dotenv.iter().flat_map(|read| ownership::warnings(&dotenv, read.access, true)));
    let mut variables = read_dotenv.map(|read| read.variables).unwrap_or_default();
    variables.extend(environment.iter().map(|(name, value)| (name.clone(), value.clone())));

    let Some((document, written)) = read(&text, &variables, &mut of_config) else {
        Findings::into_result([of_config, of_dotenv])?;
        unreachable!("a file without a usable tree has findings");
    };
    let written_path = written.institutions.clone().unwrap_or_else(|| INSTITUTIONS.to_owned());
    let institutions_file = resolve(&base, Path::new(&written_path));
    let mut of_institutions = Findings::of(&path.parent().unwrap_or(Path::new("")).join(&written_path));
    let institutions = read_institutions(&institutions_file, &document, &written, (&mut of_config, &mut of_institutions));
    let mut check = Check { document: &document, base: &base, findings: &mut of_config };
    let checked = checked(&mut check, written, &variables, institutions, look);
    warnings.extend([&of_config, &of_dotenv].into_iter().flat_map(Findings::remarks));
    Findings::into_result([of_config, of_institutions, of_dotenv])?;
    let Some(parts) = checked else { unreachable!("what is missing in a configuration is a finding") };
    let secrets = secrets::secrets(document.root(), &variables, &parts.database.target, &parts.catalogue);
    Ok(Config {
        path: path.file_name().map_or_else(|| path.to_owned(), |name| base.join(name)),
        dotenv: dotenv.exists().then_some(dotenv),
        institutions_file,
        secrets,
        warnings,
        ..parts
    })
}

/// The institutions of this file. What is wrong with naming it is a finding of the configuration.
pub(super) fn read_institutions(
    file: &Path,
    document: &Document,
    written: &Written,
    (of_config, of_institutions): (&mut Findings, &mut Findings),
) -> Institutions {
    if document.is_broken(&["institutions"]) {
        return Institutions::default();
    }
    // Only ETLs need banks. With sources alone the file may be missing, unless the configuration names one.
    let may_lack = written.institutions.is_none() && document.keys(&["etls"]).is_empty() && !document.is_broken(&["etls"]);
    let named = written.institutions.as_deref().unwrap_or(INSTITUTIONS);
    let unusable = if named.trim().is_empty() { Some("is empty".to_owned()) } else { meant_for_a_shell(named) };
    if let Some(problem) = unusable {
        of_config.add(document.position(&["institutions"]), format!("institutions {problem}"));
        return Institutions::default();
    }
    match input::read(file) {
        Err(error) if may_lack && error.is_not_found() => Institutions::default(),
        Ok(file) => match of_institutions.utf8(file.bytes) {
            Some(text) => institutions::read(&text, of_institutions),
            None => Institutions::default(),
        },
        Err(error) => {
            let shown = document.shown(&["institutions"], named);
            of_config.add(document.position(&["institutions"]), format!("institutions: {shown} {error}"));
            Institutions::default()
        }
    }
}

/// The file's directory, text and access.
pub(super) fn open(path: &Path, findings: &mut Findings) -> Option<(PathBuf, String, FileAccess)> {
    let opened = directory_of(path).map_err(|error| InputError::of(path, error)).and_then(|base| Ok((base, input::read(path)?)));
    match opened {
        Ok((base, file)) => Some((base, findings.utf8(file.bytes)?, file.access)),
        Err(error) => {
            findings.add_for_file(error.to_string());
            None
        }
    }
}

/// Reads the text. The document has its variables filled in, and parts with mistakes are taken out.
pub(super) fn read(text: &str, variables: &Variables, findings: &mut Findings) -> Option<(Document, Written)> {
    let Some(mut root) = tree::parse(text, findings).filter(|root| !root.json().is_null()) else {
        if findings.is_empty() {
            findings.add_for_file("the file is empty; it needs etls or sources");
        }
        return None;
    };
    let failed = expand::expand(&mut root, variables, findings)?;
    let mut document = Document::new(root);
    // Backwards, because taking out an item of a list changes the positions of those behind it.
    for path in failed.iter().rev() {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        document.take_out(&steps);
    }
    let written = decode::decode(&mut document, findings)?;
    Some((document, written))
}

/// Checks all sections. `None` only when there are findings.
fn checked(
    check: &mut Check,
    written: Written,
    variables: &Variables,
    institutions: Institutions,
    look: Option<&mut Look<'_>>,
) -> Option<Config> {
    let availability = written.availability.unwrap_or_default();
    let reports = written.reports.unwrap_or_default();
    let connections = written.database.unwrap_or_default();
    let target = target(check, connections.url.as_deref(), variables);
    let max_connections = check.within(&["database", "max_connections"], connections.max_connections, 1..=10_000, 10);
    let database = (
        check.table(&["availability", "table"], availability.table, "aegis_data_availability"),
        check.table(&["reports", "table"], reports.table, "aegis_reports"),
    );
    let state_dir = check.path(&["state_dir"], written.state_dir).unwrap_or_else(|| check.base.join(STATE_DIR));
    let lock_file = check.path(&["lock_file"], written.lock_file).unwrap_or_else(|| state_dir.join(LOCK_FILE));
    let version_column = check.column(&["availability", "version_column"], availability.version_column);
    let beside = run::RelatedSettings {
        lease: written.lease,
        cooldown: written.cooldown.unwrap_or_default(),
        breaker: written.breaker.unwrap_or_default(),
    };
    let run = run::run(check, written.run.unwrap_or_default(), beside);
    let retry = run::retry(check, &["retry"], written.retry.unwrap_or_default(), &RetryPolicy::default());
    let sync = sync(check, availability.sync.unwrap_or_default(), &institutions);
    let pools = pools(check, written.pools.unwrap_or_default());
    let (health, gap_age) = health::health(check, written.health.unwrap_or_default());
    let defaults = Defaults { retry, by: reports.by.unwrap_or(written::By::Etl), pools, gap_age };
    let etls = etls(check, written.etls.unwrap_or_default(), &defaults, &institutions);
    let sources = sources(check, written.sources.unwrap_or_default(), &defaults);
    something_to_do(check);
    let retention = retention::retention(check, &written.retention.unwrap_or_default(), &etls);
    etls::graces(check, &etls, run.lease);
    sources::graces(check, &sources, run.lease);
    if let Some(look) = look {
        look.sync(check, &sync);
        look.all(check, &state_dir, &lock_file, (&etls, &sources));
    }
    let (Some(availability), Some(reports)) = database else { return None };
    Some(Config {
        path: PathBuf::new(),
        dotenv: None,
        institutions_file: PathBuf::new(),
        secrets: Secrets::default(),
        warnings: Vec::new(),
        database: Database {
            target: target?,
            max_connections: u32::try_from(max_connections).ok()?,
            durability: durability(connections.durability),
            availability,
            version_column,
            reports,
        },
        state_dir,
        lock_file,
        html_file: check.path(&["report", "html_file"], written.report.and_then(|report| report.html_file)),
        log: written.log.unwrap_or_default().into(),
        catalogue: Arc::new(Catalogue { institutions, etls, sources }),
        health,
        retention,
        run,
        tell: tell::tell(check, written.tell.unwrap_or_default(), variables),
        sync,
    })
}

/// Checks that there is an ETL or a source.
fn something_to_do(check: &mut Check) {
    let has_none = |key| check.document.keys(&[key]).is_empty() && !check.document.is_broken(&[key]);
    if has_none("etls") && has_none("sources") {
        check.wrong_key(&["etls"], "nothing is configured; add an ETL under etls, or a source under sources");
    }
}

fn durability(written: Option<written::Durability>) -> Durability {
    match written {
        Some(written::Durability::Relaxed) => Durability::Relaxed,
        Some(written::Durability::Full) | None => Durability::Full,
    }
}

fn target(check: &mut Check, url: Option<&str>, variables: &Variables) -> Option<DatabaseTarget> {
    let path = ["database", "url"];
    if check.document.is_broken(&path) {
        return None;
    }
    let target = match url {
        Some(url) => database::from_url(url, variables, check.base).map(Some),
        None => database::from_variables(variables, check.base),
    };
    match target {
        Ok(Some(target)) => return Some(target),
        Ok(None) => check.wrong_key(
            &["database"],
            "no database: set database.url to sqlite://PATH or postgres://..., or set the variables POSTGRES_HOST, POSTGRES_DATABASE, \
             POSTGRES_USER and POSTGRES_PASSWORD",
        ),
        Err(message) => {
            let from = check.document.variable(&path).map(|name| format!(" (from ${{{name}}})")).unwrap_or_default();
            check.wrong(&path, format!("{message}{from}"));
        }
    }
    None
}

fn sync(check: &mut Check, written: Vec<written::Sync>, institutions: &Institutions) -> Vec<SyncRule> {
    let mut rules = Vec::new();
    for (n, rule) in written.into_iter().enumerate() {
        let n = n.to_string();
        let at = |key| ["availability", "sync", n.as_str(), key];
        match &rule.tag {
            Some(tag) => check.text(&at("tag"), tag),
            None => check.missing(&at("tag"), "availability.sync has no tag here; name the tag that such files stand for"),
        }
        let Some(source) = rule.files else {
            check.missing(
                &at("files"),
                "availability.sync has no files here; write a path like transcripts/{bank_symbol}_{fiscal_year}_{quarter}.txt",
            );
            continue;
        };
        let Some(files) = check.path_template(&at("files"), &source, Scope::IN_SYNC_FILES) else { continue };
        let names = |wanted: Placeholder| files.placeholders().any(|placeholder| placeholder == wanted);
        let names_bank = [Placeholder::BankSymbol, Placeholder::BankKey].into_iter().any(names);
        let names_period = names(Placeholder::Period) || names(Placeholder::FiscalYear) && names(Placeholder::Quarter);
        if !names_bank {
            check.wrong(&at("files"), "the path must name the bank; add {bank_symbol} or {bank_key}");
        }
        if !names_period {
            check.wrong(&at("files"), "the path must name the period; add {period}, or {fiscal_year} and {quarter}");
        }
        if names_bank && names_period {
            check_path_templates(
                check,
                &[PathTemplate { at: at("files").to_vec(), template: &files, etl: "", report_type: "" }],
                institutions,
            );
        }
        rules.push(SyncRule { tag: rule.tag.unwrap_or_default(), files });
    }
    rules
}
