// SPDX-License-Identifier: Apache-2.0

#![no_main]

use libfuzzer_sys::fuzz_target;
use transship::oci::Registry;
use transship::registry::docker_config::DockerConfig;

fuzz_target!(|json: &[u8]| {
    let Ok(config) = DockerConfig::parse(json) else {
        return;
    };
    let repository = "team/app".parse().expect("a repository");
    for registry in ["docker.io", "registry.test:5000", "127.0.0.1"] {
        let registry: Registry = registry.parse().expect("a registry");
        // A broken credential is an error, not a panic; its message shows nothing of it.
        let _ = config.credential(&registry, Some(&repository));
        let _ = config.credential(&registry, None);
        config.helper(&registry);
    }
});
