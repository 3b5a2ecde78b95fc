// SPDX-License-Identifier: Apache-2.0

//! Signatures: who vouches for an image, and what exactly they said.
//!
//! ```text
//! evidence   one thing that a registry holds beside an image
//! authority  someone who is trusted: a public key, or an identity of a certificate authority
//! verify     authority x evidence x digest of the image -> proof, or rejection with its cause
//! ```
//!
//! Both storage schemes of cosign are read: Sigstore bundles (versions 0.1 to 0.3), and the layers of
//! `.sig` and `.att` tags with their annotations. Verifying is computation only: no network, no files.
//!
//! Files are signed with a key, too, as `cosign sign-blob` does: [`SigningKey`], [`FileAuthority`].
//!
//! What counts as a signature of an image: a simple-signing payload whose
//! `critical.image.docker-manifest-digest` is the image, whatever name it was signed under, or an in-toto
//! statement of the type `https://sigstore.dev/cosign/sign/v1` with the image as its subject. Every other
//! statement is an attestation: its predicate can be trusted, but it approves nothing.
//!
//! - **A key** suffices by itself, so that sites without a transparency log can sign. Log entries and
//!   timestamps beside such a signature are not looked at: whoever could break them could as well leave
//!   them out, so nothing would be gained.
//! - **An identity** needs all of it: the certificate from the authority of the trusted root, logged by
//!   its certificate log, signed while it was valid by a log's or timestamp authority's time, and the
//!   signature in the transparency log. Nothing that is there may be broken.

mod authority;
mod authority_error;
mod bundle;
mod claim;
mod evidence;
mod key;
mod keyless;
mod proof;
mod rejection;
mod signed;
mod signing_key;
#[cfg(test)]
mod tests;

pub use authority::{Authority, FileAuthority};
pub use authority_error::AuthorityError;
pub use evidence::{Evidence, Layer};
pub use proof::{Identity, Proof, Statement};
pub use rejection::Rejection;
pub use signing_key::{FILE_SIGNATURE, SigningKey, SigningKeyError};
