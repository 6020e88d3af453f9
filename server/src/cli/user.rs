//! `natter user …`: accounts from the command line.

use anyhow::{Context, Result};
use clap::Subcommand;

use super::read_password;
use crate::accounts::{Email, SignUp, User, user};
use crate::admin::audit::Actor;
use crate::admin::{self, Rights};
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
    let by = Actor::command_line();
    match action {
        Action::Create { email, staff } => {
            let address = Email::parse(email.trim()).map_err(anyhow::Error::msg)?;
            let new = SignUp {
                email: address,
                password: read_password()?,
                first_name: String::new(),
                last_name: String::new(),
            };
            let rights = if staff { Rights::Staff } else { Rights::None };
            let user = admin::create_user(app, &by, new, rights).await.map_err(explain)?;
            Ok(format!("{} can sign in.", user.email))
        }
        Action::SetPassword { email } => {
            let user = find(app, &email).await?;
            admin::set_password(app, &by, user, read_password()?).await.map_err(explain)?;
            Ok(format!("{email} has a new password."))
        }
        Action::Promote { email } => {
            admin::make_staff(app, &by, &[find(app, &email).await?.id]).await?;
            Ok(format!("{email} can use the admin site."))
        }
        Action::Demote { email } => {
            admin::take_staff(app, &by, &[find(app, &email).await?.id]).await?;
            Ok(format!("{email} can no longer use the admin site."))
        }
        Action::Deactivate { email } => {
            admin::deactivate(app, &by, &[find(app, &email).await?.id]).await?;
            Ok(format!("{email} can no longer sign in."))
        }
        Action::Activate { email } => {
            admin::activate(app, &by, &[find(app, &email).await?.id]).await?;
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
