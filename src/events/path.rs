// SPDX-License-Identifier: Apache-2.0

//! The path of a receiver: nobody finds it who does not know the token, and it does not give the token away.

use secrecy::{ExposeSecret as _, SecretString};

use crate::oci::Algorithm;

/// What stands in front of every path.
pub const PREFIX: &str = "/hook/";

/// Shortest token, in characters: what can be guessed protects nothing.
pub const TOKEN_LENGTH: usize = 16;

/// The path of a receiver, which has its own for each token.
pub fn path(token: &SecretString, namespace: &str, name: &str) -> String {
    let mut hasher = Algorithm::Sha256.hasher();
    for part in [token.expose_secret(), namespace, name] {
        hasher.update(part.as_bytes());
        // None of the parts has it, so that no two ways to divide them are one.
        hasher.update(&[0]);
    }
    format!("{PREFIX}{}", hasher.finish().encoded())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_receiver_and_token_has_a_path_of_its_own() {
        let of = |token: &str, namespace, name| path(&token.into(), namespace, name);
        let one = of("a-token-of-some-length", "team", "hub");
        assert_eq!(one.len(), PREFIX.len() + 64);
        assert_eq!(one, of("a-token-of-some-length", "team", "hub"));
        for other in [
            of("a-token-of-some-length2", "team", "hub"),
            of("a-token-of-some-length", "teamh", "ub"),
            of("a-token-of-some-lengtht", "eam", "hub"),
            of("a-token-of-some-length", "team", "hub2"),
        ] {
            assert_ne!(one, other);
        }
    }
}
