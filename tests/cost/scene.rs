//! 14 banks with 40 periods each and an ETL that copies a file: nothing to do, until reports are taken away.

use crate::calls::traced;
use crate::counts::Counts;
use crate::server::{Mark, log_statements};
use crate::support::{Kind, World};

const BANKS: u32 = 14;
const SETTINGS: &str = "reports: {by: orchestrator}\nrun: {max_parallel: 4}\n";
const ETLS: &str = "etls:
  copy:
    report_type: Copy
    requires: [transcripts]
    command: [/bin/cp, small, \"{output}\"]
    output: \"reports/{period}/{bank_symbol}.md\"
";

pub(crate) struct Scene {
    world: World,
}

impl Scene {
    /// All reports are there, and an earlier run has looked.
    pub(crate) fn new(kind: Kind) -> Self {
        let world = World::new(kind);
        world.write("small", "a small file\n");
        let banks: Vec<String> = (1..=BANKS).map(|bank| format!("B{bank}-CA: {{id: {bank}, name: Bank}}")).collect();
        world.institutions(&banks.join("\n"));
        world.configure(SETTINGS, ETLS);
        let tags = if kind == Kind::Sqlite { "'[\"transcripts\"]'" } else { "ARRAY['transcripts']" };
        world.sql(&format!(
            "INSERT INTO aegis_data_availability (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names)
             WITH RECURSIVE b(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM b WHERE n < {BANKS}),
                 y(n) AS (SELECT 2015 UNION ALL SELECT n + 1 FROM y WHERE n < 2024),
                 q(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM q WHERE n < 4)
             SELECT b.n, 'Bank', 'B' || b.n || '-CA', y.n, 'Q' || q.n, {tags} FROM b, y, q"
        ));
        world.sql(
            "INSERT INTO aegis_reports (bank_id, fiscal_year, quarter, report_type, report_name, report_description, bank_name, bank_symbol)
             SELECT bank_id, fiscal_year, quarter, 'Copy', 'Copy', '', bank_name, bank_symbol FROM aegis_data_availability",
        );
        world.run_to(0, &["-q"]);
        log_statements(&world);
        Self { world }
    }

    /// What a run costs that finds nothing to do.
    pub(crate) fn idle_run(&self) -> Counts {
        let began = Mark::of(&self.world);
        let counts = traced(&self.world.command(&["-q"]), &self.world.path("trace"));
        match (began, Mark::of(&self.world)) {
            (Some(began), Some(ended)) => counts.and(&began.until(&self.world, &ended)),
            _ => counts,
        }
    }

    /// What a run costs that makes so many reports.
    pub(crate) fn run_of(&self, jobs: u32) -> Counts {
        self.world.sql(&format!("DELETE FROM aegis_reports WHERE id IN (SELECT id FROM aegis_reports ORDER BY id LIMIT {jobs})"));
        let before = self.made();
        let counts = self.idle_run();
        assert_eq!(self.made() - before, jobs, "not every report was made");
        counts
    }

    fn made(&self) -> u32 {
        self.world.value("SELECT count(*) FROM etl_jobs WHERE state = 'succeeded'").parse().expect("a number")
    }
}
