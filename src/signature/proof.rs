// SPDX-License-Identifier: Apache-2.0

//! What a verified evidence says.

use std::fmt;

use serde_json::Value;

use super::Rejection;
use crate::oci::Digest;

/// An evidence that an authority vouches for.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// The name of the authority.
    pub authority: String,
    /// Who signed, by the certificate; nothing for a key.
    pub identity: Option<Identity>,
    /// The digest of the evidence.
    pub evidence: Digest,
    /// What was signed.
    pub statement: Statement,
}

/// Who a short-lived certificate was issued to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The URI or email address of its subject alternative name.
    pub subject: String,
    /// The issuer of the identity, not of the certificate.
    pub issuer: String,
}

/// What was signed about the image.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// That it is approved.
    Signature,
    /// A fact about it. It does not approve the image.
    Attestation {
        /// What kind of fact, a URI.
        predicate_type: String,
        /// The fact.
        predicate: Value,
    },
}

// === impl Proof ===

impl Proof {
    /// The proof, if it approves the image.
    pub fn require_signature(self) -> Result<Self, Rejection> {
        match &self.statement {
            Statement::Signature => Ok(self),
            Statement::Attestation { predicate_type, .. } => {
                Err(Rejection::attestation(predicate_type))
            }
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, issuer } = self;
        write!(formatter, "{subject} of {issuer}")
    }
}
