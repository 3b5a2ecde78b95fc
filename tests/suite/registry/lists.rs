// SPDX-License-Identifier: Apache-2.0

//! Lists of tags and repositories from a registry that pages badly.

use transship::oci::Tag;
use transship::registry::Kind;

use super::{client, kind, repository};
use crate::support::canary::Canary;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::Action;

/// The tags that a list is to give, or why it is to fail.
type Names = Result<&'static [&'static str], Kind>;

const TAGS: [&str; 5] = ["a", "b", "c", "d", "e"];

fn tagged(page_size: usize) -> FaultRegistry {
    let registry = FaultRegistry::options().page_size(page_size).start();
    let image = ImageBuilder::new(1).build();
    for tag in TAGS {
        registry.load("team/app", tag, &image);
    }
    registry
}

fn names(tags: &[&str]) -> Vec<Tag> {
    tags.iter().map(|tag| tag.parse().unwrap()).collect()
}

#[tokio::test]
async fn every_page_is_followed() {
    for page_size in [1, 2, 5, 1_000] {
        let registry = tagged(page_size);
        let client = client(&registry);
        let listed = client.list_tags(&repository()).await;
        assert_eq!(kind(listed), Ok(names(&TAGS)), "{page_size} tags a page");
        let repositories = client.list_repositories().await;
        assert_eq!(kind(repositories), Ok(vec![repository()]));
    }
}

#[tokio::test]
async fn lists_in_every_form() {
    let long = format!(r#"{{"tags":["{}"]}}"#, "a".repeat(129));
    let cases: [(&str, &str, Names); 9] = [
        ("null", r#"{"name":"x","tags":null}"#, Ok(&[])),
        ("missing", r#"{"name":"x"}"#, Ok(&[])),
        ("empty", r#"{"tags":[]}"#, Ok(&[])),
        (
            "null among them",
            r#"{"tags":["a",null,"b"]}"#,
            Ok(&["a", "b"]),
        ),
        (
            "digests and dirt among them",
            r#"{"tags":["sha256:00","a","-b","c d",""]}"#,
            Ok(&["a"]),
        ),
        (
            "unsorted, twice",
            r#"{"tags":["b","a","b"],"manifest":{}}"#,
            Ok(&["a", "b"]),
        ),
        ("too long to be a tag", &long, Ok(&[])),
        ("not a list", r#"{"tags":"a"}"#, Err(Kind::Protocol)),
        ("a web page", "<html>", Err(Kind::Protocol)),
    ];
    for (name, body, expected) in cases {
        let registry = FaultRegistry::start();
        registry
            .on("GET", "/tags/list")
            .responds(Reply::new(200).body(body.to_owned()));
        let listed = client(&registry).list_tags(&repository()).await;
        assert_eq!(kind(listed), expected.map(names), "{name}");
    }
}

#[tokio::test]
async fn a_next_page_without_an_end_is_an_error() {
    for (name, link) in [
        ("empty", "<>; rel=\"next\""),
        (
            "the same page again",
            "</v2/team/app/tags/list?n=1000>; rel=\"next\"",
        ),
        ("in a circle", "<?last=b&n=2>; rel=\"next\""),
        ("elsewhere, no query", "<http://169.254.169.254/>; rel=next"),
    ] {
        let registry = tagged(1_000);
        registry
            .on("GET", "/tags/list")
            .does(Action::SetHeader("link", link.to_owned()));
        let listed = client(&registry).list_tags(&repository()).await;
        assert_eq!(kind(listed), Err(Kind::Protocol), "{name}");
        assert!(registry.requests().len() <= 3, "{name}");
    }
}

/// Registries behind a proxy write the scheme, host and path that they know themselves by.
#[tokio::test]
async fn of_a_next_page_only_the_query_counts() {
    let elsewhere = Canary::start();
    let another = format!("{}/v2/team/app/tags/list", elsewhere.url());
    for target in [
        "/v2/virtual/other/tags/list",
        another.as_str(),
        "http://169.254.169.254/",
        "https://127.0.0.1/v2/team/app/tags/list",
        "//registry.internal:8080/v2/team/app/tags/list",
        "http://me:pw@127.0.0.1/",
    ] {
        let registry = tagged(2);
        let link = format!("<{target}?last=b&n=2>; rel=\"next\"");
        registry
            .on("GET", "/tags/list")
            .nth(1)
            .does(Action::SetHeader("link", link));
        let listed = client(&registry).list_tags(&repository()).await;
        assert_eq!(kind(listed), Ok(names(&TAGS)), "{target}");
        for request in registry.requests() {
            assert_eq!(request.path, "/v2/team/app/tags/list", "{target}");
            assert_eq!(request.headers.value("authorization"), None, "{target}");
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn a_page_size_that_is_refused_is_left_out_from_then_on() {
    for status in [400, 413] {
        let registry = tagged(1_000);
        registry.on("GET", "n=1000").responds(Reply::error(
            status,
            "PAGINATION_NUMBER_INVALID",
            "no",
        ));
        let client = client(&registry);
        let repositories = client.list_repositories().await;
        assert_eq!(kind(repositories), Ok(vec![repository()]), "{status}");
        for _ in 0..2 {
            let listed = client.list_tags(&repository()).await;
            assert_eq!(kind(listed), Ok(names(&TAGS)), "{status}");
        }
        let queries: Vec<_> = registry
            .requests()
            .into_iter()
            .map(|request| request.query)
            .collect();
        assert_eq!(queries, ["n=1000", "", "", ""], "{status}");
    }
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let unknown = Reply::error(404, "NAME_UNKNOWN", "no such tag to go on from");
    let registry = tagged(2);
    registry
        .on("GET", "last=b")
        .nth(1)
        .responds(unknown.clone());
    let listed = client(&registry).list_tags(&repository()).await;
    assert_eq!(kind(listed), Ok(names(&TAGS)), "begun anew");

    let cases = [
        ("a page that is gone for good", unknown, Kind::NotFound),
        (
            "a page that may not be seen",
            Reply::new(403),
            Kind::AccessDenied,
        ),
        (
            "a page without form",
            Reply::new(200).body("{"),
            Kind::Protocol,
        ),
    ];
    for (name, page, expected) in cases {
        let registry = tagged(2);
        registry.on("GET", "last=b").responds(page);
        let listed = client(&registry).list_tags(&repository()).await;
        assert_eq!(kind(listed), Err(expected), "{name}");
    }
    let missing = client(&tagged(2))
        .list_tags(&"no/such".parse().unwrap())
        .await;
    assert_eq!(kind(missing), Err(Kind::NotFound));
}

#[tokio::test]
async fn a_list_without_end_is_given_up() {
    let registry = FaultRegistry::start();
    registry.on("GET", "/tags/list").does(Action::Endless);
    registry.load("team/app", "v1", &ImageBuilder::new(1).build());
    let listed = client(&registry).list_tags(&repository()).await;
    assert_eq!(kind(listed), Err(Kind::Protocol));
}

/// A registry with so many tags that names no next page.
fn unlinked(tags: usize, page_size: usize) -> FaultRegistry {
    let registry = FaultRegistry::options().page_size(page_size).start();
    let image = ImageBuilder::new(1).build();
    registry.load("team/app", &numbered(0), &image);
    for number in 1..tags {
        registry.load_manifest("team/app", &numbered(number), &image.root);
    }
    registry.on("GET", "").does(Action::RemoveHeader("link"));
    registry
}

fn numbered(number: usize) -> String {
    format!("t{number:05}")
}

/// How many tags are listed, in how many requests.
async fn counted(registry: &FaultRegistry) -> Result<(usize, usize), Kind> {
    let listed = client(registry).list_tags(&repository()).await;
    kind(listed).map(|tags| (tags.len(), registry.requests().len()))
}

#[tokio::test]
async fn a_page_that_may_be_cut_is_asked_on() {
    let many = usize::MAX;
    // Tags, the registry's own page: tags that are listed, requests.
    let cases = [
        (999, many, 999, 1),
        (1_000, many, 1_000, 2),
        (1_500, many, 1_500, 2),
        (234, 100, 234, 3),
        (99, 100, 99, 1),
        (2_345, 1_000, 2_345, 3),
    ];
    for (tags, page_size, listed, requests) in cases {
        let registry = unlinked(tags, page_size);
        let found = counted(&registry).await;
        assert_eq!(found, Ok((listed, requests)), "{tags} in {page_size}");
    }
}

#[tokio::test]
async fn repositories_are_asked_on_too() {
    let registry = unlinked(1, usize::MAX);
    let image = ImageBuilder::new(1).build();
    for number in 0..1_234 {
        registry.load_manifest(&format!("r{number:05}/app"), "v1", &image.root);
    }
    let client = client(&registry);
    let listed = client.list_repositories().await.unwrap();
    assert_eq!(listed.len(), 1_235);
    let some = client
        .list_repositories_matching(None, |name| name.as_str().starts_with("r0000"))
        .await;
    assert_eq!(some.unwrap().len(), 10, "what is not wanted is dropped");
}

/// A case, how many tags there are, what is refused and how, and how many tags come of how many requests.
type Refused = (
    &'static str,
    usize,
    &'static str,
    Reply,
    Result<(usize, usize), Kind>,
);

#[tokio::test]
async fn a_registry_that_is_not_to_be_asked_on_is_asked_otherwise() {
    let list = |tags: usize| {
        let names: Vec<String> = (0..tags).map(numbered).collect();
        Reply::json(200, &serde_json::json!({ "tags": names }))
    };
    let refusal = |status| Reply::error(status, "UNSUPPORTED", "no");
    let cases: [Refused; 8] = [
        (
            "404 behind the last",
            1_000,
            "last=",
            refusal(404),
            Ok((1_000, 4)),
        ),
        (
            "404, and more",
            1_500,
            "last=",
            refusal(404),
            Ok((1_500, 4)),
        ),
        (
            "400, and more",
            1_500,
            "last=",
            refusal(400),
            Ok((1_500, 4)),
        ),
        (
            "no larger pages",
            1_500,
            "n=1001",
            refusal(413),
            Ok((1_500, 3)),
        ),
        (
            "the same page again",
            1_000,
            "last=",
            list(1_000),
            Ok((1_000, 2)),
        ),
        ("nothing", 1_000, "last=", list(0), Ok((1_000, 2))),
        ("everything, always", 1_501, "", list(1_501), Ok((1_501, 1))),
        (
            "not allowed",
            1_500,
            "last=",
            Reply::new(403),
            Err(Kind::AccessDenied),
        ),
    ];
    for (name, tags, part, reply, expected) in cases {
        let registry = unlinked(tags, usize::MAX);
        registry.on("GET", part).responds(reply);
        assert_eq!(counted(&registry).await, expected, "{name}");
    }
    let registry = unlinked(1_500, usize::MAX);
    registry.on("GET", "last=").responds(refusal(404));
    registry.on("GET", "n=2000").responds(refusal(400));
    let error = client(&registry).list_tags(&repository()).await;
    let shown = error.unwrap_err().to_string();
    let shown = shown.replace(&registry.host(), "REGISTRY");
    insta::assert_snapshot!(shown, @"cannot list the tags of REGISTRY/team/app: the registry cuts the list, names no next page and refuses to be asked for one");
}

#[tokio::test]
async fn empty_pages_that_go_on_are_given_up() {
    for path in ["/tags/list", "/_catalog", "/referrers/"] {
        let registry = FaultRegistry::start();
        for page in 1..100 {
            let link = format!("<?page={page}>; rel=\"next\"");
            let body = r#"{"tags":null,"manifests":null}"#;
            let empty = Reply::new(200).body(body).header("link", &link);
            registry.on("GET", path).nth(page).responds(empty);
        }
        let client = client(&registry);
        let found = match path {
            "/tags/list" => kind(client.list_tags(&repository()).await).map(drop),
            "/_catalog" => kind(client.list_repositories().await).map(drop),
            _ => {
                let digest = transship::oci::Digest::sha256(b"x");
                kind(client.referrers(&repository(), &digest).await).map(drop)
            }
        };
        assert_eq!(found, Err(Kind::Protocol), "{path}");
        assert_eq!(registry.requests().len(), 9, "{path}");
    }
}

#[tokio::test]
async fn a_few_empty_pages_are_turned() {
    let registry = tagged(2);
    let empty = |page: usize| {
        let link = format!("<?page={page}>; rel=\"next\"");
        Reply::new(200).body("null").header("link", &link)
    };
    registry.on("GET", "/tags/list").nth(1).responds(empty(1));
    registry.on("GET", "/tags/list").nth(2).responds(empty(2));
    let listed = client(&registry).list_tags(&repository()).await;
    assert_eq!(kind(listed), Ok(names(&TAGS)));
}

#[tokio::test]
async fn a_link_without_a_relation_is_the_next_page() {
    let registry = tagged(2);
    registry
        .on("GET", "/tags/list")
        .nth(1)
        .does(Action::SetHeader("link", "<?last=b&n=2>".to_owned()));
    let listed = client(&registry).list_tags(&repository()).await;
    assert_eq!(kind(listed), Ok(names(&TAGS)));
}
