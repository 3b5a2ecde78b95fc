// SPDX-License-Identifier: Apache-2.0

//! The dialogue with a registry about who is asking: what was learned from its challenges, and the tokens.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use tokio::sync;
use url::Url;

use super::authorization::{Authorization, Scheme};
use super::credential::Credential;
use super::error::{Error, Refusal};
use super::exchange::{self, Failure};
use super::memory::{Entry, Memory, Remembered};
use super::method::{self, Choice, Method};
use super::realm::{Realm, Trust};
use super::scope::Scope;
use super::token::Grant;
use crate::oci::Registry;
use crate::registry::http::Http;

/// Gets one credential into one registry.
///
/// Tokens are kept for each scope and asked for once, however many requests wait for one. What is
/// refused is remembered for some seconds, so that those requests do not each try the credential anew.
pub struct Authenticator {
    registry: Registry,
    base: Url,
    credential: Credential,
    trusted_realms: Vec<String>,
    http: Http,
    /// What the last challenge asked for: a guess for scopes that were not challenged yet.
    learned: Mutex<Option<Method>>,
    tokens: Memory,
    /// What took the place of the identity token.
    refresh_token: Mutex<Option<SecretString>>,
    /// Whether a token server took the credential. Until then it is tried by one request at a time.
    accepted: AtomicBool,
    /// What came of the last try before that.
    first_tries: sync::Mutex<Remembered>,
}

// === impl Authenticator ===

impl Authenticator {
    /// An authenticator for the registry that answers at `base_url`.
    ///
    /// `trusted_realms` lists hosts (`host` or `host:port`) that may be asked for tokens although they
    /// are neither the registry's host nor of its domain.
    pub(in crate::registry) fn new(
        registry: Registry,
        base_url: Url,
        credential: Credential,
        trusted_realms: Vec<String>,
        http: Http,
    ) -> Self {
        let is_anonymous = matches!(credential, Credential::Anonymous);
        Self {
            registry,
            base: base_url,
            credential,
            trusted_realms,
            http,
            learned: Mutex::default(),
            tokens: Memory::default(),
            refresh_token: Mutex::default(),
            accepted: AtomicBool::new(is_anonymous),
            first_tries: sync::Mutex::default(),
        }
    }

    /// What proves who we are.
    pub(in crate::registry) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// What to send with a request, as far as it is known; nothing where nobody asked yet.
    ///
    /// Where the token server is known from an earlier challenge, a missing token is asked for.
    pub async fn authorization(&self, scope: &Scope) -> Result<Option<Authorization>, Error> {
        self.authorization_lasting(scope, Duration::ZERO).await
    }

    /// The same for a request that takes long: a token that ends before `lasting` is over is renewed,
    /// where a new one would be good for longer. The one that is there is used if that fails.
    pub async fn authorization_lasting(
        &self,
        scope: &Scope,
        lasting: Duration,
    ) -> Result<Option<Authorization>, Error> {
        if let Credential::RegistryToken(token) = &self.credential {
            return self.registry_token(token).map(Some);
        }
        let slot = self.tokens.slot(scope);
        let mut entry = slot.lock().await;
        match entry.method.clone().or_else(|| self.learned()) {
            None => Ok(None),
            Some(Method::Basic) => {
                entry.remembered.check()?;
                self.password(&mut entry).await
            }
            Some(Method::Bearer(realm)) => {
                let kept = entry.token();
                if kept.is_some() && entry.lasts(lasting) {
                    return Ok(kept);
                }
                match (self.fresh_token(&mut entry, realm, scope).await, kept) {
                    (Ok(fresh), _) => Ok(Some(fresh)),
                    (Err(_), Some(kept)) => Ok(Some(kept)),
                    // The registry will say what it wants a token for: not every one has a right to delete.
                    (Err(error), None) if !entry.is_challenged && self.may_be_otherwise(&error) => {
                        Ok(None)
                    }
                    (Err(error), None) => Err(error),
                }
            }
        }
    }

    /// Whether another scope may be granted. A credential that nobody took so far is not tried again for that.
    fn may_be_otherwise(&self, error: &Error) -> bool {
        error.concerns_one_scope() && (self.accepted.load(Relaxed) || !error.concerns_every_scope())
    }

    /// Whether a request that was answered 403 is worth a repetition without `sent`, to be told what the
    /// registry wants a token for. True once for a scope, and only where that was guessed so far.
    pub async fn is_guess(&self, scope: &Scope, sent: &Authorization) -> bool {
        if sent.scheme() != Scheme::Bearer
            || matches!(self.credential, Credential::RegistryToken(_))
        {
            return false;
        }
        let slot = self.tokens.slot(scope);
        let mut entry = slot.lock().await;
        !std::mem::replace(&mut entry.is_challenged, true)
    }

    /// What to send with the one repetition of a request that was answered 401 with `headers`.
    ///
    /// `sent` is what the request carried. What answered a challenge before and is challenged again
    /// ends the dialogue, as does a user name and password.
    pub async fn challenged(
        &self,
        headers: &HeaderMap,
        scope: &Scope,
        sent: Option<&Authorization>,
    ) -> Result<Authorization, Error> {
        if let Credential::RegistryToken(token) = &self.credential {
            return match sent {
                Some(_) => Err(self.refused(Refusal::RegistryToken)),
                None => self.registry_token(token),
            };
        }
        let Choice {
            method,
            scope: demanded,
        } = self.choice(headers)?;
        *lock(&self.learned) = Some(method.clone());
        let slot = self.tokens.slot(scope);
        let mut entry = slot.lock().await;
        entry.is_challenged = true;
        match method {
            Method::Basic => self.answer_with_password(&mut entry, sent).await,
            Method::Bearer(realm) => {
                entry.switch(Method::Bearer(realm.clone()));
                let demanded = demanded.and_then(|text| scope.demanded(&text));
                self.answer_with_token(&mut entry, realm, scope, demanded, sent)
                    .await
            }
        }
    }

    fn learned(&self) -> Option<Method> {
        lock(&self.learned).clone()
    }

    /// What the challenge asks for and what a token has to be for, or without one what the last one did.
    fn choice(&self, headers: &HeaderMap) -> Result<Choice, Error> {
        let trust = Trust {
            hosts: &self.trusted_realms,
            is_anonymous: matches!(self.credential, Credential::Anonymous),
        };
        let registry = || self.registry.clone();
        let chosen = method::choose(headers, &self.base, trust);
        let chosen = chosen.map_err(|(realm, fault)| Error::RealmRefused {
            registry: registry(),
            realm,
            fault,
        })?;
        chosen
            .or_else(|| {
                let method = self.learned()?;
                Some(Choice {
                    method,
                    scope: None,
                })
            })
            .ok_or_else(|| Error::BadChallenge {
                registry: registry(),
            })
    }

    /// A password that was sent is refused, unless there is a newer one by now.
    async fn answer_with_password(
        &self,
        entry: &mut Entry,
        sent: Option<&Authorization>,
    ) -> Result<Authorization, Error> {
        entry.switch(Method::Basic);
        let sent = sent.filter(|sent| sent.scheme() == Scheme::Basic);
        if let Some(sent) = sent {
            let is_renewed = match &self.credential {
                Credential::Issued(issuer) => {
                    issuer.refused();
                    !sent.answers_challenge()
                }
                Credential::Anonymous
                | Credential::Basic { .. }
                | Credential::IdentityToken { .. }
                | Credential::RegistryToken(_) => false,
            };
            if !is_renewed {
                return Err(self.refused_password(entry));
            }
        }
        match self.password(entry).await? {
            None => Err(self.refused(Refusal::NoCredential)),
            Some(password) if sent.is_some_and(|sent| sent.is_same(&password)) => {
                Err(self.refused_password(entry))
            }
            Some(password) => Ok(password.as_answer()),
        }
    }

    fn refused_password(&self, entry: &mut Entry) -> Error {
        let error = self.refused(Refusal::Password);
        entry.remembered.keep(&error);
        error
    }

    /// `demanded` is what the challenge wants a token for, where it says so.
    async fn answer_with_token(
        &self,
        entry: &mut Entry,
        realm: Realm,
        scope: &Scope,
        demanded: Option<Scope>,
        sent: Option<&Authorization>,
    ) -> Result<Authorization, Error> {
        let sent = sent.filter(|sent| sent.scheme() == Scheme::Bearer);
        if let Some(newer) = sent.and_then(|sent| entry.newer(sent)) {
            return Ok(newer.as_answer());
        }
        let is_new = |sent: &Authorization| sent.answers_challenge() || entry.is_fresh(sent);
        let was_refused = sent.is_some_and(is_new);
        let before = entry.wanted(scope);
        let is_other = was_refused || entry.remembered.is_refusal();
        let wanted = scope.wanted(&before, demanded, is_other);
        if !(wanted.covers(&before) && before.covers(&wanted)) {
            entry.demand(wanted);
        } else if was_refused {
            entry.reset();
            return Err(self.refused(Refusal::FreshToken));
        } else if let Some(sent) = sent {
            entry.forget(sent);
        }
        let token = self.token(entry, realm, scope).await?;
        Ok(token.as_answer())
    }

    /// The token that is kept, else a new one.
    async fn token(
        &self,
        entry: &mut Entry,
        realm: Realm,
        scope: &Scope,
    ) -> Result<Authorization, Error> {
        match entry.token() {
            Some(token) => Ok(token),
            None => self.fresh_token(entry, realm, scope).await,
        }
    }

    /// A new token, in place of one that is kept.
    async fn fresh_token(
        &self,
        entry: &mut Entry,
        realm: Realm,
        scope: &Scope,
    ) -> Result<Authorization, Error> {
        entry.remembered.check()?;
        entry.switch(Method::Bearer(realm.clone()));
        let wanted = entry.wanted(scope);
        // Boxed, because it is rare and its state is large.
        match self.fetch_in_turn(&realm, &wanted).boxed().await {
            Ok(grant) => {
                if let Some(refresh_token) = grant.refresh_token {
                    *lock(&self.refresh_token) = Some(refresh_token);
                }
                Ok(entry.keep(grant.authorization, grant.usable))
            }
            Err(error) => {
                entry.remembered.keep(&error);
                Err(error)
            }
        }
    }

    /// Fetches a token, alone as long as the credential may be wrong: many wrong tries lock accounts.
    async fn fetch_in_turn(&self, realm: &Realm, scope: &Scope) -> Result<Grant, Error> {
        if self.accepted.load(Relaxed) {
            return self.fetch(realm, scope).await;
        }
        let mut turn = self.first_tries.lock().await;
        if self.accepted.load(Relaxed) {
            drop(turn);
            return self.fetch(realm, scope).await;
        }
        turn.check()?;
        let granted = self.fetch(realm, scope).await;
        match &granted {
            Ok(_) => self.accepted.store(true, Relaxed),
            Err(error) if error.concerns_every_scope() => turn.keep(error),
            Err(_) => {}
        }
        granted
    }

    async fn fetch(&self, realm: &Realm, scope: &Scope) -> Result<Grant, Error> {
        let renewed = lock(&self.refresh_token).clone();
        let current = self.current().await?;
        if let Credential::Issued(issuer) = &self.credential {
            let granted = exchange::fetch_token(&self.http, realm, scope, &current).await;
            if matches!(&granted, Err(Failure::Refused(..))) {
                issuer.refused();
            }
            return granted.map_err(|failure| self.failed(realm.server(), failure));
        }
        let credential = match (&current, renewed) {
            (Credential::IdentityToken { username, .. }, Some(token)) => {
                &Credential::IdentityToken {
                    username: username.clone(),
                    token,
                }
            }
            (credential, _) => credential,
        };
        exchange::fetch_token(&self.http, realm, scope, credential)
            .await
            .map_err(|failure| self.failed(realm.server(), failure))
    }

    /// What proves who we are right now.
    async fn current(&self) -> Result<Credential, Error> {
        let Credential::Issued(issuer) = &self.credential else {
            return Ok(self.credential.clone());
        };
        issuer.issue().await.map_err(|error| Error::NotIssued {
            registry: self.registry.clone(),
            error,
        })
    }

    /// The user name and password, or the identity token in place of the latter. Why there is none is remembered.
    async fn password(&self, entry: &mut Entry) -> Result<Option<Authorization>, Error> {
        let current = self.current().await;
        match current.inspect_err(|error| entry.remembered.keep(error))? {
            Credential::Basic { username, password }
            | Credential::IdentityToken {
                username,
                token: password,
            } => Ok(Some(Authorization::basic(&username, &password))),
            Credential::Anonymous | Credential::RegistryToken(_) | Credential::Issued(_) => {
                Ok(None)
            }
        }
    }

    fn registry_token(&self, token: &SecretString) -> Result<Authorization, Error> {
        Authorization::bearer(token).ok_or_else(|| self.refused(Refusal::RegistryToken))
    }

    fn failed(&self, server: String, failure: Failure) -> Error {
        let registry = self.registry.clone();
        match failure {
            Failure::Refused(status, said) => self.refused(Refusal::TokenServer {
                server,
                status,
                said,
            }),
            Failure::RateLimited(retry_after) => Error::RateLimited {
                registry,
                server,
                retry_after,
            },
            Failure::OutOfBounds(fault) => Error::TokenServerOutOfBounds {
                registry,
                server,
                fault,
            },
            Failure::Unreachable(detail) => Error::TokenServerUnreachable {
                registry,
                server,
                detail,
            },
            Failure::Untrusted(detail) => Error::TokenServerUntrusted {
                registry,
                server,
                detail,
            },
            Failure::BadToken(fault) => Error::BadToken {
                registry,
                server,
                fault,
            },
        }
    }

    /// Where there is no credential, that is all that can be wrong with it.
    fn refused(&self, refusal: Refusal) -> Error {
        let refusal = match self.credential {
            Credential::Anonymous => Refusal::NoCredential,
            Credential::Basic { .. }
            | Credential::IdentityToken { .. }
            | Credential::RegistryToken(_)
            | Credential::Issued(_) => refusal,
        };
        Error::AuthenticationFailed {
            registry: self.registry.clone(),
            refusal,
        }
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            registry,
            credential,
            ..
        } = self;
        write!(formatter, "Authenticator({registry}, {credential:?})")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
