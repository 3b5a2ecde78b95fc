// SPDX-License-Identifier: Apache-2.0

//! Encryption for hosts for which more is trusted than the system does: authorities, and certificates by themselves.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::{TLS12, TLS13};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use secrecy::{ExposeSecret, SecretString};
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::BasicConstraints;
use x509_cert::{Certificate, Version};

use super::reason::is_authority;
use crate::registry::cause::Cause;

/// Believes whom the system and the named authorities vouch for, and the named certificates themselves: one that
/// signed itself, as `openssl req -x509` makes them, may say that it is an authority and be that of a server.
#[derive(Debug)]
struct Named {
    issued: Verifier,
    certificates: Vec<CertificateDer<'static>>,
}

/// Encryption that trusts these certificates, too, and shows this client certificate.
pub(super) fn trusting(
    certificates: Vec<CertificateDer<'static>>,
    identity: Option<&SecretString>,
    protocols: &[&str],
) -> Result<ClientConfig, Cause> {
    let provider = provider();
    let named = Named::of(certificates, Arc::clone(&provider));
    let verifier = named.map_err(|error| wrong(&error))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| wrong(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let (chain, key) = read_identity(pem).ok_or_else(no_identity)?;
            let config = builder.with_client_auth_cert(chain, key);
            config.map_err(|_| no_identity())?
        }
    };
    let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
    config.alpn_protocols = protocols.collect();
    Ok(config)
}

/// What is said where a client certificate or its key is missing.
pub(super) fn no_identity() -> Cause {
    Cause::Settings("the client certificate and key are not PEM with one of each".to_owned())
}

fn wrong(error: &Error) -> Cause {
    Cause::Settings(error.to_string())
}

/// Whether a certificate issues no others (RFC 5280, section 4.2.1.9): it is named for its own server, and what its key has
/// signed is not believed for that. Those of version 1 cannot say so, and some authorities have one.
fn is_of_a_server(certificate: &CertificateDer<'_>) -> bool {
    let Ok(read) = Certificate::from_der(certificate) else {
        return false;
    };
    let certificate = &read.tbs_certificate;
    let constraints = certificate.get::<BasicConstraints>().ok().flatten();
    certificate.version == Version::V3 && constraints.is_none_or(|(_, it)| !it.ca)
}

fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default()
        .map_or_else(|| Arc::new(aws_lc_rs::default_provider()), Arc::clone)
}

fn read_identity(
    pem: &SecretString,
) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let pem = pem.expose_secret().as_bytes();
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty())?;
    Some((chain, PrivateKeyDer::from_pem_slice(pem).ok()?))
}

// === impl Named ===

impl Named {
    fn of(
        certificates: Vec<CertificateDer<'static>>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let issuers = certificates.iter().filter(|one| !is_of_a_server(one));
        let issued = Verifier::new_with_extra_roots(issuers.cloned(), provider)?;
        Ok(Self {
            issued,
            certificates,
        })
    }
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let issued = self.issued.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match issued {
            // It is refused for that after a look at the days for which it is valid, and before one at its names.
            Err(Error::InvalidCertificate(fault))
                if (is_authority(&fault) || fault == CertificateError::UnknownIssuer)
                    && self.certificates.iter().any(|one| one == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            issued => issued,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.issued
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.issued.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints as Constraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    const HOST: &str = "r.example.com";

    #[test]
    fn who_is_named_stands_for_itself_and_issues_others_only_where_it_says_so() {
        for (is_ca, issues) in [
            (IsCa::Ca(Constraints::Unconstrained), true),
            (IsCa::ExplicitNoCa, false),
            (IsCa::NoCa, false),
        ] {
            let mut params = CertificateParams::new([HOST.to_owned()]).unwrap();
            params.is_ca = is_ca;
            let key = KeyPair::generate().unwrap();
            let named = params.self_signed(&key).unwrap();
            let of_server = CertificateParams::new([HOST.to_owned()]).unwrap();
            let issuer = Issuer::new(params, key);
            let other = of_server.signed_by(&KeyPair::generate().unwrap(), &issuer);
            let other = other.unwrap();
            let verifier = Named::of(vec![named.der().clone()], provider()).unwrap();
            let is_believed = |shown: &CertificateDer<'_>| {
                let now = UnixTime::since_unix_epoch(Duration::from_secs(1 << 31));
                let name = ServerName::try_from(HOST).unwrap();
                let answer = verifier.verify_server_cert(shown, &[], &name, &[], now);
                answer.is_ok()
            };
            assert!(is_believed(named.der()), "{is_ca:?}");
            assert_eq!(is_believed(other.der()), issues, "{is_ca:?}");
        }
    }
}
