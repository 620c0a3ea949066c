//! The parameters of a PostgreSQL URL, and the variables that stand in for those that it lacks. None is ignored: what etl-orch cannot do
//! is refused by its name.

use std::path::Path;

use url::Url;

use crate::config::paths::resolve;
use crate::os::input;
use crate::plan::model::settings::Variables;
use crate::plan::text::nearest::did_you_mean;

/// A parameter that has an effect.
struct Parameter {
    name: &'static str,
    /// The variable that counts where the URL does not have it, as for other programs that use PostgreSQL.
    variable: Option<&'static str>,
    /// Whether it is shown to people: it holds no secret.
    is_shown: bool,
}

const fn of_url(name: &'static str, is_shown: bool) -> Parameter {
    Parameter { name, variable: None, is_shown }
}

const fn with_variable(name: &'static str, variable: &'static str, is_shown: bool) -> Parameter {
    Parameter { name, variable: Some(variable), is_shown }
}

const KNOWN: &[Parameter] = &[
    of_url("host", true),
    of_url("hostaddr", true),
    of_url("port", true),
    of_url("dbname", true),
    of_url("user", true),
    of_url("password", false),
    with_variable("sslmode", "PGSSLMODE", true),
    with_variable("sslrootcert", "PGSSLROOTCERT", true),
    with_variable("sslcert", "PGSSLCERT", true),
    with_variable("sslkey", "PGSSLKEY", false),
    with_variable("application_name", "PGAPPNAME", true),
    with_variable("options", "PGOPTIONS", false),
    with_variable("connect_timeout", "PGCONNECT_TIMEOUT", true),
    with_variable("target_session_attrs", "PGTARGETSESSIONATTRS", true),
    with_variable("channel_binding", "PGCHANNELBINDING", true),
    with_variable("gssencmode", "PGGSSENCMODE", true),
    of_url("statement-cache-capacity", true),
];

/// Parameters of other programs and libraries. Their names can be shown: they are no part of a password that was cut in two.
const OF_OTHERS: &str = "async_fallback client_encoding connection_limit currentSchema fallback_application_name gssdelegation gsslib \
    keepalives keepalives_count keepalives_idle keepalives_interval krbsrvname load_balance_hosts max_overflow max_protocol_version \
    min_protocol_version passfile pool_size pool_timeout prepareThreshold prepared_statement_cache_size replication require_auth \
    requirepeer requiressl scram_client_key scram_server_key schema search_path service servicefile socket_timeout ssl \
    ssl_max_protocol_version ssl_min_protocol_version sslaccept sslcertmode sslcompression sslcrl sslcrldir sslidentity sslkeylogfile \
    sslnegotiation sslpassword sslsni statement_timeout tcp_user_timeout timezone";

const SSL_MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Checks the parameters of the URL, and adds those of which only the variables are set. Relative paths become absolute, seen from `base`.
pub(super) fn complete(mut url: Url, variables: &Variables, base: &Path) -> Result<Url, String> {
    if url.host_str().is_some_and(|host| host.contains(',')) {
        return Err("database.url names several hosts; name one, or an address that follows the primary".to_owned());
    }
    let given: Vec<(String, String)> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let mut pairs = Vec::new();
    for (place, (name, value)) in given.iter().enumerate() {
        let Some(known) = KNOWN.iter().find(|known| known.name == name) else { return Err(unknown(name, place + 1)) };
        pairs.push((known.name, checked(known.name, value, &format!("database.url: {name}"), base)?));
    }
    for known in KNOWN.iter().filter(|known| !given.iter().any(|(name, _)| name == known.name)) {
        let Some(variable) = known.variable else { continue };
        let Some(value) = variables.get(variable).filter(|value| !value.is_empty()) else { continue };
        pairs.push((known.name, checked(known.name, value, &format!("variable {variable}"), base)?));
    }
    trust_the_system(&mut pairs)?;
    if pairs.is_empty() {
        url.set_query(None);
    } else if pairs.iter().map(|(name, value)| (*name, value)).ne(given.iter().map(|(name, value)| (name.as_str(), value))) {
        url.query_pairs_mut().clear().extend_pairs(&pairs);
    }
    Ok(url)
}

/// The parameters that may be shown, as the end of a URL.
pub(super) fn shown(url: &Url) -> String {
    let is_shown = |name: &str| KNOWN.iter().any(|known| known.name == name && known.is_shown);
    let parameters: Vec<String> =
        url.query_pairs().filter(|(name, _)| is_shown(name)).map(|(name, value)| format!("{name}={value}")).collect();
    if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) }
}

/// The text for a parameter without an effect. It shows only names that are known from elsewhere: others may be a part of a password.
fn unknown(name: &str, place: usize) -> String {
    if name == "pgbouncer" {
        return "database.url: pgbouncer=... says that a pooler in transaction mode is in between, through which etl-orch does not work: it \
                keeps settings and prepared statements in its sessions; name the address of PostgreSQL itself"
            .to_owned();
    }
    let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
    if OF_OTHERS.split_whitespace().any(|other| other == name) {
        return format!("database.url: {name} has no effect here; remove it; parameters that have are {}", names.join(", "));
    }
    let hint = match did_you_mean(name, names.iter().copied()) {
        none if none.is_empty() => format!("; known are {}", names.join(", ")),
        hint => hint,
    };
    format!("database.url: its parameter number {place} is unknown{hint}")
}

/// The value to use, or what is wrong with it. `what` names the parameter or the variable.
fn checked(name: &str, value: &str, what: &str, base: &Path) -> Result<String, String> {
    let advice = match name {
        "sslrootcert" | "sslcert" | "sslkey" if value != "system" => return file(value, what, base),
        "host" if value.contains(',') => "names several hosts; name one".to_owned(),
        "sslmode" if !SSL_MODES.contains(&value) => format!("must be one of {}", SSL_MODES.join(", ")),
        "connect_timeout" if !value.parse().is_ok_and(|seconds| (1..=60).contains(&seconds)) => "must be from 1 to 60 (seconds)".to_owned(),
        "target_session_attrs" if !["any", "prefer-standby", "read-write", "primary"].contains(&value) => {
            "must be any, read-write or primary: etl-orch writes to the database".to_owned()
        }
        "channel_binding" | "gssencmode" if value == "require" => {
            format!("cannot be require, as etl-orch knows no {name}; write prefer, and sslmode=verify-full")
        }
        "channel_binding" | "gssencmode" if !["disable", "prefer"].contains(&value) => "must be disable or prefer".to_owned(),
        _ => return Ok(value.to_owned()),
    };
    Err(format!("{what} {advice}"))
}

fn file(path: &str, what: &str, base: &Path) -> Result<String, String> {
    let path = resolve(base, Path::new(path));
    input::look_at(&path).map_err(|error| format!("{what}: {} {error}", path.display()))?;
    path.into_os_string().into_string().map_err(|_| format!("{what}: the directory of this file has a name that is not UTF-8"))
}

/// `sslrootcert=system` asks for the certificates that are trusted anyway, and for the strictest mode.
fn trust_the_system(pairs: &mut Vec<(&'static str, String)>) -> Result<(), String> {
    if !pairs.iter().any(|(name, value)| *name == "sslrootcert" && value == "system") {
        return Ok(());
    }
    pairs.retain(|(name, _)| *name != "sslrootcert");
    match pairs.iter().find(|(name, _)| *name == "sslmode") {
        None => pairs.push(("sslmode", "verify-full".to_owned())),
        Some((_, mode)) if mode == "verify-full" => {}
        Some(_) => return Err("sslrootcert=system needs sslmode=verify-full".to_owned()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(url: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let variables: Variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        complete(Url::parse(url).unwrap(), &variables, Path::new("/srv")).map(|url| url.to_string())
    }

    #[test]
    fn a_parameter_is_kept_as_it_is_written_and_variables_stand_in_for_what_the_url_lacks() {
        for (url, variables, expected) in [
            ("postgres://u@h/d?host=/run/pg", &[][..], "postgres://u@h/d?host=/run/pg"),
            ("postgres://u@h/d", &[("PGSSLMODE", "disable")], "postgres://u@h/d?sslmode=disable"),
            ("postgres://u@h/d", &[("PGSSLMODE", "")], "postgres://u@h/d"),
            ("postgres://u@h/d?sslmode=require", &[("PGSSLMODE", "disable")], "postgres://u@h/d?sslmode=require"),
            (
                "postgres://u@h/d?connect_timeout=5&channel_binding=prefer&target_session_attrs=read-write",
                &[],
                "postgres://u@h/d?connect_timeout=5&channel_binding=prefer&target_session_attrs=read-write",
            ),
            ("postgres://u@h/d?sslrootcert=../etc/passwd", &[], "postgres://u@h/d?sslrootcert=%2Fetc%2Fpasswd"),
            ("postgres://u@h/d?sslrootcert=system", &[], "postgres://u@h/d?sslmode=verify-full"),
        ] {
            assert_eq!(completed(url, variables).as_deref(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_its_name() {
        for (parameters, words) in [
            ("sslmode=on", "database.url: sslmode must be one of disable, allow"),
            ("connect_timeout=0", "database.url: connect_timeout must be from 1 to 60"),
            ("connect_timeout=soon", "database.url: connect_timeout must be from 1 to 60"),
            ("channel_binding=require", "channel_binding cannot be require"),
            ("gssencmode=require", "gssencmode cannot be require"),
            ("target_session_attrs=standby", "target_session_attrs must be any, read-write or primary"),
            ("pgbouncer=true", "pooler in transaction mode"),
            ("pool_timeout=3", "database.url: pool_timeout has no effect here"),
            ("user=x&ssl_mode=require", "its parameter number 2 is unknown; did you mean sslmode"),
            ("host=a,b", "names several hosts"),
            ("sslrootcert=system&sslmode=require", "needs sslmode=verify-full"),
            ("sslcert=nowhere.pem", "database.url: sslcert: /srv/nowhere.pem cannot be read"),
            ("sslkey=.", "database.url: sslkey: /srv is a directory"),
        ] {
            let error = completed(&format!("postgres://u@h/d?{parameters}"), &[]).unwrap_err();
            assert!(error.contains(words), "{parameters}: {error}");
        }
        let error = completed("postgres://u@h/d", &[("PGSSLMODE", "on")]).unwrap_err();
        assert!(error.starts_with("variable PGSSLMODE must be one of disable"), "{error}");
        assert!(completed("postgres://u@a,b/d", &[]).unwrap_err().contains("several hosts"));
    }
}
