//! `natter user …`: accounts from the command line.

use anyhow::{Context, Result};
use clap::Subcommand;

use super::read_password;
use crate::accounts::{self, Email, ProfileChange, SignUp, User, user};
use crate::app::App;
use crate::config::Config;
use crate::error::Error;

#[derive(Subcommand)]
pub enum Action {
    /// Create an account. The password is asked for, or read from standard input.
    Create {
        email: String,
        /// Let it use the admin site.
        #[arg(long)]
        staff: bool,
    },
    /// Give an account a new password, and log its browsers out.
    SetPassword { email: String },
    /// Let an account use the admin site.
    Promote { email: String },
    /// Let an account use the admin site no longer.
    Demote { email: String },
    /// Shut an account out, at once and everywhere.
    Deactivate { email: String },
    /// Let a deactivated account in again.
    Activate { email: String },
}

pub async fn run(config: Config, action: Action) -> Result<()> {
    let (app, _) = App::open(config, String::new()).await?;
    let done = perform(&app, action).await?;
    app.database.clone().close().await?;
    super::say(&format!("{done}\n"))
}

async fn perform(app: &App, action: Action) -> Result<String> {
    match action {
        Action::Create { email, staff } => {
            let address = Email::parse(email.trim()).map_err(anyhow::Error::msg)?;
            let new = SignUp {
                email: address,
                password: read_password()?,
                first_name: String::new(),
                last_name: String::new(),
            };
            let user = accounts::sign_up(app, new).await.map_err(explain)?;
            if staff {
                user::set_staff(app.database.write(), user.id, true).await?;
            }
            Ok(format!("{} can sign in.", user.email))
        }
        Action::SetPassword { email } => {
            let user = find(app, &email).await?;
            let change = ProfileChange { password: Some(read_password()?), ..ProfileChange::default() };
            accounts::change_profile(app, user, change).await.map_err(explain)?;
            Ok(format!("{email} has a new password."))
        }
        Action::Promote { email } => {
            let user = find(app, &email).await?;
            user::set_staff(app.database.write(), user.id, true).await?;
            Ok(format!("{email} can use the admin site."))
        }
        Action::Demote { email } => {
            let user = find(app, &email).await?;
            user::set_staff(app.database.write(), user.id, false).await?;
            Ok(format!("{email} can no longer use the admin site."))
        }
        Action::Deactivate { email } => {
            let user = find(app, &email).await?;
            accounts::deactivate(app, &user).await?;
            Ok(format!("{email} can no longer sign in."))
        }
        Action::Activate { email } => {
            let user = find(app, &email).await?;
            accounts::activate(app, &user).await?;
            Ok(format!("{email} can sign in again."))
        }
    }
}

async fn find(app: &App, email: &str) -> Result<User> {
    user::by_email(app.database.read(), email).await?.with_context(|| format!("nobody has the e-mail {email}"))
}

/// A refused field in words.
fn explain(error: Error) -> anyhow::Error {
    match &error {
        Error::Invalid(invalid) => anyhow::anyhow!("{invalid}"),
        _ => error.into(),
    }
}
