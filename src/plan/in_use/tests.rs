// SPDX-License-Identifier: Apache-2.0

use proptest::prelude::*;

use super::*;

const OWN: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SOURCE: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const CHILD: &str = "3333333333333333333333333333333333333333333333333333333333333333";
const CONFIG: &str = "4444444444444444444444444444444444444444444444444444444444444444";
const OTHER: &str = "9999999999999999999999999999999999999999999999999999999999999999";

impl InUse {
    /// What uses an image that is mirrored under its own name.
    pub(crate) fn user_of_image(&self, image: &str) -> Option<String> {
        let reference: Reference = image.parse().unwrap();
        let tag = reference.tag.unwrap_or("none".parse().unwrap());
        let name = (&reference.registry, &reference.repository, &tag);
        let digests: Vec<Digest> = reference.digest.into_iter().collect();
        let subject = Subject {
            destination: name,
            source: name,
            digests: &digests,
        };
        self.user_of(&subject).map(str::to_owned)
    }
}

/// `eu.corp/mirror/library/alpine:3.20-eu`, a mirror of `docker.io/library/alpine:3.20`.
struct Tagged {
    destination: (Registry, Repository, Tag),
    source: (Registry, Repository, Tag),
    digests: Vec<Digest>,
}

impl Tagged {
    fn new(destination: &str, source: &str) -> Self {
        let digests = [OWN, SOURCE, CHILD, CONFIG];
        Self {
            destination: split(destination),
            source: split(source),
            digests: digests
                .map(|hex| format!("sha256:{hex}").parse().unwrap())
                .to_vec(),
        }
    }

    fn alpine() -> Self {
        Self::new(
            "eu.corp/mirror/library/alpine:3.20-eu",
            "docker.io/library/alpine:3.20",
        )
    }

    fn user(&self, in_use: &InUse) -> Option<String> {
        let (registry, repository, tag) = &self.destination;
        let (source, source_repository, source_tag) = &self.source;
        let subject = Subject {
            destination: (registry, repository, tag),
            source: (source, source_repository, source_tag),
            digests: &self.digests,
        };
        in_use.user_of(&subject).map(str::to_owned)
    }
}

fn split(text: &str) -> (Registry, Repository, Tag) {
    let reference: Reference = text.parse().unwrap();
    (
        reference.registry,
        reference.repository,
        reference.tag.unwrap(),
    )
}

/// Each image with whether a workload that names it protects [`Tagged::alpine`].
#[test]
fn what_a_workload_names_and_whether_it_is_the_tag() {
    let long = "a".repeat(300);
    let cases: Vec<(String, bool)> = [
        // The destination.
        ("eu.corp/mirror/library/alpine:3.20-eu", true),
        ("EU.corp/mirror/library/alpine:3.20-eu", true),
        ("  eu.corp/mirror/library/alpine:3.20-eu\n", true),
        ("eu.corp/mirror/library/alpine:3.20", true),
        ("eu.corp/mirror/library/alpine:3.20-EU", true),
        ("eu.corp/mirror/library/alpine:latest", false),
        ("eu.corp/mirror/library/alpine", false),
        ("eu.corp/mirror/library/alpine-slim:3.20-eu", false),
        ("eu.corp/mirror/library/nginx:3.20-eu", false),
        ("eu.corp/library/alpine:3.20-eu", false),
        ("eu.corp/other/mirror/library/alpine:3.20-eu", false),
        // The source.
        ("docker.io/library/alpine:3.20", true),
        ("docker.io/alpine:3.20", true),
        ("index.docker.io/library/alpine:3.20", true),
        ("registry-1.docker.io/library/alpine:3.20", true),
        ("docker.io/library/alpine:3.20-eu", true),
        ("docker.io/library/alpine:3.21", false),
        ("docker.io/acme/alpine:3.20", false),
        ("docker.io/library/alpine", false),
        // Short names, which nodes complete as they like.
        ("alpine:3.20", true),
        ("library/alpine:3.20", true),
        ("alpine:3.20-eu", true),
        ("mirror/library/alpine:3.20-eu", true),
        ("alpine", false),
        ("alpine:3.21", false),
        ("acme/alpine:3.20", false),
        ("pine:3.20", false),
        ("3.20", false),
        // Other hosts.
        ("cache.corp/mirror/library/alpine:3.20-eu", true),
        ("cache.corp:5000/library/alpine:3.20", true),
        ("cache.corp/hub/library/alpine:3.20", true),
        ("cache.corp/alpine:3.20", true),
        ("localhost/alpine:3.20", true),
        ("[::1]:5000/library/alpine:3.20", true),
        ("eu.corp:5000/mirror/library/alpine:3.20-eu", true),
        ("eu.corp/hub/library/alpine:3.20", true),
        ("cache.corp/acme/alpine:3.20", false),
        ("cache.corp/libraryalpine:3.20", false),
        ("cache.corp/hub-library/alpine:3.20", false),
        ("cache.corp/library/alpine:3.19", false),
        ("cache.corp/library/alpine", false),
        // What is no reference.
        ("eu.corp/mirror/library/Alpine:3.20", true),
        ("eu.corp/mirror/library/alpine:", true),
        ("alpine:3.20@sha256:123", true),
        ("alpine@sha384:abc", true),
        ("https://eu.corp/mirror/library/alpine", true),
        ("Foo/ALPINE:$TAG", true),
        ("$(IMAGE)", false),
        ("{{ .Values.image }}", false),
        ("eu.corp/mirror/library/Nginx:3.20", false),
        ("", false),
        ("   ", false),
        (&long, false),
    ]
    .map(|(image, is_used)| (image.to_owned(), is_used))
    .into();
    let by_digest = [OWN, SOURCE, CHILD, CONFIG, OTHER]
        .into_iter()
        .flat_map(|hex| {
            let is_ours = hex != OTHER;
            [
                (
                    format!("eu.corp/mirror/library/alpine@sha256:{hex}"),
                    is_ours,
                ),
                (format!("unheard.of/entirely/else@sha256:{hex}"), is_ours),
                (format!("sha256:{hex}"), is_ours),
                (hex.to_owned(), is_ours),
                (format!("alpine:3.20@sha256:{hex}"), true),
                (format!("alpine:3.21@sha256:{hex}"), is_ours),
                (format!("Else@sha256:{hex}"), is_ours),
            ]
        });
    let alpine = Tagged::alpine();
    for (image, is_used) in cases.into_iter().chain(by_digest) {
        let mut in_use = InUse::default();
        in_use.add_image("Pod shop/web", &image);
        let expected = is_used.then(|| "Pod shop/web".to_owned());
        assert_eq!(alpine.user(&in_use), expected, "{image:?}");
    }
}

#[test]
fn what_a_node_says_that_it_runs() {
    let cases = [
        (
            "docker-pullable://eu.corp/mirror/library/alpine@sha256:",
            OWN,
        ),
        ("docker-pullable://anything@sha256:", CHILD),
        ("docker://sha256:", CONFIG),
        ("eu.corp/mirror/library/alpine@sha256:", SOURCE),
        ("docker.io/library/alpine@sha256:", CHILD),
        ("sha256:", CONFIG),
        ("", CONFIG),
    ];
    for (before, hex) in cases {
        let id = |hex: &str| format!("{before}{hex}");
        let alpine = Tagged::alpine();
        let mut in_use = InUse::default();
        in_use.add_image_id("Pod shop/web", &id(OTHER));
        in_use.add_image_id("Pod shop/early", "");
        assert_eq!(alpine.user(&in_use), None, "{before}");
        in_use.add_image_id("Pod shop/web", &id(hex));
        let expected = Some("Pod shop/web".to_owned());
        assert_eq!(alpine.user(&in_use), expected, "{before}");
    }
}

#[test]
fn a_tag_without_a_directory_is_found_by_longer_names_too() {
    let flat = Tagged::new("eu.corp/alpine:3", "quay.io/team/alpine:3");
    for (image, is_used) in [
        ("cache.corp/deep/er/alpine:3", true),
        ("quay.io/other/alpine:3", true),
        ("eu.corp/other/alpine:3", false),
        ("eu.corp/team/alpine:3", true),
    ] {
        let mut in_use = InUse::default();
        in_use.add_image("Pod shop/web", image);
        assert_eq!(flat.user(&in_use).is_some(), is_used, "{image}");
    }
}

#[test]
fn an_image_without_a_tag_is_latest() {
    let latest = Tagged::new("eu.corp/app:latest", "quay.io/app:latest");
    for (image, is_used) in [
        ("quay.io/app".to_owned(), true),
        ("app".to_owned(), true),
        ("eu.corp/app:latest".to_owned(), true),
        (format!("eu.corp/app@sha256:{OTHER}"), false),
    ] {
        let mut in_use = InUse::default();
        in_use.add_image("Pod shop/web", &image);
        assert_eq!(latest.user(&in_use).is_some(), is_used, "{image}");
    }
}

#[test]
fn the_first_user_by_name_is_named_however_they_come() {
    let images = [
        ("Pod shop/c", "alpine:3.20".to_owned()),
        ("Pod shop/a", format!("sha256:{CHILD}")),
        (
            "Deployment shop/b",
            "eu.corp/mirror/library/alpine:3.20-eu".to_owned(),
        ),
        ("CronJob shop/z", "library/Alpine".to_owned()),
        ("Pod shop/b", "alpine:3.20".to_owned()),
    ];
    for turn in 0..images.len() {
        let mut images = images.clone();
        images.rotate_left(turn);
        let (before, after) = images.split_at(turn);
        let mut in_use = InUse::default();
        let mut other = InUse::default();
        for (user, image) in before {
            in_use.add_image(user, image);
        }
        for (user, image) in after {
            other.add_image(user, image);
        }
        in_use.merge(other);
        let user = Tagged::alpine().user(&in_use);
        assert_eq!(user.as_deref(), Some("CronJob shop/z"));
        assert_eq!(in_use.count_users(), 5);
    }
}

/// Each name with whether [`InUse::digests_in`] finds its digest at the destination, and at the source.
#[test]
fn a_digest_is_in_every_repository_that_its_name_may_mean() {
    let cases = [
        ("eu.corp/mirror/library/alpine", true, true),
        ("EU.corp:443/mirror/library/alpine:1", true, true),
        ("eu.corp/library/alpine", false, true),
        ("eu.corp/mirror/library/nginx", false, false),
        ("docker.io/library/alpine", true, true),
        ("index.docker.io/alpine", true, true),
        ("docker.io/acme/alpine", false, false),
        ("alpine", true, true),
        ("alpine:3.20", true, true),
        ("library/alpine", true, true),
        ("mirror/library/alpine", true, true),
        ("acme/alpine", false, false),
        ("cache.corp/hub/library/alpine", false, true),
        ("cache.corp:5000/acme/alpine", false, false),
        ("docker-pullable://cache.corp/library/alpine", true, true),
        ("$(REGISTRY)/library/alpine:$TAG", true, true),
        ("{{host}}/Alpine", true, true),
        ("$(REGISTRY)/library/nginx", false, false),
    ];
    for (name, at_destination, at_source) in cases {
        let mut in_use = InUse::default();
        in_use.add_image_id("Pod shop/web", &format!("{name}@sha256:{OTHER}"));
        in_use.add_image_id("Pod shop/alone", &format!("sha256:{CONFIG}"));
        let mut merged = InUse::default();
        merged.merge(in_use.clone());
        let Tagged {
            destination,
            source,
            ..
        } = Tagged::alpine();
        for in_use in [in_use, merged] {
            for ((registry, repository, _), is_there) in
                [(&destination, at_destination), (&source, at_source)]
            {
                let found: Vec<&Digest> = in_use.digests_in(registry, repository).collect();
                let other = format!("sha256:{OTHER}").parse().unwrap();
                let expected: &[&Digest] = if is_there { &[&other] } else { &[] };
                assert_eq!(found, expected, "{name} in {registry}/{repository}");
            }
        }
    }
}

#[test]
fn digests_in_a_repository_come_once_and_in_order() {
    let mut in_use = InUse::default();
    for hex in [OTHER, OWN, CHILD, OWN] {
        for host in ["eu.corp/mirror/", "cache.corp/", ""] {
            in_use.add_image(
                "Pod shop/web",
                &format!("{host}library/alpine@sha256:{hex}"),
            );
        }
    }
    let (registry, repository, _) = Tagged::alpine().destination;
    let found: Vec<String> = in_use
        .digests_in(&registry, &repository)
        .map(ToString::to_string)
        .collect();
    let expected = [OWN, CHILD, OTHER].map(|hex| format!("sha256:{hex}"));
    assert_eq!(found, expected);
}

proptest! {
    #[test]
    fn a_digest_is_found_behind_any_name(
        name in "[a-zA-Z0-9._:/-]{1,30}",
        which in 0usize..4,
        noise in proptest::collection::vec("[a-z./:@-]{0,20}", 0..6),
    ) {
        let alpine = Tagged::alpine();
        let mut in_use = InUse::default();
        for text in noise { in_use.add_image("Pod a/noise", &text); }
        in_use.add_image_id("Pod shop/web", &format!("{name}@{}", alpine.digests[which]));
        prop_assert!(alpine.user(&in_use).is_some());
    }

    #[test]
    fn any_host_and_any_path_before_the_repository_find_the_tag(
        host in proptest::option::of("[a-z]{1,8}\\.[a-z]{2,4}(:[1-9][0-9]{0,3})?"),
        before in "([a-z]{1,6}/){0,3}",
        words in "([a-z]{1,6}/){0,2}[a-z]{1,8}",
        tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,10}",
    ) {
        let tagged = Tagged::new(&format!("eu.corp/{words}:{tag}"), &format!("quay.io/x/else:{tag}"));
        let host = host.map(|host| format!("{host}/")).unwrap_or_default();
        let mut in_use = InUse::default();
        in_use.add_image("Pod shop/web", &format!("{host}{before}{words}:{tag}"));
        // A first word that is no host belongs to the repository.
        prop_assert!(tagged.user(&in_use).is_some());
    }

    #[test]
    fn another_word_at_the_end_or_another_tag_is_another_image(
        path in "([a-z]{1,6}/){0,3}",
        word in "[a-z]{1,8}",
        tag in "[a-z0-9]{1,6}",
    ) {
        prop_assume!(word != "alpine" || (tag != "3.20" && tag != "3.20-eu"));
        let mut in_use = InUse::default();
        in_use.add_image("Pod shop/web", &format!("cache.corp/{path}{word}:{tag}"));
        prop_assert_eq!(Tagged::alpine().user(&in_use), None);
    }
}
