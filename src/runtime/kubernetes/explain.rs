// SPDX-License-Identifier: Apache-2.0

//! Errors of kube in words, without what they quote.
//!
//! Some of its errors carry the text that could not be read: a kubeconfig with its keys, a Secret,
//! the output of a credential plugin. Those are told by their place only.

use std::error::Error;
use std::io;

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

/// What a person does about an API server that does not answer; None where it did, or was not asked.
pub fn advice(error: &kube::Error) -> Option<&'static str> {
    if !matches!(error, kube::Error::HyperError(_) | kube::Error::Service(_)) {
        return None;
    }
    Some(if is_caused(error, is_refusal) {
        ": does it run, and is the address in the kubeconfig the right one?"
    } else if is_caused(error, is_untrusted) {
        ": its authority is not the certificate-authority in the kubeconfig: put the right one there, or fetch the kubeconfig again"
    } else {
        ""
    })
}

/// Whether one of the errors behind an error is this. Those of I/O hide what they were made from.
fn is_caused(error: &(dyn Error + 'static), wanted: fn(&(dyn Error + 'static)) -> bool) -> bool {
    if wanted(error) {
        return true;
    }
    let hidden = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match hidden {
        Some(hidden) => is_caused(hidden, wanted),
        None => error
            .source()
            .is_some_and(|source| is_caused(source, wanted)),
    }
}

fn is_refusal(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    use rustls::CertificateError::{BadSignature, UnknownIssuer};

    let error = error.downcast_ref::<rustls::Error>();
    matches!(
        error,
        Some(rustls::Error::InvalidCertificate(
            UnknownIssuer | BadSignature
        ))
    )
}

/// What is behind it all: the layers in between say only that they failed.
fn root(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => root(cause),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[test]
    fn who_does_not_answer_is_told_what_to_do() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let untrusted = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let untrusted = io::Error::other(io::Error::other(untrusted));
        let silent = io::Error::from(io::ErrorKind::TimedOut);
        for (error, expected) in [
            (refused, "does it run"),
            (untrusted, "certificate-authority in the kubeconfig"),
            (silent, ""),
        ] {
            let advice = advice(&kube::Error::Service(Box::new(error))).unwrap();
            assert!(advice.contains(expected), "{advice}");
            assert_eq!(advice.is_empty(), expected.is_empty(), "{advice}");
        }
        assert_eq!(advice(&kube::Error::TlsRequired), None);
    }
}
