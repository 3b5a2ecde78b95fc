// SPDX-License-Identifier: Apache-2.0

//! Content digests: `algorithm:encoded` of the image specification's descriptor section.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// A hash algorithm that the image specification registers and Transship can verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `sha256`, which nearly every image uses.
    Sha256,
    /// `sha512`.
    Sha512,
}

/// A verified-by-form digest, such as `sha256:` and 64 lower-case hex digits.
///
/// There is no other way to make one, so it is safe in a URL or a file path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(Arc<str>);

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no colon.
    #[error("digest {0:?} has no algorithm: write it as sha256:<64 hex digits>")]
    MissingAlgorithm(String),
    /// The algorithm is not one that can be verified.
    #[error(
        "digest {text:?} uses {algorithm:?}, which cannot be verified: only sha256 and sha512 are supported"
    )]
    UnsupportedAlgorithm {
        /// The whole text.
        text: String,
        /// What stands before the colon.
        algorithm: String,
    },
    /// The part behind the colon is too short or too long.
    #[error("digest {text:?} has {found} characters after {algorithm}:, expected {expected}")]
    WrongLength {
        /// The whole text.
        text: String,
        /// Its algorithm.
        algorithm: Algorithm,
        /// Characters behind the colon.
        found: usize,
        /// Characters that the algorithm needs.
        expected: usize,
    },
    /// The part behind the colon is not lower-case hex.
    #[error(
        "digest {text:?} contains {character:?}: only the lower-case hex digits 0-9 and a-f are allowed"
    )]
    NotLowerHex {
        /// The whole text.
        text: String,
        /// The first character that is wrong.
        character: char,
    },
}

/// Hashes bytes as they come and says the digest at the end.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

// === impl Algorithm ===

impl Algorithm {
    const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// The name before the colon.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The number of hex digits behind the colon.
    pub fn hex_digits(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }

    /// A hasher for content that is to have a digest of this algorithm.
    pub fn hasher(self) -> Hasher {
        Hasher(match self {
            Self::Sha256 => State::Sha256(Sha256::new()),
            Self::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// The digest of content that is at hand as a whole.
    pub fn digest(self, content: &[u8]) -> Digest {
        let mut hasher = self.hasher();
        hasher.update(content);
        hasher.finish()
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

// === impl Hasher ===

impl Hasher {
    /// Takes the next bytes of the content.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of everything that was taken.
    pub fn finish(self) -> Digest {
        let (algorithm, encoded) = match self.0 {
            State::Sha256(state) => (Algorithm::Sha256, hex::encode(state.finalize())),
            State::Sha512(state) => (Algorithm::Sha512, hex::encode(state.finalize())),
        };
        Digest(format!("{algorithm}:{encoded}").into())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            State::Sha256(_) => "Hasher(sha256)",
            State::Sha512(_) => "Hasher(sha512)",
        })
    }
}

// === impl Digest ===

impl Digest {
    /// The sha256 digest of some content.
    pub fn sha256(content: &[u8]) -> Self {
        Algorithm::Sha256.digest(content)
    }

    /// The whole text, `sha256:…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The algorithm before the colon.
    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha512:") {
            Algorithm::Sha512
        } else {
            Algorithm::Sha256
        }
    }

    /// The hex digits behind the colon.
    pub fn encoded(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, encoded)| encoded)
    }

    /// The first twelve hex digits: what people recognise an image by.
    pub fn short(&self) -> &str {
        self.encoded().get(..12).unwrap_or_default()
    }

    /// Whether this is the digest of `content`.
    pub fn matches(&self, content: &[u8]) -> bool {
        self.algorithm().digest(content) == *self
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, encoded) = text
            .split_once(':')
            .ok_or_else(|| DigestError::MissingAlgorithm(text.to_owned()))?;
        let algorithm = Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == name)
            .ok_or_else(|| DigestError::UnsupportedAlgorithm {
                text: text.to_owned(),
                algorithm: name.to_owned(),
            })?;
        if let Some(character) = encoded
            .chars()
            .find(|c| !matches!(c, '0'..='9' | 'a'..='f'))
        {
            return Err(DigestError::NotLowerHex {
                text: text.to_owned(),
                character,
            });
        }
        if encoded.len() != algorithm.hex_digits() {
            return Err(DigestError::WrongLength {
                text: text.to_owned(),
                algorithm,
                found: encoded.len(),
                expected: algorithm.hex_digits(),
            });
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.as_str().to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashing_in_pieces_gives_the_digest_of_the_whole() {
        let mut hasher = Algorithm::Sha256.hasher();
        hasher.update(b"he");
        hasher.update(b"llo");
        assert_eq!(hasher.finish(), Digest::sha256(b"hello"));
        assert!(Algorithm::Sha512.digest(b"hello").matches(b"hello"));
        assert!(!Digest::sha256(b"hello").matches(b"hallo"));
    }

    #[test]
    fn only_digests_that_can_be_verified_parse() {
        let a64 = "a".repeat(64);
        for text in [format!("sha256:{a64}"), format!("sha512:{a64}{a64}")] {
            assert_eq!(
                text.parse::<Digest>().map(|digest| digest.to_string()),
                Ok(text)
            );
        }
        let refused = [
            a64.clone(),
            "sha256:".to_owned(),
            format!("sha256:{}", &a64[1..]),
            format!("sha256:{a64}a"),
            format!("sha256:{}", a64.to_uppercase()),
            format!("sha512:{a64}"),
            format!("blake3:{a64}"),
            format!("SHA256:{a64}"),
            "sha256:../../etc/passwd".to_owned(),
            format!("sha256:{}٣", &a64[2..]),
            format!("sha256:{}%2f", &a64[3..]),
        ];
        for text in refused {
            assert!(text.parse::<Digest>().is_err(), "{text} must be refused");
        }
    }
}
