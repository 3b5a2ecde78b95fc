// SPDX-License-Identifier: Apache-2.0

//! Registries whose lists have no end, or take for ever.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::task::AbortOnDropHandle;

use super::evil::manifest;
use super::tenants::Mirror;
use crate::support::content::{Blob, media_type};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::{Action, Gate};
use crate::support::http::server::{Handler, Server};
use crate::support::http::{Reply, Request};

/// How long each page of a slow list takes: nobody gives up on it.
const SLOWNESS: Duration = Duration::from_secs(25);
/// Pages of a slow list that come while anybody looks.
const SLOW_PAGES: usize = 20;

/// A registry whose lists have no end.
pub(super) struct Listless(Server);

struct Endless {
    manifests: BTreeMap<&'static str, Blob>,
}

/// A registry whose pages take long, each with the promise of another.
pub(super) struct Slow {
    registry: FaultRegistry,
    _opens: AbortOnDropHandle<()>,
}

impl Slow {
    pub(super) fn start() -> Self {
        let registry = FaultRegistry::start();
        let gates: Vec<Gate> = (0..SLOW_PAGES).map(|_| Gate::closed()).collect();
        for (page, gate) in gates.iter().enumerate() {
            let is_page = move |request: &Request| {
                let asked = request.parameter("page").unwrap_or_else(|| "0".to_owned());
                request.path.ends_with("/tags/list") && asked == page.to_string()
            };
            let next = format!("</v2/drip/tags/list?page={}>; rel=\"next\"", page + 1);
            let reply = Reply::json(200, &json!({"tags": [format!("t{page}")]}));
            registry
                .script()
                .when(is_page)
                .responds(reply.header("link", &next));
            let hold = Action::HoldReply(gate.clone());
            registry.script().when(is_page).does(hold);
        }
        let opens = tokio::spawn(async move {
            for gate in gates {
                tokio::time::sleep(SLOWNESS).await;
                gate.open();
            }
        });
        Self {
            registry,
            _opens: AbortOnDropHandle::new(opens),
        }
    }

    /// As many mirrors as one namespace may sync at a time.
    pub(super) fn mirrors(&self, destination: &FaultRegistry) -> String {
        let mirrors = (0..8).map(|index| {
            let name = format!("drip-{index}");
            let mirror = Mirror::of(&name, &self.registry.host(), &destination.host());
            mirror.image("drip", &["zzz*"]).to_string()
        });
        mirrors.collect()
    }
}

impl Listless {
    pub(super) fn start() -> Self {
        let image = manifest("{}", &json!([]));
        let manifests = BTreeMap::from([("r", image)]);
        Self(Server::start(Arc::new(Endless { manifests }), None))
    }

    pub(super) fn mirrors(&self, destination: &FaultRegistry) -> Vec<Mirror> {
        let host = self.0.address().to_string();
        let of = |name: &str| Mirror::of(name, &host, &destination.host());
        vec![
            of("links").image("links", &["zzz*"]),
            of("referrers").image("refs", &["r"]),
        ]
    }
}

impl Endless {
    fn page(request: &Request) -> usize {
        let page = request.parameter("page").and_then(|page| page.parse().ok());
        page.unwrap_or_default()
    }

    fn next(request: &Request) -> String {
        let is_long = request.path.contains("/links/");
        let padding = "x".repeat(if is_long { 60_000 } else { 60 });
        format!(
            "<{}?page={}&padding={padding}>; rel=\"next\"",
            request.path,
            Self::page(request) + 1
        )
    }

    fn manifest(&self, reference: &str) -> Reply {
        let mut all = self.manifests.iter();
        match all.find(|(tag, blob)| **tag == reference || blob.digest == reference) {
            Some((_, blob)) => Reply::new(200)
                .header("content-type", &blob.media_type)
                .header("docker-content-digest", &blob.digest)
                .body(blob.bytes.clone()),
            None => Reply::error(404, "MANIFEST_UNKNOWN", "no such manifest"),
        }
    }
}

impl Handler for Endless {
    fn answer(&self, request: &Request) -> Reply {
        let path = request.path.trim_start_matches("/v2/");
        let listed = |body: &Value| Reply::json(200, body).header("link", &Self::next(request));
        if path.contains("/tags/list") {
            return listed(&json!({"tags": [format!("t{}", Self::page(request))]}));
        }
        if path.contains("/referrers/") {
            let page = json!({"page": Self::page(request).to_string()});
            let referrer = manifest(&page.to_string(), &json!([]));
            let body = json!({
                "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [referrer.descriptor()],
            });
            return listed(&body);
        }
        match path.rsplit_once("/manifests/") {
            Some((_, reference)) => self.manifest(reference),
            None => Reply::new(200),
        }
    }

    fn rehearse(&self, request: &Request) -> Reply {
        self.answer(request)
    }
}
