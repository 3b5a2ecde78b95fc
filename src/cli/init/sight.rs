// SPDX-License-Identifier: Apache-2.0

//! The registries that answers name, looked at as they are named.

use std::time::Duration;

use crate::cli::args::{InitArgs, SourceRepository};
use crate::cli::connect::Connector;
use crate::cli::error::Error;
use crate::convert::Prefix;
use crate::copy::endpoint;
use crate::oci::Tag;
use crate::registry::Kind;

/// For how long a person waits for a registry.
const PATIENCE: Duration = Duration::from_secs(15);

/// What can be seen of registries; nothing with `--offline`.
pub(super) struct Sight(Option<Connector>);

// === impl Sight ===

impl Sight {
    pub(super) fn open(args: &InitArgs) -> Result<Self, Error> {
        let is_open = !args.offline;
        let connector = is_open.then(|| Connector::open(&args.registry));
        Ok(Self(connector.transpose()?))
    }

    /// The tags of a repository, without those that belong to other tags; or why they cannot be listed.
    pub(super) async fn tags(&self, from: &SourceRepository) -> Result<Option<Vec<Tag>>, String> {
        let Some(connector) = &self.0 else {
            return Ok(None);
        };
        let SourceRepository {
            registry,
            repository,
            ..
        } = from;
        let listed = in_time(async {
            let client = connector.client(registry, Some(repository)).await?;
            Ok(client.list_tags(repository).await?)
        });
        let mut tags = listed.await.map_err(|error| told(&error))?;
        tags.retain(|tag| tag.attachment().is_none());
        Ok(Some(tags))
    }

    /// Whether a destination answers, to whomever.
    pub(super) async fn answers(&self, to: &Prefix) -> Result<(), String> {
        match self.ping(to).await {
            Err(error) if !is_about_login(&error) => Err(told(&error)),
            _ => Ok(()),
        }
    }

    /// Whether a destination takes what this machine is logged in with.
    pub(super) async fn lets_in(&self, to: &Prefix) -> Result<(), String> {
        match self.ping(to).await {
            Err(error) if is_about_login(&error) => Err(told(&error)),
            _ => Ok(()),
        }
    }

    async fn ping(&self, to: &Prefix) -> Result<(), Error> {
        let Some(connector) = &self.0 else {
            return Ok(());
        };
        in_time(async {
            let client = connector.client(&to.registry, to.path.as_ref()).await?;
            Ok(client.ping().await?)
        })
        .await
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let asked = tokio::time::timeout(PATIENCE, Box::pin(asked)).await;
    asked.unwrap_or_else(|_| {
        let seconds = PATIENCE.as_secs();
        let message =
            format!("it did not answer within {seconds} s: --offline looks at no registry");
        Err(Error::Image(message))
    })
}

/// Whether somebody who is logged in would get another answer.
fn is_about_login(error: &Error) -> bool {
    let Error::Endpoint(endpoint::Error::Registry(error)) = error else {
        return false;
    };
    matches!(
        error.kind(),
        Kind::AuthenticationFailed | Kind::AccessDenied
    )
}

fn told(error: &Error) -> String {
    match error.hint() {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    }
}
