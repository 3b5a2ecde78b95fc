// SPDX-License-Identifier: Apache-2.0

//! Who may do what, as the servers of the tests see it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::http::{Reply, Request};
use super::token::Issuer;

/// The user name every registry of the tests knows.
pub const USERNAME: &str = "mirror";

/// Its password; the colons are there because Basic splits at the first one.
pub const PASSWORD: &str = "s3cret:with:colons";

/// The same pair as an htpasswd line: bcrypt, with the lowest cost there is.
pub const HTPASSWD: &str = "mirror:$2y$04$harness.harness.harneu6ovl3ouAWwlalfRB2OHbgbCNPe4W9pC\n";

/// A user name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Actions on one resource, as a token grants them: `repository:a/b:pull,push`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `repository` or `registry`.
    pub kind: String,
    /// The repository, or `catalog`.
    pub name: String,
    /// `pull`, `push`, `delete` or `*`.
    pub actions: Vec<String>,
}

/// What a server demands of a request.
#[derive(Clone)]
pub enum Guard {
    /// The user name and the password of the tests.
    Basic,
    /// A token of this issuer; the realm is where clients are sent for one.
    Bearer {
        /// Who issues the tokens and knows them again.
        issuer: Arc<Issuer>,
        /// The URL of the token endpoint; `{host}` stands for whatever the client calls this server.
        realm: String,
    },
}

impl Login {
    /// The login that the registries of the tests accept.
    pub fn valid() -> Self {
        Self {
            username: USERNAME.to_owned(),
            password: PASSWORD.to_owned(),
        }
    }

    /// The right user with a wrong password.
    pub fn wrong() -> Self {
        Self {
            password: "guessed".to_owned(),
            ..Self::valid()
        }
    }

    /// The value of an `Authorization` field.
    pub fn basic(&self) -> String {
        format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{}", self.username, self.password))
        )
    }

    /// Reads the value of an `Authorization` field.
    pub fn from_basic(authorization: &str) -> Option<Self> {
        let (scheme, encoded) = authorization.split_once(' ')?;
        let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (username, password) = decoded.split_once(':')?;
        scheme.eq_ignore_ascii_case("basic").then(|| Self {
            username: username.to_owned(),
            password: password.to_owned(),
        })
    }
}

/// The Docker config that `docker login` leaves behind: hosts with the logins for them.
pub fn docker_config(logins: &[(&str, &Login)]) -> String {
    let entry = |(host, login): &(&str, &Login)| {
        let pair = STANDARD.encode(format!("{}:{}", login.username, login.password));
        ((*host).to_owned(), json!({"auth": pair}))
    };
    let auths: Map<String, Value> = logins.iter().map(entry).collect();
    json!({"auths": auths}).to_string()
}

impl Scope {
    /// Reads `kind:name:action,action`; a name may contain colons.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        Some(Self {
            kind: kind.to_owned(),
            name: name.to_owned(),
            actions: actions.split(',').map(str::to_owned).collect(),
        })
    }

    /// Whether every action of another scope is granted by this one.
    pub fn covers(&self, needed: &Self) -> bool {
        let grants = |action: &String| {
            self.actions.contains(action) || self.actions.iter().any(|granted| granted == "*")
        };
        self.kind == needed.kind && self.name == needed.name && needed.actions.iter().all(grants)
    }

    fn repository(name: &str, actions: &[&str]) -> Self {
        Self {
            kind: "repository".to_owned(),
            name: name.to_owned(),
            actions: actions.iter().map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.kind, self.name, self.actions.join(","))
    }
}

impl Guard {
    /// Lets a request pass, or answers it with 401 and a challenge.
    pub fn check(&self, request: &Request) -> Result<(), Reply> {
        let authorization = request.headers.value("authorization");
        match self {
            Self::Basic if authorization.and_then(Login::from_basic) == Some(Login::valid()) => {
                Ok(())
            }
            Self::Basic => Err(refuse("Basic realm=\"tests\"")),
            Self::Bearer { issuer, realm } => {
                let realm =
                    realm.replace("{host}", request.headers.value("host").unwrap_or_default());
                let needed = needed_scopes(request);
                issuer.check(authorization, &needed).map_err(|error| {
                    let mut challenge =
                        format!("Bearer realm=\"{realm}\",service=\"{}\"", issuer.service());
                    if !needed.is_empty() {
                        let scopes: Vec<String> = needed.iter().map(ToString::to_string).collect();
                        write!(challenge, ",scope=\"{}\"", scopes.join(" ")).unwrap();
                    }
                    if let Some(error) = error {
                        write!(challenge, ",error=\"{error}\"").unwrap();
                    }
                    refuse(&challenge)
                })
            }
        }
    }
}

fn refuse(challenge: &str) -> Reply {
    Reply::error(401, "UNAUTHORIZED", "authentication required")
        .header("www-authenticate", challenge)
}

/// What distribution demands for a request.
fn needed_scopes(request: &Request) -> Vec<Scope> {
    let path = request.path.trim_start_matches("/v2/");
    if path == "_catalog" {
        return vec![Scope {
            kind: "registry".to_owned(),
            name: "catalog".to_owned(),
            actions: vec!["*".to_owned()],
        }];
    }
    let Some(repository) = repository_of(path) else {
        return Vec::new();
    };
    let mut scopes = vec![match request.method.as_str() {
        "GET" | "HEAD" => Scope::repository(repository, &["pull"]),
        "DELETE" => Scope::repository(repository, &["delete"]),
        _ => Scope::repository(repository, &["pull", "push"]),
    }];
    scopes.extend(
        request
            .parameter("from")
            .map(|from| Scope::repository(&from, &["pull"])),
    );
    scopes
}

/// The repository in a path below `/v2/`.
pub fn repository_of(path: &str) -> Option<&str> {
    ["/manifests/", "/blobs/", "/tags/", "/referrers/"]
        .iter()
        .find_map(|part| path.rsplit_once(part))
        .map(|(repository, _)| repository)
}
