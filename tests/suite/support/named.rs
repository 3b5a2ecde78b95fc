// SPDX-License-Identifier: Apache-2.0

//! One scripted registry behind names of the test's own, so that what is printed is the same in every run.

use tempfile::TempDir;

use super::faults::{FaultRegistry, Options};
use super::program::Program;
use super::tls::Authority;
use super::tunnel::Tunnel;

/// A registry that is reached under several names, and a directory to run in.
pub struct NamedRegistry {
    /// What answers under all of the names.
    pub registry: FaultRegistry,
    tunnel: Tunnel,
    directory: TempDir,
}

impl NamedRegistry {
    /// A registry with these names.
    pub fn start(names: &[&str]) -> Self {
        Self::start_with(names, FaultRegistry::options())
    }

    /// The same with these options.
    pub fn start_with(names: &[&str], options: Options) -> Self {
        let authority = Authority::generate();
        let registry = options
            .tls_with(authority.issue_for(names).server(), &authority)
            .start();
        let lab = Self {
            tunnel: Tunnel::to(registry.host().parse().expect("an address")),
            registry,
            directory: TempDir::new().expect("a directory"),
        };
        lab.write("ca.pem", authority.pem());
        lab
    }

    /// Writes a file into the directory.
    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.directory.path().join(name), content).expect("a file");
    }

    /// The program in the directory, which finds the registry under its names.
    pub fn transship(&self, arguments: &[&str]) -> Program {
        Program::transship(arguments)
            .directory(self.directory.path())
            .environment("TRANSSHIP_CA_FILE", "ca.pem")
            .environment("HTTPS_PROXY", self.tunnel.url())
            .environment("DOCKER_CONFIG", ".")
    }
}
