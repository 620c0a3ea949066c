//! What jobs read and write, by the names that OpenLineage's rules give to tables and files. What has no such name is in our own namespace.

use serde_json::{Value as Json, json};
use url::Url;

use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::period::Period;
use crate::plan::model::settings::{Database, DatabaseTarget, TableName};

/// The namespace of files.
const FILES: &str = "file";

/// Where datasets are.
pub(super) struct Datasets<'a> {
    pub(super) namespace: &'a str,
    pub(super) catalogue: &'a Catalogue,
    pub(super) database: &'a Database,
}

impl Datasets<'_> {
    /// Of a report the data of its bank and period, one for each tag that its ETL requires; of a collection its source.
    pub(super) fn inputs(&self, gap: &GapKey) -> Vec<Json> {
        match gap {
            GapKey::Report { bank, period, etl } => {
                let etl = self.catalogue.etls.iter().find(|known| known.name == *etl);
                let tags = etl.into_iter().flat_map(|etl| &etl.requires);
                tags.map(|tag| dataset(self.namespace, &format!("{tag}/{bank}/{}", period.compact()))).collect()
            }
            GapKey::Source(source) | GapKey::Window { source, .. } => vec![dataset(self.namespace, source)],
            GapKey::Group { .. } => Vec::new(),
        }
    }

    /// Of a report its table, and its file where etl-orch knows that. Where a collection is put is not known.
    pub(super) fn outputs(&self, gap: &GapKey) -> Vec<Json> {
        let GapKey::Report { bank, period, etl } = gap else { return Vec::new() };
        let file = self.gap(bank, *period, etl).and_then(|gap| self.catalogue.destination(gap));
        let file = file.map(|path| dataset(FILES, &path.to_string_lossy()));
        std::iter::once(table(&self.database.target, &self.database.reports)).chain(file).collect()
    }

    fn gap(&self, bank: &str, period: Period, etl: &str) -> Option<Gap> {
        let etl = self.catalogue.etls.iter().position(|known| known.name == *etl)?;
        let (bank, _) = self.catalogue.institutions.iter().find(|(_, known)| known.key == *bank)?;
        Some(Gap { bank, period, etl })
    }
}

/// `postgres://db:5432` and `aegis.public.aegis_reports`; `sqlite:///srv/etl-orch.db` and `aegis_reports`.
fn table(target: &DatabaseTarget, table: &TableName) -> Json {
    let DatabaseTarget::Postgres { shown, .. } = target else { return dataset(&target.to_string(), &table.to_string()) };
    let url = Url::parse(shown).ok();
    let host = url.as_ref().and_then(Url::host_str).filter(|host| !host.is_empty()).unwrap_or("localhost");
    let port = url.as_ref().and_then(Url::port).unwrap_or(5432);
    let database = url.as_ref().map(|url| url.path().trim_start_matches('/')).unwrap_or_default();
    let schema = table.schema().unwrap_or("public");
    dataset(&format!("postgres://{host}:{port}"), &format!("{database}.{schema}.{}", table.table()))
}

fn dataset(namespace: &str, name: &str) -> Json {
    json!({"namespace": namespace, "name": name})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_by_its_server_its_database_and_its_schema() {
        let of = |shown: &str, name: &str| {
            let target = DatabaseTarget::Postgres { url: "postgres://u:p@h/d".to_owned().into(), shown: shown.to_owned() };
            let named = table(&target, &TableName::parse(name).unwrap());
            format!("{} {}", named["namespace"].as_str().unwrap(), named["name"].as_str().unwrap())
        };
        assert_eq!(of("postgres://db:6432/aegis", "reports"), "postgres://db:6432 aegis.public.reports");
        assert_eq!(of("postgres://db/aegis?sslmode=require", "data.reports"), "postgres://db:5432 aegis.data.reports");
        assert_eq!(of("postgres:///aegis?host=/run/postgresql", "reports"), "postgres://localhost:5432 aegis.public.reports");
    }
}
