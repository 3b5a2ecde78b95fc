// SPDX-License-Identifier: Apache-2.0

//! Credential helpers: `docker-credential-NAME get` or `erase` with the server on standard input, `store` with JSON; JSON
//! or a message comes back.

use std::ffi::OsStr;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::time::timeout;

use crate::oci::Registry;
use crate::registry::Credential;

/// How long a helper may take: some ask a cloud, some ask a person.
const LONGEST: Duration = Duration::from_secs(30);
/// The longest answer, in bytes.
const BYTES: usize = 64 * 1024;
/// The longest message of a helper that is shown, in characters.
const SHOWN: usize = 200;
/// The longest name of a helper.
const NAME: usize = 64;
/// What helpers say who do not know a server.
const UNKNOWN: &str = "credentials not found";
/// The name of Docker Hub to helpers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A program that gives out credentials.
#[derive(Clone, Copy, Debug)]
pub(super) struct Helper<'a> {
    /// What stands behind `docker-credential-`.
    pub(super) name: &'a str,
    /// Where it is looked for; else in `PATH`.
    pub(super) search_path: Option<&'a OsStr>,
}

/// Why a helper gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// The name is none of a program.
    #[error("is not the name of a program: expected letters, digits, '.', '_' and '-'")]
    BadName,
    /// There is no such program.
    #[error("is not installed")]
    NotInstalled,
    /// It cannot be run.
    #[error("cannot be run: {0}")]
    NotRunnable(io::Error),
    /// It takes too long.
    #[error("gave no answer within {} seconds", LONGEST.as_secs())]
    TooSlow,
    /// It says too much.
    #[error("gave an answer of more than {BYTES} bytes")]
    TooLarge,
    /// It failed.
    #[error("failed: {0}")]
    Failed(String),
    /// Its answer is not of the protocol.
    #[error("gave an answer that is not JSON with `Username` and `Secret`")]
    NotACredential,
}

/// The answer of a helper, which Docker reads whatever the case of its names is.
#[derive(Deserialize)]
struct Answer {
    #[serde(alias = "username", default, rename = "Username")]
    username: String,
    #[serde(alias = "secret", rename = "Secret")]
    secret: SecretString,
}

// === impl Helper ===

impl Helper<'_> {
    /// The credential that the helper keeps for a registry, if any.
    pub(super) async fn get(&self, registry: &Registry) -> Result<Option<Credential>, HelperError> {
        let server = if registry.is_docker_hub() {
            DOCKER_HUB
        } else {
            registry.as_str()
        };
        let (status, output) = timeout(LONGEST, self.run("get", server))
            .await
            .map_err(|_| HelperError::TooSlow)??;
        if output.len() > BYTES {
            return Err(HelperError::TooLarge);
        }
        match status {
            Some(status) if !status.success() => refused(&output, status),
            Some(_) | None => credential(&output),
        }
    }

    /// Gives the helper a credential to keep for a server.
    pub(super) async fn store(
        &self,
        server: &str,
        username: &str,
        password: &SecretString,
    ) -> Result<(), HelperError> {
        let secret = password.expose_secret();
        let input =
            serde_json::json!({"ServerURL": server, "Username": username, "Secret": secret});
        let input = SecretString::from(input.to_string());
        let run = self.run("store", input.expose_secret());
        let (status, output) = timeout(LONGEST, run)
            .await
            .map_err(|_| HelperError::TooSlow)??;
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => refused(&output, status).map(drop),
            None => Err(HelperError::TooLarge),
        }
    }

    /// Lets the helper forget the credential for a server, and says whether it had one.
    pub(super) async fn erase(&self, server: &str) -> Result<bool, HelperError> {
        let run = self.run("erase", server);
        let (status, output) = timeout(LONGEST, run)
            .await
            .map_err(|_| HelperError::TooSlow)??;
        match status {
            Some(status) if status.success() => Ok(true),
            Some(status) => refused(&output, status).map(|_| false),
            None => Err(HelperError::TooLarge),
        }
    }

    /// Runs the helper. It is killed when nobody waits for it any more, or when it says too much;
    /// then there is no status.
    async fn run(
        &self,
        action: &str,
        input_text: &str,
    ) -> Result<(Option<ExitStatus>, Vec<u8>), HelperError> {
        let mut child = self.command(action)?.spawn().map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                return HelperError::NotInstalled;
            }
            HelperError::NotRunnable(error)
        })?;
        if let Some(mut input) = child.stdin.take() {
            // A helper that does not read still has something to say.
            let _ = input.write_all(input_text.as_bytes()).await;
        }
        let mut output = Vec::new();
        if let Some(answer) = child.stdout.take() {
            let mut answer = answer.take(BYTES as u64 + 1);
            answer
                .read_to_end(&mut output)
                .await
                .map_err(HelperError::NotRunnable)?;
        }
        if output.len() > BYTES {
            return Ok((None, output));
        }
        let status = child.wait().await.map_err(HelperError::NotRunnable)?;
        Ok((Some(status), output))
    }

    fn command(&self, action: &str) -> Result<Command, HelperError> {
        if !is_name(self.name) {
            return Err(HelperError::BadName);
        }
        let mut command = Command::new(format!("docker-credential-{}", self.name));
        command
            .arg(action)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if let Some(path) = self.search_path {
            command.env("PATH", path);
        }
        Ok(command)
    }
}

/// Whether a name cannot lead out of the directories of programs.
fn is_name(name: &str) -> bool {
    (1..=NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// What a helper that failed means by its output.
fn refused(output: &[u8], status: ExitStatus) -> Result<Option<Credential>, HelperError> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().next().unwrap_or_default().trim();
    if line.starts_with(UNKNOWN) {
        return Ok(None);
    }
    // Whatever looks like an answer may contain a secret.
    let is_message = !line.is_empty() && !text.contains('{');
    Err(HelperError::Failed(if is_message {
        let readable = line.chars().filter(|character| !character.is_control());
        readable.take(SHOWN).collect()
    } else {
        status.to_string()
    }))
}

fn credential(output: &[u8]) -> Result<Option<Credential>, HelperError> {
    let Answer { username, secret } =
        serde_json::from_slice(output).map_err(|_| HelperError::NotACredential)?;
    if secret.expose_secret().is_empty() {
        return Ok(None);
    }
    Ok(Some(Credential::from_password(username, secret)))
}
