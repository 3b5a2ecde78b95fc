// SPDX-License-Identifier: Apache-2.0

//! What a token is wanted for: `resource:name:actions` of the token specification.

use crate::oci::Repository;

/// The longest scope in a challenge that is read, in bytes.
const CHALLENGE_BYTES: usize = 2 * 1024;
/// The most parts of it, and the most actions of one part.
const PARTS: usize = 4;
const ACTIONS: usize = 8;

/// What a token is wanted for. Equal scopes share a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope(Vec<String>);

/// One part of a scope.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    kind: &'a str,
    name: &'a str,
    actions: Vec<&'a str>,
}

// === impl Scope ===

impl Scope {
    /// To read a repository.
    pub fn pull(repository: &Repository) -> Self {
        Self(vec![of_repository(repository, "pull")])
    }

    /// To read and write a repository.
    pub fn pull_push(repository: &Repository) -> Self {
        Self(vec![of_repository(repository, "pull,push")])
    }

    /// To do with a repository what `actions` says, separated by commas.
    pub fn of(repository: &Repository, actions: &str) -> Self {
        Self(vec![of_repository(repository, actions)])
    }

    /// To write to a repository what is taken over from another one.
    ///
    /// The right to write stands first: some token servers read no further.
    pub fn mount(to: &Repository, from: &Repository) -> Self {
        if to == from {
            return Self::pull_push(to);
        }
        Self(vec![
            of_repository(to, "pull,push"),
            of_repository(from, "pull"),
        ])
    }

    /// To prove who we are, and nothing else.
    pub fn nothing() -> Self {
        Self(Vec::new())
    }

    /// To list the repositories.
    pub fn catalog() -> Self {
        Self(vec!["registry:catalog:*".to_owned()])
    }

    /// The repository that it is for, the one that is written to where there are two.
    pub(in crate::registry) fn repository(&self) -> Option<&str> {
        let mut parts = self.of_text();
        parts.find_map(|part| (part.kind == "repository").then_some(part.name))
    }

    /// What a challenge asks for in place of this scope, as far as it may: parts for the same thing, under
    /// whatever name a proxy gives it, with no more rights than are needed here. Nothing where it is no scope.
    ///
    /// The token would go to who asks and to nobody else, and they could ask for the credential itself. Yet
    /// who is asked for a right to read gets no token that may write.
    pub(super) fn demanded(&self, challenge: &str) -> Option<Self> {
        if challenge.len() > CHALLENGE_BYTES {
            return None;
        }
        let parts: Vec<String> = challenge
            .split(' ')
            .filter_map(|text| self.permitted(&Part::parse(text)?))
            .take(PARTS)
            .collect();
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// A part of a challenge with the actions that a part of this scope permits.
    fn permitted(&self, demanded: &Part<'_>) -> Option<String> {
        let own = self.of_text().find(|own| own.is_for(demanded))?;
        let actions = demanded.actions.iter().filter(|action| own.permits(action));
        let actions: Vec<&str> = actions.copied().collect();
        (!actions.is_empty())
            .then(|| format!("{}:{}:{}", demanded.kind, demanded.name, actions.join(",")))
    }

    /// Whether a token for this scope does for the other one, if the whole of it is granted.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.of_text().all(|other| {
            let mut own = self.of_text().filter(|own| own.is_same(&other));
            own.any(|own| other.actions.iter().all(|action| own.includes(action)))
        })
    }

    /// What to ask for after a challenge, where `current` was asked for so far.
    ///
    /// As little is changed as is possible: what covers the demand stays, because some registries demand only
    /// `pull` of who pushes (GHCR). Where that was refused, the demand is all there is to try.
    pub(super) fn wanted(&self, current: &Self, demanded: Option<Self>, was_refused: bool) -> Self {
        match demanded {
            None => current.clone(),
            Some(demanded) if was_refused => demanded,
            Some(demanded) if current.covers(&demanded) => current.clone(),
            Some(demanded) if self.covers(&demanded) => self.clone(),
            Some(demanded) => demanded,
        }
    }

    fn of_text(&self) -> impl Iterator<Item = Part<'_>> {
        self.parts().filter_map(Part::parse)
    }

    /// The parts, most important first.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// All parts in one value, as `OAuth2` writes them.
    pub(super) fn joined(&self) -> String {
        self.0.join(" ")
    }
}

// === impl Part ===

impl<'a> Part<'a> {
    /// Reads `kind:name:action,action`; the name may have the port of a host in it.
    fn parse(text: &'a str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let actions: Vec<&str> = actions.split(',').collect();
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:".contains(&byte);
        let is_of_action = |byte: u8| byte.is_ascii_alphanumeric() || b"_-/*".contains(&byte);
        let is_action = |action: &&str| !action.is_empty() && action.bytes().all(is_of_action);
        let is_part = matches!(kind, "repository" | "registry")
            && !name.is_empty()
            && name.bytes().all(is_of_name)
            && actions.len() <= ACTIONS
            && actions.iter().all(is_action);
        is_part.then_some(Self {
            kind,
            name,
            actions,
        })
    }

    fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.name == other.name
    }

    /// Whether another part is for the same, with or without what proxies put in front of names:
    /// a host, a project, `library`.
    fn is_for(&self, other: &Self) -> bool {
        let ends_with = |long: &str, short: &str| {
            let front = long.strip_suffix(short);
            front.is_some_and(|front| front.is_empty() || front.ends_with('/'))
        };
        self.kind == other.kind
            && (ends_with(self.name, other.name) || ends_with(other.name, self.name))
    }

    /// Whether a token with this part may be one with an action, too: no more than to read for what
    /// reads, and everything for what deletes, because each registry has another name for that. Azure has
    /// names of its own, such as `metadata_read`.
    fn permits(&self, action: &str) -> bool {
        let reads = action == "pull" || action.ends_with("read");
        let writes = action == "push" || action.ends_with("write");
        reads || writes && self.includes("push") || self.includes("delete")
    }

    fn includes(&self, action: &str) -> bool {
        let mut own = self.actions.iter();
        own.any(|own| *own == action || *own == "*")
    }
}

fn of_repository(repository: &Repository, actions: &str) -> String {
    format!("repository:{repository}:{actions}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn scopes_as_the_token_server_reads_them() {
        let [a, b] = ["team/a", "b"].map(|name| name.parse::<Repository>().unwrap());
        let cases = [
            (Scope::pull(&a), "repository:team/a:pull"),
            (Scope::pull_push(&a), "repository:team/a:pull,push"),
            (
                Scope::mount(&a, &b),
                "repository:team/a:pull,push repository:b:pull",
            ),
            (Scope::mount(&b, &b), "repository:b:pull,push"),
            (Scope::catalog(), "registry:catalog:*"),
        ];
        for (scope, expected) in cases {
            assert_eq!(scope.joined(), expected);
        }
    }

    fn scope(actions: &str) -> Scope {
        Scope::of(&"team/a".parse().unwrap(), actions)
    }

    #[test]
    fn what_a_challenge_may_ask_for() {
        let pull = scope("pull");
        let push = scope("pull,push");
        let delete = scope("delete");
        let mount = Scope::mount(&"team/a".parse().unwrap(), &"b".parse().unwrap());
        let catalog = Scope::catalog();
        let same = |text| (text, Some(text));
        let cases = [
            (&pull, same("repository:team/a:pull")),
            (&push, same("repository:team/a:pull")),
            (&push, same("repository:team/a:push,pull")),
            (&delete, same("repository:team/a:push")),
            (&delete, same("repository:team/a:pull,push")),
            (&delete, same("repository:team/a:*")),
            (&delete, same("repository:team/a:delete")),
            (&catalog, same("registry:catalog:*")),
            (&pull, same("repository:team/a:metadata_read")),
            (&push, same("repository:team/a:content/write")),
            (
                &mount,
                same("repository:team/a:pull,push repository:b:pull"),
            ),
            (&mount, same("repository:b:pull")),
            // Names that a proxy changes.
            (&pull, same("repository:proxy/team/a:pull")),
            (&pull, same("repository:r.test:5000/team/a:pull")),
            (&pull, same("repository:a:pull")),
            // More than is needed.
            (
                &pull,
                (
                    "repository:team/a:pull,push",
                    Some("repository:team/a:pull"),
                ),
            ),
            (&pull, ("repository:team/a:push", None)),
            (&pull, ("repository:team/a:content/write", None)),
            (&pull, ("repository:team/a:admin", None)),
            (&pull, ("repository:team/a:*", None)),
            (
                &push,
                (
                    "repository:team/a:delete,push,*",
                    Some("repository:team/a:push"),
                ),
            ),
            (
                &mount,
                (
                    "repository:b:pull,push repository:team/a:pull",
                    Some("repository:b:pull repository:team/a:pull"),
                ),
            ),
            // Something else.
            (&pull, ("repository:user/image:pull", None)),
            (&pull, ("repository:xteam/a:pull", None)),
            (&pull, ("repository:team/ab:pull", None)),
            (&pull, ("registry:catalog:*", None)),
            (&pull, ("registry:team/a:pull", None)),
            (&pull, ("repository(plugin):team/a:pull", None)),
            (&catalog, ("repository:catalog:*", None)),
            (
                &pull,
                (
                    "repository:other:pull repository:team/a:pull",
                    Some("repository:team/a:pull"),
                ),
            ),
            // No scopes.
            (&pull, ("", None)),
            (&pull, (" ", None)),
            (&pull, ("team/a", None)),
            (&pull, ("repository:team/a", None)),
            (&pull, ("repository:team/a:", None)),
            (&pull, ("repository:team/a:pull,", None)),
            (&pull, ("repository::pull", None)),
            (&pull, ("repository:x&scope=y/team/a:pull", None)),
            (&pull, ("repository:é/team/a:pull", None)),
            (&pull, ("repository:team/a:pull\nx", None)),
        ];
        for (own, (challenge, expected)) in cases {
            let found = own.demanded(challenge).map(|scope| scope.joined());
            assert_eq!(found.as_deref(), expected, "{challenge:?} for {own:?}");
        }
    }

    #[test]
    fn what_is_taken_from_a_challenge_is_bounded() {
        let pull = scope("pull");
        let many = vec!["repository:team/a:pull"; 50].join(" ");
        assert_eq!(pull.demanded(&many).unwrap().parts().count(), PARTS);
        let long = format!("repository:{}/team/a:pull", "x".repeat(CHALLENGE_BYTES));
        assert_eq!(pull.demanded(&long), None);
        let actions = ["x"; ACTIONS + 1].join(",");
        assert_eq!(pull.demanded(&format!("repository:team/a:{actions}")), None);
    }

    #[test]
    fn a_scope_covers_what_is_part_of_it() {
        let cases = [
            ("pull,push", "pull", true),
            ("pull,push", "push,pull", true),
            ("pull", "pull,push", false),
            ("delete", "push", false),
            ("*", "delete", true),
        ];
        for (own, other, expected) in cases {
            assert_eq!(scope(own).covers(&scope(other)), expected, "{own} {other}");
        }
        let [a, b] = ["team/a", "b"].map(|name| name.parse::<Repository>().unwrap());
        assert!(Scope::mount(&a, &b).covers(&Scope::pull(&b)));
        assert!(!Scope::pull(&b).covers(&Scope::mount(&b, &a)));
    }

    proptest! {
        #[test]
        fn a_challenge_for_reading_never_leads_to_a_token_that_writes(
            parts in prop::collection::vec("(repository|registry):(team/a|b|catalog|x/team/a):(pull|push|delete|write|\\*)(,(pull|push|delete|write|\\*)){0,4}", 0..5),
        ) {
            let pull = scope("pull");
            if let Some(demanded) = pull.demanded(&parts.join(" ")) {
                let only_reads = demanded.of_text().all(|part| {
                    part.kind == "repository"
                        && part.name.ends_with("team/a")
                        && part.actions.iter().all(|action| *action == "pull")
                });
                prop_assert!(only_reads, "{}", demanded.joined());
            }
        }

        #[test]
        fn any_challenge_is_read_without_a_panic(text in ".{0,80}") {
            let _ = scope("delete").demanded(&text);
        }
    }
}
