// SPDX-License-Identifier: Apache-2.0

//! Whether an event comes from somebody who knows the token. Nothing is compared in a time that depends on the token.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, Algorithm, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use super::Delivery;
use super::delivery::Header;
use super::sender::Sender;
use crate::api::SenderType;

/// Header of a plain token.
const AUTHORIZATION: &str = "authorization";
/// GitHub's header, also of others: `sha256=` and hex.
/// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
const HUB_SIGNATURE: &str = "x-hub-signature-256";
/// Gitea's header: hex. <https://docs.gitea.com/usage/webhooks>
const GITEA_SIGNATURE: &str = "x-gitea-signature";
/// The header of Nexus: hex of an HMAC with SHA-1, the only one that it has.
/// <https://help.sonatype.com/en/working-with-hmac-payloads.html>
const NEXUS_SIGNATURE: &str = "x-nexus-webhook-signature";
/// The header of Artifactory: the token itself, or hex of an HMAC where payloads are signed.
/// <https://jfrog.com/help/r/jfrog-platform-administration-documentation/webhooks>
const JFROG_AUTH: &str = "x-jfrog-event-auth";

/// Nobody proved that they know the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the event does not prove that its sender knows the token")]
pub struct Unproven;

/// Whether the headers may be of somebody who knows the token: whether tokens are right, and signatures are there, whose
/// bodies have not been read.
pub fn check_headers(
    sender: &Sender,
    token: &SecretString,
    header: Header<'_>,
) -> Result<(), Unproven> {
    prove(sender, token, header, None)
}

/// Whether the sender of an event knows the token, as far as its type can prove that. Of those that cannot, only the
/// path does.
pub fn check(
    sender: &Sender,
    token: &SecretString,
    delivery: &Delivery<'_>,
) -> Result<(), Unproven> {
    prove(sender, token, delivery.header, Some(delivery.body))
}

fn prove(
    sender: &Sender,
    token: &SecretString,
    header: Header<'_>,
    body: Option<&[u8]>,
) -> Result<(), Unproven> {
    let token = token.expose_secret().as_bytes();
    let is_signed = |name: &str, algorithm| {
        header(name).is_some_and(|found| {
            body.is_none_or(|body| is_signature(found, token, body, algorithm))
        })
    };
    let is_proven = match sender.kind {
        SenderType::DockerHub | SenderType::Quay | SenderType::Gar => true,
        SenderType::Ghcr => is_signed(HUB_SIGNATURE, HMAC_SHA256),
        SenderType::Gitea => {
            is_signed(GITEA_SIGNATURE, HMAC_SHA256) || is_signed(HUB_SIGNATURE, HMAC_SHA256)
        }
        SenderType::Nexus => is_signed(NEXUS_SIGNATURE, HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        SenderType::Artifactory => {
            is_signed(JFROG_AUTH, HMAC_SHA256)
                || header(JFROG_AUTH).is_some_and(|found| is_token(found, token))
        }
        SenderType::Harbor
        | SenderType::Acr
        | SenderType::Ecr
        | SenderType::Distribution
        | SenderType::Zot => header(AUTHORIZATION).is_some_and(|found| is_authorized(found, token)),
        SenderType::Generic => {
            let told = sender.generic.as_ref();
            let named = |name: &str| name.to_ascii_lowercase();
            let signature = told
                .and_then(|told| told.signature_header.as_deref())
                .map(named);
            let plain = told
                .and_then(|told| told.token_header.as_deref())
                .map(named);
            signature.is_none_or(|name| is_signed(&name, HMAC_SHA256))
                && plain.is_none_or(|name| {
                    header(&name).is_some_and(|found| is_authorized(found, token))
                })
        }
    };
    if is_proven { Ok(()) } else { Err(Unproven) }
}

/// The token itself, `Bearer` and the token, or `Basic` with the token as the password of anybody.
fn is_authorized(found: &str, token: &[u8]) -> bool {
    let credentials = |scheme: &str| {
        let (named, rest) = found.split_once(' ')?;
        named.eq_ignore_ascii_case(scheme).then(|| rest.trim())
    };
    if credentials("Bearer").is_some_and(|found| is_token(found, token)) {
        return true;
    }
    let pair = credentials("Basic").and_then(|pair| STANDARD.decode(pair).ok());
    let password = pair.as_deref().and_then(|pair| {
        let colon = pair.iter().position(|byte| *byte == b':')?;
        pair.get(colon + 1..)
    });
    match password {
        Some(password) => verify_slices_are_equal(password, token).is_ok(),
        None => is_token(found, token),
    }
}

fn is_token(found: &str, token: &[u8]) -> bool {
    verify_slices_are_equal(found.as_bytes(), token).is_ok()
}

/// An HMAC in hex, with or without the name of the algorithm in front.
fn is_signature(found: &str, token: &[u8], body: &[u8], algorithm: Algorithm) -> bool {
    let found = found.strip_prefix("sha256=").unwrap_or(found);
    let Ok(found) = hex::decode(found) else {
        return false;
    };
    let key = hmac::Key::new(algorithm, token);
    hmac::verify(&key, body, &found).is_ok()
}
