// SPDX-License-Identifier: Apache-2.0

//! A private certificate authority and certificates for the loopback addresses.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// What a server on this machine is called.
const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// A certificate authority nobody else knows.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, both PEM.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl Authority {
    /// A new authority with a name of its own.
    pub fn generate() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params
            .distinguished_name
            .push(DnType::CommonName, "transship test authority");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self {
            certificate,
            issuer: Issuer::new(params, key),
        }
    }

    /// Its certificate, as a client has to trust it.
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// A certificate for a server on the loopback addresses, or for a client.
    pub fn issue(&self) -> Identity {
        self.issue_for(&LOOPBACK_NAMES)
    }

    /// A certificate for other names.
    pub fn issue_for(&self, names: &[&str]) -> Identity {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.use_authority_key_identifier_extension = true;
        params
            .distinguished_name
            .push(DnType::CommonName, "transship test");
        let key = KeyPair::generate().expect("a key");
        let certificate = params
            .signed_by(&key, &self.issuer)
            .expect("a certificate")
            .pem();
        Identity {
            certificate,
            key: key.serialize_pem(),
        }
    }

    /// A TLS server with a certificate for the loopback addresses.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.issue().server()
    }

    /// A TLS server that wants a client certificate of this authority.
    pub fn mutual_server(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = Arc::new(self.roots());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .expect("a verifier");
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions");
        let (chain, key) = self.issue().parse();
        Arc::new(
            builder
                .with_client_cert_verifier(verifier)
                .with_single_cert(chain, key)
                .expect("a matching key"),
        )
    }

    /// A TLS client that trusts this authority alone.
    pub fn client(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder
            .with_safe_default_protocol_versions()
            .expect("versions");
        Arc::new(
            builder
                .with_root_certificates(self.roots())
                .with_no_client_auth(),
        )
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM"))
            .expect("a certificate");
        roots
    }
}

/// A certificate that vouches for itself, as `openssl req -x509` makes them.
pub struct SelfSigned<'a> {
    /// The hosts that it is for.
    pub names: &'a [&'a str],
    /// Whether it says of itself that it is an authority.
    pub is_authority: bool,
    /// The first year in which it is not valid any more.
    pub until: i32,
}

impl SelfSigned<'_> {
    /// The certificate and its key.
    pub fn generate(&self) -> Identity {
        let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(self.until, 1, 1);
        if self.is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().expect("a key");
        Identity {
            certificate: params.self_signed(&key).expect("a certificate").pem(),
            key: key.serialize_pem(),
        }
    }
}

impl Identity {
    /// Certificate and key, PEM.
    pub fn pem(&self) -> String {
        format!("{}{}", self.certificate, self.key)
    }

    /// A TLS server with this certificate; HTTP/1.1 only.
    pub fn server(&self) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth();
        let (chain, key) = self.parse();
        Arc::new(
            builder
                .with_single_cert(chain, key)
                .expect("a matching key"),
        )
    }

    fn parse(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM")];
        (
            chain,
            PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM"),
        )
    }
}
