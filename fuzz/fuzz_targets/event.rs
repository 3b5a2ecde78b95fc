// SPDX-License-Identifier: Apache-2.0

#![no_main]

use libfuzzer_sys::fuzz_target;
use transship::api::SenderType::{
    Acr, Artifactory, Distribution, DockerHub, Ecr, Gar, Generic, Ghcr, Gitea, Harbor, Nexus, Quay,
    Zot,
};
use transship::api::image_receiver::GenericEvent;
use transship::events::oidc::{Keys, Token};
use transship::events::{Delivery, Sender, authenticity, read};

const KINDS: [transship::api::SenderType; 13] = [
    DockerHub,
    Ghcr,
    Harbor,
    Quay,
    Acr,
    Gar,
    Ecr,
    Gitea,
    Distribution,
    Zot,
    Nexus,
    Artifactory,
    Generic,
];

fuzz_target!(|event: (u8, Option<String>, Vec<u8>)| {
    let (kind, header, body) = event;
    let kind = KINDS[usize::from(kind) % KINDS.len()];
    let sender = Sender {
        kind,
        registry: None,
        generic: (kind == Generic).then(|| GenericEvent {
            items: Some("/events".to_owned()),
            registry: Some("/host".to_owned()),
            repository: "/repository".to_owned(),
            tag: Some("/tag".to_owned()),
            time: Some("/time".to_owned()),
            signature_header: Some("X-Signature".to_owned()),
            token_header: None,
        }),
        oidc: None,
        pull: None,
    };
    let delivery = Delivery {
        header: &|_| header.as_deref(),
        body: &body,
    };
    let _ = Token::read(delivery.header);
    let _ = std::str::from_utf8(&body).map(Keys::parse);
    let _ = authenticity::check(&sender, &"a-token-of-some-length".into(), &delivery);
    if let Ok(hints) = read(&sender, &delivery) {
        assert!(hints.len() <= 256, "{}", hints.len());
    }
});
