// SPDX-License-Identifier: Apache-2.0

//! The variables and files that the clouds' own tools read: who this process is, and where to ask.
//!
//! Only the process and its operator decide about them. Nothing of a mirror comes here.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;
use url::Url;

use super::error::Error;

/// The longest file, in bytes. Tokens have some thousands.
const FILE_BYTES: u64 = 64 * 1024;
/// The variables that are read.
const VARIABLES: [&str; 31] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_EC2_METADATA_DISABLED",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_ECR",
    "AWS_ENDPOINT_URL_ECR_PUBLIC",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_STS",
    "TRANSSHIP_AWS_ASSUME_ROLE",
    "GCE_METADATA_HOST",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_ID",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TENANT_ID",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_CLIENT_SECRET",
    "TRANSSHIP_QUAY_ROBOT",
    "TRANSSHIP_QUAY_TOKEN_FILE",
    "TRANSSHIP_QUAY_REGISTRIES",
];

/// What the environment says, each value kept like a secret.
#[derive(Clone, Debug, Default)]
pub struct Environment(Arc<BTreeMap<String, SecretString>>);

// === impl Environment ===

impl Environment {
    /// That of this process, as it is now.
    pub fn of_process() -> Self {
        let read = |name: &&str| {
            let value = std::env::var_os(name)?.into_string().ok()?;
            Some(((*name).to_owned(), value))
        };
        Self::new(VARIABLES.iter().filter_map(read))
    }

    /// One that is written down. Empty values count as none.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let given = variables
            .into_iter()
            .map(|(name, value)| (name, value.trim().to_owned()))
            .filter(|(_, value)| !value.is_empty());
        Self(Arc::new(
            given.map(|(name, value)| (name, value.into())).collect(),
        ))
    }

    /// A variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.secret(name).map(ExposeSecret::expose_secret)
    }

    /// A variable that is a secret.
    pub(super) fn secret(&self, name: &str) -> Option<&SecretString> {
        self.0.get(name)
    }

    /// A server: the first that is named by a variable, else the fixed one. A name that is a host is no variable of a
    /// process: only who makes an environment of its own can put another server in its place.
    pub(super) fn server(&self, variables: &[&str], fixed: &str) -> Result<Url, Error> {
        let named = variables
            .iter()
            .find_map(|name| Some((*name, self.get(name)?)));
        let (name, text) = named.unwrap_or(("the fixed address", fixed));
        let url: Url = text
            .parse()
            .map_err(|_| Error::Wrong(format!("{name} is not a URL")))?;
        if url.host().is_none() || !url.username().is_empty() {
            return Err(Error::Wrong(format!("{name} is not the URL of a server")));
        }
        Ok(url)
    }
}

/// The text of a file, read anew each time: the kubelet and others renew what is in it.
pub(super) async fn read(what: &'static str, path: &Path) -> Result<SecretString, Error> {
    let failed = |source| Error::File {
        what,
        path: path.to_owned(),
        source: Arc::new(source),
    };
    let file = File::open(path).await.map_err(failed)?;
    let mut text = String::new();
    let read = file.take(FILE_BYTES + 1).read_to_string(&mut text).await;
    let text = SecretString::from(text);
    let is_long = read.map_err(failed)? as u64 > FILE_BYTES;
    let trimmed = text.expose_secret().trim();
    if is_long || trimmed.is_empty() {
        let fault = if is_long {
            "has more than 64 KiB"
        } else {
            "is empty"
        };
        let path = path.display();
        return Err(Error::Wrong(format!("{what} in {path} {fault}")));
    }
    Ok(trimmed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment::new(variables.iter().map(owned))
    }

    #[test]
    fn a_server_is_named_by_a_variable_or_fixed() {
        let names = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
        let fixed = "https://sts.eu-west-1.amazonaws.com";
        let cases: [(&[(&str, &str)], &str); 4] = [
            (&[], "https://sts.eu-west-1.amazonaws.com/"),
            (
                &[("AWS_ENDPOINT_URL", " ")],
                "https://sts.eu-west-1.amazonaws.com/",
            ),
            (
                &[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")],
                "http://127.0.0.1:1/",
            ),
            (
                &[
                    ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
                    ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:2"),
                ],
                "http://127.0.0.1:2/",
            ),
        ];
        for (variables, expected) in cases {
            let server = environment(variables).server(&names, fixed).unwrap();
            assert_eq!(server.as_str(), expected);
        }
        let wrong = environment(&[("AWS_ENDPOINT_URL", "https://user:canary@evil.test")]);
        let error = wrong.server(&names, fixed).unwrap_err().to_string();
        assert_eq!(error, "AWS_ENDPOINT_URL is not the URL of a server");
        assert!(!format!("{wrong:?}").contains("canary"));
    }

    #[tokio::test]
    async fn files_are_bounded_and_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let read = async || {
            read("the token", &path).await.map_err(|error| {
                let place = path.display().to_string();
                error.to_string().replace(&place, "FILE")
            })
        };
        assert!(
            read()
                .await
                .unwrap_err()
                .starts_with("cannot read the token in FILE: ")
        );
        std::fs::write(&path, " \n").unwrap();
        assert_eq!(read().await.unwrap_err(), "the token in FILE is empty");
        std::fs::write(&path, "a\n").unwrap();
        assert_eq!(read().await.unwrap().expose_secret(), "a");
        std::fs::write(&path, "a".repeat(64 * 1024 + 1)).unwrap();
        assert_eq!(
            read().await.unwrap_err(),
            "the token in FILE has more than 64 KiB"
        );
    }
}
