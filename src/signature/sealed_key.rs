// SPDX-License-Identifier: Apache-2.0

//! A private key under a password, as `cosign generate-key-pair` writes it: JSON in a PEM, with a key by scrypt for a
//! `secretbox` of `NaCl`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crypto_secretbox::aead::Aead as _;
use crypto_secretbox::{Key, KeyInit as _, Nonce, XSalsa20Poly1305};
use scrypt::Params;
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use serde::Deserialize;

/// What a PEM has before and behind its base64, under the names that cosign gave it over time.
const LABELS: [&str; 2] = [
    "ENCRYPTED SIGSTORE PRIVATE KEY",
    "ENCRYPTED COSIGN PRIVATE KEY",
];
/// The most that a file may ask for: 128 MiB, and less than a second. Cosign asks for half of it, or less.
const MOST_N: u64 = 1 << 17;
/// The other measures of scrypt, which cosign never changed.
const R: u32 = 8;
const P: u32 = 1;

/// A private key under a password.
pub(super) struct SealedKey {
    params: Params,
    salt: Vec<u8>,
    nonce: Nonce,
    ciphertext: Vec<u8>,
}

/// Why an encrypted key is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealedKeyError {
    /// It is not one of cosign.
    #[error(
        "is encrypted in another way than cosign does it: make a key of cosign of it with `cosign import-key-pair --key FILE`"
    )]
    Foreign,
    /// It wants more memory than there is reason for.
    #[error(
        "asks for more work than a key of cosign does (scrypt with N up to 131072, r = 8 and p = 1): make another one with `cosign generate-key-pair`"
    )]
    Costly,
    /// Nobody said its password.
    #[error("is encrypted: put its password into the environment, as COSIGN_PASSWORD")]
    NoPassword,
    /// It is another password, or the file is damaged.
    #[error("is not opened by the password in COSIGN_PASSWORD, or is damaged")]
    WrongPassword,
}

/// What stands in the PEM.
#[derive(Deserialize)]
struct Envelope {
    kdf: Kdf,
    cipher: Cipher,
    ciphertext: String,
}

#[derive(Deserialize)]
struct Kdf {
    name: String,
    params: Measures,
    salt: String,
}

#[derive(Deserialize)]
struct Measures {
    #[serde(rename = "N")]
    n: u64,
    r: u32,
    p: u32,
}

#[derive(Deserialize)]
struct Cipher {
    name: String,
    nonce: String,
}

// === impl SealedKey ===

impl SealedKey {
    /// Reads what is not secret of it.
    pub(super) fn parse(pem: &SecretString) -> Result<Self, SealedKeyError> {
        let envelope = content(pem.expose_secret()).ok_or(SealedKeyError::Foreign)?;
        let envelope: Envelope =
            serde_json::from_slice(&envelope).map_err(|_| SealedKeyError::Foreign)?;
        let Envelope {
            kdf,
            cipher,
            ciphertext,
        } = envelope;
        if (kdf.name.as_str(), cipher.name.as_str()) != ("scrypt", "nacl/secretbox") {
            return Err(SealedKeyError::Foreign);
        }
        let decode = |text: &str| {
            let bytes = BASE64_STANDARD.decode(text);
            bytes.map_err(|_| SealedKeyError::Foreign)
        };
        let nonce: [u8; XSalsa20Poly1305::NONCE_SIZE] = decode(&cipher.nonce)?
            .try_into()
            .map_err(|_| SealedKeyError::Foreign)?;
        Ok(Self {
            params: kdf.params.within_bounds()?,
            salt: decode(&kdf.salt)?,
            nonce: nonce.into(),
            ciphertext: decode(&ciphertext)?,
        })
    }

    /// The key itself, in DER.
    pub(super) fn open(
        &self,
        password: Option<&SecretString>,
    ) -> Result<SecretSlice<u8>, SealedKeyError> {
        let password = password.ok_or(SealedKeyError::NoPassword)?;
        let mut key = Key::default();
        let password = password.expose_secret().as_bytes();
        scrypt::scrypt(password, &self.salt, &self.params, &mut key)
            .map_err(|_| SealedKeyError::Foreign)?;
        let opened = XSalsa20Poly1305::new(&key).decrypt(&self.nonce, self.ciphertext.as_slice());
        let der = opened.map_err(|_| SealedKeyError::WrongPassword)?;
        Ok(der.into())
    }
}

// === impl Measures ===

impl Measures {
    fn within_bounds(&self) -> Result<Params, SealedKeyError> {
        let Self { n, r, p } = *self;
        if n > MOST_N || r != R || p != P {
            return Err(SealedKeyError::Costly);
        }
        let log_n = u8::try_from(n.checked_ilog2().unwrap_or_default());
        let log_n = log_n.ok().filter(|_| n > 1 && n.is_power_of_two());
        let params = log_n.and_then(|log_n| Params::new(log_n, r, p).ok());
        params.ok_or(SealedKeyError::Foreign)
    }
}

/// The bytes between the lines of a PEM.
fn content(pem: &str) -> Option<Vec<u8>> {
    LABELS.iter().find_map(|label| {
        let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
        let (base64, _) = rest.split_once(&format!("-----END {label}-----"))?;
        let base64: String = base64.split_ascii_whitespace().collect();
        BASE64_STANDARD.decode(base64).ok()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// `the key` under `password`, with less work than cosign asks for.
    fn envelope() -> Value {
        let key = {
            let mut key = Key::default();
            let params = Params::new(4, R, P).unwrap();
            scrypt::scrypt(b"password", b"salt", &params, &mut key).unwrap();
            key
        };
        let nonce = Nonce::default();
        let ciphertext = XSalsa20Poly1305::new(&key).encrypt(&nonce, &b"the key"[..]);
        json!({
            "kdf": {"name": "scrypt", "params": {"N": 16, "r": 8, "p": 1}, "salt": BASE64_STANDARD.encode("salt")},
            "cipher": {"name": "nacl/secretbox", "nonce": BASE64_STANDARD.encode(nonce)},
            "ciphertext": BASE64_STANDARD.encode(ciphertext.unwrap()),
        })
    }

    fn pem(label: &str, content: &str) -> SecretString {
        let base64 = BASE64_STANDARD.encode(content);
        let (first, second) = base64.split_at(base64.len() / 2);
        format!("-----BEGIN {label}-----\n{first}\n{second}\n-----END {label}-----\n").into()
    }

    fn open(envelope: &Value, password: Option<&str>) -> Result<String, SealedKeyError> {
        let sealed = SealedKey::parse(&pem(LABELS[0], &envelope.to_string()))?;
        let password = password.map(|password| SecretString::from(password.to_owned()));
        let der = sealed.open(password.as_ref())?;
        Ok(String::from_utf8(der.expose_secret().to_vec()).unwrap())
    }

    fn with(path: &str, value: &Value) -> Value {
        let mut changed = envelope();
        *changed.pointer_mut(path).unwrap() = value.clone();
        changed
    }

    #[test]
    fn a_key_opens_by_its_password_alone() {
        let whole = envelope();
        let opened = open(&whole, Some("password"));
        assert_eq!(opened, Ok("the key".to_owned()));
        let no = |why| Err(why);
        assert_eq!(open(&whole, None), no(SealedKeyError::NoPassword));
        assert_eq!(
            open(&whole, Some("Password")),
            no(SealedKeyError::WrongPassword)
        );
        let other = with("/ciphertext", &json!("AAAA"));
        assert_eq!(
            open(&other, Some("password")),
            no(SealedKeyError::WrongPassword)
        );
    }

    #[test]
    fn what_cosign_does_not_write_is_not_tried() {
        let cases = [
            ("/kdf/params/N", json!(1 << 18), SealedKeyError::Costly),
            ("/kdf/params/N", json!(u64::MAX), SealedKeyError::Costly),
            ("/kdf/params/r", json!(9), SealedKeyError::Costly),
            ("/kdf/params/p", json!(2), SealedKeyError::Costly),
            ("/kdf/params/N", json!(0), SealedKeyError::Foreign),
            ("/kdf/params/N", json!(1), SealedKeyError::Foreign),
            ("/kdf/params/N", json!(1000), SealedKeyError::Foreign),
            ("/kdf/params/N", json!(-1), SealedKeyError::Foreign),
            ("/kdf/name", json!("argon2"), SealedKeyError::Foreign),
            ("/cipher/name", json!("aes"), SealedKeyError::Foreign),
            ("/cipher/nonce", json!("AAAA"), SealedKeyError::Foreign),
            ("/kdf/salt", json!("!"), SealedKeyError::Foreign),
        ];
        for (path, value, expected) in cases {
            let opened = open(&with(path, &value), Some("password"));
            assert_eq!(opened, Err(expected), "{path} {value}");
        }
        for (label, content) in [
            ("ENCRYPTED PRIVATE KEY", envelope().to_string()),
            (LABELS[1], "{}".to_owned()),
        ] {
            let parsed = SealedKey::parse(&pem(label, &content));
            assert_eq!(parsed.err(), Some(SealedKeyError::Foreign), "{label}");
        }
    }
}
