//! What a commit waits for on a server, whatever its own setting is. What it waits for on SQLite is shown by cut power in `tests/chaos`.

use etl_orch::plan::model::settings::Durability;

use crate::fixture::{Fixture, begin_run};

#[tokio::test]
async fn a_commit_waits_for_the_disk_at_least_and_a_relaxed_one_for_nothing() {
    for (durability, of_server, expected) in [
        (Durability::Full, "on", "on"),
        (Durability::Full, "off", "on"),
        (Durability::Full, "local", "on"),
        (Durability::Full, "remote_apply", "remote_apply"),
        (Durability::Relaxed, "on", "off"),
    ] {
        let mut fixture = Fixture::postgres().await;
        fixture.database.durability = durability;
        // The first connection makes the tables.
        begin_run(&*fixture.open().await).await;
        fixture
            .sql(&format!(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = {of_server}', current_database()); END $$;
                 CREATE TABLE seen (setting text);
                 CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
                 CREATE TRIGGER sees AFTER INSERT ON etl_orch.etl_runs FOR EACH ROW EXECUTE FUNCTION see()"
            ))
            .await;
        begin_run(&*fixture.open().await).await;
        assert_eq!(fixture.rows("SELECT setting FROM seen").await, [expected], "{durability:?} where the server has {of_server}");
    }
}

#[tokio::test]
async fn a_transaction_whose_client_is_silent_does_not_hold_its_locks_for_long() {
    let fixture = Fixture::postgres().await;
    begin_run(&*fixture.open().await).await;
    fixture
        .sql(
            "CREATE TABLE seen (setting text);
             CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO seen VALUES (current_setting('idle_in_transaction_session_timeout')); RETURN NEW; END $$;
             CREATE TRIGGER sees AFTER INSERT ON etl_orch.etl_runs FOR EACH ROW EXECUTE FUNCTION see()",
        )
        .await;
    begin_run(&*fixture.open().await).await;
    assert_eq!(fixture.rows("SELECT setting FROM seen").await, ["10s"]);
}
