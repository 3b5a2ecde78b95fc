// SPDX-License-Identifier: Apache-2.0

//! A site with everything that keyless signing needs: a certificate authority, a certificate log, a
//! transparency log and a timestamp authority. All of it is made when a test begins.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SanType, SerialNumber, SigningKey, date_time_ymd,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::der;

/// Noon of 2024-01-15, when everything is signed.
pub(super) const NOON: i64 = 1_705_320_000;
/// The issuer that the certificates name.
pub(super) const ISSUER: &str = "https://issuer.example";
/// The subject that the certificates name.
pub(super) const SUBJECT: &str = "https://git.example/acme/app/.ci/build.yaml@refs/heads/main";

/// A site.
pub(super) struct Site {
    authority: CertifiedIssuer<'static, KeyPair>,
    certificate_log: KeyPair,
    log: KeyPair,
    timestamps: CertifiedIssuer<'static, KeyPair>,
    stamper: Certified,
}

/// What a certificate says.
#[derive(Clone)]
pub(super) struct Claims {
    pub(super) subject: Option<SanType>,
    pub(super) issuer: Option<&'static str>,
    pub(super) code_signing: bool,
    /// Hours after midnight from when to when it is valid.
    pub(super) hours: [u64; 2],
    pub(super) in_log: bool,
}

/// A key with its certificate.
pub(super) struct Certified {
    pub(super) key: KeyPair,
    pub(super) der: Vec<u8>,
}

// === impl Claims ===

impl Claims {
    pub(super) fn new() -> Self {
        Self {
            subject: Some(uri(SUBJECT)),
            issuer: Some(ISSUER),
            code_signing: true,
            hours: [11, 13],
            in_log: true,
        }
    }
}

pub(super) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(super) fn email(text: &str) -> SanType {
    SanType::Rfc822Name(text.try_into().unwrap())
}

// === impl Certified ===

impl Certified {
    pub(super) fn pem(&self) -> String {
        let encoded = BASE64_STANDARD.encode(&self.der);
        let lines: Vec<&str> = encoded
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let body = lines.join("\n");
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }
}

// === impl Site ===

impl Site {
    pub(super) fn new() -> Self {
        let timestamps = issuer("timestamp authority");
        let mut params = params("timestamps", [0, 24]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping];
        params.serial_number = Some(SerialNumber::from(vec![7]));
        let key = key();
        let der = params.signed_by(&key, &timestamps).unwrap().der().to_vec();
        Self {
            authority: issuer("certificate authority"),
            certificate_log: self::key(),
            log: self::key(),
            timestamps,
            stamper: Certified { key, der },
        }
    }

    /// `trusted_root.json` of the site.
    pub(super) fn root(&self) -> Value {
        let since = json!({"start": "2024-01-01T00:00:00Z"});
        let log = |key: &KeyPair| {
            json!([{
                "baseUrl": "https://log.example",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": encode(&key.subject_public_key_info()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": since,
                },
                "logId": {"keyId": encode(&id(key))},
            }])
        };
        let chain = |certificates: &[&[u8]]| {
            let certificates = certificates.iter();
            let certificates = certificates.map(|der| json!({"rawBytes": encode(der)}));
            json!({"certificates": certificates.collect::<Vec<_>>()})
        };
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": log(&self.log),
            "ctlogs": log(&self.certificate_log),
            "certificateAuthorities": [{
                "subject": {"organization": "site", "commonName": "site"},
                "uri": "https://authority.example",
                "certChain": chain(&[self.authority.der()]),
                "validFor": since,
            }],
            "timestampAuthorities": [{
                "subject": {"organization": "site", "commonName": "site"},
                "certChain": chain(&[&self.stamper.der, self.timestamps.der()]),
                "validFor": since,
            }],
        })
    }

    /// A certificate of the site.
    pub(super) fn certify(&self, claims: &Claims) -> Certified {
        let key = key();
        let mut params = params("", claims.hours);
        params.serial_number = Some(SerialNumber::from(vec![9]));
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = claims.subject.clone().into_iter().collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![if claims.code_signing {
            ExtendedKeyUsagePurpose::CodeSigning
        } else {
            ExtendedKeyUsagePurpose::ServerAuth
        }];
        if let Some(issuer) = claims.issuer {
            let oid = [1, 3, 6, 1, 4, 1, 57264, 1, 8];
            let content = der::element(0x0c, issuer.as_bytes());
            let extension = CustomExtension::from_oid_content(&oid, content);
            params.custom_extensions.push(extension);
        }
        let sign = |params: &CertificateParams| {
            let certificate = params.signed_by(&key, &self.authority).unwrap();
            certificate.der().to_vec()
        };
        if claims.in_log {
            let before = sign(&params);
            let (unsigned, _) = der::first(&before);
            let oid = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
            let content = self.certificate_timestamp(unsigned);
            let extension = CustomExtension::from_oid_content(&oid, content);
            params.custom_extensions.push(extension);
        }
        let der = sign(&params);
        Certified { key, der }
    }

    /// The list of signed certificate timestamps (RFC 6962, section 3.3) for a certificate without it.
    fn certificate_timestamp(&self, unsigned: &[u8]) -> Vec<u8> {
        let time = u64::try_from(NOON * 1000).unwrap().to_be_bytes();
        let issuer = Sha256::digest(self.authority.key().subject_public_key_info());
        let length = u32::try_from(unsigned.len()).unwrap().to_be_bytes();
        let signed = [
            [0, 0].as_slice(),
            &time,
            &[0, 1],
            &issuer,
            &length[1..],
            unsigned,
            &[0, 0],
        ];
        let signature = self.certificate_log.sign(&signed.concat()).unwrap();
        let short = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
        let timestamp = [
            [0].as_slice(),
            &id(&self.certificate_log),
            &time,
            &[0, 0, 4, 3],
            &short(&signature),
            &signature,
        ]
        .concat();
        let list = [short(&timestamp).as_slice(), &timestamp].concat();
        der::octets(&[short(&list).as_slice(), &list].concat())
    }

    /// An entry of the transparency log with promise and proof, the second of three.
    pub(super) fn entry(&self, body: &Value) -> Value {
        let canonical = body.to_string();
        let leaf = |text: &str| Sha256::digest([[0].as_slice(), text.as_bytes()].concat());
        let node =
            |left: &[u8], right: &[u8]| Sha256::digest([[1].as_slice(), left, right].concat());
        let (before, after) = (leaf("before"), leaf("after"));
        let root = node(&node(&before, &leaf(&canonical)), &after);
        let head = format!("log.example - 1\n3\n{}\n", encode(&root));
        let signature = self.log.sign(head.as_bytes()).unwrap();
        let signature = [&id(&self.log)[..4], &signature].concat();
        let promised = json!({
            "body": encode(canonical.as_bytes()),
            "integratedTime": NOON,
            "logID": hex::encode(id(&self.log)),
            "logIndex": 1001,
        });
        json!({
            "logIndex": "1001",
            "logId": {"keyId": encode(&id(&self.log))},
            "kindVersion": {"kind": body["kind"], "version": body["apiVersion"]},
            "integratedTime": NOON.to_string(),
            "inclusionPromise": {"signedEntryTimestamp": self.promise(&promised)},
            "inclusionProof": {
                "logIndex": "1",
                "rootHash": encode(&root),
                "treeSize": "3",
                "hashes": [encode(&before), encode(&after)],
                "checkpoint": {
                    "envelope": format!("{head}\n— log.example {}\n", encode(&signature)),
                },
            },
            "canonicalizedBody": encode(canonical.as_bytes()),
        })
    }

    /// What the log signs at once, before the entry is in its tree.
    pub(super) fn promise(&self, promised: &Value) -> String {
        encode(&self.log.sign(promised.to_string().as_bytes()).unwrap())
    }

    /// A timestamp of a signature (RFC 3161) that says noon, or another time of that day.
    pub(super) fn stamp(&self, signature: &[u8], time: &str) -> Vec<u8> {
        let sha256 = der::sequence(&[&der::oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1])]);
        let content_type = der::oid(&[1, 2, 840, 113_549, 1, 9, 16, 1, 4]);
        let info = der::sequence(&[
            &der::integer(1),
            &der::oid(&[1, 3, 6, 1, 4, 1, 57264, 2]),
            &der::sequence(&[&sha256, &der::octets(&Sha256::digest(signature))]),
            &der::integer(1),
            &der::element(0x18, format!("20240115{time}Z").as_bytes()),
        ]);
        let attribute =
            |arcs: &[u32], value: &[u8]| der::sequence(&[&der::oid(arcs), &der::set(&[value])]);
        let kind = attribute(&[1, 2, 840, 113_549, 1, 9, 3], &content_type);
        let digest = der::octets(&Sha256::digest(&info));
        let digest = attribute(&[1, 2, 840, 113_549, 1, 9, 4], &digest);
        let attributes = der::set(&[&kind, &digest]);
        let made = self.stamper.key.sign(&attributes).unwrap();
        let mut attributes = attributes;
        attributes[0] = 0xa0;
        let ecdsa = der::sequence(&[&der::oid(&[1, 2, 840, 10045, 4, 3, 2])]);
        let signer = der::sequence(&[
            &der::integer(1),
            &der::sequence(&[&self.stamper_issuer(), &der::integer(7)]),
            &sha256,
            &attributes,
            &ecdsa,
            &der::octets(&made),
        ]);
        let content = der::element(0xa0, &der::octets(&info));
        let data = der::sequence(&[
            &der::integer(3),
            &der::set(&[&sha256]),
            &der::sequence(&[&content_type, &content]),
            &der::set(&[&signer]),
        ]);
        let signed_data = der::oid(&[1, 2, 840, 113_549, 1, 7, 2]);
        let token = der::sequence(&[&signed_data, &der::element(0xa0, &data)]);
        der::sequence(&[&der::sequence(&[&der::integer(0)]), &token])
    }

    /// The issuer in the certificate of the timestamp authority, as it is written there.
    fn stamper_issuer(&self) -> Vec<u8> {
        let (unsigned, _) = der::first(&self.stamper.der);
        let (_version, rest) = der::first(unsigned);
        let (_serial, rest) = der::split(rest);
        let (_algorithm, rest) = der::split(rest);
        der::split(rest).0.to_vec()
    }
}

fn issuer(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(name, [0, 24]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, key()).unwrap()
}

/// A certificate that is valid on 2024-01-15 between two hours.
fn params(name: &str, hours: [u64; 2]) -> CertificateParams {
    let midnight = date_time_ymd(2024, 1, 15);
    let [from, to] = hours.map(|hours| std::time::Duration::from_secs(hours * 60 * 60));
    let mut params = CertificateParams::default();
    params.not_before = midnight + from;
    params.not_after = midnight + to;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(super) fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

/// The ID of a log: the digest of its public key.
pub(super) fn id(key: &KeyPair) -> Vec<u8> {
    Sha256::digest(key.subject_public_key_info()).to_vec()
}

pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}
