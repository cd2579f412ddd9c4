//! `validate` and `--config.check`: the same code as loading, with every mistake and every warning printed.

use std::process::ExitCode;

use super::common::{MISUSED, print_diagnostics};
use crate::config::{Config, Sources, Summary, diagnostic::Warning};

/// Loads the configuration and prints what is in it.
pub(super) fn validate(sources: &Sources) -> ExitCode {
    match Config::load(sources) {
        Ok(config) => {
            for path in &config.files {
                println!("read {}", path.display());
            }
            let Summary { targets, modules, groups, rules, files: _ } = config.summary();
            for warning in &config.warnings {
                println!("{}\n", Warning(warning));
            }
            println!("ok: {targets} targets, {modules} modules, {rules} rules in {groups} groups");
            ExitCode::SUCCESS
        }
        Err(diagnostics) => {
            print_diagnostics(&diagnostics);
            ExitCode::from(MISUSED)
        }
    }
}
