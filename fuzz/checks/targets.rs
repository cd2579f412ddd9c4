//! What holds for any file as a targets file. Must not know how the file came about.

use std::{cell::OnceCell, collections::HashSet, fs, path::PathBuf, time::Duration};

use tempfile::TempDir;
use webservice_monitor::config::{Config, INTERVAL_MAX, Sources, diagnostic::Error};

thread_local! {
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
}

/// Checks what becomes of a targets file that holds these bytes.
pub(crate) fn check(bytes: &[u8]) {
    let path = FOLDER
        .with(|folder| folder.get_or_init(|| TempDir::new().unwrap()).path().join("targets.yml"));
    fs::write(&path, bytes).unwrap();
    let sources = Sources {
        targets: vec![path.display().to_string()],
        modules: PathBuf::from("none.yml"),
        modules_required: false,
        rules: Vec::new(),
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 9115)),
    };
    match Config::load(&sources) {
        Ok(config) => {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            assert_eq!(config.files, [path]);
            targets_are_sound(&config, &text);
        }
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "refused without a reason");
            let text = String::from_utf8_lossy(bytes);
            let lines = lines(&text);
            for diagnostic in &diagnostics {
                assert_eq!(diagnostic.path.as_ref(), Some(&path));
                assert!(!diagnostic.message.trim().is_empty(), "{diagnostic:?}");
                let shown = Error(diagnostic).to_string();
                assert!(shown.starts_with("error: "), "{shown}");
                if let Some(at) = diagnostic.position {
                    assert!((1..=lines.len()).contains(&at.line), "{shown}");
                    assert!(at.column >= 1, "{shown}");
                    let excerpt = diagnostic.excerpt.as_deref().unwrap();
                    assert!(lines[at.line - 1].contains(excerpt), "{shown}");
                }
            }
        }
    }
}

/// The lines of a text, as YAML has them: a lone carriage return ends one, too.
fn lines(text: &str) -> Vec<String> {
    text.replace("\r\n", "\n").split(['\n', '\r']).map(str::to_owned).collect()
}

fn targets_are_sound(config: &Config, text: &str) {
    let mut identities = HashSet::new();
    for target in &config.targets {
        assert!(identities.insert(target.identity()), "{} is there twice", target.instance);
        assert!(target.interval <= INTERVAL_MAX, "{target:?}");
        let promises = target.promises;
        assert!(
            promises.alert_after.is_none_or(|time| time >= target.interval * 3),
            "{promises:?}"
        );
        assert!(promises.max_latency.is_none_or(|time| !time.is_zero()), "{promises:?}");
        assert!(promises.slo.is_none_or(|ratio| ratio > 0.0 && ratio < 1.0), "{promises:?}");
        assert!(!target.instance.is_empty());
        assert_eq!(target.labels.get("instance"), Some(target.instance.as_str()));
        assert_eq!(target.labels.get("job"), Some(webservice_monitor::config::JOB));
        for (name, _) in target.labels.iter() {
            let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
            assert!(name.chars().all(word) && !name.starts_with("__"), "{name}");
            assert!(!name.starts_with(|first: char| first.is_ascii_digit()), "{name}");
        }
        assert!(config.modules.contains_key(&target.module), "{}", target.module);
        assert!(!target.timeout.is_zero() && target.timeout <= target.interval, "{target:?}");
        let (_, line) = target.origin.rsplit_once(':').unwrap();
        let line: usize = line.parse().unwrap();
        assert!((1..=lines(text).len()).contains(&line), "{}", target.origin);
    }
}
