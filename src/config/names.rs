//! What a configuration names, as far as it can be read without any variable: also where there is a mistake in it, or this user may not read
//! a file that it needs, such as `.env`.

use std::path::Path;

use super::configuration::Config;
use super::document::Document;
use super::error::Findings;
use super::load::{INSTITUTIONS, open, read, read_institutions};
use super::paths::resolve;
use crate::plan::model::institution::Institutions;
use crate::plan::model::settings::Variables;

/// The banks, and the ETLs and sources with what they are.
#[derive(Debug, Default)]
pub struct Names {
    pub institutions: Institutions,
    pub etls: Vec<(String, String)>,
    pub sources: Vec<(String, String)>,
}

impl From<&Config> for Names {
    fn from(config: &Config) -> Self {
        let catalogue = &config.catalogue;
        let etls = catalogue.etls.iter().map(|etl| (etl.name.clone(), etl.description.as_ref().unwrap_or(&etl.report_type).clone()));
        let sources = catalogue.sources.iter().map(|source| (source.id.clone(), source.name.clone()));
        Self { institutions: catalogue.institutions.clone(), etls: etls.collect(), sources: sources.collect() }
    }
}

/// The names in a file, where it is one of a configuration. No variable is filled in, so that none of them is a secret.
pub fn names(path: &Path) -> Option<Names> {
    let (mut findings, mut of_institutions) = (Findings::of(path), Findings::of(path));
    let (base, text, _) = open(path, &mut findings)?;
    let (document, written) = read(&text, &Variables::new(), &mut findings)?;
    let file = resolve(&base, Path::new(written.institutions.as_deref().unwrap_or(INSTITUTIONS)));
    let institutions = read_institutions(&file, &document, &written, (&mut findings, &mut of_institutions));
    Some(Names {
        institutions,
        etls: named(&document, "etls", &["description", "report_type"]),
        sources: named(&document, "sources", &["name"]),
    })
}

/// The names in a section, each with the first of these keys that it has.
fn named(document: &Document, section: &str, keys: &[&str]) -> Vec<(String, String)> {
    let says = |name: &str| keys.iter().find_map(|key| document.scalar(&[section, name, key])).map(|scalar| scalar.text.clone());
    document.keys(&[section]).into_iter().map(|name| (name.to_owned(), says(name).unwrap_or_default())).collect()
}
