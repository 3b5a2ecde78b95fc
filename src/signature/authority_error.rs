// SPDX-License-Identifier: Apache-2.0

//! Why someone cannot be trusted as written.

/// Why someone cannot be trusted as written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// There is nothing.
    #[error("is empty: put the public key there, as cosign writes it into cosign.pub")]
    Empty,
    /// It is a secret.
    #[error("is a private key, which must not be there: put the public key there, cosign.pub")]
    PrivateKey,
    /// It is a certificate.
    #[error("is a certificate: put the public key there, as openssl x509 -pubkey -noout prints it")]
    Certificate,
    /// There is more than one.
    #[error("holds several keys: write one authority for each")]
    SeveralKeys,
    /// It is no PEM.
    #[error("is not a public key in PEM: it must begin with -----BEGIN PUBLIC KEY-----")]
    NotPem,
    /// It is a key that nothing is verified with.
    #[error(
        "is a public key of a kind that is not supported: use ECDSA (P-256, P-384 or P-521), RSA (2048 to 8192 bits) or Ed25519"
    )]
    UnsupportedKey,
    /// The issuer is missing.
    #[error("has no issuer: write the issuer of the identity, such as https://accounts.google.com")]
    NoIssuer,
    /// The subject is missing.
    #[error("has no subject: write who must have signed, such as https://github.com/acme/*")]
    NoSubject,
    /// The trusted root cannot be used.
    #[error("trusted root cannot be used: {reason}")]
    TrustedRoot {
        /// Why.
        reason: String,
    },
}
