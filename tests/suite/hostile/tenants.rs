// SPDX-License-Identifier: Apache-2.0

//! What tenants apply.

use std::fmt;

use serde_json::{Value, json};

use crate::support::cluster::namespace::find_condition;
use crate::support::content::{Image, ImageBuilder, Signer};
use crate::support::credentials::{Login, docker_config};
use crate::support::faults::FaultRegistry;
use crate::support::http::script::Action;
use crate::support::http::{Reply, Request};

/// Tags of the mirror that wants nothing but its images, and bytes of each image.
const TAGS: u64 = 20;
const BYTES: usize = 5_000_000;

/// An `ImageMirror`.
pub(super) struct Mirror {
    name: String,
    spec: Value,
}

impl Mirror {
    pub(super) fn of(name: &str, source: &str, destination: &str) -> Self {
        let destination = json!({"name": "copy", "registry": destination, "insecure": true});
        Self {
            name: name.to_owned(),
            spec: json!({
                "source": {"registry": source, "insecure": true},
                "images": [],
                "destinations": [destination],
                "interval": "1h",
            }),
        }
    }

    pub(super) fn image(mut self, repository: &str, tags: &[&str]) -> Self {
        let mut entry = json!({"repository": repository});
        if !tags.is_empty() {
            entry["tags"] = json!(tags);
        }
        self.spec["images"].as_array_mut().unwrap().push(entry);
        self
    }

    pub(super) fn policy(mut self, name: &str) -> Self {
        self.spec["policyRefs"] = json!([{"name": name}]);
        self
    }

    pub(super) fn through_proxy(mut self) -> Self {
        self.spec["source"]["proxySecretRef"] = json!({"name": "proxy"});
        self
    }

    /// With the login of the Secret `login`.
    pub(super) fn logged_in(mut self) -> Self {
        self.spec["source"]["secretRef"] = json!({"name": "login"});
        self
    }

    pub(super) fn under(mut self, repository: &str) -> Self {
        self.spec["destinations"][0]["repository"] = json!(repository);
        self
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = json!({
            "apiVersion": "transship.dev/v1alpha1",
            "kind": "ImageMirror",
            "metadata": {"name": self.name},
            "spec": self.spec,
        });
        writeln!(f, "---\n{object}")
    }
}

/// Images that somebody wants, each with a signature.
pub(super) fn victim(source: &FaultRegistry) -> Vec<(String, Image)> {
    let signer = Signer::generate();
    let images = (0..TAGS).map(|seed| {
        let mut image = ImageBuilder::new(7_000 + seed).layers(&[BYTES]).build();
        let signature = signer.sign(image.digest());
        image.referrers.push(signature);
        let tag = format!("1.{seed}");
        source.load("app", &tag, &image);
        (tag, image)
    });
    images.collect()
}

/// A registry that leaves alone for hours who does not pay.
pub(super) fn charging() -> FaultRegistry {
    let source = FaultRegistry::options().basic().start();
    let free = free().basic();
    let is_free =
        move |request: &Request| request.headers.value("authorization") == Some(free.as_str());
    let refusal = Reply::error(429, "TOOMANYREQUESTS", "pay").header("retry-after", "21600");
    source.script().when(is_free).responds(refusal);
    source
}

/// The login of somebody who does not pay.
pub(super) fn free() -> Login {
    Login {
        username: "free".to_owned(),
        password: "free".to_owned(),
    }
}

/// The Secret `login`.
pub(super) fn login_secret(registry: &FaultRegistry, login: &Login) -> String {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "login"},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": docker_config(&[(&registry.host(), login)])},
    });
    format!("---\n{object}\n")
}

/// A proxy that answers for every registry: it is to be left alone for hours, and can do nothing.
pub(super) fn proxied() -> FaultRegistry {
    let proxy = FaultRegistry::start();
    let refusal = Reply::error(429, "TOOMANYREQUESTS", "later").header("retry-after", "21600");
    proxy.on("*", "").does(Action::Respond(refusal));
    let unable = Reply::error(405, "UNSUPPORTED", "no referrers");
    proxy.on("*", "/referrers/").does(Action::Respond(unable));
    proxy
}

pub(super) fn proxy_secret(proxy: &FaultRegistry) -> String {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "proxy"},
        "stringData": {"address": proxy.url()},
    });
    format!("---\n{object}\n")
}

/// Whether a round of a mirror has come to an end.
pub(super) fn is_over(mirror: &Value) -> bool {
    let reconciling = find_condition(mirror, "Reconciling");
    let is_first = reconciling.is_some_and(|condition| condition["reason"] == "Progressing");
    let ready = find_condition(mirror, "Ready");
    !is_first && ready.is_some_and(|ready| ready["status"] != "Unknown")
}
