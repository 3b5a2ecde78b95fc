// SPDX-License-Identifier: Apache-2.0

//! The registries that answers name, looked at as they are named.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::speech::Speech;
use crate::cli::args::{InitArgs, RegistryArgs, SourceRepository};
use crate::cli::connect::Connector;
use crate::cli::error::Error;
use crate::cli::trust::Trust;
use crate::convert::Prefix;
use crate::copy::endpoint;
use crate::oci::{Registry, Tag};
use crate::registry::{self, Kind};

/// For how long a person waits for a registry.
const PATIENCE: Duration = Duration::from_secs(15);

/// What can be seen of registries; nothing with `--offline`.
pub(super) struct Sight {
    connector: Option<Connector>,
    /// The same without the authorities of `--ca-file`, where it is named.
    strict: Option<Connector>,
    /// How the registries speak that were looked at.
    seen: Mutex<HashMap<Registry, Speech>>,
    /// What counts where nothing was seen.
    unseen: Speech,
    /// Those of `--insecure`.
    trust: Trust,
}

// === impl Sight ===

impl Sight {
    pub(super) fn open(args: &InitArgs) -> Result<Self, Error> {
        let is_certified = args.registry.ca_file.is_some();
        let open = |registry: &RegistryArgs, is_open: bool| {
            let connector = is_open.then(|| Connector::open(registry));
            connector.transpose()
        };
        let strict = RegistryArgs {
            ca_file: None,
            ..args.registry.clone()
        };
        let unseen = if is_certified {
            Speech::PrivateAuthority
        } else {
            Speech::Usual
        };
        Ok(Self {
            connector: open(&args.registry, !args.offline)?,
            strict: open(&strict, !args.offline && is_certified)?,
            seen: Mutex::default(),
            unseen,
            trust: Trust::read(&args.registry)?,
        })
    }

    /// How a registry speaks, as far as that was said or seen.
    pub(super) fn speech(&self, registry: &Registry) -> Speech {
        if self.trust.is_insecure(registry) {
            return Speech::PlainHttp;
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(registry).copied().unwrap_or(self.unseen)
    }

    /// Keeps what a look tells of how a registry speaks.
    async fn learn<T>(&self, registry: &Registry, looked: &Result<T, Error>) {
        let speech = match registry_error(looked) {
            Some(error) if error.is_plain() => Speech::PerhapsPlainHttp,
            Some(error) if error.is_stranger() => Speech::PrivateAuthority,
            Some(_) | None => self.look_closer(registry).await,
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(registry.clone(), speech);
    }

    /// What nothing was wrong with because of flags, or because the registry is on this machine.
    async fn look_closer(&self, registry: &Registry) -> Speech {
        if let Some(connector) = &self.connector
            && connector.speaks_plain_http(registry).await
        {
            return Speech::PlainHttp;
        }
        let Some(strict) = &self.strict else {
            return Speech::Usual;
        };
        let pinged = in_time(async { Ok(strict.client(registry, None).await?.ping().await?) });
        match registry_error(&pinged.await) {
            Some(error) if error.is_stranger() => Speech::PrivateAuthority,
            Some(_) | None => Speech::Usual,
        }
    }

    /// The tags of a repository, without those that belong to other tags; or why they cannot be listed.
    pub(super) async fn tags(&self, from: &SourceRepository) -> Result<Option<Vec<Tag>>, String> {
        let Some(connector) = &self.connector else {
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
        let listed = listed.await;
        self.learn(registry, &listed).await;
        let mut tags = listed.map_err(|error| told(&error))?;
        tags.retain(|tag| tag.attachment().is_none());
        Ok(Some(tags))
    }

    /// Whether a destination answers, to whomever.
    pub(super) async fn answers(&self, to: &Prefix) -> Result<(), String> {
        let answered = self.ping(to).await;
        self.learn(&to.registry, &answered).await;
        match answered {
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
        let Some(connector) = &self.connector else {
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

/// What a registry made of a request, where that was nothing.
fn registry_error<T>(looked: &Result<T, Error>) -> Option<&registry::Error> {
    match looked {
        Err(Error::Endpoint(endpoint::Error::Registry(error))) => Some(error),
        Ok(_) | Err(_) => None,
    }
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
