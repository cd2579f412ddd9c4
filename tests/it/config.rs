//! Good targets files load; bad ones give exactly the text beside them (`BLESS=1` in the environment writes it).

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use webservice_monitor::config::{
    Config, Promises, Sources,
    diagnostic::{Error, Warning},
};

fn sources(targets: &Path) -> Sources {
    Sources {
        targets: vec![targets.display().to_string()],
        modules: PathBuf::from("tests/config/none.yml"),
        modules_required: false,
        rules: Vec::new(),
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 9115)),
    }
}

fn load(targets: &Path) -> Result<Config, String> {
    Config::load(&sources(targets))
        .map_err(|errors| errors.iter().map(|error| Error(error).to_string() + "\n\n").collect())
}

fn cases(ending: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir("tests/config")? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.display().to_string().ends_with(ending));
    paths.sort();
    assert!(!paths.is_empty());
    Ok(paths)
}

#[test]
fn good_files_load() {
    for path in cases(".good.yml").unwrap() {
        let config = load(&path).unwrap_or_else(|errors| panic!("{}: {errors}", path.display()));
        assert_eq!(config.summary().targets, config.targets.len());
    }
}

#[test]
fn bad_files_are_reported_as_written_beside_them() {
    for path in cases(".bad.yml").unwrap() {
        let reported = load(&path).expect_err("a bad file");
        let golden = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &reported).unwrap();
        }
        assert_eq!(
            reported,
            String::from_utf8(fs::read(&golden).unwrap()).unwrap(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn promises_are_values_of_their_targets() {
    let config = load(Path::new("tests/config/promises.good.yml")).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let [first, second, ..] = config.targets.as_slice() else { panic!("{:?}", config.targets) };
    let (alert_after, max_latency) = (Duration::from_mins(25), Duration::from_secs(3));
    let promised = Promises {
        alert_after: Some(alert_after),
        max_latency: Some(max_latency),
        slo: Some(0.9995),
    };
    assert_eq!(first.promises, promised);
    assert_eq!((second.promises.slo, second.module.as_str()), (Some(0.05), "http_post_2xx"));
    assert_eq!(first.instance, second.instance);
    assert_ne!(first.identity(), second.identity());
    let own = config.targets.last().unwrap();
    assert_eq!(own.address.text(), "http://127.0.0.1:9115/-/healthy");
    assert_eq!((own.instance.as_str(), own.promises), ("/-/healthy", Promises::default()));
}

#[test]
fn a_label_that_is_nearly_one_with_a_meaning_is_pointed_out_once() {
    let config = load(Path::new("tests/config/slips.good.yml")).unwrap();
    let warnings: Vec<String> =
        config.warnings.iter().map(|warning| Warning(warning).to_string()).collect();
    let found = warnings.join("\n\n");
    let golden = Path::new("tests/config/slips.good.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(golden, &found).unwrap();
    }
    assert_eq!(found, String::from_utf8(fs::read(golden).unwrap()).unwrap());
}

/// What one file depends on may be in another, and the mistake is reported at its place.
#[test]
fn dependencies_are_found_across_files() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let pattern = directory.path().join("*.yml");
    write("a.yml", "- targets: [http://a/]\n  labels: { service: a, depends_on: b }\n");
    assert!(load(&pattern).unwrap_err().contains("no target has the service `b`"));
    write("b.yml", "- targets: [http://b/]\n  labels: { service: b }\n");
    assert_eq!(load(&pattern).unwrap().targets.len(), 2);
    write("b.yml", "- targets: [http://b/]\n  labels: { service: b, depends_on: a }\n");
    let errors = load(&pattern).unwrap_err();
    assert!(errors.contains("a → b → a") && errors.contains("a.yml:2:37"), "{errors}");
    assert_eq!(errors.matches("error:").count(), 1, "{errors}");
}

#[test]
fn the_interval_of_all_targets_is_bounded_too() {
    let mut sources = sources(Path::new("tests/config/json.good.yml"));
    sources.interval = Duration::from_mins(5);
    let errors = Config::load(&sources).unwrap_err();
    assert!(errors[0].message.contains("5m of --scrape.interval is longer than 4m"), "{errors:?}");
    assert!(errors[0].hint.as_deref().unwrap().contains("forgets a sample"), "{errors:?}");
}

#[test]
fn the_shipped_targets_carry_their_labels() {
    let config = load(Path::new("config/targets.yml")).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let own = config.targets.first().unwrap();
    assert_eq!(own.instance, "/-/healthy");
    assert_eq!(own.labels.get("job"), Some("webservices"));
    assert_eq!(own.labels.get("service"), Some("monitor"));
    assert!(config.targets.iter().any(|target| target.interval == Duration::from_mins(1)));
}

#[test]
fn rules_that_cannot_be_found_or_read_are_a_mistake() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let write = |name: &str, text: &str| fs::write(path(name), text).unwrap();
    for name in ["empty", "comments", "twins"] {
        fs::create_dir(path(name)).unwrap();
    }
    write("comments/a.yml", "# Nothing yet.\n");
    write("comments/b.yml", "");
    let twins =
        "groups:\n- name: g\n  rules:\n  - {record: r, expr: up}\n  - {record: r, expr: up}\n";
    write("twins/a.yml", twins);
    std::os::unix::fs::symlink(path("circle"), path("circle")).unwrap();
    let load = |name: &str| {
        let sources = Sources {
            targets: Vec::new(),
            modules: PathBuf::from("tests/config/none.yml"),
            modules_required: false,
            listen: std::net::SocketAddr::from(([127, 0, 0, 1], 9115)),
            rules: vec![path(name).join("*.yml").display().to_string()],
            interval: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
        };
        Config::load(&sources)
    };
    for (name, what) in [
        ("empty", "no file matches"),
        ("missing", "no file matches"),
        ("circle", "cannot read the directory: "),
    ] {
        let mistakes = load(name).expect_err(name);
        assert_eq!(mistakes.len(), 1, "{name}");
        assert!(mistakes[0].message.starts_with(what), "{name}: {}", mistakes[0]);
        assert!(
            mistakes[0].path.as_ref().unwrap().starts_with(path(name)),
            "{name}: {}",
            mistakes[0]
        );
        assert!(mistakes[0].hint.is_some());
    }
    let config = load("comments").unwrap();
    assert_eq!((config.rules.len(), config.files.len(), config.warnings.len()), (0, 2, 0));
    let config = load("twins").unwrap();
    assert_eq!((config.rules[0].rules.len(), config.warnings.len()), (2, 1));
    assert_eq!(config.warnings[0].location(), format!("{}:5:5", path("twins/a.yml").display()));
}
