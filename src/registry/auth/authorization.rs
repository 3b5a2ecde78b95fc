// SPDX-License-Identifier: Apache-2.0

//! The `Authorization` header of one request.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

/// What a request carries to be let in.
#[derive(Clone)]
pub struct Authorization {
    value: HeaderValue,
    scheme: Scheme,
    /// Whether it is what we had to say to a challenge. There is nothing to add when it is refused.
    answers_challenge: bool,
}

/// How the value is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    Bearer,
}

// === impl Authorization ===

impl Authorization {
    /// A user name and password (RFC 7617).
    pub(in crate::registry) fn basic(username: &str, password: &SecretString) -> Self {
        let pair = SecretString::from(format!("{username}:{}", password.expose_secret()));
        let encoded = STANDARD.encode(pair.expose_secret());
        // Base64 is made of characters that every header may have.
        let value = HeaderValue::try_from(format!("Basic {encoded}"))
            .unwrap_or_else(|_| HeaderValue::from_static("Basic"));
        Self::new(value, Scheme::Basic)
    }

    /// A token (RFC 6750), or nothing where it has characters that no header may have.
    pub(in crate::registry) fn bearer(token: &SecretString) -> Option<Self> {
        let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).ok()?;
        Some(Self::new(value, Scheme::Bearer))
    }

    fn new(mut value: HeaderValue, scheme: Scheme) -> Self {
        value.set_sensitive(true);
        Self {
            value,
            scheme,
            answers_challenge: false,
        }
    }

    /// The same, as the answer to a challenge.
    pub(super) fn as_answer(&self) -> Self {
        Self {
            answers_challenge: true,
            ..self.clone()
        }
    }

    /// The value of the header, marked as sensitive.
    pub fn header_value(&self) -> HeaderValue {
        self.value.clone()
    }

    /// What stands behind the scheme.
    pub(in crate::registry) fn credentials(&self) -> SecretString {
        let value = self.value.to_str().unwrap_or_default();
        let (_, credentials) = value.split_once(' ').unwrap_or_default();
        credentials.into()
    }

    /// The password in it, where there is one.
    pub(in crate::registry) fn password(&self) -> Option<SecretString> {
        if self.scheme != Scheme::Basic {
            return None;
        }
        let decoded = STANDARD.decode(self.credentials().expose_secret()).ok()?;
        let pair = SecretString::from(String::from_utf8(decoded).ok()?);
        let (_, password) = pair.expose_secret().split_once(':')?;
        Some(password.into())
    }

    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    pub(super) fn answers_challenge(&self) -> bool {
        self.answers_challenge
    }

    /// Whether both say the same to the registry.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Authorization({:?})", self.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_as_the_standards_want_them() {
        let basic = Authorization::basic("Aladdin", &"open sesame".into());
        assert_eq!(basic.header_value(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let password = basic.password().unwrap();
        assert_eq!(password.expose_secret(), "open sesame");
        let bearer = Authorization::bearer(&"a.b-c".into()).unwrap();
        assert!(bearer.password().is_none());
        assert_eq!(bearer.header_value(), "Bearer a.b-c");
        assert!(Authorization::bearer(&"a\r\nX: y".into()).is_none());
    }

    #[test]
    fn no_secret_is_shown() {
        let shown = Authorization::bearer(&"canary".into()).map(|bearer| {
            assert!(bearer.header_value().is_sensitive());
            format!("{bearer:?} {:?}", bearer.header_value())
        });
        assert_eq!(shown.unwrap(), "Authorization(Bearer) Sensitive");
    }
}
