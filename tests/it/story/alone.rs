//! The all-in-one mode by itself, as one process, with the shipped rules run faster.
//!
//! Must not know what happens to the services that it watches.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;

use super::{
    faster,
    monitor::{Monitor, free_addresses, rule_files, run_faster},
};
use crate::{parts::root, program::Running};

/// The running program. It ends when this is dropped.
pub(super) struct Alone {
    folder: TempDir,
    address: SocketAddr,
    program: Option<Running>,
}

impl Alone {
    /// Starts it on a first list of targets and modules.
    pub(super) fn start(targets: &str, modules: &str) -> Self {
        let [address] = free_addresses();
        let mut alone = Self { folder: tempfile::tempdir().unwrap(), address, program: None };
        let config = alone.folder.path().join("config");
        fs::create_dir_all(config.join("rules")).unwrap();
        let names = rule_files();
        for name in &names {
            fs::copy(root().join("config").join(name), config.join(name)).unwrap();
        }
        run_faster(&config, &names);
        fs::write(config.join("modules.yml"), modules).unwrap();
        alone.write_targets(targets);
        alone.come_back();
        alone
    }
}

impl Monitor for Alone {
    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn leave(&mut self) {
        self.program = None;
    }

    fn come_back(&mut self) {
        let duration = |production: Duration| format!("{}ms", faster(production).as_millis());
        let arguments = [
            "run".to_owned(),
            format!("--web.listen-address={}", self.address),
            "--config.file=config/modules.yml".to_owned(),
            format!("--scrape.interval={}", duration(Duration::from_secs(15))),
            format!("--scrape.timeout={}", duration(Duration::from_secs(10))),
            format!("--query.lookback-delta={}", duration(Duration::from_mins(5))),
        ];
        let program = PathBuf::from(env!("CARGO_BIN_EXE_webservice-monitor"));
        self.program = Some(self.spawn(&program, &arguments));
    }
}
