// SPDX-License-Identifier: Apache-2.0

//! The pods of the chart: what they can do, and what they are told.

use serde_json::{Value, json};

use super::helm::{EVERYTHING, Rendered, SETS, items, render, text};
use crate::support::program::Program;

#[tokio::test(flavor = "multi_thread")]
async fn pods_can_do_nothing_but_their_work() {
    for (name, values) in SETS {
        let rendered = render(values).await;
        let pod = &rendered.pod()["spec"];
        let mut expected =
            json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
        let [user, group, files] = match name {
            "OpenShift" => [None; 3],
            "everything" => [Some(20_001), Some(20_001), Some(20_002)],
            _ => [Some(65532); 3],
        };
        for (field, id) in [
            ("runAsUser", user),
            ("runAsGroup", group),
            ("fsGroup", files),
        ] {
            if let Some(id) = id {
                expected[field] = json!(id);
            }
        }
        assert_eq!(pod["securityContext"], expected, "{name}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
        assert_eq!(pod["enableServiceLinks"], false, "{name}");
        for field in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
            assert_eq!(pod[field], Value::Null, "{name}: {field}");
        }
        let [container] = pod["containers"].as_array().unwrap().as_slice() else {
            panic!("{name}: one container");
        };
        assert_eq!(
            container["securityContext"],
            json!({
                "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            }),
            "{name}"
        );
        for mount in items(&container["volumeMounts"]) {
            assert_eq!(mount["readOnly"], true, "{name}: {mount}");
        }
        for volume in items(&pod["volumes"]) {
            assert!(volume["projected"].is_object(), "{name}: {volume}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_pod_is_good_for_an_hour() {
    let rendered = render("").await;
    assert_eq!(
        rendered.the("ServiceAccount")["automountServiceAccountToken"],
        false
    );
    let token = &rendered.pod()["spec"]["volumes"][0]["projected"]["sources"][0];
    assert_eq!(
        token["serviceAccountToken"],
        json!({"path": "token", "expirationSeconds": 3600})
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_mirrors_may_reach_becomes_flags() {
    let arguments = |rendered: &Value| -> Vec<String> {
        let flags =
            items(&rendered["spec"]["containers"][0]["args"]).map(|flag| text(flag).to_owned());
        flags.collect()
    };
    insta::assert_snapshot!(arguments(render("").await.pod()).join("\n"), @"
    controller
    --listen-address=[::]:8080
    --lease-name=transship
    --lease-namespace=transship-system
    --concurrent-rounds=32
    --rounds-per-namespace=8
    --max-tags-per-mirror=20000
    --log-level=info
    --log-format=json
    ");
    insta::assert_snapshot!(arguments(render(EVERYTHING).await.pod()).join("\n"), @"
    controller
    --listen-address=0.0.0.0:8080
    --events-address=0.0.0.0:8081
    --page-address=0.0.0.0:8082
    --page-auth
    --lease-name=images
    --lease-namespace=transship-system
    --concurrent-rounds=8
    --rounds-per-namespace=2
    --max-mirror-timeout=2h
    --max-read-memory=256Mi
    --max-tags-per-mirror=5000
    --in-use
    --in-use-extra=configmaps
    --in-use-extra=scaledjobs.keda.sh
    --identity-namespaces=platform
    --job-image=registry.example.com:5000/tools/transship@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945
    --disable-prune
    --log-level=debug
    --log-format=human
    --allow-addresses=169.254.20.10/32,fd00::/8
    --allowed-hosts=*.example.com,docker.io
    --allowed-proxies=proxy.example.com:3128
    --deny-addresses=10.0.0.0/8
    --insecure-hosts=registry.lan:5000
    --trusted-realms=tokens.example.net
    --watch-namespaces=platform,web
    --ca-file=/etc/transship/ca/bundle.pem
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_takes_every_argument_and_variable() {
    for (name, values) in SETS {
        let rendered = render(values).await;
        let container = &rendered.pod()["spec"]["containers"][0];
        let arguments: Vec<&str> = items(&container["args"]).map(text).collect();
        // Arguments are read up to the last one, which asks for nothing but a text.
        let finished = Program::transship(&arguments)
            .argument("--help")
            .run()
            .await;
        finished.assert_success();
        for variable in items(&container["env"]) {
            let variable = text(&variable["name"]);
            let is_ours = variable.starts_with("TRANSSHIP_");
            let is_known = finished.stdout.contains(&format!("{variable}="));
            assert!(!is_ours || is_known, "{name}: {variable}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pods_are_those_that_everything_selects() {
    let rendered = render(EVERYTHING).await;
    let labels = &rendered.pod()["metadata"]["labels"];
    let services: Vec<&Value> = rendered.of_kind("Service").collect();
    let [service, events, page] = services.as_slice() else {
        panic!("{services:?}");
    };
    let policies: Vec<&Value> = rendered.of_kind("NetworkPolicy").collect();
    // The other one is of the pods of Jobs.
    let [own_policy, _] = policies.as_slice() else {
        panic!("{policies:?}");
    };
    let selectors = [
        &rendered.the("Deployment")["spec"]["selector"]["matchLabels"],
        &service["spec"]["selector"],
        &events["spec"]["selector"],
        &page["spec"]["selector"],
        &rendered.the("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        &own_policy["spec"]["podSelector"]["matchLabels"],
        &rendered.pod()["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ];
    for selector in selectors {
        let selector = selector.as_object().unwrap();
        assert_eq!(selector.len(), 2, "{selector:?}");
        assert!(selector.iter().all(|(name, value)| labels[name] == *value));
    }
    let monitored = &rendered.the("ServiceMonitor")["spec"]["selector"]["matchLabels"];
    let service = &service["metadata"]["labels"];
    let mut monitored = monitored.as_object().unwrap().iter();
    assert!(monitored.all(|(name, value)| service[name] == *value));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_in_only_where_they_are_taken() {
    let scrapes = r#"{"from":[{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"monitoring"}}}],"ports":[{"port":"http","protocol":"TCP"}]}"#;
    let open = r#"{"ports":[{"port":"events","protocol":"TCP"}]}"#;
    let peers = "networkPolicy: {metricsFrom: [], eventsFrom: [{podSelector: {}}]}";
    let enabled = "events: {enabled: true}";
    let cases = [
        (String::new(), format!("[{scrapes}]"), 1),
        (peers.to_owned(), "[]".to_owned(), 1),
        (enabled.to_owned(), format!("[{scrapes},{open}]"), 2),
        (
            format!("{enabled}\n{peers}"),
            r#"[{"from":[{"podSelector":{}}],"ports":[{"port":"events","protocol":"TCP"}]}]"#
                .to_owned(),
            2,
        ),
    ];
    for (values, expected, ports) in cases {
        let rendered = render(&values).await;
        let ingress = &rendered.the("NetworkPolicy")["spec"]["ingress"];
        let expected: Value = serde_json::from_str(&expected).unwrap();
        assert_eq!(*ingress, expected, "{values}");
        let container = &rendered.pod()["spec"]["containers"][0];
        assert_eq!(items(&container["ports"]).count(), ports, "{values}");
        assert_eq!(rendered.of_kind("Service").count(), ports, "{values}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_at_loopback_or_asks_who_looks() {
    let page = |rendered: &Rendered| -> Vec<String> {
        let arguments = items(&rendered.pod()["spec"]["containers"][0]["args"]).map(text);
        let page = arguments.filter(|argument| argument.starts_with("--page"));
        page.map(str::to_owned).collect()
    };
    let open = r#"[{"ports":[{"port":"page","protocol":"TCP"}]}]"#;
    let peers = r#"[{"from":[{"podSelector":{}}],"ports":[{"port":"page","protocol":"TCP"}]}]"#;
    let cases: [(&str, &[&str], &str, usize); 5] = [
        ("", &[], "[]", 0),
        ("service: {enabled: true}", &[], "[]", 0),
        ("enabled: true", &["--page-address=8082"], "[]", 0),
        (
            "enabled: true, service: {enabled: true}",
            &["--page-address=[::]:8082", "--page-auth"],
            open,
            1,
        ),
        (
            "enabled: true, service: {enabled: true}}, networkPolicy: {metricsFrom: [], pageFrom: [{podSelector: {}}]",
            &["--page-address=[::]:8082", "--page-auth"],
            peers,
            1,
        ),
    ];
    for (values, arguments, ingress, services) in cases {
        let none = if values.contains("networkPolicy") {
            ""
        } else {
            "networkPolicy: {metricsFrom: []}, "
        };
        let rendered = render(&format!("{{{none}page: {{{values}}}}}")).await;
        assert_eq!(page(&rendered), arguments, "{values}");
        let expected: Value = serde_json::from_str(ingress).unwrap();
        let found = &rendered.the("NetworkPolicy")["spec"]["ingress"];
        assert_eq!(*found, expected, "{values}");
        let named = rendered.of_kind("Service").filter(|service| {
            let name = &service["metadata"]["name"];
            *name == "transship-page"
        });
        assert_eq!(named.count(), services, "{values}");
        let roles = rendered.of_kind("ClusterRole");
        let roles = roles.filter(|role| role["metadata"]["name"] == "transship-page");
        assert_eq!(roles.count(), services, "{values}");
    }
}
