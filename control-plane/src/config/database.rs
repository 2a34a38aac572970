//! Section `Database`: where the database is. The setting is a URL, or a type with a connection string, as the .NET
//! program of the same name has them.

use std::path::Path;

use serde::{Deserialize, Serialize};
use shared::config::SettingError;
use shared::secret::Secret;

/// The file of the default database, in the data directory.
const FILE: &str = "orchestration_api.db";

/// Section `Database`: where the database is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct DatabaseSettings {
    /// `sqlite://…`, `mysql://…` or `postgres://…`. It may hold a password, so it is a secret.
    pub url: Option<Secret>,
    /// `sqlite`, `mysql` or `postgres`: says which of the following settings counts where no URL is given.
    #[serde(rename = "Type")]
    pub kind: Option<String>,
    /// Where a SQLite database is, as `Data Source=<file>`.
    pub connection_string: Option<Secret>,
    /// Where a MySQL database is, as `Server=…;Port=…;Database=…;User=…;Password=…`.
    pub my_sql_connection_string: Option<Secret>,
    /// Where a PostgreSQL database is, as `Host=…;Port=…;Database=…;Username=…;Password=…`.
    pub postgres_connection_string: Option<Secret>,
}

/// The URL of the database that the settings name.
pub(super) fn url(database: &DatabaseSettings, data_directory: &Path) -> Result<Secret, SettingError> {
    if let Some(url) = &database.url {
        return checked(url.clone());
    }
    match database.kind.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "sqlite") => match &database.connection_string {
            Some(text) => sqlite(text.expose()),
            None => Ok(Secret::new(format!("sqlite://{}", data_directory.join(FILE).display()))),
        },
        Some("mysql" | "mariadb") => server(
            "Database:MySqlConnectionString",
            database.my_sql_connection_string.as_ref(),
            &Dialect { scheme: "mysql", port: "3306" },
        ),
        Some("postgres" | "postgresql") => server(
            "Database:PostgresConnectionString",
            database.postgres_connection_string.as_ref(),
            &Dialect { scheme: "postgres", port: "5432" },
        ),
        Some(other) => {
            Err(SettingError::new("Database:Type", format!("is {other:?}; it must be sqlite, mysql or postgres")))
        }
    }
}

/// The URL, if it names a kind of database that there is, and where it is. The error does not repeat it, since it may
/// hold a password.
fn checked(url: Secret) -> Result<Secret, SettingError> {
    let (scheme, rest) = url.expose().split_once(':').unwrap_or_default();
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let problem = match scheme {
        "sqlite" if rest.is_empty() || rest.contains(":memory:") => "names no file: write sqlite://<file>",
        "mysql" | "mariadb" | "postgres" | "postgresql" if rest.is_empty() => "names no server",
        "sqlite" | "mysql" | "mariadb" | "postgres" | "postgresql" => return Ok(url),
        _ => "must begin with sqlite://, mysql:// or postgres://",
    };
    Err(SettingError::new("Database:Url", problem))
}

/// The place of the database at `url` as a message may name it: the file, or host and port. It holds nothing that may
/// be a password.
pub(crate) fn place(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once(':') else { return "database".to_owned() };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let default_port = match scheme {
        "sqlite" => return format!("database {rest}"),
        "mysql" | "mariadb" => "3306",
        "postgres" | "postgresql" => "5432",
        _ => return "database".to_owned(),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let server = match authority.rsplit_once('@') {
        Some((_, server)) => server,
        // The password holds a character that ends the authority, so that nobody can say where the password ends.
        None if rest.contains('@') => return "database".to_owned(),
        None => authority,
    };
    match server.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => format!("database at {host}:{port}"),
        None if !server.is_empty() => format!("database at {server}:{default_port}"),
        _ => "database".to_owned(),
    }
}

struct Dialect {
    scheme: &'static str,
    port: &'static str,
}

fn sqlite(text: &str) -> Result<Secret, SettingError> {
    const KEY: &str = "Database:ConnectionString";
    if text.starts_with("sqlite:") {
        return Ok(Secret::new(text));
    }
    let file = entries(KEY, text)?
        .into_iter()
        .find(|(name, _)| matches!(name.as_str(), "datasource" | "filename"))
        .map(|(_, value)| value)
        .filter(|file| !file.is_empty())
        .ok_or_else(|| SettingError::new(KEY, "names no file: write \"Data Source=<file>\""))?;
    Ok(Secret::new(format!("sqlite://{file}")))
}

fn server(key: &'static str, text: Option<&Secret>, dialect: &Dialect) -> Result<Secret, SettingError> {
    let text = text.ok_or_else(|| SettingError::new(key, "is needed for this Database:Type"))?.expose();
    if text.contains("://") {
        return Ok(Secret::new(text));
    }
    let (mut host, mut port, mut name, mut user, mut password) = (None, None, None, None, None);
    for (entry, value) in entries(key, text)? {
        match entry.as_str() {
            "server" | "host" | "datasource" => host = Some(value),
            "port" => port = Some(value),
            "database" | "initialcatalog" => name = Some(value),
            "user" | "userid" | "uid" | "username" => user = Some(value),
            "password" | "pwd" => password = Some(value),
            // Other entries are hints to a driver of another language, such as a character set.
            _ => {}
        }
    }
    let missing = |what: &str| SettingError::new(key, format!("names no {what}"));
    let host = host.ok_or_else(|| missing("server"))?;
    let name = name.ok_or_else(|| missing("database"))?;
    let user = user.ok_or_else(|| missing("user"))?;
    let port = port.unwrap_or_else(|| dialect.port.to_owned());
    let password = password.map(|password| format!(":{}", percent_encode(&password))).unwrap_or_default();
    Ok(Secret::new(format!(
        "{}://{}{password}@{host}:{port}/{}",
        dialect.scheme,
        percent_encode(&user),
        percent_encode(&name)
    )))
}

/// The entries of `Name=value;Name=value`, with names in lower case and without spaces.
fn entries(key: &'static str, text: &str) -> Result<Vec<(String, String)>, SettingError> {
    text.split(';')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (name, value) = entry
                .split_once('=')
                .ok_or_else(|| SettingError::new(key, "must be written as Name=value;Name=value"))?;
            let name = name.chars().filter(|character| !character.is_whitespace()).collect::<String>();
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect()
}

fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
