// SPDX-License-Identifier: Apache-2.0

//! Why an evidence proves nothing, and which of several reasons is told.

use super::*;

#[test]
fn the_closest_of_several_rejections_is_the_greatest() {
    let other = other_image().to_string();
    let in_order = [
        Rejection::unreadable("bundle", &"x"),
        Rejection::NoSignature,
        Rejection::NoCertificate,
        Rejection::WrongKey,
        Rejection::UnknownCertificateAuthority {
            reason: "x".to_owned(),
        },
        Rejection::NoLogEntry,
        Rejection::OtherSubject {
            found: "a".to_owned(),
            expected: "b".to_owned(),
        },
        Rejection::OtherDigest {
            found: other,
            expected: image().to_string(),
        },
        Rejection::attestation("x"),
    ];
    assert!(in_order.is_sorted());
    let unreadable = in_order.iter().filter(|cause| cause.is_unreadable());
    assert_eq!(unreadable.count(), 1);
}

#[test]
fn texts_of_an_evidence_are_short_and_safe_in_messages() {
    let long = "a\u{1b}[31m\n".repeat(100);
    let text = Rejection::attestation(&long).to_string();
    assert!(text.len() < 600, "{text}");
    assert!(!text.contains(['\u{1b}', '\n']), "{text}");
}
