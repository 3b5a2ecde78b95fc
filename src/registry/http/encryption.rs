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
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use secrecy::{ExposeSecret, SecretString};

use super::reason::is_authority;
use crate::registry::cause::Cause;

/// Believes whom the system and the named certificates vouch for, and the named certificates themselves: one that
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
    let issued = Verifier::new_with_extra_roots(certificates.clone(), Arc::clone(&provider));
    let verifier = Named {
        issued: issued.map_err(|error| wrong(&error))?,
        certificates,
    };
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
                if is_authority(&fault)
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
