// SPDX-License-Identifier: Apache-2.0

//! Errors of kube in words, without what they quote.
//!
//! Some of its errors carry the text that could not be read: a kubeconfig with its keys, a Secret,
//! the output of a credential plugin. Those are told by their place only.

use std::error::Error;

use kube::client::AuthError;
use kube::config::KubeconfigError;

/// Why the API server could not be asked, or what it answered.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors are many and depend on its features"
)]
pub fn explain(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
        kube::Error::Api(status) => format!("it answered {} {}", status.code, status.reason),
        kube::Error::SerdeError(error) => {
            let (line, column) = (error.line(), error.column());
            format!("its answer cannot be read (line {line}, column {column})")
        }
        kube::Error::Auth(error) => explain_plugin(error),
        kube::Error::InferKubeconfig(error) => explain_kubeconfig(error),
        error => root(error),
    }
}

/// Why there are no credentials.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors are many and depend on its features"
)]
fn explain_plugin(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { cmd, out } => {
            format!(
                "the credential plugin {cmd:?} of the kubeconfig failed: {}",
                out.status
            )
        }
        AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) => {
            "the output of the credential plugin of the kubeconfig cannot be read".to_owned()
        }
        error => error.to_string(),
    }
}

/// Why a kubeconfig cannot be used.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors are many and depend on its features"
)]
pub(super) fn explain_kubeconfig(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::ReadConfig(source, _) => source.to_string(),
        KubeconfigError::Parse(error) => match error.location() {
            Some(place) => {
                let (line, column) = (place.line(), place.column());
                format!("it is not a kubeconfig (line {line}, column {column})")
            }
            None => "it is not a kubeconfig".to_owned(),
        },
        KubeconfigError::CurrentContextNotSet => {
            "it has no current-context: give --context NAME".to_owned()
        }
        KubeconfigError::LoadContext(name) => format!("it has no context {name:?}"),
        KubeconfigError::LoadClusterOfContext(name) => format!("it has no cluster {name:?}"),
        error => error.to_string(),
    }
}

/// What is behind it all: the layers in between say only that they failed.
fn root(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => root(cause),
        None => error.to_string(),
    }
}
