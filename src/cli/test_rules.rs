//! `test-rules`: unit tests of rules, in the format of promtool.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use series::rule::unit_test;

use super::{
    commands::TestRulesOptions,
    common::{FAILED, MISUSED, print_diagnostics},
};
use crate::config::{self, Diagnostic};

/// Runs every file, prints what failed, and reports by the exit code whether any did.
pub(super) fn test_rules(options: &TestRulesOptions) -> ExitCode {
    let mut failed = false;
    for path in &options.files {
        match run_file(path) {
            Ok(report) => {
                print!("{report}");
                failed |= !report.passed();
            }
            Err(diagnostics) => {
                print_diagnostics(&diagnostics);
                return ExitCode::from(MISUSED);
            }
        }
    }
    if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS }
}

fn run_file(path: &Path) -> Result<unit_test::Report, Vec<Diagnostic>> {
    println!("Unit testing: {}", path.display());
    let text = config::read_text(path).map_err(|diagnostic| vec![diagnostic])?;
    // Rule files are named relative to the file with the tests, as in promtool.
    let directory = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let load = |name: &str| {
        config::read_text(&directory.join(name)).map_err(|diagnostic| diagnostic.to_string())
    };
    unit_test::run(&text, &load).map_err(|mistakes| {
        mistakes.into_iter().map(|mistake| mistake.in_file(path, &text)).collect()
    })
}
