//! What a token is wanted for: `resource:name:actions` of the token specification.

use crate::oci::Repository;

/// What a token is wanted for. Equal scopes share a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope(Vec<String>);

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

    /// To list the repositories.
    pub fn catalog() -> Self {
        Self(vec!["registry:catalog:*".to_owned()])
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

fn of_repository(repository: &Repository, actions: &str) -> String {
    format!("repository:{repository}:{actions}")
}

#[cfg(test)]
mod tests {
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
}
