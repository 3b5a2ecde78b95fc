// SPDX-License-Identifier: Apache-2.0

//! Whose signature counts.

use super::super::bundles::{bundle, by_identity};
use super::super::site::{Claims, ISSUER, SUBJECT, Site, email, uri};
use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn the_identity_must_be_the_one_that_is_trusted() {
    let plain = Claims::new();
    let with = |subject: &str| Claims {
        subject: Some(uri(subject)),
        ..plain.clone()
    };
    let outside = "https://evil.example/?https://git.example/acme/app";
    let cases: [(&str, Claims, &str, &str, &str); 13] = [
        (
            "glob",
            plain.clone(),
            ISSUER,
            GLOB,
            "signed for ci by https://git.example/acme/app/",
        ),
        (
            "exact",
            plain.clone(),
            ISSUER,
            SUBJECT,
            "signed for ci by https://git.example/acme/app/",
        ),
        (
            "address",
            Claims {
                subject: Some(email("dev@acme.example")),
                ..plain.clone()
            },
            ISSUER,
            "*@acme.example",
            "signed for ci by dev@acme.example of ",
        ),
        (
            "another subject",
            with("https://git.example/other/app"),
            ISSUER,
            GLOB,
            "is signed by https://git.example/other/app, expected https://git.example/acme/*: ",
        ),
        (
            "only contains it",
            with(outside),
            ISSUER,
            GLOB,
            "is signed by https://evil.example/?https://git.example/acme/app, expected ",
        ),
        (
            "only begins with it",
            plain.clone(),
            ISSUER,
            "https://git.example/acme/app",
            "is signed by https://git.example/acme/app/",
        ),
        (
            "only ends with it",
            plain.clone(),
            ISSUER,
            "refs/heads/main",
            "is signed by https://git.example/acme/app/",
        ),
        (
            "another case",
            plain.clone(),
            ISSUER,
            "https://git.example/ACME/*",
            "is signed by https://git.example/acme/app/",
        ),
        (
            "no subject",
            Claims {
                subject: None,
                ..plain.clone()
            },
            ISSUER,
            "*",
            "certificate names no subject, expected *",
        ),
        (
            "subject of no kind that counts",
            Claims {
                subject: Some(rcgen::SanType::DnsName("git.example".try_into().unwrap())),
                ..plain.clone()
            },
            ISSUER,
            "*",
            "certificate names no subject, expected *",
        ),
        (
            "another issuer",
            plain.clone(),
            "https://issuer.example/",
            GLOB,
            "identity is from the issuer https://issuer.example, expected https://issuer.example/: ",
        ),
        (
            "issuer is no glob",
            plain.clone(),
            "https://issuer.*",
            GLOB,
            "identity is from the issuer https://issuer.example, expected https://issuer.*: ",
        ),
        (
            "no issuer",
            Claims {
                issuer: None,
                ..plain.clone()
            },
            ISSUER,
            GLOB,
            "certificate names no issuer of the identity, expected https://issuer.example",
        ),
    ];
    for (name, claims, issuer, subject, expected) in cases {
        let site = Site::new();
        let signer = site.certify(&claims);
        let authority = expecting(&site.root(), issuer, subject);
        let evidence = bundle(&by_identity(&site, &signer, &approval(&image())));
        let outcome = outcome(&authority, &evidence);
        assert!(outcome.starts_with(expected), "{name}: {outcome}");
    }
}
