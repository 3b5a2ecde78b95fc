// SPDX-License-Identifier: Apache-2.0

//! A token server as registries know it: short-lived JWTs that carry scopes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, SigningKey as _};
use rustls::ServerConfig;
use serde_json::{Value, json};

use super::credentials::{Login, Scope};
use super::http::script::Script;
use super::http::server::{Handler, Server};
use super::http::{Reply, Request, form_values};
use super::now;

/// The name of the guarded service in challenges and tokens.
const SERVICE: &str = "transship-tests";

/// Who issues, in tokens and in the registries' configuration.
const ISSUER: &str = "transship-tests-issuer";

/// The identity token that is taken in place of a password.
pub const IDENTITY_TOKEN: &str = "identity-token-of-mirror";

/// How long a token lives: the shortest time the specification lets a server announce.
const LIFETIME_SECONDS: i64 = 60;

/// A token endpoint on a port of its own, with its script and its record.
pub struct TokenServer {
    server: Server,
    issuer: Arc<Issuer>,
}

/// Signs tokens and knows them again.
pub struct Issuer {
    key: KeyPair,
    certificate: String,
    certificate_der: String,
    lifetime: AtomicI64,
    age: AtomicI64,
    anonymous_pull: AtomicBool,
    serial: AtomicUsize,
    issued: Mutex<HashMap<String, Grant>>,
    identity_token: Mutex<String>,
}

struct Grant {
    scopes: Vec<Scope>,
    expires: i64,
}

impl TokenServer {
    /// Starts a token server, with TLS where a configuration is given.
    pub fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let issuer = Arc::new(Issuer::new());
        let server = Server::start(Arc::clone(&issuer) as Arc<dyn Handler>, tls);
        Self { server, issuer }
    }

    /// The URL to send clients to: this server's own.
    pub fn realm(&self) -> String {
        format!("{}/token", self.server.url())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its rules, and its record of requests.
    pub fn script(&self) -> &Script {
        self.server.script()
    }

    /// Who signs its tokens.
    pub fn issuer(&self) -> &Arc<Issuer> {
        &self.issuer
    }
}

impl Issuer {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, ISSUER);
        let certificate = params.self_signed(&key).expect("a certificate");
        Self {
            certificate: certificate.pem(),
            certificate_der: STANDARD.encode(certificate.der()),
            key,
            lifetime: AtomicI64::new(LIFETIME_SECONDS),
            age: AtomicI64::new(0),
            anonymous_pull: AtomicBool::new(false),
            serial: AtomicUsize::new(0),
            issued: Mutex::default(),
            identity_token: Mutex::new(IDENTITY_TOKEN.to_owned()),
        }
    }

    /// The certificate a registry has to trust, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The issuer's name in tokens.
    pub fn name(&self) -> &'static str {
        ISSUER
    }

    /// The service the tokens are for.
    pub fn service(&self) -> &'static str {
        SERVICE
    }

    /// How many tokens were handed out.
    pub fn issued(&self) -> usize {
        self.serial.load(Ordering::SeqCst)
    }

    /// Seconds that tokens issued from now on live and that are announced as `expires_in`.
    pub fn set_lifetime(&self, seconds: i64) {
        self.lifetime.store(seconds, Ordering::SeqCst);
    }

    /// Seconds by which tokens issued from now on are older than they say: `expires_in` is announced
    /// in full, but the registry sees the token expire so much earlier.
    pub fn set_age(&self, seconds: i64) {
        self.age.store(seconds, Ordering::SeqCst);
    }

    /// Whether clients without credentials get tokens that may pull.
    pub fn set_anonymous_pull(&self, allowed: bool) {
        self.anonymous_pull.store(allowed, Ordering::SeqCst);
    }

    /// Takes this identity token in place of a password, and no other.
    pub fn set_identity_token(&self, token: &str) {
        token.clone_into(&mut self.identity_token.lock().unwrap());
    }

    /// Makes every token issued so far worthless for servers of the harness (not for real registries).
    pub fn revoke_all(&self) {
        self.issued.lock().unwrap().clear();
    }

    /// A token for these scopes.
    pub fn issue(&self, scopes: &[Scope]) -> String {
        let issued_at = unix_time() - self.age.load(Ordering::SeqCst);
        let expires = issued_at + self.lifetime.load(Ordering::SeqCst);
        let access: Vec<Value> = scopes
            .iter()
            .map(|scope| json!({"type": scope.kind, "name": scope.name, "actions": scope.actions}))
            .collect();
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [self.certificate_der]});
        let claims = json!({
            "iss": ISSUER, "sub": "mirror", "aud": SERVICE, "exp": expires, "nbf": issued_at - 1, "iat": issued_at,
            "jti": self.serial.fetch_add(1, Ordering::SeqCst).to_string(), "access": access,
        });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        let signature = raw_signature(&self.key.sign(signed.as_bytes()).expect("a signature"));
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        self.issued.lock().unwrap().insert(
            token.clone(),
            Grant {
                scopes: scopes.to_vec(),
                expires,
            },
        );
        token
    }

    /// Whether an `Authorization` field allows these scopes; else the error of the challenge, if it has one.
    pub fn check(
        &self,
        authorization: Option<&str>,
        needed: &[Scope],
    ) -> Result<(), Option<&'static str>> {
        let token = authorization
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            return Err(None);
        };
        let issued = self.issued.lock().unwrap();
        match issued
            .get(token)
            .filter(|grant| grant.expires > unix_time())
        {
            None => Err(Some("invalid_token")),
            Some(grant)
                if needed
                    .iter()
                    .all(|needed| grant.scopes.iter().any(|scope| scope.covers(needed))) =>
            {
                Ok(())
            }
            Some(_) => Err(Some("insufficient_scope")),
        }
    }

    fn claim_of_form(&self, form: &[u8]) -> Claim {
        let field = |name| {
            form_values(form, name)
                .into_iter()
                .next()
                .unwrap_or_default()
        };
        let valid = match field("grant_type").as_str() {
            "password" => {
                Login {
                    username: field("username"),
                    password: field("password"),
                } == Login::valid()
            }
            "refresh_token" => field("refresh_token") == *self.identity_token.lock().unwrap(),
            _ => false,
        };
        if valid { Claim::Valid } else { Claim::Wrong }
    }

    fn answer_for(&self, login: &Claim, scopes: &[Scope]) -> Reply {
        let scopes: Vec<Scope> = match login {
            Claim::Valid => scopes.to_vec(),
            Claim::Absent if self.anonymous_pull.load(Ordering::SeqCst) => {
                scopes.iter().filter_map(pull_only).collect()
            }
            Claim::Absent | Claim::Wrong => {
                return Reply::error(401, "UNAUTHORIZED", "incorrect username or password");
            }
        };
        let token = self.issue(&scopes);
        Reply::json(
            200,
            &json!({"token": token, "access_token": token, "expires_in": self.lifetime.load(Ordering::SeqCst)}),
        )
    }
}

/// What a client claims to be.
enum Claim {
    Valid,
    Wrong,
    Absent,
}

impl Handler for Issuer {
    fn answer(&self, request: &Request) -> Reply {
        let (claim, scopes) = match request.method.as_str() {
            "GET" => (claim_of_header(request), request.parameters("scope")),
            "POST" => (
                self.claim_of_form(&request.body),
                form_values(&request.body, "scope"),
            ),
            _ => return Reply::error(405, "UNSUPPORTED", "GET or POST"),
        };
        let scopes: Vec<Scope> = scopes
            .iter()
            .flat_map(|scopes| scopes.split(' '))
            .filter_map(Scope::parse)
            .collect();
        self.answer_for(&claim, &scopes)
    }

    fn rehearse(&self, request: &Request) -> Reply {
        self.answer(request)
    }
}

fn claim_of_header(request: &Request) -> Claim {
    match request.headers.value("authorization") {
        None => Claim::Absent,
        Some(value) if Login::from_basic(value) == Some(Login::valid()) => Claim::Valid,
        Some(_) => Claim::Wrong,
    }
}

fn pull_only(scope: &Scope) -> Option<Scope> {
    scope
        .actions
        .iter()
        .any(|action| action == "pull")
        .then(|| Scope {
            actions: vec!["pull".to_owned()],
            ..scope.clone()
        })
}

/// A JWS wants both integers at full width one after the other; what we are given is ASN.1:
/// a sequence of two integers without superfluous zeros.
fn raw_signature(der: &[u8]) -> Vec<u8> {
    const WIDTH: usize = 32;
    let mut raw = Vec::with_capacity(2 * WIDTH);
    let mut rest = &der[2..];
    for _ in 0..2 {
        let (integer, after) = rest[2..].split_at(usize::from(rest[1]));
        let significant = &integer[integer.len().saturating_sub(WIDTH)..];
        raw.resize(raw.len() + WIDTH - significant.len(), 0);
        raw.extend_from_slice(significant);
        rest = after;
    }
    raw
}

fn unix_time() -> i64 {
    now().as_second()
}
