// SPDX-License-Identifier: Apache-2.0

//! `transship login` and `transship logout`: credentials where Docker keeps them.

mod store;

use std::io::{self, IsTerminal as _, Read as _};

use secrecy::{ExposeSecret, SecretString};

use self::store::Store;
use super::args::{LoginArgs, LogoutArgs};
use super::connect::Connector;
use super::credentials::Locations;
use super::error::Error;
use super::exit::Exit;
use super::output::Output;
use crate::registry::Credential;
use crate::runtime::shutdown::until_signal;

/// Longest password that is read, in bytes: tokens are long.
const PASSWORD_BYTES: u64 = 64 * 1024;

/// Runs `transship login`.
pub(super) async fn login(args: &LoginArgs, output: &Output) -> Result<Exit, Error> {
    let LoginArgs {
        host,
        username,
        password_stdin,
        registry,
    } = args;
    if username.is_empty() || username.contains(':') {
        return Err(Error::Usage(
            "--username is a name without a colon".to_owned(),
        ));
    }
    if !password_stdin && io::stdin().is_terminal() {
        // It would be shown while it is typed.
        return Err(Error::Usage(
            "the password is read from standard input: give it with --password-stdin, such as \
             `read -rs P && printf %s \"$P\" | transship login …`"
                .to_owned(),
        ));
    }
    let password = read_password()?;
    let store = Store::find(&Locations::from_environment())?;
    let credential = Credential::from_password(username.clone(), password.clone());
    let connector = Connector::open(registry)?;
    let checked = until_signal(async {
        connector.check(host, credential).await?;
        store.keep(host, username, &password).await
    });
    let Some(kept) = checked.await else {
        return Ok(Exit::Interrupted);
    };
    output.note(&format!(
        "logged in to {host} as {username}: kept {}",
        kept?
    ));
    Ok(Exit::Success)
}

/// Runs `transship logout`.
pub(super) async fn logout(args: &LogoutArgs, output: &Output) -> Result<Exit, Error> {
    let LogoutArgs { host } = args;
    let store = Store::find(&Locations::from_environment())?;
    if store.forget(host).await? {
        output.note(&format!("logged out of {host}"));
    } else {
        output.note(&format!("no credential for {host} was kept"));
    }
    Ok(Exit::Success)
}

/// The password, without the line break at its end.
fn read_password() -> Result<SecretString, Error> {
    let mut text = String::new();
    let read = io::stdin()
        .lock()
        .take(PASSWORD_BYTES)
        .read_to_string(&mut text);
    read.map_err(|error| Error::Usage(format!("cannot read the password: {error}")))?;
    let text = SecretString::from(text);
    let password = text.expose_secret().trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Error::Usage("standard input has no password".to_owned()));
    }
    Ok(password.to_owned().into())
}
