// SPDX-License-Identifier: Apache-2.0

//! Three tenants mirror from one to the next, each as a ServiceAccount of its own: to ECR, from there to Artifact Registry, from
//! there to ACR.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::support::cluster::ControlPlane;
use crate::support::faults::Options;
use crate::support::http::Request;

const GAR: &str = "europe-docker.pkg.dev";
const ACR: &str = "team.azurecr.io";
const PROVIDER: &str = "projects/1/locations/global/workloadIdentityPools/pool/providers/cluster";
const TENANT: &str = "11111111-2222-3333-4444-555555555555";

/// The clouds, and their registries under their own names.
struct Sky {
    sts: Cloud,
    ecr_api: Cloud,
    entra: Cloud,
    /// Google's exchange of tokens and ACR's: their addresses are fixed, so they are found by a proxy.
    fixed: Cloud,
    fixed_tunnel: Tunnel,
    authority: Authority,
    ecr: Named,
    gar: Named,
    acr: Named,
    directory: TempDir,
}

/// A registry under its own name.
struct Named {
    name: &'static str,
    provider: &'static str,
    registry: FaultRegistry,
    tunnel: Tunnel,
}

impl Named {
    fn start(
        (name, provider): (&'static str, &'static str),
        authority: &Authority,
        options: Options,
    ) -> Self {
        let tls = authority.issue_for(&[name]).server();
        let registry = options.tls_with(tls, authority).start();
        Self {
            name,
            provider,
            tunnel: Tunnel::to(registry.host().parse().unwrap()),
            registry,
        }
    }

    /// It as an end of a mirror that is ServiceAccount `mirror` there.
    fn end(&self) -> Value {
        json!({
            "registry": self.name, "provider": self.provider, "serviceAccountName": "mirror",
            "certSecretRef": {"name": "ca"}, "proxySecretRef": {"name": self.provider.to_lowercase()},
        })
    }
}

impl Sky {
    fn open() -> Self {
        let authority = Authority::generate();
        let refresh = crate::identity::jwt(10_800, json!({"sub": "azure"}));
        let acr = Named::start((ACR, "Azure"), &authority, FaultRegistry::options().token());
        let issuer = acr.registry.token_server().unwrap().issuer();
        issuer.set_identity_token(&refresh);
        let gar = Named::start((GAR, "GCP"), &authority, FaultRegistry::options());
        guard(&gar.registry);
        let names = ["sts.googleapis.com", "iamcredentials.googleapis.com", ACR];
        let fixed = Cloud::start_in_tls(authority.issue_for(&names).server(), move |request| {
            fixed(request, &refresh)
        });
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        Self {
            sts: sts(),
            ecr_api: super::ecr(),
            entra: Cloud::start(|_| {
                let token = json!({"access_token": "canary-entra", "expires_in": 3599, "token_type": "Bearer"});
                Reply::json(200, &token)
            }),
            fixed_tunnel: Tunnel::to(fixed.address()),
            fixed,
            ecr: Named::start((ECR, "AWS"), &authority, FaultRegistry::options().basic()),
            gar,
            acr,
            authority,
            directory,
        }
    }

    async fn install(&self) -> Release {
        let ca = self.directory.path().join("ca.pem");
        Release::install_with(&[
            ("AWS_ENDPOINT_URL_STS", &self.sts.url()),
            ("AWS_ENDPOINT_URL_ECR", &self.ecr_api.url()),
            ("AZURE_AUTHORITY_HOST", &self.entra.url()),
            ("TRANSSHIP_CA_FILE", ca.to_str().unwrap()),
            ("ALL_PROXY", &self.fixed_tunnel.url()),
            ("NO_PROXY", "127.0.0.1"),
        ])
        .await
    }

    /// The Secrets that the ends of a mirror name.
    fn secrets(&self) -> String {
        let ends = [&self.ecr, &self.gar, &self.acr];
        let proxies = ends.map(|end| {
            let name = end.provider.to_lowercase();
            secret(&name, "address", &end.tunnel.url())
        });
        secret("ca", "ca.crt", self.authority.pem()) + &proxies.concat()
    }

    /// Every token of a ServiceAccount that a cloud was shown, and the audience that it is for.
    fn shown(&self) -> Vec<(String, String)> {
        let of = |cloud: &Cloud, field: &str, audience: &str| {
            let requests = cloud.requests().into_iter();
            let tokens = requests.flat_map(|request| form_values(&request.body, field));
            let shown = tokens.map(|token| (token, audience.to_owned()));
            shown.collect::<Vec<_>>()
        };
        let google = format!("//iam.googleapis.com/{PROVIDER}");
        [
            of(&self.sts, "WebIdentityToken", "sts.amazonaws.com"),
            of(&self.fixed, "subject_token", &google),
            of(
                &self.entra,
                "client_assertion",
                "api://AzureADTokenExchange",
            ),
        ]
        .concat()
    }
}

/// The user names that Artifact Registry takes, with the tokens of these service accounts of Google.
fn granted(account: &str) -> String {
    let login = STANDARD.encode(format!("oauth2accesstoken:canary-{account}"));
    format!("Basic {login}")
}

/// Whoever is not one of the service accounts gets nothing, and only one of them may push.
fn guard(registry: &FaultRegistry) {
    let challenge = Reply::error(401, "UNAUTHORIZED", "no")
        .header("www-authenticate", "Basic realm=\"artifacts\"");
    let refused = registry.script().when(|request| {
        let shown = request.headers.value("authorization").unwrap_or_default();
        let may_read =
            matches!(request.method.as_str(), "GET" | "HEAD") && shown == granted("azure");
        !may_read && shown != granted("gcp")
    });
    refused.responds(challenge);
}

/// Google's exchange and impersonation, and the exchange of ACR.
fn fixed(request: &Request, refresh: &str) -> Reply {
    let field = |name: &str| form_values(&request.body, name).concat();
    match request.path.as_str() {
        "/v1/token" => Reply::json(
            200,
            &json!({"access_token": "canary-federated", "expires_in": 3599, "token_type": "Bearer"}),
        ),
        "/oauth2/exchange"
            if field("access_token") == "canary-entra" && field("tenant") == TENANT =>
        {
            Reply::json(200, &json!({"refresh_token": refresh}))
        }
        path => {
            let account = path
                .strip_prefix("/v1/projects/-/serviceAccounts/")
                .and_then(|rest| {
                    rest.strip_suffix("@p.iam.gserviceaccount.com:generateAccessToken")
                });
            let Some(account) = account else {
                return Reply::new(404);
            };
            let end = crate::support::now() + jiff::SignedDuration::from_hours(1);
            let token = format!("canary-{account}");
            Reply::json(
                200,
                &json!({"accessToken": token, "expireTime": format!("{end:.0}")}),
            )
        }
    }
}

/// A namespace with ServiceAccount `mirror`, whose Secrets the controller may read.
async fn tenant<'a>(
    plane: &'a ControlPlane,
    name: &str,
    annotations: &[(&str, &str)],
    secrets: &str,
) -> Namespace<'a> {
    let namespace = plane.namespace(name).await;
    let account = format!("--serviceaccount={NAMESPACE}:transship");
    let role = "--clusterrole=transship-secret-reader";
    namespace
        .kubectl_ok(&["create", "rolebinding", "transship", role, &account])
        .await;
    let annotations: BTreeMap<_, _> = annotations.iter().copied().collect();
    let own = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "mirror", "annotations": annotations},
    });
    namespace.apply(&format!("{own}\n{secrets}")).await;
    namespace
}

fn chained(source: Value, destination: &Named) -> Mirror {
    let mut destination = destination.end();
    destination["name"] = json!("next");
    Mirror::of("r.test")
        .image("app", &["1"])
        .with("/source", source)
        .with("/destinations", json!([destination]))
}

#[tokio::test(flavor = "multi_thread")]
async fn three_tenants_mirror_from_cloud_to_cloud_each_as_its_own_service_account() {
    let (sky, source) = (Sky::open(), FaultRegistry::start());
    let image = ImageBuilder::new(1).layers(&[1024]).build();
    source.load("app", "1", &image);
    let release = sky.install().await;
    let plane = &release.plane;
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    let (pushes, pulls) = (role("pushes"), role("pulls"));
    let pushing = [("eks.amazonaws.com/role-arn", pushes.as_str())];
    let pulling = [("eks.amazonaws.com/role-arn", pulls.as_str())];
    let email = |name: &str| format!("{name}@p.iam.gserviceaccount.com");
    let (gcp, azure) = (email("gcp"), email("azure"));
    let google_of = |email| {
        [
            ("gcp.auth.fluxcd.io/workload-identity-provider", PROVIDER),
            ("iam.gke.io/gcp-service-account", email),
        ]
    };
    let entra = [
        ("azure.workload.identity/client-id", "client"),
        ("azure.workload.identity/tenant-id", TENANT),
    ];
    let secrets = sky.secrets();
    let in_azure = [&google_of(&azure)[..], &entra].concat();
    let first = tenant(plane, "to-aws", &pushing, &secrets).await;
    let in_google = [&google_of(&gcp)[..], &pulling].concat();
    let second = tenant(plane, "to-gcp", &in_google, &secrets).await;
    let third = tenant(plane, "to-azure", &in_azure, &secrets).await;
    // Who is somebody in the clouds as well, and has not opted in.
    let stranger = tenant(plane, "stranger", &in_azure, &secrets).await;
    let accounts = [&first, &second, &third].into_iter().enumerate();
    let values = accounts.map(|(number, namespace)| {
        let account = format!("identity.serviceAccounts[{number}]");
        format!(
            "{account}.namespace={},{account}.name=mirror",
            namespace.name()
        )
    });
    let values: Vec<String> = values.collect();
    release
        .upgrade(&format!("--set={}", values.join(",")))
        .await;

    let plain = json!({"registry": source.host(), "insecure": true});
    let links = [
        (&first, chained(plain, &sky.ecr)),
        (&second, chained(sky.ecr.end(), &sky.gar)),
        (&third, chained(sky.gar.end(), &sky.acr)),
    ];
    for (namespace, mirror) in links {
        namespace.apply(&mirror.to_string()).await;
        namespace
            .wait_for_condition("imir", "mirror", "Ready", "True")
            .await;
    }
    for end in [&sky.ecr, &sky.gar, &sky.acr] {
        let found = end.registry.manifest("app", "1").unwrap();
        assert_eq!(found.digest, image.digest(), "{}", end.name);
    }
    let asked =
        [&sky.sts, &sky.ecr_api, &sky.entra, &sky.fixed].map(|cloud| cloud.requests().len());
    let others = chained(sky.gar.end(), &sky.acr);
    stranger.apply(&others.to_string()).await;
    insta::assert_snapshot!(refusal(&stranger, "mirror").await, @r#"AccessDenied: spec.source.serviceAccountName: service account "mirror" of namespace "team" is not granted to Transship: add {namespace: team, name: mirror} to identity.serviceAccounts of the Helm chart, or bind a Role there that may get serviceaccounts and create serviceaccounts/token with resourceNames: [mirror]; spec.destinations[0].serviceAccountName: service account "mirror" of namespace "team" is not granted to Transship: add {namespace: team, name: mirror} to identity.serviceAccounts of the Helm chart, or bind a Role there that may get serviceaccounts and create serviceaccounts/token with resourceNames: [mirror]"#);
    let asked_then =
        [&sky.sts, &sky.ecr_api, &sky.entra, &sky.fixed].map(|cloud| cloud.requests().len());
    assert_eq!(asked_then, asked, "no cloud was asked for the stranger");

    // Each cloud saw the account of a tenant, by a token that the API server knows again.
    let mut users = BTreeSet::new();
    for (token, audience) in sky.shown() {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        });
        let reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
        let review = plane.client().create(reviews, &review).await;
        let review = review.assert_success();
        assert_eq!(review["status"]["audiences"], json!([audience]));
        let user = review["status"]["user"]["username"].as_str().unwrap();
        users.insert((audience, user.to_owned()));
    }
    let account =
        |namespace: &Namespace<'_>| format!("system:serviceaccount:{}:mirror", namespace.name());
    let google = format!("//iam.googleapis.com/{PROVIDER}");
    let expected = [
        ("sts.amazonaws.com".to_owned(), account(&first)),
        ("sts.amazonaws.com".to_owned(), account(&second)),
        (google.clone(), account(&second)),
        (google, account(&third)),
        ("api://AzureADTokenExchange".to_owned(), account(&third)),
    ];
    assert_eq!(users, expected.into_iter().collect());
    let roles: BTreeSet<String> = sky
        .sts
        .requests()
        .iter()
        .flat_map(|request| form_values(&request.body, "RoleArn"))
        .collect();
    assert_eq!(roles, [pulls, pushes].into_iter().collect());

    // Tokens were asked for of the accounts that are named, and of no other.
    let audit = plane.audit_of(USER).await;
    let of_accounts = audit
        .iter()
        .filter(|entry| entry.resource == "serviceaccounts");
    let of_accounts: BTreeSet<String> = of_accounts
        .map(|entry| {
            let (verb, resource) = (&entry.verb, entry.full_resource());
            format!(
                "{verb} {resource} {}/{} {}",
                entry.namespace, entry.name, entry.code
            )
        })
        .collect();
    let mut expected = BTreeSet::from([format!(
        "get serviceaccounts {}/mirror 403",
        stranger.name()
    )]);
    for namespace in [&first, &second, &third] {
        let name = namespace.name();
        expected.insert(format!("get serviceaccounts {name}/mirror 200"));
        expected.insert(format!("create serviceaccounts/token {name}/mirror 201"));
    }
    assert_eq!(of_accounts, expected);
    let (status, output) = release.controller.stop().await;
    assert!(status.success(), "{output}");
    assert!(!output.contains("canary"), "{output}");
}
