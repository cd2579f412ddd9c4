//! The bundled services of `webservice-monitor demo` and the files that monitor them.
//!
//! Loopback only. Must not know the program that watches them: it finds them through the files, as any other service.

pub mod services;

use std::{
    io,
    path::{Path, PathBuf},
};

use services::{Services, certificate};

/// How many times faster than in production time passes in the demo: what takes an hour there takes a minute here.
pub const FACTOR: i64 = 60;

/// The demo's rules: those of `config/rules/webservices.rules.yml`, made [`FACTOR`] times faster by `make demo-rules`.
const RULES: &str = include_str!("demo.rules.yml");

/// What stands above them in the demo's file.
const RULES_HEADER: &str = "# The rules of the demo: the shipped ones, 60 times faster, so that minutes are seconds. Edit this file: it is read again\n# within seconds.\n#\n";

/// The files of a demo.
#[derive(Debug)]
pub struct Files {
    /// The targets file: the bundled services.
    pub targets: PathBuf,
    /// The modules file.
    pub modules: PathBuf,
    /// The shipped rules, faster.
    pub rules: PathBuf,
}

/// Starts the services and writes the files that monitor them into `directory`.
///
/// # Errors
/// When no port can be opened, or the directory cannot be written to; with the path in the message.
pub async fn start(directory: &Path) -> io::Result<(Services, Files)> {
    write(directory, None)?;
    let certificate = certificate().map_err(io::Error::other)?;
    let services = Services::start(&certificate).await?;
    let ca_file = directory.join("demo-ca.pem");
    write(&ca_file, Some(&certificate.ca_pem))?;
    let files = Files {
        targets: directory.join("targets.yml"),
        modules: directory.join("modules.yml"),
        rules: directory.join("demo.rules.yml"),
    };
    write(&files.targets, Some(&targets(&services)))?;
    let quoted = ca_file.display().to_string().replace('\'', "''");
    let modules = format!(
        "modules:\n  https_demo:\n    prober: http\n    http:\n      tls_config: {{ ca_file: '{quoted}' }}\n"
    );
    write(&files.modules, Some(&modules))?;
    write(&files.rules, Some(&format!("{RULES_HEADER}{RULES}")))?;
    Ok((services, files))
}

/// Writes a file, or makes a directory.
fn write(path: &Path, text: Option<&str>) -> io::Result<()> {
    match text {
        Some(text) => std::fs::write(path, text),
        None => std::fs::create_dir_all(path),
    }
    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn targets(services: &Services) -> String {
    use std::fmt::Write as _;

    let mut text = String::from(
        "# The services of the demo. Add one of your own: it is probed within seconds.\n",
    );
    for service in services.list() {
        // Writing to a string cannot fail.
        let _infallible = write!(
            text,
            "- targets: [\"{}\"]\n  labels: {{ service: {}, team: demo{} }}\n",
            service.url, service.name, service.labels
        );
    }
    text
}
