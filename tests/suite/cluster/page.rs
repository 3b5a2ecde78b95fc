// SPDX-License-Identifier: Apache-2.0

//! The page for people: what it shows, to whom, and what that costs the API server.

use serde_json::json;

use super::objects::Mirror;
use super::stage::{change, controller_of, ready_for, until};
use crate::support::cluster::{ControlPlane, Controller, Namespace};
use crate::support::content::{Image, ImageBuilder};
pub(super) use crate::support::page::{Page, Seen};
use crate::support::registries::{Kind, Registry, Security};

/// Where nobody is asked who looks.
const OPEN: &str = "--page-address=127.0.0.1:0";

impl Page {
    pub(super) async fn of(controller: &Controller) -> Self {
        let line = controller
            .wait_for_log(|line| line["message"] == "serving the page")
            .await;
        Self::at(line["address"].as_str().unwrap())
    }

    pub(super) async fn as_owner_of(&self, token: &str) -> Seen {
        let authorization = format!("Authorization: Bearer {token}");
        self.ask(&["GET / HTTP/1.1", "Host: page.example.com", &authorization])
            .await
    }

    /// Waits until people read something on it.
    pub(super) async fn tells(&self, text: &str) {
        until(text, async || {
            let seen = self.get("/").await;
            seen.status == 200 && seen.text().contains(text)
        })
        .await;
    }

    /// Waits until it shows something.
    pub(super) async fn shows(&self, text: &str) {
        until(text, async || self.get("/").await.body.contains(text)).await;
    }
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[1_000]).build()
}

/// A mirror that cannot do anything, and need not.
fn idle(name: &str) -> Mirror {
    let mirror = Mirror::of("127.0.0.1:1").named(name);
    let mirror = mirror.image("app", &["1"]).destination("d", "127.0.0.1:2");
    mirror.with("/suspend", true)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_views_cost_the_api_server_nothing() {
    let namespace = ControlPlane::shared().await.namespace("page-views").await;
    let (source, destination) = tokio::join!(
        Registry::start(Kind::Distribution3, Security::Plain),
        Registry::start(Kind::Distribution3, Security::Plain),
    );
    source.client().push("team/app", "1.0", &image(1)).await;
    source.client().push("team/app", "2.0", &image(2)).await;
    let controller = controller_of(&namespace).argument(OPEN).start().await;
    let page = Page::of(&controller).await;
    let mirror = Mirror::of(&source.host())
        .image("team/app", &["*"])
        .destination("d", &destination.host())
        .with(
            "/prune",
            json!({"mode": "Plan", "grace": "24h", "inUse": "Ignore"}),
        );
    namespace.apply(&mirror.to_string()).await;
    ready_for(&namespace, "imir", "mirror", "Succeeded").await;
    let name = format!("{}/mirror", namespace.name());
    page.shows(&format!(
        "{name}</th><td data-label=\"State\"><span class=\"good\">Ready"
    ))
    .await;

    let target = format!("{}/team/app:1.0", destination.host());
    let told = page.get(&format!("/?q={target}")).await.text();
    for part in [
        format!("{target} is mirrored"),
        image(1).digest().to_owned(),
        format!("{}/team/app:1.0", source.host()),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }
    let told = page.get("/?q=team/app:3.0").await.text();
    assert!(told.contains("is not mirrored"), "{told}");
    let told = page.get("/").await.text();
    for part in [
        format!("{} source of 1 answers", source.host()),
        format!("{} destination of 1 answers", destination.host()),
        format!("{target} copied"),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }

    let asked = async || {
        let mut entries = namespace.plane().audit().await;
        let own = namespace.name();
        entries.retain(|entry| entry.namespace == own && entry.resource != "leases");
        let reviews = ["tokenreviews", "subjectaccessreviews"];
        assert!(
            !entries
                .iter()
                .any(|entry| reviews.contains(&entry.resource.as_str()))
        );
        entries.len()
    };
    let before = asked().await;
    let (from, to) = (
        source.requests().await.len(),
        destination.requests().await.len(),
    );
    for number in 0..500 {
        assert_eq!(page.get("/").await.status, 200);
        let search = format!("/?q=team/app:{number}");
        assert_eq!(page.get(&search).await.status, 200);
    }
    assert_eq!(asked().await, before);
    assert_eq!(
        (
            source.requests().await.len(),
            destination.requests().await.len()
        ),
        (from, to)
    );

    // What is no longer wanted leaves.
    let narrow = json!({"spec": {"images": [{"repository": "team/app", "tags": ["2.0"]}]}});
    change(&namespace, "imir", "mirror", &narrow).await;
    page.shows("NotNamed").await;
    let told = page.get("/").await.text();
    assert!(told.contains(&format!("{target} NotNamed")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_does_nothing_but_what_the_page_needs() {
    let namespace = ControlPlane::shared().await.namespace("page-headers").await;
    let controller = controller_of(&namespace).argument(OPEN).start().await;
    let page = Page::of(&controller).await;
    let long = format!("{}.{}", "m".repeat(126), "n".repeat(126));
    for name in ["base", &long] {
        namespace.apply(&idle(name).to_string()).await;
    }
    page.shows(&long).await;
    let seen = page
        .get("/?q=%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE")
        .await;
    assert_eq!(seen.body.matches("<script").count(), 1, "{}", seen.body);
    assert!(
        seen.body
            .contains("&#60;script&#62;alert(1)&#60;/script&#62;\\u{202e}")
    );
    for seen in [
        seen,
        page.get("/").await,
        page.get("/elsewhere").await,
        page.ask(&["POST / HTTP/1.1", "Host: localhost", "Content-Length: 0"])
            .await,
        page.ask(&["GET / HTTP/1.1", "Host: rebound.example.com"])
            .await,
    ] {
        let policy = seen.field("content-security-policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        for part in [
            "connect-src 'self'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(seen.field(name), Some(value), "{name}");
        }
    }
    let too_long = format!("GET /?q={} HTTP/1.1", "n".repeat(2_000));
    let cases: [(&[&str], u16); 9] = [
        (&["GET / HTTP/1.1", "Host: localhost:8082"], 200),
        (&["HEAD / HTTP/1.1", "Host: 127.0.0.1"], 200),
        (&["GET / HTTP/1.1", "Host: [::1]:8082"], 200),
        (&["GET / HTTP/1.1", "Host: rebound.example.com"], 421),
        (&["GET / HTTP/1.1", "Host: localhost.example.com"], 421),
        (
            &["POST / HTTP/1.1", "Host: localhost", "Content-Length: 0"],
            405,
        ),
        (&["DELETE / HTTP/1.1", "Host: localhost"], 405),
        (&["GET /metrics HTTP/1.1", "Host: localhost"], 404),
        (&[&too_long, "Host: localhost"], 414),
    ];
    for (lines, expected) in cases {
        assert_eq!(page.ask(lines).await.status, expected, "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stands_by_says_who_works() {
    let namespace = ControlPlane::shared().await.namespace("page-standby").await;
    let first = controller_of(&namespace).argument(OPEN).start().await;
    let leading = Page::of(&first).await;
    until("the first leads", async || {
        leading.get("/").await.status == 200
    })
    .await;
    let second = controller_of(&namespace).argument(OPEN).start().await;
    let seen = Page::of(&second).await.get("/").await;
    assert_eq!(seen.status, 503);
    assert_eq!(seen.field("retry-after"), Some("2"));
    insta::assert_snapshot!(seen.body, @"this process stands by: the lease transship names the one that works");
}

/// A service account, and what it may do with mirrors.
struct Account<'a> {
    name: &'a str,
    /// The verb, and the namespaces in which it may; everywhere where it is `*`.
    may: &'a [(&'a str, &'a str)],
    /// The namespaces that it sees.
    sees: &'a [&'a str],
}

/// Lets a service account do something.
async fn allow(home: &Namespace<'_>, account: &str, verb: &str, namespace: Option<&str>) {
    let plane = home.plane();
    let name = format!("{}-{account}-{verb}", home.name());
    let verb = format!("--verb={verb}");
    let resource = "--resource=imagemirrors.transship.dev";
    let role = ["create", "clusterrole", &name, &verb, resource];
    // Two bindings may be of one role.
    plane.kubectl(&role).await;
    let role = format!("--clusterrole={name}");
    let account = format!("--serviceaccount={}:{account}", home.name());
    let binding = match namespace {
        Some(namespace) => {
            let namespace = format!("--namespace={namespace}");
            plane
                .kubectl(&[&namespace, "create", "rolebinding", &name, &role, &account])
                .await
        }
        None => {
            plane
                .kubectl(&["create", "clusterrolebinding", &name, &role, &account])
                .await
        }
    };
    binding.assert_success();
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_the_namespaces_in_which_they_may_get_mirrors() {
    let plane = ControlPlane::shared().await;
    let (a, b) = (
        plane.namespace("page-a").await,
        plane.namespace("page-b").await,
    );
    for (namespace, name) in [(&a, "mirror-of-a"), (&b, "mirror-of-b")] {
        namespace.apply(&idle(name).to_string()).await;
    }
    // A user of its own, so that what it asks can be told from what others do.
    a.kubectl_ok(&["create", "serviceaccount", "controller"])
        .await;
    let user = format!("system:serviceaccount:{}:controller", a.name());
    let (account, binding) = (
        format!("--serviceaccount={}:controller", a.name()),
        a.name(),
    );
    let role = "--clusterrole=cluster-admin";
    plane
        .kubectl_ok(&["create", "clusterrolebinding", binding, role, &account])
        .await;
    let kubeconfig = plane.kubeconfig_for(&plane.token_for(a.name(), "controller").await);
    let controller = Controller::options(&kubeconfig)
        .argument(&format!("--watch-namespaces={},{}", a.name(), b.name()))
        .argument(&format!("--lease-namespace={}", a.name()))
        .argument(OPEN)
        .argument("--page-auth")
        .start()
        .await;
    let page = Page::of(&controller).await;

    let (in_a, in_b) = (a.name(), b.name());
    let accounts = [
        Account {
            name: "nobody",
            may: &[],
            sees: &[],
        },
        Account {
            name: "lister",
            may: &[("list", "*")],
            sees: &[],
        },
        Account {
            name: "one",
            may: &[("get", in_a)],
            sees: &["mirror-of-a"],
        },
        Account {
            name: "other",
            may: &[("get", in_b), ("list", in_a)],
            sees: &["mirror-of-b"],
        },
        Account {
            name: "both",
            may: &[("get", in_a), ("get", in_b)],
            sees: &["mirror-of-a", "mirror-of-b"],
        },
        Account {
            name: "all",
            may: &[("get", "*")],
            sees: &["mirror-of-a", "mirror-of-b"],
        },
        Account {
            name: "watcher",
            may: &[("watch", in_a), ("patch", in_b)],
            sees: &[],
        },
    ];
    until("it leads", async || {
        page.as_owner_of("none").await.status == 401
    })
    .await;
    let mut owner = String::new();
    for Account { name, may, sees } in accounts {
        a.kubectl_ok(&["create", "serviceaccount", name]).await;
        for (verb, namespace) in may {
            let namespace = Some(*namespace).filter(|namespace| *namespace != "*");
            allow(&a, name, verb, namespace).await;
        }
        let token = plane.token_for(a.name(), name).await;
        let mut seen = page.as_owner_of(&token).await;
        assert_eq!(
            seen.status,
            if sees.is_empty() { 403 } else { 200 },
            "{name}: {}",
            seen.body
        );
        // As browsers ask for it.
        let basic = base64(&format!("anybody:{token}"));
        let again = page
            .ask(&[
                "GET / HTTP/1.1",
                "Host: a",
                &format!("Authorization: Basic {basic}"),
            ])
            .await;
        assert_eq!(again.status, seen.status, "{name}");
        for mirror in ["mirror-of-a", "mirror-of-b"] {
            let is_seen = seen.body.contains(mirror) || again.body.contains(mirror);
            assert_eq!(is_seen, sees.contains(&mirror), "{name}: {mirror}");
        }
        seen.body.clear();
        if name == "both" {
            owner = token;
        }
    }
    for lines in [
        vec!["GET / HTTP/1.1", "Host: a"],
        vec![
            "GET / HTTP/1.1",
            "Host: a",
            "Authorization: Bearer invented",
        ],
        vec![
            "GET /?q=app:1 HTTP/1.1",
            "Host: a",
            "Authorization: Basic invented",
        ],
    ] {
        let seen = page.ask(&lines).await;
        assert_eq!(seen.status, 401, "{lines:?}");
        assert_eq!(
            seen.field("www-authenticate"),
            Some("Basic realm=\"Transship\"")
        );
        assert!(!seen.body.contains("mirror-of"), "{}", seen.body);
    }

    let reviews = async || {
        let mut entries = plane.audit_of(&user).await;
        entries.retain(|entry| entry.resource.ends_with("reviews"));
        entries.len()
    };
    let before = reviews().await;
    for _ in 0..1_000 {
        assert_eq!(page.as_owner_of(&owner).await.status, 200);
    }
    // A token is asked about again now and then: once for who it is, once for all namespaces, and for each of two.
    let asked = reviews().await - before;
    assert!(asked <= 4 * 3, "{asked}");
    let log = controller.output();
    assert!(!log.contains(&owner), "a token is in the log");
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.encode(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_everything_only_at_loopback() {
    let plane = ControlPlane::shared().await;
    let mut controller = Controller::options(plane.kubeconfig())
        .argument("--page-address=0.0.0.0:0")
        .launch();
    let status = controller.ended().await;
    assert_eq!(status.code(), Some(2), "{}", controller.output());
    let log = controller.log();
    let error = log.last().unwrap()["error"].as_str().unwrap();
    insta::assert_snapshot!(error, @"--page-address: the page at 0.0.0.0:0 can be reached from other machines: add --page-auth, or serve it at loopback, for kubectl port-forward");
}
