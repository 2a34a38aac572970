//! The subcommand `reset-password`: a new password for somebody who cannot log in. It works on the database alone,
//! whether the program runs or not.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use shared::drain::Tasks;
use shared::secret::Secret;

use super::bootstrap::{made_password, password_problem};
use super::passwords::Passwords;
use crate::config::{ControlPlaneSettings, database_place};
use crate::store::users::{self, NewPassword};
use crate::store::{Actor, Store};

/// Longest text that is read for a password, in bytes.
const LONGEST_INPUT: u64 = 64 * 1024;

/// Gives a user a new password and ends all of the user's logins. The program may run meanwhile.
#[derive(Clone, Debug, Default, Args)]
pub struct ResetPassword {
    /// Whose password it is [default: Auth:Username]
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// Takes the new password from standard input, instead of making one and printing it once
    #[arg(long, conflicts_with = "password_file")]
    pub password_stdin: bool,
    /// Takes the new password from a file
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

impl ResetPassword {
    /// Does it, and returns what to print. The text holds the password if it was made here.
    ///
    /// # Errors
    /// When the database cannot be reached or holds no such user, or the password may not be one.
    pub async fn run(&self, settings: &ControlPlaneSettings) -> Result<String> {
        let url = settings.database_url()?;
        let tasks = Tasks::new();
        let store = Store::attach(url.expose(), &tasks).await.with_context(|| database_place(url.expose()))?;
        let username = self.username.as_ref().unwrap_or(&settings.auth.username);
        let found = users::by_name(&store, username).await;
        let Some(user) = found.context("no control plane has made this database, or not yet")? else {
            let admins = users::admins(&store).await?;
            let known = if admins.is_empty() { "none".to_owned() } else { admins.join(", ") };
            bail!("there is no user {username:?}; admins are: {known} (--username)");
        };
        let (password, given) = match self.given()? {
            Some(password) => (password, true),
            None => (made_password()?, false),
        };
        if let Some(problem) = password_problem(password.expose(), &user.username) {
            bail!("the new password {problem}: choose another");
        }
        let hash = Passwords::new().await?.hash(password.clone()).await?;
        let actor = Actor { user_id: None, username: "reset-password".to_owned(), client_ip: String::new() };
        let new = NewPassword { hash, kept_session: None, action: "reset_password" };
        users::set_password(&store, &user, new, &actor).await?;

        let once = if given { "" } else { " It is shown this once." };
        let disabled = if user.enabled { "" } else { " The user is disabled, and cannot log in all the same." };
        let shown = if given { String::new() } else { format!("  password: {}\n", password.expose()) };
        Ok(format!(
            "The password was changed, and all logins of the user have ended.{once}{disabled}\n\n  username: {}\n{shown}",
            user.username
        ))
    }

    /// The password that the operator brings, if any: the only line of its source.
    fn given(&self) -> Result<Option<Secret>> {
        let (mut text, mut from): (_, Box<dyn std::io::Read>) = match &self.password_file {
            Some(path) => {
                let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
                (String::new(), Box::new(file))
            }
            None if self.password_stdin => (String::new(), Box::new(std::io::stdin())),
            None => return Ok(None),
        };
        from.by_ref().take(LONGEST_INPUT).read_to_string(&mut text).context("the new password cannot be read")?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        ensure!(!line.is_empty(), "the new password is empty");
        ensure!(!line.contains('\n'), "the new password must be a single line");
        Ok(Some(Secret::new(line)))
    }
}
