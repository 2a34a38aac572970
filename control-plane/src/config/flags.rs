//! The flags of the command line that stand for settings.

use std::path::PathBuf;

use clap::Args;
use shared::config::{ConfigError, Loader};

/// Flags that stand for settings. A program with further flags flattens this into its own.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
    /// Settings file [default: ./appsettings.json where it exists]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where HTTP is served [default: 0.0.0.0:5000]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Where nodes connect [default: 0.0.0.0:5001]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub grpc_listen: Option<String>,
    /// Where /metrics is served; empty is off [default: 127.0.0.1:5002]
    #[arg(long, global = true, value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<String>,
    /// Secrets, and the database where it is SQLite [default: ./data]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub data_dir: Option<PathBuf>,
    /// sqlite://, mysql:// or postgres:// [default: SQLite in the data directory]
    #[arg(long, global = true, value_name = "URL")]
    pub database_url: Option<String>,
    /// How log lines are written; with json, what is shown once at a first start goes to stderr [default: text]
    #[arg(long, global = true, value_name = "text|json")]
    pub log_format: Option<String>,
    /// A level, or a list such as info,control_plane=debug [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    pub log_filter: Option<String>,
}

impl Flags {
    /// Adds the file, the variables and these flags to `loader`, in this order. Another program's loader may know more
    /// keys.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read, an unknown key or a value of the wrong type.
    pub fn apply(
        &self,
        loader: Loader,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Loader, ConfigError> {
        let flags = [
            ("Server:Listen", self.listen.clone()),
            ("Grpc:Listen", self.grpc_listen.clone()),
            ("Metrics:Listen", self.metrics_listen.clone()),
            ("DataDirectory", self.data_dir.as_ref().map(|path| path.display().to_string())),
            ("Database:Url", self.database_url.clone()),
            ("Log:Format", self.log_format.clone()),
            ("Log:Filter", self.log_filter.clone()),
        ];
        loader.sources(self.config.as_deref(), environment, flags)
    }
}
