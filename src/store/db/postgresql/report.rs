//! What the server says of itself: its settings, its standbys, and what this role may do.

use super::session::{Session, field, fields};
use crate::store::db::fault::DbResult;
use crate::store::db::server_report::{ServerReport, Standbys};

const REPORT: &str = "SELECT current_setting('server_version') AS version, current_setting('fsync', true) AS fsync,
    current_setting('full_page_writes', true) AS full_page_writes,
    (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS synchronous_commit,
    current_setting('synchronous_standby_names', true) AS standbys_wanted,
    (SELECT COUNT(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
    current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
        AS connections_limit,
    (SELECT COUNT(*) FROM pg_stat_activity WHERE usename = current_user) AS role_connections,
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_limit,
    (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint AS now,
    COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_encrypted,
    (inet_client_addr() IS NULL OR inet_client_addr() <<= '127.0.0.0/8' OR inet_client_addr() <<= '::1/128') AS is_local,
    has_schema_privilege(current_schema(), 'CREATE') AS may_make_tables,
    pg_has_role(current_user, 'pg_monitor', 'USAGE') AS may_see_standbys";
/// The columns say nothing to a role that is no member of pg_monitor.
const STANDBYS: &str =
    "SELECT COUNT(*) AS connected, COUNT(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) AS synchronous,
    COALESCE(MAX(pg_wal_lsn_diff(sent_lsn, replay_lsn)), 0)::bigint AS behind FROM pg_stat_replication";
const RIGHTS: &str = "SELECT missing FROM (
    SELECT p.name || ' on the table ' || c.relname AS missing FROM pg_class c, (VALUES ('SELECT'), ('INSERT'), ('UPDATE'),
            ('DELETE')) AS p (name)
        WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND c.relkind IN ('r', 'p')
            AND NOT has_table_privilege(c.oid, p.name)
    UNION ALL SELECT 'CREATE on the schema ' || current_schema()
        WHERE NOT has_schema_privilege(current_schema(), 'CREATE')
    UNION ALL SELECT 'CREATE on the database ' || current_database()
        WHERE NOT has_database_privilege(current_database(), 'CREATE')
    ) AS found ORDER BY missing LIMIT 1000";

pub(super) fn report(session: &mut Session) -> DbResult<ServerReport> {
    let rows = session.simple(REPORT)?;
    let text = |name: &str| field(&rows, name).unwrap_or_default().to_owned();
    let number = |name: &str| text(name).parse::<i64>().unwrap_or_default();
    let unsafe_settings = ["fsync", "full_page_writes"].into_iter().filter(|name| text(name) == "off");
    let of_role = (number("role_limit") >= 0).then(|| (number("role_connections"), number("role_limit")));
    let of_server = (number("connections"), number("connections_limit"));
    let left = |(used, limit): (i64, i64)| limit - used;
    let (connections, connections_limit) = of_role.filter(|role| left(*role) < left(of_server)).unwrap_or(of_server);
    let mut found = ServerReport {
        // Debian's says more behind it.
        version: text("version").split_whitespace().next().unwrap_or_default().to_owned(),
        unsafe_settings: unsafe_settings.map(str::to_owned).collect(),
        commits_are_synchronous: text("synchronous_commit") != "off",
        standbys_wanted: text("standbys_wanted"),
        standbys: None,
        connections,
        connections_limit,
        now_millis: number("now"),
        missing_rights: vec![],
        may_make_tables: text("may_make_tables") == "t",
        is_encrypted: text("is_encrypted") == "t",
        is_local: text("is_local") == "t",
    };
    if text("may_see_standbys") == "t" {
        let rows = session.simple(STANDBYS)?;
        let number = |name| field(&rows, name).and_then(|text| text.parse().ok()).unwrap_or_default();
        let (connected, synchronous) = (number("connected"), number("synchronous"));
        found.standbys = Some(Standbys { connected, synchronous, behind_bytes: number("behind") });
    }
    found.missing_rights = fields(&session.simple(RIGHTS)?, "missing");
    Ok(found)
}
