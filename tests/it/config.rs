//! Good targets files load; bad ones give exactly the text beside them (`BLESS=1` in the environment writes it).

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use webservice_monitor::config::{Config, Sources};

fn load(targets: &Path) -> Result<Config, String> {
    let sources = Sources {
        targets: vec![targets.display().to_string()],
        modules: PathBuf::from("tests/config/none.yml"),
        modules_required: false,
        rules: Vec::new(),
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(10),
    };
    Config::load(&sources).map_err(|errors| {
        errors
            .iter()
            .flat_map(|error| {
                [
                    error.to_string(),
                    "

"
                    .to_owned(),
                ]
            })
            .collect()
    })
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
fn bad_files_are_told_as_written_beside_them() {
    for path in cases(".bad.yml").unwrap() {
        let told = load(&path).expect_err("a bad file");
        let golden = path.with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &told).unwrap();
        }
        assert_eq!(
            told,
            String::from_utf8(fs::read(&golden).unwrap()).unwrap(),
            "{}",
            path.display()
        );
    }
}

#[test]
fn the_shipped_targets_carry_their_labels() {
    let config = load(Path::new("config/targets.yml")).unwrap();
    let own = config.targets.first().unwrap();
    assert_eq!(own.instance, "http://127.0.0.1:9115/-/healthy");
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
        assert!(mistakes[0].path.starts_with(path(name)), "{name}: {}", mistakes[0]);
        assert!(mistakes[0].hint.is_some());
    }
    let config = load("comments").unwrap();
    assert_eq!((config.rules.len(), config.files.len(), config.warnings.len()), (0, 2, 0));
    let config = load("twins").unwrap();
    assert_eq!((config.rules[0].rules.len(), config.warnings.len()), (2, 1));
    assert_eq!(config.warnings[0].location(), format!("{}:5:5", path("twins/a.yml").display()));
}
