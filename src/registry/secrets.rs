// SPDX-License-Identifier: Apache-2.0

//! What we send to prove who we are, so that it can be taken out of what a peer says.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::form_urlencoded;

use super::auth::{Authorization, Credential};
use super::said::{HIDDEN, fold};
use super::settings::{Proxy, Settings};

/// A secret that is shorter is taken out as a whole word only.
const SHORTEST: usize = 4;

/// Texts that must not be seen again, in every form that we send them in.
#[derive(Clone, Default)]
pub(super) struct Secrets(Vec<SecretString>);

// === impl Secrets ===

impl Secrets {
    /// Those of these credentials.
    pub(super) fn new(credentials: &[&Credential]) -> Self {
        let mut secrets = Self::default();
        for credential in credentials {
            match credential {
                // What is given out is known when it is sent.
                Credential::Anonymous | Credential::Issued(_) => {}
                Credential::Basic { username, password }
                | Credential::IdentityToken {
                    username,
                    token: password,
                } => secrets.add_login(username, password),
                Credential::RegistryToken(token) => secrets.add(token.expose_secret()),
            }
        }
        secrets
    }

    /// Those of a registry's settings: who we are there, and at the proxy on the way.
    pub(super) fn of(settings: &Settings) -> Self {
        let mut secrets = Self::new(&[&settings.credential]);
        if let Some(Proxy {
            username,
            password: Some(password),
            ..
        }) = &settings.proxy
        {
            secrets.add_login(username.as_deref().unwrap_or_default(), password);
        }
        secrets
    }

    /// These and what one request carried.
    #[must_use]
    pub(super) fn with(&self, sent: Option<&Authorization>) -> Self {
        let mut secrets = self.clone();
        if let Some(sent) = sent {
            secrets.add(sent.credentials().expose_secret());
            // That of a registry behind a redirect is none of the settings.
            if let Some(password) = sent.password() {
                secrets.add(password.expose_secret());
            }
        }
        secrets
    }

    fn add_login(&mut self, username: &str, password: &SecretString) {
        self.add(password.expose_secret());
        let login = Authorization::basic(username, password);
        self.add(login.credentials().expose_secret());
    }

    /// Adds a secret as it is and as it stands in a form or a URL.
    fn add(&mut self, secret: &str) {
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let percent = form.replace('+', "%20");
        for form in [fold(secret), form, percent] {
            let is_known = self.0.iter().any(|known| known.expose_secret() == form);
            if !form.is_empty() && !is_known {
                self.0.push(form.into());
            }
        }
        // What contains another one goes first, so that nothing of it is left.
        self.0
            .sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
    }

    /// The text without them, in whatever case they are written. The text is folded.
    pub(super) fn redact(&self, text: &str) -> String {
        let secrets = self.0.iter().map(ExposeSecret::expose_secret);
        secrets.fold(text.to_owned(), |text, secret| without(&text, secret))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secrets({})", self.0.len())
    }
}

fn without(text: &str, secret: &str) -> String {
    let (lower, secret) = (text.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let mut shown = String::new();
    let mut end = 0;
    for (start, found) in lower.match_indices(&secret) {
        let behind = start + found.len();
        let is_word = || {
            let part = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
            let before = lower.get(..start).and_then(|text| text.chars().next_back());
            let after = lower.get(behind..).and_then(|text| text.chars().next());
            !part(before) && !part(after)
        };
        if secret.len() >= SHORTEST || is_word() {
            shown.push_str(text.get(end..start).unwrap_or_default());
            shown.push_str(HIDDEN);
            end = behind;
        }
    }
    shown + text.get(end..).unwrap_or_default()
}
