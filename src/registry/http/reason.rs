// SPDX-License-Identifier: Apache-2.0

//! Why a connection does not come about, in words that say what to do.

use std::error::Error;
use std::io::ErrorKind;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use super::causes::{causes, root};

/// What stands before the names of a certificate that is not the host's.
pub(in crate::registry) const CERTIFICATE_NAMES: &str = "its certificate is for";
/// The most names of a certificate that are told.
const NAMES: usize = 3;
/// The longest of them, in characters.
const NAME: usize = 100;

/// The innermost reason of an error of a request, with what to do about it where that is known.
pub(in crate::registry) fn reason(error: &(dyn Error + 'static)) -> String {
    let detail = root(error);
    if let Some(told) = causes(error).find_map(|cause| of_context(cause.downcast_ref()?)) {
        return told;
    }
    let known = causes(error).find_map(|cause| {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return of_tls(error);
        }
        // The error of the resolver has no type that is public.
        if cause.to_string() == "dns error" {
            return Some("its name is not known: check how it is written, and the DNS here");
        }
        of_network(cause.downcast_ref::<std::io::Error>()?.kind())
    });
    match known {
        Some(known) => format!("{known} ({detail})"),
        None => detail,
    }
}

/// What each thing means that fits; the first counts.
type Sentences<const N: usize> = [(bool, &'static str); N];

fn first<const N: usize>(sentences: Sentences<N>) -> Option<&'static str> {
    let mut fitting = sentences.into_iter().filter(|(fits, _)| *fits);
    fitting.next().map(|(_, sentence)| sentence)
}

fn of_tls(error: &rustls::Error) -> Option<&'static str> {
    use AlertDescription as Alert;
    use rustls::Error::{AlertReceived, NoCertificatesPresented, PeerIncompatible};

    if let rustls::Error::InvalidCertificate(error) = error {
        return of_certificate(error);
    }
    first([
        (
            matches!(
                error,
                AlertReceived(Alert::CertificateRequired | Alert::BadCertificate)
            ),
            "it wants a client certificate, or another one: name it with certSecretRef",
        ),
        (
            matches!(error, AlertReceived(Alert::UnknownCA)),
            "it does not trust the authority of our client certificate",
        ),
        (
            matches!(
                error,
                AlertReceived(Alert::HandshakeFailure | Alert::ProtocolVersion)
                    | PeerIncompatible(_)
            ),
            "it knows no version of TLS or no cipher that we do: TLS 1.2 is the oldest",
        ),
        (
            matches!(error, AlertReceived(Alert::UnrecognisedName)),
            "it serves no host of that name: check how it is written",
        ),
        (
            matches!(error, NoCertificatesPresented),
            "it shows no certificate",
        ),
    ])
}

fn of_certificate(error: &CertificateError) -> Option<&'static str> {
    use CertificateError as Fault;

    first([
        (
            matches!(error, Fault::Expired | Fault::ExpiredContext { .. }),
            "its certificate has expired: have it renewed there, and check the clock here",
        ),
        (
            matches!(error, Fault::NotValidYet | Fault::NotValidYetContext { .. }),
            "its certificate is not valid yet: check the clocks here and there",
        ),
        (
            is_unvouched(error),
            "its certificate is signed by an authority that is not trusted here: \
             name that with certSecretRef, or --ca-file on the command line",
        ),
        (
            matches!(
                error,
                Fault::NotValidForName | Fault::NotValidForNameContext { .. }
            ),
            "its certificate is for another name: check the host, or have its name added there",
        ),
        (
            matches!(error, Fault::Revoked),
            "its certificate was revoked: have it renewed there",
        ),
    ])
}

/// What a certificate says of itself that does not fit: its own words are seconds since 1970 and types of Rust.
fn of_context(error: &rustls::Error) -> Option<String> {
    let rustls::Error::InvalidCertificate(error) = error else {
        return None;
    };
    let day = |time: &UnixTime| {
        let seconds = i64::try_from(time.as_secs()).ok()?;
        let time = jiff::Timestamp::from_second(seconds).ok()?;
        Some(time.strftime("%Y-%m-%d").to_string())
    };
    let sentence = first([
        (
            is_authority(error),
            "its certificate is that of an authority, too (CA:TRUE), as openssl req -x509 makes them: \
             name that very certificate with certSecretRef, or --ca-file on the command line, \
             or have one made there with -addext basicConstraints=critical,CA:FALSE",
        ),
        (
            is_old(error),
            "its certificate is of version 1, which cannot say for which hosts it is: \
             have one made there with -addext subjectAltName=DNS:NAME",
        ),
    ]);
    if let Some(sentence) = sentence {
        return Some(sentence.to_owned());
    }
    // Each further kind of fault has a sentence that says all there is to say.
    if let CertificateError::ExpiredContext { not_after, .. } = error {
        return Some(format!(
            "its certificate expired on {}: have it renewed there, and check the clock here",
            day(not_after)?
        ));
    }
    if let CertificateError::NotValidYetContext { not_before, .. } = error {
        return Some(format!(
            "its certificate is not valid before {}: check the clocks here and there",
            day(not_before)?
        ));
    }
    if let CertificateError::NotValidForNameContext { presented, .. } = error {
        let names: Vec<String> = presented
            .iter()
            .take(NAMES)
            .map(|name| bare(name))
            .collect();
        if names.is_empty() {
            return Some(
                "its certificate says for which host it is in no subjectAltName, and a common name does not count: \
                 have one made there with -addext subjectAltName=DNS:NAME"
                    .to_owned(),
            );
        }
        return Some(format!(
            "{CERTIFICATE_NAMES} {}: check the host, or have its name added there",
            names.join(", ")
        ));
    }
    None
}

/// A name of a certificate without the type that stands around it, as in `DnsName("other.test")`. A stranger wrote it.
fn bare(name: &str) -> String {
    let inner = name
        .split_once('(')
        .map_or(name, |(_, inner)| inner.trim_end_matches(')'));
    let name = inner.trim_matches('"');
    let readable = name.chars().filter(|character| !character.is_control());
    readable.take(NAME).collect()
}

/// Whether a certificate is shown that signs others, such as `openssl req -x509` makes them.
pub(super) fn is_authority(error: &CertificateError) -> bool {
    matches!(of_webpki(error), Some(webpki::Error::CaUsedAsEndEntity))
}

/// Whether a certificate is shown that has no extensions, as `openssl x509 -req` makes them.
fn is_old(error: &CertificateError) -> bool {
    matches!(
        of_webpki(error),
        Some(webpki::Error::UnsupportedCertVersion)
    )
}

/// What of a certificate is wrong that the library around has no word for.
fn of_webpki(error: &CertificateError) -> Option<&webpki::Error> {
    let CertificateError::Other(other) = error else {
        return None;
    };
    other.0.downcast_ref()
}

/// Whether nobody is trusted who vouches for a certificate.
pub(in crate::registry) fn is_stranger(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let Some(rustls::Error::InvalidCertificate(fault)) = cause.downcast_ref() else {
            return false;
        };
        is_authority(fault) || is_unvouched(fault)
    })
}

/// A bad signature is that of another authority with the name of a trusted one.
fn is_unvouched(error: &CertificateError) -> bool {
    matches!(
        error,
        CertificateError::UnknownIssuer | CertificateError::BadSignature
    )
}

fn of_network(kind: ErrorKind) -> Option<&'static str> {
    first([
        (
            kind == ErrorKind::ConnectionRefused,
            "nothing listens there, or a firewall refuses it: check host and port",
        ),
        (
            kind == ErrorKind::TimedOut,
            "it does not answer: check host, port and firewall",
        ),
        (
            matches!(
                kind,
                ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
            ),
            "there is no way to it: check host and network",
        ),
    ])
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[test]
    fn every_cause_has_its_own_sentence() {
        let certificate = rustls::Error::InvalidCertificate;
        let alert = rustls::Error::AlertReceived;
        let authority = OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity));
        let cases: [(Box<dyn Error>, &str); 9] = [
            (
                Box::new(certificate(CertificateError::Other(authority))),
                "is that of an authority, too",
            ),
            (
                Box::new(certificate(CertificateError::Expired)),
                "has expired",
            ),
            (
                Box::new(certificate(CertificateError::NotValidYet)),
                "is not valid yet",
            ),
            (
                Box::new(certificate(CertificateError::UnknownIssuer)),
                "is not trusted here",
            ),
            (
                Box::new(certificate(CertificateError::NotValidForName)),
                "is for another name",
            ),
            (
                Box::new(alert(AlertDescription::CertificateRequired)),
                "wants a client certificate",
            ),
            (
                Box::new(alert(AlertDescription::ProtocolVersion)),
                "knows no version of TLS",
            ),
            (
                Box::new(io::Error::from(ErrorKind::ConnectionRefused)),
                "nothing listens there",
            ),
            (
                Box::new(io::Error::from(ErrorKind::TimedOut)),
                "does not answer",
            ),
        ];
        for (error, expected) in cases {
            let text = reason(error.as_ref());
            assert!(text.contains(expected), "{text}");
        }
        let time = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let expired = CertificateError::ExpiredContext {
            time: time(1_800_000_000),
            not_after: time(1_609_459_200),
        };
        let early = CertificateError::NotValidYetContext {
            time: time(1_600_000_000),
            not_before: time(1_609_459_200),
        };
        let name = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: "a.test".try_into().unwrap(),
            presented: presented.iter().map(ToString::to_string).collect(),
        };
        let told = [
            expired,
            early,
            name(&[r#"DnsName("other.test")"#, "IpAddress(10.0.0.1)"]),
            name(&["a\u{1b}[2Jb", "c", "d", "e"]),
            name(&[]),
        ];
        let told = told.map(|fault| reason(&certificate(fault)));
        insta::assert_snapshot!(told.join("\n"));
        assert_eq!(reason(&io::Error::other("x")), "x");
    }
}
