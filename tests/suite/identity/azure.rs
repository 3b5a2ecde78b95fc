// SPDX-License-Identifier: Apache-2.0

//! Azure: Entra, the metadata of a machine, and the exchange at the registry.

use std::fs;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use transship::identity::Who;
use transship::registry::Credential;

use super::{ACR, ApiServer, account, claims, issue, issuer, jwt, words};
use crate::support::cloud::Cloud;
use crate::support::http::{Reply, form_values};

const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// Entra as it is.
fn entra() -> Cloud {
    Cloud::start(|_| {
        let token =
            json!({"access_token": "entra-token", "expires_in": 3599, "token_type": "Bearer"});
        Reply::json(200, &token)
    })
}

/// The registry's exchange as it is.
fn exchange() -> Cloud {
    Cloud::start(|_| Reply::json(200, &json!({"refresh_token": jwt(10_800, json!({}))})))
}

fn assert_exchanged(registry: &Cloud, name: &str, tenant: &[&str]) {
    let requests = registry.requests();
    assert_eq!(requests.len(), 1);
    let asked = &requests[0];
    let field = |field| form_values(&asked.body, field);
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("POST", "/oauth2/exchange")
    );
    assert_eq!(field("grant_type"), ["access_token"]);
    assert_eq!(field("service"), [name]);
    assert_eq!(field("access_token"), ["entra-token"]);
    assert_eq!(field("tenant"), tenant);
}

#[tokio::test]
async fn a_token_in_a_file_proves_who_we_are_to_entra_and_that_to_the_registry() {
    let (entra, registry, directory) = (entra(), exchange(), TempDir::new().unwrap());
    let path = directory.path().join("token");
    let own = jwt(600, json!({}));
    fs::write(&path, &own).unwrap();
    let (entra_url, registry_url) = (entra.url(), registry.url());
    let variables = [
        ("AZURE_FEDERATED_TOKEN_FILE", path.to_str().unwrap()),
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_AUTHORITY_HOST", &entra_url),
        (ACR, &registry_url),
    ];
    let issuer = issuer(ACR, &variables, &Who::Process);
    let credential = issuer.issue().await.unwrap();
    assert!(matches!(credential, Credential::IdentityToken { username, .. } if username == NOBODY));
    issue(&issuer).await.unwrap();
    assert_exchanged(&registry, ACR, &["tenant"]);
    let asked = &entra.requests()[0];
    let field = |name| form_values(&asked.body, name).join(" ");
    assert_eq!(asked.path, "/tenant/oauth2/v2.0/token");
    assert_eq!(field("grant_type"), "client_credentials");
    assert_eq!(field("client_id"), "client");
    assert_eq!(
        field("scope"),
        "https://containerregistry.azure.net/.default"
    );
    assert_eq!(
        field("client_assertion_type"),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert_eq!(field("client_assertion"), own);
}

#[tokio::test]
async fn a_service_account_is_the_client_that_its_annotations_name() {
    let (entra, registry, tokens) = (entra(), exchange(), Arc::new(ApiServer::default()));
    let (entra_url, registry_url) = (entra.url(), registry.url());
    let host = "team.azurecr.cn";
    let variables = [
        ("AZURE_AUTHORITY_HOST", entra_url.as_str()),
        // Of the controller's own pod.
        ("AZURE_CLIENT_ID", "controller"),
        ("AZURE_CLIENT_SECRET", "canary"),
        ("AZURE_TENANT_ID", "own"),
        (host, &registry_url),
    ];
    let annotations = [
        ("azure.workload.identity/client-id", "client"),
        ("azure.workload.identity/tenant-id", "theirs"),
    ];
    let who = account("mirror", &annotations, &tokens);
    issue(&issuer(host, &variables, &who)).await.unwrap();
    assert_exchanged(&registry, host, &["theirs"]);
    let asked = &entra.requests()[0];
    assert_eq!(asked.path, "/theirs/oauth2/v2.0/token");
    assert_eq!(form_values(&asked.body, "client_id"), ["client"]);
    assert_eq!(
        form_values(&asked.body, "scope"),
        ["https://containerregistry.azure.cn/.default"]
    );
    let assertion = form_values(&asked.body, "client_assertion").remove(0);
    assert_eq!(
        claims(&assertion)["aud"],
        json!(["api://AzureADTokenExchange"])
    );

    // The tenant of the cluster, where the account names none.
    let who = account("plain", &annotations[..1], &tokens);
    issue(&issuer(host, &variables, &who)).await.unwrap();
    assert_eq!(entra.requests()[1].path, "/own/oauth2/v2.0/token");
    let without = words(&issuer(host, &variables, &account("none", &[], &tokens))).await;
    assert!(
        without.contains("has no annotation azure.workload.identity/client-id"),
        "{without}"
    );
}

#[tokio::test]
async fn a_machine_is_asked_for_its_managed_identity() {
    let metadata = Cloud::start(|request| {
        if request.headers.value("metadata") != Some("true") {
            return Reply::new(400);
        }
        Reply::json(
            200,
            &json!({"access_token": "entra-token", "expires_in": "86399"}),
        )
    });
    let registry = exchange();
    let (metadata_url, registry_url) = (metadata.url(), registry.url());
    let variables = [
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata_url.as_str()),
        ("AZURE_CLIENT_ID", "assigned"),
        (ACR, &registry_url),
    ];
    issue(&issuer(ACR, &variables, &Who::Process))
        .await
        .unwrap();
    assert_exchanged(&registry, ACR, &[]);
    let asked = &metadata.requests()[0];
    assert_eq!(asked.path, "/metadata/identity/oauth2/token");
    assert_eq!(
        asked.parameter("resource").unwrap(),
        "https://containerregistry.azure.net"
    );
    assert_eq!(asked.parameter("client_id").unwrap(), "assigned");
    assert_eq!(asked.parameter("api-version").unwrap(), "2018-02-01");
}

#[tokio::test]
async fn each_wrong_answer_has_its_words() {
    let entra = entra();
    let entra_url = entra.url();
    let token = |token: String| Reply::json(200, &json!({"refresh_token": token}));
    let cases: Vec<(Reply, &str)> = vec![
        (
            Reply::json(200, &json!({})),
            "Answer: SERVER gave a refresh token that cannot be used: it has no refresh_token",
        ),
        (
            token("canary".to_owned()),
            "Answer: SERVER gave a refresh token that cannot be used: its refresh_token is no JWT",
        ),
        (
            Reply::error(401, "UNAUTHORIZED", "no entra-token"),
            "Identity: SERVER refuses a refresh token with 401; that says \"{'errors':[{'code':'UNAUTHORIZED','message':'no ***'}]}\"",
        ),
    ];
    for (reply, expected) in cases {
        let registry = Cloud::start(move |_| reply.clone());
        let registry_url = registry.url();
        let variables = [
            ("AZURE_CLIENT_ID", "client"),
            ("AZURE_CLIENT_SECRET", "canary"),
            ("AZURE_TENANT_ID", "tenant"),
            ("AZURE_AUTHORITY_HOST", &entra_url),
            (ACR, &registry_url),
        ];
        assert_eq!(
            words(&issuer(ACR, &variables, &Who::Process)).await,
            expected
        );
    }
    let over = Cloud::start(move |_| token(jwt(-60, json!({}))));
    let over_url = over.url();
    let variables = [
        ("AZURE_CLIENT_ID", "client"),
        ("AZURE_CLIENT_SECRET", "canary"),
        ("AZURE_TENANT_ID", "tenant"),
        ("AZURE_AUTHORITY_HOST", &entra_url),
        (ACR, &over_url),
    ];
    let found = words(&issuer(ACR, &variables, &Who::Process)).await;
    assert!(found.contains("it ended at "), "{found}");
}

#[tokio::test]
async fn what_entra_refuses_and_what_is_missing_is_told() {
    let entra = Cloud::start(|_| {
        let error = json!({"error": "invalid_client", "error_description": "AADSTS700213: No matching federated identity record found"});
        Reply::json(401, &error)
    });
    let url = entra.url();
    let ask = async |variables: &[(&str, &str)]| {
        let server = [
            ("AZURE_AUTHORITY_HOST", url.as_str()),
            ("AZURE_CLIENT_SECRET", "canary"),
        ];
        words(&issuer(ACR, &[variables, &server].concat(), &Who::Process)).await
    };
    let whole = [("AZURE_CLIENT_ID", "client"), ("AZURE_TENANT_ID", "tenant")];
    insta::assert_snapshot!(ask(&whole).await, @r#"Identity: SERVER refuses a token of Entra with 401; that says "invalid_client: AADSTS700213: No matching federated identity record found""#);
    insta::assert_snapshot!(ask(&whole[..1]).await, @"Identity: AZURE_CLIENT_SECRET is set and AZURE_TENANT_ID is not");
    insta::assert_snapshot!(ask(&whole[1..]).await, @"Identity: AZURE_CLIENT_SECRET is set and AZURE_CLIENT_ID is not");
    let evil = [whole[0], ("AZURE_TENANT_ID", "../evil")];
    insta::assert_snapshot!(ask(&evil).await, @"Identity: the tenant is not the name or id of one");
    let none = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")];
    let none = issuer(ACR, &none, &Who::Process);
    insta::assert_snapshot!(words(&none).await, @"Identity: no identity of Azure was found: AZURE_FEDERATED_TOKEN_FILE and AZURE_CLIENT_SECRET are not set, and there is no metadata server of Azure");
}
